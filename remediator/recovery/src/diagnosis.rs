//! Diagnosis: what the newest look at a host means, as the table of known patterns, with what else is
//! worth knowing. For people: nothing is decided here.

use std::time::Duration;

use serde::Serialize;

use crate::evidence::Evidence;
use crate::fleet::FleetView;
use crate::guard::Guard;
use crate::incident::Incident;
use crate::inventory::HostEntry;
use crate::observation::{Condition, HardserverLook, Network, Observation, PathLook};
use crate::policy::Site;
use crate::time::Time;

/// A host that booted this recently may have lost settings that did not survive the reboot.
const BOOTED_LATELY: Duration = Duration::from_secs(15 * 60);

/// What is diagnosed.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// The newest looks.
    pub evidence: &'a Evidence,
    /// Everything beyond the host.
    pub fleet: &'a FleetView,
    /// Inventory and policy.
    pub site: Site<'a>,
    /// Now.
    pub now: Time,
}

/// A known pattern: what is seen, what that means, and what is done about it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Pattern {
    /// Its name, for output.
    pub name: &'static str,
    /// What is seen.
    pub seen: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What is done.
    pub so: &'static str,
    /// Whether it is seen.
    #[serde(skip)]
    matches: fn(&Case<'_>) -> bool,
}

/// What the newest look at the target of an incident means.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// When the host was looked at last; absent when it was not yet.
    pub looked_at: Option<Time>,
    /// The patterns that it shows.
    pub patterns: Vec<&'static Pattern>,
    /// What else a person should know, each a sentence without an end.
    pub hints: Vec<String>,
    /// Where the host shows something else than the inventory says.
    pub drift: Vec<String>,
}

impl Diagnosis {
    /// Of this case.
    #[must_use]
    pub fn of(case: &Case<'_>) -> Self {
        let seen = case.evidence.observation();
        Self {
            looked_at: case.evidence.newest().map(|look| look.at),
            patterns: diagnose(case).collect(),
            hints: seen.map_or_else(Vec::new, |seen| about(case, seen)),
            drift: seen.map_or_else(Vec::new, |seen| drift(case.site.host, seen)),
        }
    }
}

/// Every pattern that is known.
pub const PATTERNS: [Pattern; 12] = [
    Pattern {
        name: "one_failed",
        seen: "one module of several has failed, and its network is good",
        means: "that VCM or its HSM",
        so: "retry; restart is left out while others work, unless the policy says otherwise; clear asks",
        matches: |case| case.target_failed() && case.network_good() && !case.all_failed(),
    },
    Pattern {
        name: "all_failed",
        seen: "every module of the host has failed, and the network is good",
        means: "the hardserver or the host",
        so: "retry once, then restart",
        matches: |case| case.target_failed() && case.network_good() && case.all_failed(),
    },
    Pattern {
        name: "hardserver_down",
        seen: "the hardserver is proven down",
        means: "it died, or somebody stopped it",
        so: "start once its wait is over, unless it was stopped on purpose: then a person is asked",
        matches: |case| {
            case.evidence
                .hardserver_down(case.site.policy.agreement_span)
        },
    },
    Pattern {
        name: "hardserver_unresponsive",
        seen: "the hardserver does not answer in time",
        means: "it hangs, or holds commands for a module that has just dropped",
        so: "nothing is concluded; a person is needed if it lasts, and restart is offered by approval",
        matches: |case| case.hardserver(HardserverLook::Unresponsive),
    },
    Pattern {
        name: "permission_denied",
        seen: "the vendor's tools may not be used",
        means: "our own set-up: group, sudo rule or sandbox",
        so: "a person is needed; this never counts as down",
        matches: |case| case.hardserver(HardserverLook::PermissionDenied),
    },
    Pattern {
        name: "storm",
        seen: "modules of the same HSM have failed on several hosts, or many hosts of the fleet at once",
        means: "the HSM has rebooted or is overloaded, or the network between is broken",
        so: "staggered retries; no restart; clear by approval only",
        matches: |case| {
            let host = case.site.host;
            let hsms = host.hsms_touched(crate::tier::Rung::Retry, &case.incident.target);
            case.fleet.storm_of(&hsms).is_some()
        },
    },
    Pattern {
        name: "network_bad",
        seen: "the VCM does not answer this host",
        means: "the network between, the provider's host, an HSM that boots, or a VCM that is not started",
        so: "nothing is run; a person is needed if it lasts: ask the network's people for the way, and \
             the HSM's provider whether device and VCM are up",
        matches: |case| matches!(case.network(), Some(Network::Bad | Network::Degraded)),
    },
    Pattern {
        name: "in_service",
        seen: "the module is in maintenance, initialisation or pre-initialisation, and not by us",
        means: "somebody is working on it",
        so: "left to them until it has been healthy for long enough",
        matches: |case| case.condition() == Condition::InService,
    },
    Pattern {
        name: "hardware_fault",
        seen: "the hardware status is not OK",
        means: "hardware",
        so: "left to people: vendor support",
        matches: |case| case.condition() == Condition::HardwareFault,
    },
    Pattern {
        name: "stale_alert",
        seen: "the target is healthy while its alert fires",
        means: "a stale alert",
        so: "nothing is run; the incident ends if that lasts",
        matches: |case| case.condition() == Condition::Healthy,
    },
    Pattern {
        name: "unknown",
        seen: "the observation is missing, late or cut short",
        means: "nobody knows",
        so: "nothing is run; a person is needed if it lasts",
        matches: |case| {
            case.condition() == Condition::Unknown
                && !case.hardserver(HardserverLook::Unresponsive)
                && !case.hardserver(HardserverLook::PermissionDenied)
                && !case.hardserver(HardserverLook::SuspectedDown)
        },
    },
    Pattern {
        name: "renumbered",
        seen: "a serial number is not the inventory's",
        means: "modules were renumbered or replaced, or the inventory is old",
        so: "no command is run on a module of this host; a person corrects the inventory",
        matches: |case| {
            let seen = case.evidence.observation();
            seen.is_some_and(|seen| other_esn(case.site.host, seen).next().is_some())
        },
    },
];

/// The patterns that the newest look shows, in the order of the table.
pub fn diagnose<'a>(case: &'a Case<'a>) -> impl Iterator<Item = &'static Pattern> + 'a {
    PATTERNS.iter().filter(|pattern| (pattern.matches)(case))
}

/// What else a person should know, drift included, each a sentence without an end.
#[must_use]
pub fn hints(case: &Case<'_>) -> Vec<String> {
    let Some(seen) = case.evidence.observation() else {
        return Vec::new();
    };
    let mut hints = about(case, seen);
    hints.extend(drift(case.site.host, seen));
    hints
}

/// What the look shows of the target and of the way to it.
fn about(case: &Case<'_>, seen: &Observation) -> Vec<String> {
    let mut hints = Vec::new();
    let module = case.incident.target.module;
    let look = module.and_then(|module| seen.modules.get(&module));
    let lost = matches!(case.network(), Some(Network::Bad | Network::Degraded));
    if let (Some(uptime), true) = (seen.host_uptime, lost)
        && Duration::from_secs(uptime) < BOOTED_LATELY
    {
        hints.push(format!(
            "this host rebooted {uptime} s ago and its network is not back: settings may not have \
             survived the reboot"
        ));
    }
    if let Some(path) = look.and_then(|look| look.path.as_ref()).filter(|_| lost) {
        hints.extend(of_path(path));
    }
    if let Some(objects) = look.and_then(|look| look.objects) {
        hints.push(format!("{objects} objects are loaded in the module"));
    }
    if let Some(clients) = seen.clients {
        hints.push(format!("{clients} clients are connected to the hardserver"));
    }
    hints
}

/// What is wrong with the way to a module.
fn of_path(path: &PathLook) -> Vec<String> {
    let Some(interface) = &path.interface else {
        return vec![match &path.problem {
            Some(problem) => format!("whether this host has a route to it is not known: {problem}"),
            None => "this host has no route to it".to_owned(),
        }];
    };
    let mut hints = Vec::new();
    if path.interface_up == Some(false) {
        hints.push(format!(
            "interface {interface}, through which it is reached, is down"
        ));
    }
    if path.neighbour == Some(false) {
        let hop = path
            .gateway
            .as_ref()
            .map_or("the module".to_owned(), |gateway| {
                format!("gateway {gateway}")
            });
        hints.push(format!("{hop} does not answer on interface {interface}"));
    }
    hints
}

/// Where the host shows something else than the inventory says. The inventory stays the authority.
#[must_use]
pub fn drift(host: &HostEntry, seen: &Observation) -> Vec<String> {
    if seen.hardserver != HardserverLook::Up || !seen.complete {
        return Vec::new();
    }
    let unlisted = seen
        .modules
        .keys()
        .filter(|module| !host.modules.contains_key(module))
        .map(|module| format!("module {module} is there and not in the inventory"));
    let kinds = host.modules.iter().filter_map(|(module, entry)| {
        let found = seen.modules.get(module)?.kind?;
        (found != entry.kind).then(|| {
            let (found, listed) = (found.as_str(), entry.kind.as_str());
            format!("module {module} is a {found} on the host and a {listed} in the inventory")
        })
    });
    let unknown = host.modules.iter().filter_map(|(module, entry)| {
        let found = seen.modules.get(module)?.esn.as_ref()?;
        let text = format!("module {module} has ESN {found}, which the inventory does not know");
        entry.esn.is_none().then_some(text)
    });
    other_esn(host, seen)
        .chain(unlisted)
        .chain(kinds)
        .chain(unknown)
        .collect()
}

/// The modules with another serial number than the inventory's.
fn other_esn<'a>(host: &'a HostEntry, seen: &'a Observation) -> impl Iterator<Item = String> + 'a {
    host.modules.iter().filter_map(|(module, entry)| {
        let expected = entry.esn.as_ref()?;
        let found = seen.modules.get(module)?.esn.as_ref()?;
        let text = format!("module {module} has ESN {found}, the inventory says {expected}");
        (found != expected).then_some(text)
    })
}

impl Case<'_> {
    fn observation(&self) -> Option<&Observation> {
        let fresh = self
            .evidence
            .newest()
            .is_some_and(|look| self.now.since(look.at) <= self.site.policy.evidence_max_age);
        self.evidence.observation().filter(|_| fresh)
    }

    fn condition(&self) -> Condition {
        self.observation().map_or(Condition::Unknown, |seen| {
            seen.condition(self.incident.target.module)
        })
    }

    fn target_failed(&self) -> bool {
        self.incident.target.module.is_some() && self.condition() == Condition::Failed
    }

    fn all_failed(&self) -> bool {
        self.observation().is_some_and(|seen| {
            seen.modules
                .keys()
                .all(|&module| seen.module_condition(module) == Condition::Failed)
        })
    }

    fn network(&self) -> Option<Network> {
        let module = self.incident.target.module?;
        let look = self.observation()?.modules.get(&module)?;
        Some(look.network.class())
    }

    fn network_good(&self) -> bool {
        matches!(self.network(), Some(Network::Good | Network::NotApplicable))
    }

    fn hardserver(&self, look: HardserverLook) -> bool {
        self.observation()
            .is_some_and(|seen| seen.hardserver == look)
    }
}

/// What a person who is paged for `guard` should know beside the guard's own reason.
#[must_use]
pub fn beside(guard: Guard, case: &Case<'_>) -> Vec<String> {
    let causes = |name: &str| {
        let pattern = PATTERNS.iter().find(|pattern| pattern.name == name);
        pattern.map(|pattern| format!("it may be {}", pattern.means))
    };
    if guard == Guard::NetworkBad {
        return causes("network_bad")
            .into_iter()
            .chain(hints(case))
            .collect();
    }
    if guard == Guard::EsnMismatch
        && let Some(seen) = case.observation()
    {
        return drift(case.site.host, seen);
    }
    Vec::new()
}

#[cfg(test)]
mod tests;
