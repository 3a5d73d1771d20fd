//! The policy: every time, cap and permission, each with unit, default and reason.
//!
//! The program reads the policy from its configuration file and checks it; the core only uses it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::HostName;
use crate::step::CLEAR_WAIT_MIN;
use crate::tier::{Rung, Tier};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

/// How much the remediator may do. The lower of the global and the host's mode counts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Decides and shows, runs nothing. The default of an installation.
    #[default]
    Observe,
    /// Runs what the policy permits.
    Act,
}

impl Mode {
    /// Every mode, lowest first.
    pub const ALL: [Self; 2] = [Self::Observe, Self::Act];

    /// The word used in labels and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Act => "act",
        }
    }
}

/// What an alert name may mean: a module, or the host itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The alert needs the label `module`.
    Module,
    /// The alert forbids the label `module`.
    Host,
}

/// What an alert name permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertRule {
    /// The highest tier that this alert permits; its label `recovery_tier` can only lower it.
    pub tier: Tier,
    /// What its target is.
    pub scope: Scope,
}

impl AlertRule {
    /// The tier that an alert permits whose label lowers it to `lowered`.
    #[must_use]
    pub fn permits(&self, lowered: Option<Tier>) -> Tier {
        lowered.map_or(self.tier, |lowered| lowered.min(self.tier))
    }
}

/// At most this many attempts within a sliding window, across incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cap {
    /// How many.
    pub attempts: u32,
    /// Within which time.
    pub window: Duration,
}

/// The times and limits of one rung.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RungPolicy {
    /// Not before this long after our own first observation of the failure.
    pub not_before: Duration,
    /// How long after the steps nothing is concluded.
    pub settle: Duration,
    /// How long the target then has to turn healthy.
    pub verify: Duration,
    /// Sliding caps per target (retry), host (restart) or ESN (clear).
    pub caps: Vec<Cap>,
    /// Attempts of this rung within one incident.
    pub attempts_per_incident: u32,
    /// Whether a person must approve each attempt.
    pub approval: bool,
}

/// What a restart may do to other modules of the host that are healthy.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum OthersHealthy {
    /// The rung is left out: one failed module of several is no reason to cut the others.
    #[default]
    Skip,
    /// A person decides.
    Ask,
    /// The restart is permitted.
    Allow,
}

/// How many attempts may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Budgets {
    /// Per host. Default 1: one proven step at a time.
    pub host: u32,
    /// Retries per HSM. Default 2: several reconnects at once load a device that just rebooted.
    pub hsm_retry: u32,
    /// Restarts and clears in the whole fleet. Default 1: the first one proves the next.
    pub fleet_disruptive: u32,
}

/// How long a condition lasts before a person is paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageAfter {
    /// Observation missing, late, cut short, or the network state unknown. Default 5 min.
    pub unknown: Duration,
    /// The VCM does not answer. Default 10 min: an HSM boots in minutes.
    pub network: Duration,
    /// The hardserver does not answer in time. Default 5 min.
    pub unresponsive: Duration,
    /// Anything else that stops an incident of a failed target. Default 30 min.
    pub stuck: Duration,
}

/// The whole policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The global mode.
    pub mode: Mode,
    /// Which alert names permit what. A name not listed only causes an observation.
    pub alerts: BTreeMap<String, AlertRule>,
    /// The name of the always-firing alert that proves the path from Prometheus.
    pub watchdog_alert: Option<String>,
    /// How long a delivered alert counts: three times the shipped repeat interval. Default 15 min.
    pub alert_ttl: Duration,
    /// Times and limits of retry.
    pub retry: RungPolicy,
    /// Times and limits of restart.
    pub restart: RungPolicy,
    /// Times and limits of clear.
    pub clear: RungPolicy,
    /// The wait between `-M` and `-c`; at least 30 s.
    pub clear_wait: Duration,
    /// `start` of a hardserver that is proven down: not before. Default 2 min.
    pub hardserver_down_not_before: Duration,
    /// What a restart may do to healthy modules.
    pub others_healthy: OthersHealthy,
    /// Least time between the end of an attempt and the next one on that host. Default 60 s.
    pub spacing: Duration,
    /// Health counts when it holds this long on end. Default 60 s.
    pub healthy_for: Duration,
    /// A target that is healthy this long while its alert fires is a stale alert. Default 5 min.
    pub stale_alert_after: Duration,
    /// A latched incident ends after this long of health. Default 5 min.
    pub latch_release_after: Duration,
    /// No rung starts until ping has been back this long: the hardserver may reconnect by itself.
    /// Default 60 s.
    pub network_settle: Duration,
    /// No restart until ping has been back this long: a session may resume without reloading keys.
    /// Default 10 min.
    pub network_settle_restart: Duration,
    /// Evidence older than this is not acted on. Default 30 s.
    pub evidence_max_age: Duration,
    /// Two observations that must agree lie at least this far apart. Default 10 s.
    pub agreement_span: Duration,
    /// Time between observations of a host with an open incident. Default 20 s: evidence is then
    /// always recent enough to act on, at three looks a minute.
    pub observe_interval: Duration,
    /// First time between observations while an attempt is verified; doubles up to
    /// `observe_interval`. Default 5 s.
    pub verify_poll: Duration,
    /// Attempts in flight.
    pub budgets: Budgets,
    /// When people are paged.
    pub page_after: PageAfter,
    /// How many tool runs a minute a host is asked for at most: each logs a line there. Default 8.
    pub tool_runs_per_minute: u32,
}

impl Policy {
    /// Times and limits of `rung`.
    #[must_use]
    pub const fn rung(&self, rung: Rung) -> &RungPolicy {
        match rung {
            Rung::Retry => &self.retry,
            Rung::Restart => &self.restart,
            Rung::Clear => &self.clear,
        }
    }

    /// The highest tier that any listed alert of this scope permits.
    #[must_use]
    pub fn highest_tier(&self, scope: Scope) -> Option<Tier> {
        self.alerts
            .values()
            .filter(|rule| rule.scope == scope)
            .map(|rule| rule.tier)
            .max()
    }

    /// The mode that counts for a host.
    #[must_use]
    pub fn mode_of(&self, host: Option<Mode>) -> Mode {
        host.map_or(self.mode, |mode| mode.min(self.mode))
    }
}

impl Default for Policy {
    fn default() -> Self {
        let rung =
            |not_before, settle, verify, caps: &[(u32, Duration)], per_incident| RungPolicy {
                not_before,
                settle,
                verify,
                caps: caps
                    .iter()
                    .map(|&(attempts, window)| Cap { attempts, window })
                    .collect(),
                attempts_per_incident: per_incident,
                approval: false,
            };
        let alert = |name: &str, tier, scope| (name.to_owned(), AlertRule { tier, scope });
        Self {
            mode: Mode::Observe,
            alerts: BTreeMap::from([
                alert("VcmFailed", Tier::Retry, Scope::Module),
                alert("VcmFailedLong", Tier::Restart, Scope::Module),
                alert("VcmUnreachable", Tier::Network, Scope::Module),
                alert("HardserverDown", Tier::Restart, Scope::Host),
            ]),
            watchdog_alert: Some("VcmRemediatorWatchdog".to_owned()),
            alert_ttl: minutes(15),
            retry: rung(
                minutes(2),
                seconds(5),
                seconds(120),
                &[(3, hours(1)), (6, hours(24))],
                3,
            ),
            restart: rung(minutes(10), seconds(30), seconds(300), &[(1, hours(6))], 1),
            clear: RungPolicy {
                approval: true,
                ..rung(minutes(30), seconds(10), seconds(300), &[(1, hours(24))], 1)
            },
            clear_wait: CLEAR_WAIT_MIN,
            hardserver_down_not_before: minutes(2),
            others_healthy: OthersHealthy::Skip,
            spacing: seconds(60),
            healthy_for: seconds(60),
            stale_alert_after: minutes(5),
            latch_release_after: minutes(5),
            network_settle: seconds(60),
            network_settle_restart: minutes(10),
            evidence_max_age: seconds(30),
            agreement_span: seconds(10),
            observe_interval: seconds(20),
            verify_poll: seconds(5),
            budgets: Budgets {
                host: 1,
                hsm_retry: 2,
                fleet_disruptive: 1,
            },
            page_after: PageAfter {
                unknown: minutes(5),
                network: minutes(10),
                unresponsive: minutes(5),
                stuck: minutes(30),
            },
            tool_runs_per_minute: 8,
        }
    }
}

/// Everything about one host that a decision needs besides its state.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The host's inventory entry.
    pub host: &'a crate::inventory::HostEntry,
    /// The policy.
    pub policy: &'a Policy,
}

impl Site<'_> {
    /// The host's name.
    #[must_use]
    pub fn name(&self) -> &HostName {
        &self.host.name
    }

    /// The mode that counts here.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.policy.mode_of(self.host.mode)
    }
}
