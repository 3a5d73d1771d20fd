//! What a decision needs beyond the states: watchdog, silences, ownership; and the view of the fleet
//! put together from all of it.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use vcm_recovery::fleet::load::Loads;
use vcm_recovery::fleet::storm::Storms;
use vcm_recovery::fleet::{FleetView, Ownership, Silences};
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use super::{EngineParts, Mailboxes};
use crate::webhook::Watchdog;

/// Storms and loads are put together anew at most this often: over a large fleet that takes
/// milliseconds, and every host asks at every look.
const VIEW_FRESH: Duration = Duration::from_millis(500);

/// What the engine asks when it decides.
#[derive(Clone)]
pub struct Surroundings {
    /// When the watchdog was last heard of.
    pub watchdog: Arc<Watchdog>,
    /// Which alerts are silenced.
    pub silences: Arc<dyn Fn(Time) -> Silences + Send + Sync>,
    /// Whether the store is still ours.
    pub ownership: Arc<dyn Fn() -> Ownership + Send + Sync>,
    /// The newest storms and loads.
    pub(super) newest: Arc<Newest>,
    /// Where what the webhook has stored waits for the actors.
    mail: Arc<RwLock<Mailboxes>>,
}

/// The part of the view that is not put together for each decision.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<Option<(Time, Storms, Loads)>>);

impl Surroundings {
    /// What a remediator without Alertmanager's API is surrounded by.
    #[must_use]
    pub fn new(watchdog: Arc<Watchdog>) -> Self {
        Self {
            watchdog,
            silences: Arc::new(|_| Silences::NotAsked),
            ownership: Arc::new(|| Ownership::Ours),
            newest: Arc::default(),
            mail: Arc::default(),
        }
    }
}

impl Surroundings {
    /// Says where each host's mail is.
    pub(super) fn post(&self, mailboxes: Mailboxes) {
        *self.mail.write().unwrap_or_else(PoisonError::into_inner) = mailboxes;
    }

    /// Where each host's mail is; none until the actors are there.
    pub(super) fn mailboxes(&self) -> Mailboxes {
        let mail = self.mail.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&mail)
    }
}

impl EngineParts {
    /// The newest known state of everything. What is in flight and a pause are always the newest
    /// known; storms and loads may be `VIEW_FRESH` old.
    #[must_use]
    pub fn fleet_view(&self, now: Time) -> FleetView {
        let fleet = self.board.fleet();
        let (storms, loads) = self.slow_view(now);
        let around = &self.surroundings;
        FleetView {
            pause: fleet.open_pause(now),
            unconfirmed_gap: fleet.unconfirmed_gap,
            unconfirmed_since: fleet.unconfirmed_since,
            unconfirmed_until: fleet.unconfirmed_until,
            wall_ahead: self.clock.wall_ahead(),
            storms,
            loads,
            watchdog: around.watchdog.last(),
            silences: (around.silences)(now),
            ownership: (around.ownership)(),
            ..self.board.in_flight()
        }
    }

    fn slow_view(&self, now: Time) -> (Storms, Loads) {
        let newest = &self.surroundings.newest.0;
        let mut newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, storms, loads)) = &*newest
            && now.since(*at) < VIEW_FRESH
        {
            return (storms.clone(), loads.clone());
        }
        let (mut hosts, fleet) = (self.board.all(), self.board.fleet());
        self.take_in_mail(&mut hosts);
        let hosts = hosts.iter().map(AsRef::as_ref);
        let view = FleetView::new(hosts, &fleet, &self.inventory, &self.policy, now);
        *newest = Some((now, view.storms.clone(), view.loads.clone()));
        (view.storms, view.loads)
    }

    /// What is stored counts for every host at once. The actor that it was delivered to takes it in
    /// when its look or its order is over, which may be a minute later.
    fn take_in_mail(&self, hosts: &mut [Arc<HostState>]) {
        let mail = self.surroundings.mailboxes();
        for state in hosts {
            let Some(mailbox) = mail.get(&state.host) else {
                continue;
            };
            mailbox.shown(|known| {
                if known.is_empty() {
                    return;
                }
                let state = Arc::make_mut(state);
                for (fingerprint, record) in known {
                    state.learn(*fingerprint, record);
                }
            });
        }
    }
}
