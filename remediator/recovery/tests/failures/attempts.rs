//! What an attempt came to, and what may follow it.

use nshield::ModuleState;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::decide::Action;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::incident::{Actor, Ending};
use vcm_recovery::tier::Rung;

use crate::lab::{Lab, TICK};
use crate::{failing, resolve_all};

fn in_flight(lab: &Lab) -> FleetView {
    FleetView::of(std::iter::once(&lab.state))
}

/// The steps of the running attempt end, and the host runner says so in these words.
fn end_with(lab: &mut Lab, detail: &str) {
    let (attempt, target, ..) = lab.running.take().unwrap();
    let detail = detail.to_owned();
    lab.report(attempt, &target, Report::Ended { detail });
}

/// C12: "processing finished" was read as failure, and the next tier started.
#[test]
fn c12_the_exit_of_a_command_is_not_its_outcome() {
    for (printed, heals, outcome) in [
        ("exit status 1: failed", true, Outcome::Succeeded),
        ("exit status 0: OK", false, Outcome::Failed),
    ] {
        let mut lab = failing();
        lab.run_until("the retry", |lab| lab.running.is_some());
        end_with(&mut lab, printed);
        lab.run(90);
        assert_eq!(lab.outcomes(), [], "{printed}: nothing is known yet");
        if heals {
            lab.module(1).state = ModuleState::Operational;
        }
        lab.run(90);
        assert_eq!(lab.outcomes(), [outcome], "{printed}");
        assert_eq!(lab.rungs(), [Rung::Retry], "{printed}");
    }
}

/// C13: a target passed through a second bad state while it recovered, and was remediated again.
#[test]
fn c13_a_target_on_its_way_back_is_left_alone() {
    let mut lab = failing();
    lab.run_until("the retry to have ended", |lab| {
        !lab.rungs().is_empty() && lab.running.is_none()
    });
    let on_its_way = [
        ModuleState::Offline,
        ModuleState::PreInitialization,
        ModuleState::Initialization,
    ];
    for state in on_its_way.iter().cycle().take(60) {
        lab.module(1).state = *state;
        lab.run(60);
    }
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert!(!lab.outcomes().contains(&Outcome::Failed));
    assert!(
        !lab.pages().is_empty(),
        "an hour on its way, and nobody was told"
    );
}

/// C16: a lock was taken before the precondition was checked, and not given back.
#[test]
fn c16_a_refused_attempt_gives_its_budgets_back() {
    let mut lab = failing();
    lab.run_until("the restart", |lab| {
        lab.rungs().last() == Some(&Rung::Restart)
    });
    assert_eq!(in_flight(&lab).disruptive, 1);
    let (attempt, target, ..) = lab.running.take().unwrap();
    let outcome = Outcome::Refused;
    let reason = "hold: the host is held".to_owned();
    lab.report(attempt, &target, Report::Settled { outcome, reason });
    assert_eq!(in_flight(&lab).disruptive, 0);
    assert_eq!(lab.state.unsettled().count(), 0);
    // Nor has it used the cap up: the rung runs as soon as nothing refuses it.
    lab.run(900);
    let rungs = [Rung::Retry, Rung::Restart, Rung::Restart];
    assert_eq!(lab.rungs()[..3], rungs);
}

/// C22: when the alert was over, the running command was killed.
#[test]
fn c22_the_end_of_an_alert_interrupts_nothing() {
    let mut lab = failing();
    lab.run_until("the clear", |lab| lab.rungs().last() == Some(&Rung::Clear));
    resolve_all(&mut lab);
    let (attempt, target, ..) = lab.running.take().unwrap();
    let detail = "the host runner died after -M".to_owned();
    lab.report(attempt, &target, Report::Interrupted { detail });
    for _ in 0..60 {
        let decision = lab.turn();
        let resumed = [(target.clone(), Action::Resume(attempt))];
        assert_eq!(decision.actions, resumed);
        lab.now = lab.now.after(TICK);
    }
    lab.report(attempt, &target, Report::Accepted);
    lab.module(1).state = ModuleState::Operational;
    let detail = "-c was issued".to_owned();
    lab.report(attempt, &target, Report::Ended { detail });
    lab.run(200);
    assert_eq!(lab.outcomes().last(), Some(&Outcome::Succeeded));
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
}
