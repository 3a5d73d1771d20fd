//! The policy: every time, cap and permission, each with unit, default and reason.
//!
//! The program reads the policy from its configuration file and checks it; the core only uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::HostName;
use crate::step::CLEAR_WAIT_MIN;
use crate::tier::{Rung, Tier};
use crate::time::Weekday;

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
    /// Runs what the policy permits, each time by a person's word.
    Approve,
    /// Runs what the policy permits.
    Act,
}

impl Mode {
    /// Every mode, lowest first.
    pub const ALL: [Self; 3] = [Self::Observe, Self::Approve, Self::Act];

    /// The word used in labels and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Approve => "approve",
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cap {
    /// How many.
    pub attempts: u32,
    /// Within which time.
    pub window: Duration,
}

/// The times and limits of one rung.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// When it may start; empty means at any time.
    pub windows: Vec<Window>,
}

/// A time of the week in which a rung may start, in UTC: the remediator knows no other time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The days on which it begins.
    pub days: BTreeSet<Weekday>,
    /// The minute of the day at which it begins, below 1,440.
    pub from_minute: u16,
    /// How long it is open; a day at most. It may reach into the next day.
    pub length: Duration,
}

/// When failures of several hosts are one trouble of the device behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StormPolicy {
    /// New failures within this time count together. Default 5 min.
    pub window: Duration,
    /// A storm is over when it has been below half for this long. Default 10 min.
    pub calm: Duration,
    /// An HSM is in a storm with this many hosts. Default 2: two tenants have nothing else in
    /// common.
    pub hsm_hosts: u32,
    /// The fleet is in a storm with this many hosts. Default 3: one or two never are.
    pub fleet_hosts_min: u32,
    /// And with at least this share of its hosts, in per cent. Default 20.
    pub fleet_share_percent: u32,
    /// In a storm retries are spread over this time. Default 30 s.
    pub stagger: Duration,
}

/// When a target fails too often for the remediator to be the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flapping {
    /// This many incidents. Default 3.
    pub incidents: u32,
    /// Within this time. Default 6 h, at most a day.
    pub window: Duration,
}

/// The load gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LoadPolicy {
    /// At or above this load of an HSM with a failed module nothing starts, and load is shed.
    /// Default 90 %.
    pub threshold_percent: u8,
    /// Below this load it is restored. Default 70 %.
    pub restore_below_percent: u8,
    /// Load stays shed at least this long unless the incident closes. Default 10 min.
    pub hold: Duration,
    /// After this long it is restored whatever happens. Default 2 h.
    pub max_shed: Duration,
    /// Whether there is a hook; without one a person is paged to ask the provider.
    pub hook: bool,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Budgets {
    /// Per host. Default 1: one proven step at a time.
    pub host: u32,
    /// Retries per HSM. Default 2: several reconnects at once load a device that just rebooted.
    pub hsm_retry: u32,
    /// Restarts and clears in the whole fleet. Default 1: the first one proves the next.
    pub fleet_disruptive: u32,
}

/// How long a condition lasts before a person is paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How long a request for approval, and an answer to it, is good for. Default 1 h.
    pub approval_ttl: Duration,
    /// No restart or clear unless the watchdog was heard of within this time. Default 10 min: the
    /// way from Prometheus to here must work before what it does not say means anything.
    pub watchdog_max_age: Duration,
    /// An attempt whose end nobody reports is of unknown outcome after this long. Default 15 min:
    /// the steps, their deadlines and three starts of the hardserver take less.
    pub report_timeout: Duration,
    /// After a page of this age an attempt of unknown outcome keeps its host and HSM, but no longer
    /// the fleet. Default 1 h.
    pub unknown_release: Duration,
    /// Several hosts failing at once.
    pub storm: StormPolicy,
    /// After an HSM's first failure no restart or clear this long, and in a storm no retry: the
    /// device may be booting. Default 5 min.
    pub boot_window: Duration,
    /// One target failing again and again.
    pub flapping: Flapping,
    /// The load gate; `None` is off.
    pub load: Option<LoadPolicy>,
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
                windows: Vec::new(),
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
            approval_ttl: hours(1),
            watchdog_max_age: minutes(10),
            report_timeout: minutes(15),
            unknown_release: hours(1),
            storm: StormPolicy {
                window: minutes(5),
                calm: minutes(10),
                hsm_hosts: 2,
                fleet_hosts_min: 3,
                fleet_share_percent: 20,
                stagger: seconds(30),
            },
            boot_window: minutes(5),
            flapping: Flapping {
                incidents: 3,
                window: hours(6),
            },
            load: None,
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

    /// Whether the inventory lists `target`: what was listed once may have been taken out. A host
    /// without a module has nothing to recover.
    #[must_use]
    pub fn lists(&self, target: &crate::inventory::Target) -> bool {
        let host = target.host == self.host.name && !self.host.modules.is_empty();
        host && (target.module.is_none() || self.host.module_of(target).is_some())
    }

    /// The mode that counts here.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.policy.mode_of(self.host.mode)
    }
}
