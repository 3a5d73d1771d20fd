//! What a recorded refusal rests on: on what the events tell, or on what they do not.
//!
//! | guard that refused in the record | its input is in the events |
//! |---|---|
//! | `not_owner`, `silenced`, `watchdog_silent` | no |
//! | `decision_stale` | no: only looks that show something new are recorded |
//! | `kind`, `host_policy`, `stopped_on_purpose`, `hold`, `paused` | yes for the look that is kept; not where it was decided on a look that is not |
//! | `above_ceiling` | no where the recorded policy lets these alerts permit the rung: they were not delivered any more |
//! | any other | yes |
//!
//! `outside_window` counts as recorded although the wall clock is not: another policy may have other
//! windows.

use std::collections::BTreeSet;

use vcm_recovery::event::{Ruling, RungVerdict};
use vcm_recovery::guard::Guard;
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::Policy;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

use super::host::Host;

/// The guards for which alone the record did not start `rung`, if their input is not recorded.
pub(super) fn kept_back(
    host: &Host,
    target: &Target,
    rung: Rung,
    recorded: Option<&Policy>,
    now: Time,
) -> Option<BTreeSet<Guard>> {
    let ruling = host.state.incidents.get(target)?.ruling.as_deref()?;
    let in_the_way: BTreeSet<Guard> = blocking(ruling, rung)
        .filter(|given| !is_over(&given.verdict, now))
        .map(|given| given.guard)
        .collect();
    let unrecorded = |guard: &Guard| match guard {
        Guard::NotOwner | Guard::Silenced | Guard::WatchdogSilent | Guard::DecisionStale => true,
        Guard::Kind | Guard::HostPolicy | Guard::StoppedOnPurpose | Guard::Hold | Guard::Paused => {
            let kept = host.evidence.observation().map(|seen| seen.observation_id);
            ruling.observation != kept
        }
        Guard::AboveCeiling => recorded.is_some_and(|recorded| {
            let view = host.state.alert_view(target, recorded, now);
            view.ceiling >= Some(rung.tier())
        }),
        Guard::ObservationUnknown
        | Guard::ObservationIncomplete
        | Guard::HardserverUnresponsive
        | Guard::UnknownTarget
        | Guard::ModuleHealthy
        | Guard::ModuleInServiceMode
        | Guard::HardwareFault
        | Guard::EsnMismatch
        | Guard::OthersHealthy
        | Guard::NetworkUnknown
        | Guard::NetworkBad
        | Guard::LoadHigh
        | Guard::Storm
        | Guard::BootWindow
        | Guard::ObserveOnly
        | Guard::NotBefore
        | Guard::OutsideWindow
        | Guard::Flapping
        | Guard::Cap
        | Guard::Spacing
        | Guard::BudgetHost
        | Guard::BudgetHsm
        | Guard::BudgetFleet
        | Guard::ApprovalRequired => false,
    };
    let only = !in_the_way.is_empty() && in_the_way.iter().all(unrecorded);
    only.then_some(in_the_way)
}

/// The verdicts that keep `rung` from starting.
pub(super) fn blocking(ruling: &Ruling, rung: Rung) -> impl Iterator<Item = &RungVerdict> {
    let of_rung = ruling
        .verdicts
        .iter()
        .filter(move |given| given.rung == rung);
    of_rung.filter(|given| !given.verdict.passes())
}

/// Whether a refusal has ended by itself since it was recorded.
fn is_over(verdict: &Verdict, now: Time) -> bool {
    matches!(verdict, Verdict::Refuse { until: Some(until), .. } if *until <= now)
}
