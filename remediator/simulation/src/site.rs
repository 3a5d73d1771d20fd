//! The site as the remediator knows it: inventory and policy.

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::ids::HostName;
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry, Target};
use vcm_recovery::policy::{AlertRule, LoadPolicy, Mode, OthersHealthy, Policy, Scope, Window};
use vcm_recovery::step::Platform;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::time::Weekday;

use crate::knobs::{Knobs, Load, Modes, Permitted, Windows};
use crate::world::{Host, Module, Place, World};

/// The longest time for which load may be taken from an HSM.
pub(crate) const MAX_SHED: Duration = Duration::from_secs(7_200);

/// Inventory and policy, and which host of the estate is which.
#[derive(Clone, Debug)]
pub struct Site {
    /// Every host by name.
    pub inventory: Inventory,
    /// The hosts' names, in the order of the estate.
    pub names: Vec<HostName>,
    /// What is permitted.
    pub policy: Policy,
}

impl Site {
    /// The site of `world`.
    #[must_use]
    pub fn of(world: &World) -> Self {
        let hosts: Vec<HostEntry> = world
            .hosts
            .iter()
            .enumerate()
            .filter_map(|(index, host)| entry(world, index, host))
            .collect();
        Self {
            names: hosts.iter().map(|host| host.name.clone()).collect(),
            inventory: Inventory {
                hosts: hosts
                    .into_iter()
                    .map(|host| (host.name.clone(), host))
                    .collect(),
            },
            policy: policy(world.knobs),
        }
    }

    /// The inventory's entry of a host.
    #[must_use]
    pub fn entry(&self, host: usize) -> &HostEntry {
        &self.inventory.hosts[&self.names[host]]
    }

    /// Which host has this name.
    #[must_use]
    pub fn index(&self, name: &HostName) -> Option<usize> {
        // Names are made in the order of the estate and sort that way.
        self.names.binary_search(name).ok()
    }

    /// The module that the inventory means.
    #[must_use]
    pub fn place(&self, target: &Target) -> Option<Place> {
        let host = self.index(&target.host)?;
        let slot = usize::from(target.module?.get()).checked_sub(1)?;
        Some(Place { host, slot })
    }
}

fn entry(world: &World, index: usize, host: &Host) -> Option<HostEntry> {
    // A VCM's serial number stands once in an inventory, or the configuration is refused.
    let elsewhere = |module: &Module| {
        module.kind == Kind::Vcm && module.twin.is_some_and(|twin| twin.host < index)
    };
    let modules: BTreeMap<_, _> = host
        .modules
        .iter()
        .map(|module| {
            let entry = ModuleEntry {
                esn: (!elsewhere(module)).then(|| module.esn.clone()),
                kind: module.kind,
                hsm: world.hsms[module.hsm].name.clone(),
                name: None,
            };
            (module.number, entry)
        })
        .collect();
    Some(HostEntry {
        name: format!("tenant-{:05}", index + 1).parse().ok()?,
        instance: None,
        platform: Platform::Linux,
        mode: match world.knobs.mode {
            Modes::OneApproves if index == 0 => Some(Mode::Approve),
            Modes::OneObserves if index == 0 => Some(Mode::Observe),
            Modes::Act
            | Modes::OneApproves
            | Modes::Approve
            | Modes::Observe
            | Modes::OneObserves => None,
        },
        modules,
    })
}

fn policy(knobs: Knobs) -> Policy {
    let permitted = knobs.policy;
    let mut policy = Policy {
        mode: match knobs.mode {
            Modes::Act | Modes::OneApproves | Modes::OneObserves => Mode::Act,
            Modes::Approve => Mode::Approve,
            Modes::Observe => Mode::Observe,
        },
        load: load(knobs.load),
        ..Policy::default()
    };
    if matches!(permitted, Permitted::Everything | Permitted::OthersToo) {
        policy.clear.approval = false;
        if let Some(rule) = policy.alerts.get_mut("VcmFailedLong") {
            rule.tier = Tier::Clear;
        }
    }
    if permitted == Permitted::OthersToo {
        policy.others_healthy = OthersHealthy::Allow;
    }
    if knobs.windows == Windows::ByNight {
        policy.restart.windows.push(by_night());
        policy.clear.windows.push(by_night());
    }
    // Without the gate such an alert only brings about a look.
    let rule = AlertRule {
        tier: Tier::Load,
        scope: Scope::Module,
    };
    if policy.load.is_some() {
        policy.alerts.insert("HsmLoadHigh".to_owned(), rule);
    }
    policy
}

/// From 20:00 to 06:00, every day.
fn by_night() -> Window {
    Window {
        days: Weekday::ALL.into_iter().collect(),
        from_minute: 20 * 60,
        length: Duration::from_secs(10 * 3_600),
    }
}

const fn load(knob: Load) -> Option<LoadPolicy> {
    let hook = match knob {
        Load::Off => return None,
        Load::HookWorks | Load::HookFails | Load::HookForgets => true,
        Load::People => false,
    };
    Some(LoadPolicy {
        threshold_percent: 90,
        restore_below_percent: 70,
        hold: Duration::from_secs(600),
        max_shed: MAX_SHED,
        hook,
    })
}

/// The longest time that an attempt of this rung may take from its reservation to its outcome:
/// order, steps, settling, and a window that is extended twice.
#[must_use]
pub fn attempt_time_max(policy: &Policy, rung: Rung) -> Duration {
    let times = policy.rung(rung);
    let steps = match rung {
        Rung::Retry => Duration::from_secs(120),
        // Three more starts, each after a proof of 40 s and 30 s apart.
        Rung::Restart => Duration::from_secs(420),
        // `-M` may take its deadline, and each of three `-c` is followed by its wait.
        Rung::Clear => Duration::from_secs(120) + policy.clear_wait * 5,
    };
    Duration::from_secs(90) + steps + times.settle + times.verify * 3
}
