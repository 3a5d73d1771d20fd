//! Guard mutation: with the verdict of one guard forced to pass, a named scenario starts an attempt
//! that must not start. A guard without such a scenario would be there for nothing.
//!
//! The force exists in the unit tests of this crate only: no build that anybody runs can have it.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::Guard;
use crate::tier::Rung::{self, Clear, Restart, Retry};
use lab::Lab;

#[path = "../../tests/ladder/lab.rs"]
#[expect(
    dead_code,
    clippy::wildcard_enum_match_arm,
    reason = "the lab of the scenarios; this test needs a part of it"
)]
mod lab;
mod scenes;

thread_local! {
    static FORCED: Cell<Option<Guard>> = const { Cell::new(None) };
}

/// Whether the verdict of this guard is forced to pass in this thread.
pub(super) fn forced(guard: Guard) -> bool {
    FORCED.get() == Some(guard)
}

/// A guard, the scenario that needs it, and what is run there with it and without it.
struct Scenario {
    guard: Guard,
    name: &'static str,
    run: fn() -> Lab,
    kept: &'static [Rung],
    forced: &'static [Rung],
}

const fn scenario(
    guard: Guard,
    name: &'static str,
    run: fn() -> Lab,
    kept: &'static [Rung],
    forced: &'static [Rung],
) -> Scenario {
    Scenario {
        guard,
        name,
        run,
        kept,
        forced,
    }
}

const NOTHING: &[Rung] = &[];

/// One for each guard, in the order of [`Guard::ALL`].
const SCENARIOS: [Scenario; 34] = [
    scenario(
        Guard::NotOwner,
        "the store was replaced under a running remediator",
        scenes::not_owner,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::DecisionStale,
        "nobody has looked for six minutes",
        scenes::decision_stale,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::ObservationUnknown,
        "a failed module shows a state that nobody knows",
        scenes::observation_unknown,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::ObservationIncomplete,
        "enquiry was cut short after the failed module",
        scenes::observation_incomplete,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::HardserverUnresponsive,
        "the hardserver hangs where the policy permits a restart over healthy modules",
        scenes::hardserver_unresponsive,
        NOTHING,
        &[Restart],
    ),
    scenario(
        Guard::UnknownTarget,
        "a failed module was taken out of the inventory",
        scenes::unknown_target,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::ModuleHealthy,
        "a module comes back just before its retry is due",
        scenes::module_healthy,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::ModuleInServiceMode,
        "a failed module is on its way back",
        scenes::module_in_service_mode,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::HardwareFault,
        "the hardware reports an error when the retry is due",
        scenes::hardware_fault,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::EsnMismatch,
        "the number of a failed module belongs to another one now",
        scenes::esn_mismatch,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::Kind,
        "a network HSM has failed where a clear is permitted",
        scenes::kind,
        &[Retry, Restart],
        &[Retry, Restart, Clear],
    ),
    scenario(
        Guard::HostPolicy,
        "the host permits no more than a retry",
        scenes::host_policy,
        &[Retry],
        &[Retry, Restart],
    ),
    scenario(
        Guard::OthersHealthy,
        "one module of three has failed",
        scenes::others_healthy,
        &[Retry],
        &[Retry, Restart],
    ),
    scenario(
        Guard::NetworkUnknown,
        "echo requests may not be sent",
        scenes::network_unknown,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::NetworkBad,
        "a failed module does not answer",
        scenes::network_bad,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::LoadHigh,
        "the HSM of a failed module is overloaded",
        scenes::load_high,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::Storm,
        "two hosts of one HSM have failed",
        scenes::storm,
        &[Retry],
        &[Retry, Restart],
    ),
    scenario(
        Guard::BootWindow,
        "the policy permits a restart before the HSM has booted",
        scenes::boot_window,
        &[Retry],
        &[Retry, Restart],
    ),
    scenario(
        Guard::StoppedOnPurpose,
        "somebody has stopped the hardserver",
        scenes::stopped_on_purpose,
        NOTHING,
        &[Restart],
    ),
    scenario(
        Guard::Hold,
        "the host is held",
        scenes::hold,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::Paused,
        "everything is paused",
        scenes::paused,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::Silenced,
        "somebody has silenced the alert",
        scenes::silenced,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::WatchdogSilent,
        "the way from Prometheus is broken",
        scenes::watchdog_silent,
        &[Retry],
        &[Retry, Restart],
    ),
    scenario(
        Guard::ObserveOnly,
        "the mode is observe",
        scenes::observe_only,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::AboveCeiling,
        "the firing alerts permit a retry only",
        scenes::above_ceiling,
        &[Retry],
        &[Retry, Restart],
    ),
    scenario(
        Guard::NotBefore,
        "a module has been failed for a minute",
        scenes::not_before,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::OutsideWindow,
        "a retry may only start on another day",
        scenes::outside_window,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::Flapping,
        "a module fails for the third time within the hour",
        scenes::flapping,
        &[Retry, Retry],
        &[Retry, Retry, Retry],
    ),
    scenario(
        Guard::Cap,
        "a module was retried as often as the hour permits",
        scenes::cap,
        &[Retry],
        &[Retry, Retry],
    ),
    scenario(
        Guard::Spacing,
        "a retry has just failed",
        scenes::spacing,
        &[Retry],
        &[Retry, Retry],
    ),
    scenario(
        Guard::BudgetHost,
        "the outcome of another attempt on the host is not known",
        scenes::budget_host,
        &[Retry],
        &[Retry, Retry],
    ),
    scenario(
        Guard::BudgetHsm,
        "two other hosts retry modules of the same HSM",
        scenes::budget_hsm,
        NOTHING,
        &[Retry],
    ),
    scenario(
        Guard::BudgetFleet,
        "another host of the fleet is being restarted",
        scenes::budget_fleet,
        &[Retry],
        &[Retry, Restart],
    ),
    scenario(
        Guard::ApprovalRequired,
        "a clear is for a person to approve",
        scenes::approval_required,
        &[Retry, Restart],
        &[Retry, Restart, Clear],
    ),
];

#[test]
fn every_guard_keeps_an_attempt_from_starting_in_its_scenario() {
    let guards: Vec<Guard> = SCENARIOS.iter().map(|scenario| scenario.guard).collect();
    assert_eq!(guards, Guard::ALL, "one scenario for each guard");
    let names: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), Guard::ALL.len());
    let mut wrong = Vec::new();
    for scenario in SCENARIOS {
        FORCED.set(None);
        let kept = (scenario.run)().rungs();
        FORCED.set(Some(scenario.guard));
        let forced = (scenario.run)().rungs();
        FORCED.set(None);
        if kept != scenario.kept || forced != scenario.forced {
            let Scenario { guard, name, .. } = scenario;
            wrong.push(format!("{guard}, {name}: {kept:?}, without it {forced:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}
