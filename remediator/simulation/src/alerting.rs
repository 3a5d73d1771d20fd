//! Prometheus with the shipped rules: which alerts fire, and since when. What becomes of them is
//! [`alertmanager`]'s business.

use std::collections::BTreeMap;
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};
use vcm_recovery::time::Time;

use crate::knobs::Icmp;
use crate::world::{Hardserver, Place, World};

pub mod alertmanager;

/// `keep_firing_for` of the shipped rules.
const KEEP_FIRING: Duration = Duration::from_secs(300);

/// A load that is told of, in per cent.
const LOAD_HIGH: u8 = 90;

/// What an alert is about: a module by the number that the exporter shows, or the host.
pub type About = (usize, Option<ModuleNumber>);

/// A rule of alerts/rules that is routed to the remediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A module is failed for 2 min.
    VcmFailed,
    /// A module is failed for 10 min.
    VcmFailedLong,
    /// A module does not answer for 2 min.
    VcmUnreachable,
    /// A hardserver is down for 2 min.
    HardserverDown,
    /// An HSM has been overloaded for 2 min: told of each of its modules. Of a site's own rules.
    HsmLoadHigh,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 5] = [
        Self::VcmFailed,
        Self::VcmFailedLong,
        Self::VcmUnreachable,
        Self::HardserverDown,
        Self::HsmLoadHigh,
    ];

    /// `alertname`
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VcmFailed => "VcmFailed",
            Self::VcmFailedLong => "VcmFailedLong",
            Self::VcmUnreachable => "VcmUnreachable",
            Self::HardserverDown => "HardserverDown",
            Self::HsmLoadHigh => "HsmLoadHigh",
        }
    }

    /// Its `for`.
    const fn wait(self) -> Duration {
        Duration::from_secs(match self {
            Self::VcmFailed | Self::VcmUnreachable | Self::HardserverDown | Self::HsmLoadHigh => {
                120
            }
            Self::VcmFailedLong => 600,
        })
    }
}

/// An alert that is pending or fires.
#[derive(Clone, Copy, Debug)]
struct Active {
    since: Time,
    firing_since: Option<Time>,
    /// When its condition ended; it keeps firing for a while.
    ended_at: Option<Time>,
}

/// What Alertmanager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// About what.
    pub about: About,
    /// By which rule.
    pub rule: Rule,
    /// When it began.
    pub starts_at: Time,
    /// When it ended, if it has.
    pub ends_at: Option<Time>,
}

/// Prometheus.
#[derive(Debug, Default)]
pub struct Prometheus {
    active: BTreeMap<(About, Rule), Active>,
    /// Alerts that fire without a reason, and until when.
    false_alerts: BTreeMap<About, Time>,
}

impl Prometheus {
    /// An alert will fire about a module that works.
    pub(crate) fn fires_falsely(&mut self, about: About, until: Time) {
        self.false_alerts.insert(about, until);
    }

    /// Evaluates the rules about one host. Returns what Alertmanager is told, and when this host is
    /// to be evaluated again at the latest.
    pub(crate) fn evaluate(
        &mut self,
        world: &World,
        host: usize,
        now: Time,
    ) -> (Vec<Told>, Option<Time>) {
        self.false_alerts.retain(|_, until| *until > now);
        let holds = self.conditions(world, host);
        for &key in &holds {
            let fresh = Active {
                since: now,
                firing_since: None,
                ended_at: None,
            };
            self.active.entry(key).or_insert(fresh).ended_at = None;
        }
        let mut told = Vec::new();
        let mut again: Vec<Time> = self.false_alerts.values().copied().collect();
        let of_host = |key: &(About, Rule)| key.0.0 == host;
        for (&(about, rule), active) in self.active.iter_mut().filter(|(key, _)| of_host(key)) {
            if !holds.contains(&(about, rule)) {
                active.ended_at = active.ended_at.or(Some(now));
            }
            let fires_at = active.since.after(rule.wait());
            if active.firing_since.is_none() && active.ended_at.is_none() {
                if now >= fires_at {
                    active.firing_since = Some(now);
                    told.push(Told {
                        about,
                        rule,
                        starts_at: now,
                        ends_at: None,
                    });
                } else {
                    again.push(fires_at);
                }
            }
            if let Some(ended_at) = active.ended_at {
                again.push(ended_at.after(KEEP_FIRING));
            }
        }
        self.active.retain(|&(about, rule), active| {
            let over = |ended_at: Time| {
                active.firing_since.is_none() || now >= ended_at.after(KEEP_FIRING)
            };
            let gone = about.0 == host && active.ended_at.is_some_and(over);
            if let (true, Some(starts_at)) = (gone, active.firing_since) {
                told.push(Told {
                    about,
                    rule,
                    starts_at,
                    ends_at: Some(now),
                });
            }
            !gone
        });
        (told, again.into_iter().filter(|&at| at > now).min())
    }

    /// Everything that fires, as Prometheus repeats it each minute.
    pub(crate) fn firing(&self) -> impl Iterator<Item = Told> + '_ {
        self.active.iter().filter_map(|(&(about, rule), active)| {
            let starts_at = active.firing_since?;
            Some(Told {
                about,
                rule,
                starts_at,
                ends_at: None,
            })
        })
    }

    /// It has restarted and knows nothing of what fired.
    pub(crate) fn forget(&mut self, now: Time) {
        for active in self.active.values_mut() {
            active.since = now;
            active.firing_since = None;
        }
    }

    /// What the exporter on `host` shows that a rule is about.
    fn conditions(&self, world: &World, host: usize) -> Vec<(About, Rule)> {
        let mut holds = Vec::new();
        if !world.hosts[host].up {
            return holds;
        }
        let shown = world.hosts[host].hardserver == Hardserver::Running;
        if matches!(world.hosts[host].hardserver, Hardserver::Down { .. }) {
            holds.push(((host, None), Rule::HardserverDown));
        }
        for slot in 0..world.hosts[host].modules.len() {
            let place = Place { host, slot };
            let about = (host, Some(world.module(place).number));
            let failed = shown && world.module(place).view == ModuleState::Failed;
            if failed || self.false_alerts.contains_key(&about) {
                holds.extend([(about, Rule::VcmFailed), (about, Rule::VcmFailedLong)]);
            }
            let works = shown && world.module(place).view == ModuleState::Operational;
            if works && world.hsms[world.module(place).hsm].load() >= LOAD_HIGH {
                holds.push((about, Rule::HsmLoadHigh));
            }
            if lost(world, place) {
                holds.push((about, Rule::VcmUnreachable));
            }
        }
        holds
    }
}

fn lost(world: &World, place: Place) -> bool {
    match world.knobs.icmp {
        Icmp::Honest | Icmp::GoodWhileDead | Icmp::Router | Icmp::Lossy => !world.answers(place),
        Icmp::Filtered => true,
        Icmp::Refused | Icmp::SignedOff => false,
        Icmp::Tcp => !world.answers(place) || !world.reachable(place),
    }
}
