//! Alerts as facts: which target an alert names, which tier it permits, and how facts join.
//!
//! The only thing taken from an alert's text is a lookup in the inventory and a parsed module
//! number that the inventory confirms.

use std::collections::BTreeMap;
use std::time::Duration;

use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};

use crate::ids::Fingerprint;
use crate::inventory::{HostEntry, Inventory, Target};
use crate::policy::{AlertRule, Policy, Scope};
use crate::tier::Tier;
use crate::time::Time;

/// Longest label value looked at, in bytes.
pub const LABEL_LENGTH_MAX: usize = 1024;

/// How far an alert's start and end may be ahead of the program's time; what is further ahead counts as
/// this far. Both are Alertmanager's, and compared with each other and with those of before, so that
/// a program that is behind must not cut one of them to its own time: an end would then hide the
/// next start, and each delivery of one start would be a start of its own. A day, so that a clock that
/// has gone wrong elsewhere hides an alert for no longer.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(24 * 3600);

/// A fact is remembered, and holds one of its target's places, for so long after it was last delivered:
/// a day, as the failures that storms and flapping count. As shipped, Alertmanager delivers again every
/// 5 min, and a fact counts for 15 min. Whatever comes later than a day is joined with what the store
/// keeps, for 90 days; Alertmanager itself keeps what it has notified for 5 days at most.
pub const FACT_MEMORY: Duration = Duration::from_secs(24 * 3600);

/// Facts of one target that are remembered for longer because its incident is open or they are
/// silenced: as many as there are places, the newest of them.
pub const OLD_FACTS_MAX: usize = 64;

/// One alert of a webhook body, after its JSON was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Alertmanager's hash of the labels.
    pub fingerprint: Fingerprint,
    /// Whether it fires.
    pub firing: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it began.
    pub starts_at: Time,
    /// When it ended; absent while firing.
    pub ends_at: Option<Time>,
}

/// An alert about a target of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fact {
    /// Alertmanager's hash of the labels.
    pub fingerprint: Fingerprint,
    /// `alertname`
    pub name: String,
    /// What it is about.
    pub target: Target,
    /// The tier it permitted by the policy of its delivery; `None` only causes an observation.
    /// What it permits later is for the policy of then.
    pub tier: Option<Tier>,
    /// The tier that its label `recovery_tier` lowers it to.
    pub lowered: Option<Tier>,
    /// Whether it fires.
    pub firing: bool,
    /// When it began, never later than `delivered_at`.
    pub starts_at: Time,
    /// When it ended; absent while firing.
    pub ends_at: Option<Time>,
    /// When it was delivered to us.
    pub delivered_at: Time,
}

/// Why an alert is not acted on. The display text goes to the log and the audit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It names no target of the inventory, or two different ones.
    #[error("unknown target: {0}")]
    UnknownTarget(String),
    /// Its name is not listed and it names no target either.
    #[error("no tier: alert {0:?} is not listed in the policy and names no target")]
    NoTier(String),
    /// A label cannot be what it should be.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Its target has as many different alerts as are kept.
    #[error("too many: {0}")]
    TooMany(String),
}

impl Ignored {
    /// The value of the label `reason`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::UnknownTarget(_) => "unknown_target",
            Self::NoTier(_) => "no_tier",
            Self::Malformed(_) => "malformed",
            Self::TooMany(_) => "too_many",
        }
    }
}

impl Alert {
    /// Finds the target and the permitted tier of this alert.
    ///
    /// # Errors
    /// [`Ignored`] says why nothing will be done about it.
    pub fn resolve(
        &self,
        inventory: &Inventory,
        policy: &Policy,
        delivered_at: Time,
    ) -> Result<Fact, Ignored> {
        self.check_labels()?;
        let name = self
            .label("alertname")
            .ok_or_else(|| Ignored::Malformed("label alertname is missing".to_owned()))?;
        let rule = policy.alerts.get(name);
        let host = match (self.host(inventory), rule) {
            (Err(Ignored::UnknownTarget(_)), None) => {
                return Err(Ignored::NoTier(name.to_owned()));
            }
            (host, _) => host?,
        };
        let target = self.target(host, rule.map(|rule| rule.scope))?;
        let lowered = self.lowered_tier()?;
        let tier = rule.map(|rule| rule.permits(lowered));
        let latest = delivered_at.after(CLOCKS_APART_MAX);
        Ok(Fact {
            fingerprint: self.fingerprint,
            name: name.to_owned(),
            target,
            tier,
            lowered,
            firing: self.firing,
            starts_at: self.starts_at.min(latest),
            ends_at: self.ends_at.map(|at| at.min(latest)),
            delivered_at,
        })
    }

    /// A label that is present and not empty (Prometheus treats an empty label as absent).
    fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Refuses labels that we read and that no Prometheus of ours would send.
    fn check_labels(&self) -> Result<(), Ignored> {
        for name in [
            "alertname",
            "host",
            "instance",
            "module",
            "esn",
            "recovery_tier",
        ] {
            let Some(value) = self.label(name) else {
                continue;
            };
            if value.len() > LABEL_LENGTH_MAX {
                let length = value.len();
                return Err(Ignored::Malformed(format!(
                    "label {name} has {length} bytes"
                )));
            }
            if value.chars().any(char::is_control) {
                return Err(Ignored::Malformed(format!(
                    "label {name} has control characters"
                )));
            }
        }
        Ok(())
    }

    /// The host by label `host`, or else by `instance`; a conflict between them names no host.
    fn host<'a>(&self, inventory: &'a Inventory) -> Result<&'a HostEntry, Ignored> {
        let unknown = |text: String| Err(Ignored::UnknownTarget(text));
        let by_name = |text: &str| inventory.hosts.get(text);
        let by_instance = |text: &str| inventory.host_by_instance(text).or_else(|| by_name(text));
        match (self.label("host"), self.label("instance")) {
            (Some(host), instance) => {
                let Some(entry) = by_name(host) else {
                    return unknown(format!("host {host:?} is not in the inventory"));
                };
                let other = instance.is_some_and(|instance| match &entry.instance {
                    // The inventory has no instance twice.
                    Some(declared) => declared.as_str() != instance,
                    None => by_instance(instance).is_some_and(|found| found.name != entry.name),
                });
                if other {
                    return unknown(format!(
                        "host {host:?} and instance {:?} name different hosts",
                        instance.unwrap_or_default()
                    ));
                }
                Ok(entry)
            }
            (None, Some(instance)) => match by_instance(instance) {
                Some(entry) => Ok(entry),
                None => unknown(format!("instance {instance:?} is not in the inventory")),
            },
            (None, None) => unknown("neither label host nor instance".to_owned()),
        }
    }

    /// The target on `host`. An alert that is not listed takes its scope from its labels.
    fn target(&self, host: &HostEntry, scope: Option<Scope>) -> Result<Target, Ignored> {
        let scope = scope.unwrap_or_else(|| match self.label("module") {
            Some(_) => Scope::Module,
            None => Scope::Host,
        });
        match (scope, self.label("module")) {
            (Scope::Host, None) => Ok(Target::host(host.name.clone())),
            (Scope::Host, Some(module)) => Err(Ignored::UnknownTarget(format!(
                "alert is about the host, but has label module {module:?}"
            ))),
            (Scope::Module, None) => Err(Ignored::UnknownTarget(
                "alert is about a module, but has no label module".to_owned(),
            )),
            (Scope::Module, Some(text)) => self.module_target(host, text),
        }
    }

    fn module_target(&self, host: &HostEntry, text: &str) -> Result<Target, Ignored> {
        let module: ModuleNumber = text
            .parse()
            .map_err(|_| Ignored::Malformed(format!("label module {text:?} is not a number")))?;
        let Some(entry) = host.modules.get(&module) else {
            let host = &host.name;
            return Err(Ignored::UnknownTarget(format!(
                "host {host} has no module {module}"
            )));
        };
        let esn = self
            .label("esn")
            .map(str::parse::<Esn>)
            .transpose()
            .map_err(|_| {
                Ignored::Malformed("label esn is not an electronic serial number".to_owned())
            })?;
        match (esn, &entry.esn) {
            (Some(found), Some(expected)) if found != *expected => {
                Err(Ignored::UnknownTarget(format!(
                    "label esn is {found}, the inventory has {expected} for {}/{module}",
                    host.name
                )))
            }
            _ => Ok(Target::module(host.name.clone(), module)),
        }
    }

    fn lowered_tier(&self) -> Result<Option<Tier>, Ignored> {
        self.label("recovery_tier")
            .map(str::parse)
            .transpose()
            .map_err(|error| Ignored::Malformed(format!("label recovery_tier {error}")))
    }
}

/// Everything delivered about one fingerprint, joined. Any order and any repetition of the same
/// facts gives the same record: each field is a maximum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactRecord {
    /// `alertname`
    pub name: String,
    /// What it is about.
    pub target: Target,
    /// The tier that its label `recovery_tier` lowers it to.
    pub lowered: Option<Tier>,
    /// The newest start among the firing facts.
    pub newest_start: Option<Time>,
    /// The newest end among the resolved facts.
    pub newest_end: Option<Time>,
    /// When it was last delivered as firing.
    pub last_firing_delivery: Option<Time>,
}

impl FactRecord {
    /// The record of a single fact.
    #[must_use]
    pub fn new(fact: &Fact) -> Self {
        let mut record = Self {
            name: fact.name.clone(),
            target: fact.target.clone(),
            lowered: fact.lowered,
            newest_start: None,
            newest_end: None,
            last_firing_delivery: None,
        };
        record.join(fact);
        record
    }

    /// Joins another delivery of the same fingerprint.
    pub fn join(&mut self, fact: &Fact) {
        if fact.firing {
            self.newest_start = self.newest_start.max(Some(fact.starts_at));
            self.last_firing_delivery = self.last_firing_delivery.max(Some(fact.delivered_at));
        } else {
            let end = fact.ends_at.unwrap_or(fact.delivered_at);
            self.newest_end = self.newest_end.max(Some(end));
        }
    }

    /// Joins what is known of the same fingerprint elsewhere.
    pub fn join_known(&mut self, other: &Self) {
        self.newest_start = self.newest_start.max(other.newest_start);
        self.newest_end = self.newest_end.max(other.newest_end);
        self.last_firing_delivery = self.last_firing_delivery.max(other.last_firing_delivery);
    }

    /// The tier it permits by this policy; `None` when its name is not listed for such a target.
    #[must_use]
    pub fn permits(&self, policy: &Policy) -> Option<Tier> {
        let rule = self.rule(policy)?;
        Some(rule.permits(self.lowered))
    }

    /// Whether its name stands for the load of an HSM, whatever its label lowers it to. Such an
    /// alert tells of no failure.
    #[must_use]
    pub fn about_load(&self, policy: &Policy) -> bool {
        self.rule(policy)
            .is_some_and(|rule| rule.tier == Tier::Load)
    }

    fn rule<'a>(&self, policy: &'a Policy) -> Option<&'a AlertRule> {
        let scope = if self.target.module.is_some() {
            Scope::Module
        } else {
            Scope::Host
        };
        policy
            .alerts
            .get(&self.name)
            .filter(|rule| rule.scope == scope)
    }

    /// Whether it fires: begun, and not ended since.
    #[must_use]
    pub fn firing(&self) -> bool {
        match (self.newest_start, self.newest_end) {
            (Some(start), Some(end)) => start > end,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// When it was last heard of: delivered as firing, or ended.
    #[must_use]
    pub fn last_heard(&self) -> Option<Time> {
        self.last_firing_delivery.max(self.newest_end)
    }

    /// Whether it counts now: firing, and delivered within `ttl`.
    #[must_use]
    pub fn valid(&self, ttl: Duration, now: Time) -> bool {
        self.firing()
            && self
                .last_firing_delivery
                .is_some_and(|delivered| now.since(delivered) <= ttl)
    }
}

/// What the valid facts of one target say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertView {
    /// The highest tier that a valid fact permits.
    pub ceiling: Option<Tier>,
    /// A valid fact whose name the policy lists.
    pub permits: bool,
    /// Such a fact that no closed incident has used up.
    pub fresh: bool,
}

/// Joins the facts of `target`, as `policy` reads them now. `spent` holds, by fingerprint, the start
/// up to which a closed incident has used a fact up.
#[must_use]
pub fn view(
    facts: &BTreeMap<Fingerprint, FactRecord>,
    spent: &BTreeMap<Fingerprint, Time>,
    target: &Target,
    policy: &Policy,
    now: Time,
) -> AlertView {
    let mut view = AlertView::default();
    let ttl = policy.alert_ttl;
    let valid = |fact: &FactRecord| fact.target == *target && fact.valid(ttl, now);
    for (fingerprint, fact) in facts.iter().filter(|(_, fact)| valid(fact)) {
        let used_up = spent.get(fingerprint).copied() >= fact.newest_start;
        let tier = fact.permits(policy);
        view.ceiling = view.ceiling.max(tier);
        let failure = tier.is_some() && !fact.about_load(policy);
        view.permits |= failure;
        view.fresh |= failure && !used_up;
    }
    view
}

#[cfg(test)]
mod tests;
