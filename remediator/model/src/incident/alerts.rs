//! What Alertmanager delivers: what fires, at every tick; and, out of turn, what it says late, twice or
//! in the wrong order.

use std::sync::Arc;

use vcm_recovery::alert::Fact;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::ids::Fingerprint;
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::{AlertRule, Scope};
use vcm_recovery::tier::Tier;

use super::state::{Pc, State};
use super::{Broken, Estate};
use crate::scene;
use crate::ticks::{Tick, at};

/// An alert of the estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Alert {
    /// The module is failed. Permits retry.
    Failed,
    /// The module has been failed for long. Permits every rung.
    FailedLong,
    /// The hardserver is down. Permits restart.
    HardserverDown,
}

/// What tells two facts apart: the alert, its start, and its end.
pub(super) type Key = (Alert, Tick, Option<Tick>);

/// When an alert that is about to be delivered began and ended, against the tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Delivery {
    /// It ends now.
    Ends,
    /// It began again now.
    BeginsAgain,
    /// It was first delivered long ago, and this delivery comes late: it fires since the beginning.
    FiresLate,
    /// Its first end comes late: it ended at the tick after the beginning.
    EndedLate,
}

impl Alert {
    /// Every alert.
    pub(super) const ALL: [Self; 3] = [Self::Failed, Self::FailedLong, Self::HardserverDown];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Failed => "VcmFailed",
            Self::FailedLong => "VcmFailedLong",
            Self::HardserverDown => "HardserverDown",
        }
    }

    /// What the policy says about it.
    pub(super) const fn rule(self) -> AlertRule {
        let (tier, scope) = match self {
            Self::Failed => (Tier::Retry, Scope::Module),
            Self::FailedLong => (Tier::Clear, Scope::Module),
            Self::HardserverDown => (Tier::Restart, Scope::Host),
        };
        AlertRule { tier, scope }
    }

    /// What it is about.
    pub(super) fn target(self, estate: &Estate) -> Target {
        let host = estate.entry.name.clone();
        match self {
            Self::Failed | Self::FailedLong => Target::module(host, scene::number(1)),
            Self::HardserverDown => Target::host(host),
        }
    }

    fn fingerprint(self) -> Option<Fingerprint> {
        format!("{:016x}", self as u8).parse().ok()
    }

    fn fact(self, estate: &Estate, (start, end): (Tick, Option<Tick>), now: Tick) -> Option<Fact> {
        Some(Fact {
            fingerprint: self.fingerprint()?,
            name: self.name().to_owned(),
            target: self.target(estate),
            tier: Some(self.rule().tier),
            lowered: None,
            firing: end.is_none(),
            starts_at: at(start),
            ends_at: end.map(at),
            delivered_at: at(now),
        })
    }
}

/// Delivers every alert that fires. A remediator that does not run hears nothing.
pub(super) fn ring(estate: &Estate, state: &mut State) {
    for (alert, start) in state.ringing.clone() {
        deliver(estate, state, (alert, start, None));
    }
}

/// Delivers something out of turn; `None` if it would be nothing new.
pub(super) fn out_of_turn(
    estate: &Estate,
    state: &mut State,
    alert: Alert,
    delivery: Delivery,
) -> Option<()> {
    let rings = state.ringing.get(&alert).copied();
    let key = match (delivery, rings) {
        (Delivery::Ends, Some(start)) => {
            state.ringing.remove(&alert);
            (alert, start, Some(state.now))
        }
        (Delivery::BeginsAgain, None) => {
            state.ringing.insert(alert, state.now);
            (alert, state.now, None)
        }
        (Delivery::FiresLate, None) => (alert, 0, None),
        (Delivery::EndedLate, Some(2..)) => (alert, 0, Some(1)),
        _ => return None,
    };
    deliver(estate, state, key);
    Some(())
}

fn deliver(estate: &Estate, state: &mut State, key: Key) {
    let (alert, start, end) = key;
    if matches!(state.pc, Pc::Down(_)) {
        return;
    }
    let Some(fact) = alert.fact(estate, (start, end), state.now) else {
        return;
    };
    state.delivered.insert(key, fact.clone());
    let entry = Entry {
        host: Some(estate.entry.name.clone()),
        target: Some(fact.target.clone()),
        incident: None,
        change: Change::FactChanged(fact.clone()),
    };
    if estate.breaks(Broken::LastFactCounts) {
        Arc::make_mut(&mut state.host)
            .facts
            .remove(&fact.fingerprint);
    }
    scene::store(&mut state.host, &[entry], state.epoch, state.now);
}

/// The highest tier that the delivered alerts about a target permit by their plain meaning: an alert
/// counts when it was delivered firing no longer ago than it lives, and its newest start lies behind
/// every end.
pub(super) fn permitted(estate: &Estate, state: &State, target: &Target) -> Option<Tier> {
    let counts = |alert: &Alert| {
        let of_this = || state.delivered.iter().filter(|((of, ..), _)| of == alert);
        let firing = || of_this().filter(|((.., end), _)| end.is_none());
        let start = firing().map(|((_, start, _), _)| *start).max();
        let end = of_this().filter_map(|((.., end), _)| *end).max();
        let lives = firing()
            .any(|(_, fact)| at(state.now).since(fact.delivered_at) <= estate.rules.alert_ttl);
        lives && start > end
    };
    let about = Alert::ALL
        .into_iter()
        .filter(|alert| alert.target(estate) == *target);
    about.filter(counts).map(|alert| alert.rule().tier).max()
}
