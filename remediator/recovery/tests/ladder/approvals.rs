//! Asking a person: one request with alternatives, bound to what was asked about, used once.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::approval::{Answer, Choice};
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::command::{HostOrder, OrderError};
use vcm_recovery::control::Hold;
use vcm_recovery::event::Change;
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending, IncidentState, Latch, Standing};
use vcm_recovery::observation::{HardserverLook, StopSign};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::Mode;
use vcm_recovery::step::Step;
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab, number};

/// Something that happens to the host, its surroundings or the policy.
type Happens = fn(&mut Lab);

/// Module 1 of three has failed, a retry does not help, and a person is asked what to do.
fn asked(cure: Cure) -> Lab {
    let mut lab = Lab::failed(3, 1, cure);
    lab.permit_clear();
    lab.policy.clear.approval = true;
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab.run_until("a request", |lab| lab.request().is_some());
    assert_eq!(lab.rungs(), [Rung::Retry]);
    lab
}

/// Why requests were ended, oldest first.
fn ended(lab: &Lab) -> Vec<&str> {
    let changes = lab.events.iter().map(|event| &event.entry.change);
    changes
        .filter_map(|change| match change {
            Change::ApprovalExpired { why, .. } => Some(why.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn one_request_lists_the_alternatives_and_whom_each_disrupts() {
    let mut lab = asked(Cure::Nothing);
    let request = lab.request().unwrap();
    let offered: Vec<(Rung, &str, Vec<&str>)> = request
        .alternatives
        .iter()
        .map(|a| {
            let reasons = a.reasons.iter().map(String::as_str).collect();
            (a.scope.rung, a.disrupts.as_str(), reasons)
        })
        .collect();
    assert_eq!(
        offered,
        [
            (
                Rung::Restart,
                "3 clients of this host, also of healthy modules 2 and 3",
                vec!["a restart would cut the clients of healthy modules 2 and 3"],
            ),
            (
                Rung::Clear,
                "7 objects loaded in module 1",
                vec!["a clear drops every key loaded in this module"],
            ),
        ]
    );
    assert_eq!(lab.incident_state(), Some(IncidentState::AwaitingHuman));
    assert_eq!(lab.pages(), [PageReason::ApprovalRequired]);
    assert_eq!(lab.state.unsettled().count(), 0, "asking holds no budget");
    lab.run(600);
    assert_eq!(lab.count("ApprovalAsked"), 1);
    assert_eq!(lab.rungs(), [Rung::Retry]);
}

#[test]
fn approved_restart_runs_over_healthy_modules_once() {
    let mut lab = asked(Cure::Nothing);
    lab.answer(Choice::Approve(Rung::Restart));
    lab.run(20);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    assert_eq!(lab.request(), None, "an answer is used once");
    assert_eq!(lab.count("ApprovalUsed"), 1);
    lab.run(1_200);
    // It failed: the ladder stands at clear, and a person is asked again.
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    let request = lab.request().unwrap();
    let rungs: Vec<Rung> = request.alternatives.iter().map(|a| a.scope.rung).collect();
    assert_eq!(rungs, [Rung::Clear]);
    assert_eq!(lab.count("ApprovalAsked"), 2);
}

#[test]
fn approved_clear_leaves_the_restart_out_and_its_giver_is_on_record() {
    let mut lab = asked(Cure::Rung(Rung::Clear));
    lab.answer(Choice::Approve(Rung::Clear));
    lab.run(300);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Clear]);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Approved)]);
    let answers: Vec<&Answer> = lab
        .events
        .iter()
        .filter_map(|event| match &event.entry.change {
            Change::ApprovalAnswered { answer, .. } => Some(answer),
            _ => None,
        })
        .collect();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].by.as_str(), "ada");
    assert_eq!(lab.pages(), []);
}

#[test]
fn answer_is_taken_once_and_only_for_what_is_offered() {
    let mut lab = asked(Cure::Nothing);
    lab.policy.spacing = Duration::from_secs(7_200);
    let request = lab.request().unwrap().id;
    let order = |rung| HostOrder::Answer {
        request,
        choice: Choice::Approve(rung),
    };
    let refused = lab.order(&order(Rung::Retry)).unwrap_err();
    assert_eq!(
        refused,
        OrderError::NotOffered {
            request,
            choice: "retry".to_owned(),
        }
    );
    lab.order(&order(Rung::Clear)).unwrap();
    let again = lab.order(&order(Rung::Restart)).unwrap_err();
    let by = "ada".parse().unwrap();
    assert_eq!(again, OrderError::Answered { request, by });
}

#[test]
fn change_of_scope_voids_the_request_and_asks_anew_naming_what_changed() {
    let changes: [(Happens, &str); 5] = [
        (
            |lab| lab.module(2).state = ModuleState::Failed,
            "healthy beside it were modules 2 and 3 and are module 3",
        ),
        (
            |lab| {
                let module = lab.host.modules.get_mut(&number(1));
                module.unwrap().esn = None;
            },
            "it was not asked about: esn_mismatch; the inventory has another ESN",
        ),
        (
            |lab| lab.policy.clear_wait = Duration::from_secs(45),
            "the plan is another one",
        ),
        (
            |lab| lab.module(1).state = ModuleState::Offline,
            "the target was failed and is on its way",
        ),
        (
            crate::lab::begin_storm,
            "a storm has begun; it was not asked about: storm",
        ),
    ];
    for (change, why) in changes {
        for answered in [false, true] {
            let mut lab = asked(Cure::Nothing);
            // Nothing starts meanwhile, so that the answer is still there when things change.
            lab.seen.hold = Some("wait".to_owned());
            lab.run(25);
            if answered {
                lab.answer(Choice::Approve(Rung::Clear));
                lab.run(30);
                assert!(lab.request().unwrap().answer.is_some());
            }
            let before = lab.request().unwrap().id;
            change(&mut lab);
            lab.run(60);
            assert_eq!(ended(&lab), [why], "answered: {answered}");
            assert!(lab.request().is_none_or(|request| request.id > before));
            lab.seen.hold = None;
            lab.run(1_200);
            let disruptive = lab.rungs().iter().filter(|rung| rung.disruptive()).count();
            assert_eq!(disruptive, 0, "{why}: {:?}", lab.rungs());
        }
    }
}

#[test]
fn look_that_was_cut_short_neither_voids_a_request_nor_pages_anew() {
    let mut lab = asked(Cure::Nothing);
    let request = lab.request().cloned();
    for _ in 0..5 {
        lab.seen.complete = false;
        lab.run(30);
        lab.seen.complete = true;
        lab.run(60);
        lab.visible = false;
        lab.run(30);
        lab.visible = true;
        lab.run(60);
    }
    assert_eq!(lab.request().cloned(), request);
    assert_eq!(ended(&lab), [""; 0]);
    assert_eq!(lab.count("PageRaised"), 1);
}

#[test]
fn request_that_nobody_answers_expires_into_waiting_and_never_into_a_climb() {
    let mut lab = asked(Cure::Nothing);
    lab.run(3 * 3_600);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert!(ended(&lab).len() >= 2);
    assert!(
        ended(&lab)
            .iter()
            .all(|why| *why == "nobody has answered in time")
    );
    assert_eq!(lab.incident_state(), Some(IncidentState::AwaitingHuman));
    assert_eq!(lab.pages(), [PageReason::ApprovalRequired]);
    assert_eq!(lab.count("PageRaised"), 1);
}

#[test]
fn answer_that_could_not_be_used_in_time_is_void() {
    let mut lab = asked(Cure::Nothing);
    lab.answer(Choice::Approve(Rung::Clear));
    lab.policy.spacing = Duration::from_secs(24 * 3_600);
    lab.run(3_700);
    assert_eq!(ended(&lab), ["what ada approved could not start in time"]);
    lab.policy.spacing = Duration::from_secs(60);
    lab.run(600);
    assert_eq!(lab.rungs(), [Rung::Retry]);
}

#[test]
fn denial_leaves_out_what_was_asked_for_with_the_name_of_the_person() {
    let mut lab = asked(Cure::Nothing);
    lab.answer(Choice::Deny);
    lab.run(60);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    let (latch, why) = lab.incident(Some(1)).latch.clone().unwrap();
    assert_eq!(latch, Latch::Exhausted);
    assert_eq!(
        why,
        "retry was run once; restart was left out: ada decided against it; clear was left out: \
         ada decided against it"
    );
    assert_eq!(lab.pages(), [PageReason::Exhausted]);
    lab.run(7_200);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert_eq!(lab.count("ApprovalAsked"), 1);
}

#[test]
fn request_and_answer_survive_a_restart_of_the_remediator() {
    let mut lab = asked(Cure::Rung(Rung::Clear));
    let request = lab.request().cloned();
    lab.restart_remediator();
    lab.run(60);
    assert_eq!(lab.request().cloned(), request);
    lab.answer(Choice::Approve(Rung::Clear));
    lab.restart_remediator();
    assert_eq!(lab.count("PageRaised"), 1);
    lab.run(300);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Clear]);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Approved)]);
    assert_eq!(lab.count("PageRaised"), 1);
}

#[test]
fn mode_approve_asks_for_every_rung() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Clear));
    lab.permit_clear();
    lab.policy.mode = Mode::Approve;
    lab.policy.approval_ttl = Duration::from_secs(12 * 3_600);
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    for rung in Rung::ALL {
        lab.run_until("a request", |lab| {
            let offers = |request: &vcm_recovery::approval::Request| {
                request.alternative(rung).is_some() && request.alternatives[0].scope.rung == rung
            };
            lab.request().is_some_and(offers)
        });
        let before = lab.rungs().len();
        lab.run(60);
        assert_eq!(lab.rungs().len(), before, "{rung} started unasked");
        lab.answer(Choice::Approve(rung));
        lab.run_until("the attempt", |lab| lab.rungs().len() > before);
    }
    assert_eq!(lab.rungs(), Rung::ALL);
    lab.run(300);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Approved)]);
}

#[test]
fn person_may_choose_a_higher_rung_and_the_lower_one_is_left_out_on_record() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Restart));
    lab.policy.mode = Mode::Approve;
    lab.policy.retry.not_before = Duration::from_secs(700);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run_until("a request", |lab| lab.request().is_some());
    lab.answer(Choice::Approve(Rung::Restart));
    lab.run(600);
    assert_eq!(lab.rungs(), [Rung::Restart]);
    assert!(lab.recorded(Rung::Retry, Guard::ApprovalRequired, "skip"));
}

#[test]
fn approval_never_overrides_a_refusal() {
    let refusals: [(Happens, Guard); 5] = [
        (|lab| lab.seen.hold = Some("disk".to_owned()), Guard::Hold),
        (
            |lab| {
                lab.order(&HostOrder::Hold {
                    target: lab.target(None),
                    until: None,
                })
                .unwrap();
            },
            Guard::Hold,
        ),
        (|lab| lab.policy.mode = Mode::Observe, Guard::ObserveOnly),
        (|lab| lab.watchdog = false, Guard::WatchdogSilent),
        (
            |lab| lab.seen.pause = Some("freeze".to_owned()),
            Guard::Paused,
        ),
    ];
    for (refuse, guard) in refusals {
        let mut lab = asked(Cure::Nothing);
        refuse(&mut lab);
        lab.run(25);
        lab.answer(Choice::Approve(Rung::Clear));
        lab.run(1_800);
        assert_eq!(lab.rungs(), [Rung::Retry], "{guard}");
        assert!(lab.recorded(Rung::Clear, guard, "refuse"), "{guard}");
    }
}

#[test]
fn refused_attempt_uses_the_approval_up() {
    let mut lab = asked(Cure::Nothing);
    lab.answer(Choice::Approve(Rung::Clear));
    lab.run_until("the attempt", |lab| lab.running.is_some());
    let (attempt, target, ..) = lab.running.take().unwrap();
    let reason = "hold: the host is held".to_owned();
    let outcome = Outcome::Refused;
    lab.report(attempt, &target, Report::Settled { outcome, reason });
    lab.run(600);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Clear]);
    assert_eq!(lab.count("ApprovalAsked"), 2);
}

/// A host whose hardserver somebody stopped.
fn stopped() -> Lab {
    let mut lab = Lab::new(2);
    lab.seen.hardserver = HardserverLook::SuspectedDown;
    lab.seen.complete = false;
    lab.seen.stop = StopSign::OnPurpose("the unit was stopped cleanly".to_owned());
    for n in [1, 2] {
        lab.module(n).state = ModuleState::Unknown;
    }
    lab.alerts.insert("HardserverDown", (None, Tier::Restart));
    lab
}

fn up_again(lab: &mut Lab) {
    lab.seen.complete = true;
    for n in [1, 2] {
        lab.module(n).state = ModuleState::Operational;
    }
}

#[test]
fn hardserver_that_was_stopped_on_purpose_is_started_by_approval_only() {
    let mut lab = stopped();
    lab.run(600);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.pages(), [PageReason::StoppedOnPurpose]);
    let request = lab.request().unwrap();
    assert_eq!(request.alternatives.len(), 1);
    let disrupts = &request.alternatives[0].disrupts;
    assert_eq!(disrupts, "nobody: the hardserver is down");
    lab.answer(Choice::Approve(Rung::Restart));
    lab.run_until("the attempt", |lab| !lab.rungs().is_empty());
    up_again(&mut lab);
    lab.run(300);
    assert_eq!(lab.log[0].2, [Step::StartHardserver]);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Approved)]);
}

#[test]
fn hardserver_that_does_not_answer_is_restarted_by_approval_only() {
    let mut lab = stopped();
    lab.seen.hardserver = HardserverLook::Unresponsive;
    lab.seen.stop = StopSign::None;
    lab.run(280);
    assert_eq!((lab.rungs(), lab.request()), (vec![], None));
    lab.run(120);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.pages(), [PageReason::HardserverUnresponsive]);
    assert_eq!(lab.incident(None).standing, Standing::Asking(Rung::Restart));
    let request = lab.request().unwrap();
    let reasons = &request.alternatives[0].reasons;
    assert_eq!(
        reasons,
        &[
            "the hardserver does not answer in time",
            "the hardserver does not answer, so other modules may work",
        ]
    );
    lab.answer(Choice::Approve(Rung::Restart));
    lab.run_until("the attempt", |lab| !lab.rungs().is_empty());
    assert_eq!(lab.log[0].2, [Step::RestartHardserver]);
    up_again(&mut lab);
    lab.run(400);
    assert_eq!(lab.outcomes(), [Outcome::Succeeded]);
    assert_eq!(lab.state.incidents.len(), 0);
    assert_eq!(lab.pages(), []);
}

#[test]
fn hold_of_another_module_keeps_an_approved_restart_away() {
    let mut lab = asked(Cure::Nothing);
    lab.answer(Choice::Approve(Rung::Restart));
    let hold = Hold {
        until: None,
        reason: "key ceremony".to_owned(),
        by: "ada".parse().unwrap(),
    };
    let target = lab.target(Some(2));
    lab.record(&target, Change::Held(hold));
    lab.run(1_800);
    assert_eq!(lab.rungs(), [Rung::Retry]);
}
