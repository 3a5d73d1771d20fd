//! Observe mode: the whole ladder shows, and nothing of it is run.

use vcm_recovery::event::Change;
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending, Shadow, Standing};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::Mode;
use vcm_recovery::step::Step;
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab, number};

/// Module 1 of one has failed for good, in observe mode, with every rung permitted.
fn observing() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.permit_clear();
    lab.policy.mode = Mode::Observe;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab
}

fn shadows(lab: &Lab) -> Vec<(u64, Shadow)> {
    let shadow = |change: &Change| match change {
        Change::ShadowStarted(shadow) => Some(shadow.clone()),
        _ => None,
    };
    let events = lab.events.iter();
    events
        .filter_map(|event| {
            let start = vcm_recovery::time::Time::from_millis(crate::lab::START);
            Some((
                event.time.since(start).as_secs(),
                shadow(&event.entry.change)?,
            ))
        })
        .collect()
}

#[test]
fn the_whole_ladder_shows_and_nothing_runs() {
    let mut lab = observing();
    lab.run(3 * 3_600);
    let all = shadows(&lab);
    let rungs: Vec<Rung> = all.iter().map(|(_, shadow)| shadow.rung).collect();
    assert_eq!(rungs, Rung::ALL);
    let at: Vec<u64> = all.iter().map(|(at, _)| *at).collect();
    assert!((120..160).contains(&at[0]), "{at:?}");
    assert!((600..640).contains(&at[1]), "{at:?}");
    assert!((1_800..1_840).contains(&at[2]), "{at:?}");
    assert_eq!(all[0].1.steps, [Step::RetryModule(number(1))]);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.count("IntentReserved"), 0);
    assert_eq!(lab.count("ApprovalAsked"), 0);
    assert_eq!(lab.count("IncidentLatched"), 0);
    assert_eq!(lab.incident(Some(1)).standing, Standing::OutOfRungs);
    assert_eq!(lab.pages(), [PageReason::Stuck]);
    assert!(lab.recorded(Rung::Retry, Guard::ObserveOnly, "refuse"));
}

#[test]
fn a_shadow_says_that_a_person_would_have_been_asked() {
    let mut lab = observing();
    lab.policy.clear.approval = true;
    lab.run(3_600);
    let all = shadows(&lab);
    let asks: Vec<&[String]> = all.iter().map(|(_, s)| s.asks.as_slice()).collect();
    assert_eq!(asks[0], [""; 0]);
    assert_eq!(asks[2], ["a clear drops every key loaded in this module"]);
}

#[test]
fn caps_and_spacing_count_what_would_have_been_run() {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.policy.mode = Mode::Observe;
    lab.policy.retry.attempts_per_incident = 100;
    lab.policy.flapping.incidents = 100;
    lab.run(3_600);
    let all = shadows(&lab);
    assert_eq!(all.len(), 3, "three an hour");
    for pair in all.windows(2) {
        let ended = pair[0].1.until;
        assert!(pair[1].1.at >= ended.after(lab.policy.spacing));
    }
    assert!(lab.recorded(Rung::Retry, Guard::Cap, "refuse"));
    assert!(lab.recorded(Rung::Retry, Guard::Spacing, "refuse"));
}

#[test]
fn switching_to_act_ignores_what_was_not_run() {
    let mut lab = observing();
    lab.run(3_600);
    assert_eq!(shadows(&lab).len(), 3);
    lab.policy.mode = Mode::Act;
    lab.cures.insert(1, Cure::Rung(Rung::Restart));
    lab.run(1_200);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
}

#[test]
fn switching_to_observe_lets_an_attempt_finish_and_starts_no_other() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run_until("an attempt", |lab| lab.running.is_some());
    lab.policy.mode = Mode::Observe;
    lab.run(3_600);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert_eq!(lab.outcomes().len(), 1);
}

#[test]
fn module_that_heals_in_observe_mode_heals_by_itself() {
    let mut lab = observing();
    lab.run(300);
    lab.module(1).state = nshield::ModuleState::Operational;
    lab.run(300);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::None)]);
    lab.restart_remediator();
    assert_eq!(lab.state.shadows.len(), 1, "kept for the report");
}
