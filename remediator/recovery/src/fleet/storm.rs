//! Storms: several hosts failing at once have one cause, and the device behind them needs time, not
//! commands.
//!
//! Everything here is computed from the hosts' recorded first failures, so that a restart of the
//! remediator forgets no storm.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{HostName, HsmName};
use crate::inventory::{HostEntry, Inventory, Target};
use crate::policy::{Policy, StormPolicy};
use crate::state::HostState;
use crate::time::Time;

/// The storms of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Storms {
    /// The HSMs in a storm, and since when; `None` groups the modules of unknown HSM.
    pub hsms: BTreeMap<Option<HsmName>, Time>,
    /// Since when the whole fleet is in one.
    pub fleet: Option<Time>,
    /// The first failure of each HSM that failed lately: failures that follow one another within
    /// the window belong to one trouble.
    pub first_failures: BTreeMap<Option<HsmName>, Time>,
}

/// A first failure of a target of a host.
type Failure<'a> = (Time, &'a HostName);

impl Storms {
    /// The storms at `now`.
    #[must_use]
    pub fn of<'a>(
        hosts: impl Iterator<Item = &'a HostState>,
        inventory: &Inventory,
        policy: &Policy,
        now: Time,
    ) -> Self {
        let mut by_hsm: BTreeMap<Option<HsmName>, Vec<Failure<'a>>> = BTreeMap::new();
        let mut fleet: Vec<Failure<'a>> = Vec::new();
        for state in hosts {
            let entry = inventory.hosts.get(&state.host);
            for (target, times) in &state.failures {
                for &at in times.iter().filter(|&&at| at <= now) {
                    fleet.push((at, &state.host));
                    if let Some(hsm) = hsm_of(entry, target) {
                        by_hsm.entry(hsm).or_default().push((at, &state.host));
                    }
                }
            }
        }
        let limit = policy.storm.hsm_hosts;
        let mut storms = Self::default();
        for (hsm, mut failures) in by_hsm {
            failures.sort_unstable();
            if let Some(first) = first_failure(&failures, policy, now) {
                storms.first_failures.insert(hsm.clone(), first);
            }
            if let Some(since) = storm(&failures, limit, &policy.storm, now) {
                storms.hsms.insert(hsm, since);
            }
        }
        fleet.sort_unstable();
        let limit = fleet_limit(&policy.storm, inventory.hosts.len());
        storms.fleet = storm(&fleet, limit, &policy.storm, now);
        storms
    }

    /// Whether one of these HSMs, or the whole fleet, is in a storm, as an operator reads it.
    #[must_use]
    pub fn reason(&self, hsms: &BTreeSet<Option<HsmName>>) -> Option<String> {
        if self.fleet.is_some() {
            return Some("many hosts of the fleet are failing at once".to_owned());
        }
        let hsm = hsms.iter().find(|hsm| self.hsms.contains_key(*hsm))?;
        let name = hsm.as_ref().map_or("of unknown name", HsmName::as_str);
        Some(format!("several hosts of HSM {name} are failing at once"))
    }

    /// The latest first failure of these HSMs, and of which.
    #[must_use]
    pub fn newest_first_failure<'a>(
        &self,
        hsms: &'a BTreeSet<Option<HsmName>>,
    ) -> Option<(Time, Option<&'a HsmName>)> {
        hsms.iter()
            .filter_map(|hsm| Some((*self.first_failures.get(hsm)?, hsm.as_ref())))
            .max()
    }
}

/// The group of a target: its HSM, or the group of unknown HSM. A host itself belongs to none.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether there is a group, the inner one which"
)]
fn hsm_of(entry: Option<&HostEntry>, target: &Target) -> Option<Option<HsmName>> {
    target.module?;
    Some(
        entry
            .and_then(|host| host.module_of(target))
            .and_then(|module| module.hsm.clone()),
    )
}

/// How many hosts make a storm of the fleet.
fn fleet_limit(policy: &StormPolicy, hosts: usize) -> u32 {
    let hosts = u32::try_from(hosts).unwrap_or(u32::MAX);
    let share = hosts
        .saturating_mul(policy.fleet_share_percent)
        .div_ceil(100);
    share.max(policy.fleet_hosts_min)
}

/// Since when there is a storm at `now`: it begins when `limit` hosts have failed within the window,
/// and ends when fewer than half have for the time of calm.
fn storm(failures: &[Failure<'_>], limit: u32, policy: &StormPolicy, now: Time) -> Option<Time> {
    // The number of hosts changes when one fails and when that leaves the window.
    let mut moments: Vec<(Time, Option<(&HostName, bool)>)> = vec![(now, None)];
    for (at, host) in failures {
        moments.push((*at, Some((host, true))));
        moments.push((at.after(policy.window), Some((host, false))));
    }
    moments.retain(|(at, _)| *at <= now);
    moments.sort_unstable();
    let mut in_window: BTreeMap<&HostName, u32> = BTreeMap::new();
    let (mut since, mut low_since): (Option<Time>, Option<Time>) = (None, None);
    for (at, change) in moments {
        if low_since.is_some_and(|low| at.since(low) >= policy.calm) {
            since = None;
        }
        match change {
            Some((host, true)) => *in_window.entry(host).or_default() += 1,
            Some((host, false)) => leave(&mut in_window, host),
            None => {}
        }
        let hosts = u32::try_from(in_window.len()).unwrap_or(u32::MAX);
        if hosts >= limit {
            since = since.or(Some(at));
        }
        low_since = if hosts.saturating_mul(2) < limit {
            low_since.or(Some(at))
        } else {
            None
        };
    }
    since
}

fn leave<'a>(in_window: &mut BTreeMap<&'a HostName, u32>, host: &'a HostName) {
    if let Some(failures) = in_window.get_mut(host) {
        *failures -= 1;
        if *failures == 0 {
            in_window.remove(host);
        }
    }
}

/// The first of the failures that follow one another within the boot window, as long as that and the
/// turn of every target after it are not over since the newest.
fn first_failure(failures: &[Failure<'_>], policy: &Policy, now: Time) -> Option<Time> {
    let window = policy.boot_window;
    let mut first = failures.last().map(|(at, _)| *at)?;
    if now.since(first) >= window + policy.storm.stagger {
        return None;
    }
    for (at, _) in failures.iter().rev() {
        if first.since(*at) >= window {
            break;
        }
        first = *at;
    }
    Some(first)
}

#[cfg(test)]
mod tests;
