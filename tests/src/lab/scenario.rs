//! Scenarios as data: an estate, what breaks, and what must be in the simulator's log of calls at
//! the end. The demo shows them and the end-to-end tests check them.

use serde_json::json;

use super::{Setup, network::Shape, remediator::Permissions};

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A module fails; the word says what cures it (`needs-retry`, `needs-clear` ...).
    Module(u32, &'static str),
    /// The hardserver is killed.
    HardserverKilled,
    /// Somebody stops the hardserver on purpose.
    HardserverStopped,
    /// Ping to module 1 is lost until the remediator has paged for it; then it returns.
    PingLost,
}

/// How it must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The incident is closed as recovered, and every module works.
    Recovered,
    /// A person is asked with this reason, and nothing more is run.
    Asked(&'static str),
}

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub story: &'static str,
    /// How many modules the host has.
    pub modules: u32,
    /// How module 1 is connected, where packets matter.
    pub network: Option<Shape>,
    /// Knobs of the simulator.
    pub knobs: &'static [&'static str],
    /// What breaks, in order.
    pub faults: &'static [Fault],
    /// Every call that may change something, from the first to the last. Nothing else may be in
    /// the log.
    pub changes: &'static [&'static str],
    /// A rung that must be left out, and the guard that must have said why.
    pub left_out: Option<(&'static str, &'static str)>,
    /// How it must end.
    pub end: End,
    /// The highest tier that the policy of this scenario permits to `VcmFailedLong`.
    pub ceiling: &'static str,
}

/// What `nfast-sim` does quickly in every scenario, so that only the programs under test are waited
/// for.
const QUICK: &[&str] = &["timing.retry=1s", "timing.connect=1s", "timing.clear=2s"];

/// The scenarios, in the order of the ladder.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "retry",
        story: "one VCM of three fails; asking the hardserver to retry it is enough",
        modules: 3,
        network: None,
        knobs: QUICK,
        faults: &[Fault::Module(1, "needs-retry")],
        changes: &["nopclearfail -m1 -r"],
        left_out: None,
        end: End::Recovered,
        ceiling: "restart",
    },
    Scenario {
        name: "restart",
        story: "the only VCM of a host fails and a retry does not help: the hardserver is restarted",
        modules: 1,
        network: None,
        knobs: QUICK,
        faults: &[Fault::Module(1, "needs-restart")],
        changes: &["nopclearfail -m1 -r", "init.d-ncipher restart"],
        left_out: None,
        end: End::Recovered,
        ceiling: "restart",
    },
    Scenario {
        name: "clear",
        story: "one VCM of three fails and a retry does not help; a restart would cut the two healthy \
                ones and is left out; a clear brings it back",
        modules: 3,
        network: None,
        knobs: QUICK,
        faults: &[Fault::Module(1, "needs-clear")],
        changes: &[
            "nopclearfail -m1 -r",
            "nopclearfail -m1 -M",
            "nopclearfail -m1 -c",
        ],
        left_out: Some(("restart", "others_healthy")),
        end: End::Recovered,
        ceiling: "clear",
    },
    Scenario {
        name: "network",
        story: "a VCM fails and does not answer ping: nothing is changed until ping is back, and then \
                the ladder goes on by itself",
        modules: 1,
        network: Some(Shape::Direct),
        knobs: QUICK,
        faults: &[Fault::PingLost, Fault::Module(1, "needs-retry")],
        changes: &["nopclearfail -m1 -r"],
        left_out: None,
        end: End::Recovered,
        ceiling: "clear",
    },
    Scenario {
        name: "unreachable-router",
        story: "the same, but a router answers \"unreachable\" in the VCM's place: that is no reply",
        modules: 1,
        network: Some(Shape::Routed),
        knobs: QUICK,
        faults: &[Fault::PingLost, Fault::Module(1, "needs-retry")],
        changes: &["nopclearfail -m1 -r"],
        left_out: None,
        end: End::Recovered,
        ceiling: "clear",
    },
    Scenario {
        name: "hardserver-down",
        story: "the hardserver dies: it is started, not restarted",
        modules: 2,
        network: None,
        knobs: QUICK,
        faults: &[Fault::HardserverKilled],
        changes: &["init.d-ncipher start"],
        left_out: None,
        end: End::Recovered,
        ceiling: "restart",
    },
    Scenario {
        name: "stopped-on-purpose",
        story: "somebody stops the hardserver on purpose: a person is asked, and it is not started",
        modules: 2,
        network: None,
        knobs: QUICK,
        faults: &[Fault::HardserverStopped],
        changes: &[],
        left_out: None,
        end: End::Asked("stopped_on_purpose"),
        ceiling: "restart",
    },
    Scenario {
        name: "one-of-three",
        story: "one VCM of three is dead; the restart that would cut the two healthy ones is left out, \
                and a person is called",
        modules: 3,
        network: None,
        knobs: QUICK,
        faults: &[Fault::Module(1, "dead")],
        changes: &["nopclearfail -m1 -r"],
        left_out: Some(("restart", "others_healthy")),
        end: End::Asked("exhausted"),
        ceiling: "restart",
    },
];

impl Scenario {
    /// The scenario of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// What it starts with.
    #[must_use]
    pub fn setup(&self) -> Setup {
        Setup {
            modules: self.modules,
            network: self.network,
            knobs: self.knobs,
            permissions: Permissions {
                alerts: json!({"VcmFailedLong": {"tier": self.ceiling}}),
                ..Permissions::default()
            },
            ..Setup::named(self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_scenario_can_be_judged() {
        for scenario in SCENARIOS {
            let same = SCENARIOS
                .iter()
                .filter(|other| other.name == scenario.name)
                .count();
            assert_eq!(same, 1, "{}", scenario.name);
            let lost = scenario.faults.contains(&Fault::PingLost);
            assert_eq!(lost, scenario.network.is_some(), "{}", scenario.name);
            assert!(!scenario.faults.is_empty(), "{}", scenario.name);
        }
    }
}
