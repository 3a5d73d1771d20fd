//! A person's word is about what that person was shown, and about nothing that came to pass since.

use nshield::ModuleState;
use vcm_recovery::approval::{Choice, Request};
use vcm_recovery::command::{HostOrder, OrderError};
use vcm_recovery::event::Change;
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::Latch;
use vcm_recovery::observation::{HardserverLook, NetworkLook, StopSign};
use vcm_recovery::policy::Mode;
use vcm_recovery::step::Step;
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab};

/// The hardserver is down, and a person is asked whether to start it.
fn start_asked() -> Lab {
    let mut lab = Lab::new(3);
    lab.policy.mode = Mode::Approve;
    lab.alerts.insert("HardserverDown", (None, Tier::Restart));
    lab.seen.hardserver = HardserverLook::SuspectedDown;
    lab.seen.complete = false;
    lab.run_until("a request", |lab| lab.request().is_some());
    lab
}

/// Module 1 of three has failed, a retry did not help, and a person is asked what to do.
fn clear_asked() -> Lab {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.permit_clear();
    lab.policy.clear.approval = true;
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab.run_until("a request", |lab| lab.request().is_some());
    assert_eq!(lab.rungs(), [Rung::Retry]);
    lab
}

/// What `change` does to a request about `rung`, answered before or not: it is void, and a person is
/// asked anew, with the reasons as they are now. Returns that request.
fn voids(asked: fn() -> Lab, rung: Rung, change: fn(&mut Lab), seconds: u64) -> Request {
    let mut anew = None;
    for answered in [false, true] {
        let mut lab = asked();
        let before = lab.rungs();
        // The answer comes while something refuses for the moment.
        lab.seen.hold = Some("wait".to_owned());
        lab.run(25);
        let request = lab.request().unwrap().clone();
        if answered {
            lab.answer(Choice::Approve(rung));
        }
        change(&mut lab);
        lab.run(seconds);
        lab.seen.hold = None;
        lab.run(60);
        assert_eq!(lab.rungs(), before, "answered before: {answered}");
        let choice = Choice::Approve(rung);
        let late = HostOrder::Answer {
            request: request.id,
            choice,
        };
        let refused = OrderError::NoRequest {
            request: request.id,
        };
        assert_eq!(lab.order(&late), Err(refused));
        let now = lab.request().unwrap().clone();
        assert_eq!(now.answer, None, "nobody has answered what is asked now");
        lab.answer(choice);
        lab.run(120);
        assert_eq!(lab.rungs().len(), before.len() + 1, "{:?}", lab.log);
        anew = Some(now);
    }
    anew.unwrap()
}

fn reasons(request: &Request, rung: Rung) -> Vec<&str> {
    let shown = request.alternative(rung).unwrap();
    shown.reasons.iter().map(String::as_str).collect()
}

#[test]
fn approval_of_a_start_is_no_approval_of_a_restart_of_a_hardserver_that_hangs() {
    let hangs = |lab: &mut Lab| lab.seen.hardserver = HardserverLook::Unresponsive;
    let asked = voids(start_asked, Rung::Restart, hangs, 900);
    let shown = asked.alternative(Rung::Restart).unwrap();
    assert_eq!(shown.scope.steps, [Step::RestartHardserver]);
    assert_eq!(shown.disrupts, "3 clients of this host");
}

#[test]
fn a_look_that_does_not_see_the_host_voids_no_request() {
    for (unseen, seconds) in [
        (HardserverLook::Unknown, 240),
        // A second look that agrees makes it a hardserver that hangs.
        (HardserverLook::Unresponsive, 8),
    ] {
        let mut lab = start_asked();
        let id = lab.request().unwrap().id;
        lab.seen.hardserver = unseen;
        lab.run(seconds);
        lab.look();
        lab.decide();
        assert_eq!(lab.request().map(|request| request.id), Some(id));
        lab.seen.hardserver = HardserverLook::SuspectedDown;
        lab.run(60);
        assert_eq!(lab.request().map(|request| request.id), Some(id));
        assert_eq!(lab.count("ApprovalExpired"), 0);
    }
}

#[test]
fn approval_of_a_start_is_void_once_it_seems_stopped_on_purpose() {
    let installs = |lab: &mut Lab| {
        lab.seen.stop = StopSign::OnPurpose("a package manager is running".to_owned());
    };
    let asked = voids(start_asked, Rung::Restart, installs, 60);
    let purpose = "the hardserver seems to be stopped on purpose: a package manager is running";
    assert!(reasons(&asked, Rung::Restart).contains(&purpose));
}

#[test]
fn approval_of_a_clear_is_void_once_its_esn_is_not_confirmed_any_more() {
    let unconfirmed = |lab: &mut Lab| lab.module(1).esn = None;
    let asked = voids(clear_asked, Rung::Clear, unconfirmed, 60);
    assert!(reasons(&asked, Rung::Clear).contains(&"no ESN is printed for module 1"));
}

#[test]
fn approval_is_void_once_the_network_is_not_checked_any_more() {
    let unchecked = |lab: &mut Lab| lab.module(1).network = NetworkLook::NotApplicable;
    let asked = voids(clear_asked, Rung::Clear, unchecked, 60);
    let scope = &asked.alternative(Rung::Clear).unwrap().scope;
    assert!(scope.asked.len() > 1, "{:?}", scope.asked);
}

#[test]
fn a_reason_that_is_gone_voids_no_approval() {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.permit_clear();
    lab.policy.clear.approval = true;
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    let confirmed = lab.module(1).esn.take();
    lab.run_until("a request", |lab| lab.request().is_some());
    lab.module(1).esn = confirmed;
    lab.run(60);
    lab.answer(Choice::Approve(Rung::Clear));
    lab.run(60);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Clear]);
    assert_eq!(lab.count("ApprovalExpired"), 0);
}

#[test]
fn intent_carries_the_guards_that_the_person_was_asked_about() {
    let mut lab = clear_asked();
    lab.answer(Choice::Approve(Rung::Restart));
    lab.run(60);
    let asked: Vec<_> = lab
        .events
        .iter()
        .filter_map(|event| match &event.entry.change {
            Change::IntentReserved(intent) => Some(intent.asked.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [[].into(), [Guard::OthersHealthy].into()]);
}

#[test]
fn a_request_ends_with_the_ladder_and_takes_no_answer() {
    let mut lab = Lab::failed(2, 1, Cure::Nothing);
    lab.fail(2, Cure::Nothing);
    lab.policy.restart.approval = true;
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run_until("a request", |lab| lab.request().is_some());
    let request = lab.request().unwrap().id;
    lab.module(2).state = ModuleState::Operational;
    lab.module(2).hardware_ok = Some(false);
    lab.run(120);
    let latch = lab
        .incident(Some(1))
        .latch
        .as_ref()
        .map(|(latch, _)| *latch);
    assert_eq!(latch, Some(Latch::Exhausted));
    assert_eq!(lab.request(), None);
    let choice = Choice::Approve(Rung::Restart);
    let order = HostOrder::Answer { request, choice };
    assert_eq!(lab.order(&order), Err(OrderError::NoRequest { request }));
}

#[test]
fn a_request_ends_when_somebody_works_on_the_module() {
    let mut lab = clear_asked();
    lab.module(1).state = ModuleState::Maintenance;
    lab.run(120);
    let latch = lab
        .incident(Some(1))
        .latch
        .as_ref()
        .map(|(latch, _)| *latch);
    assert_eq!(latch, Some(Latch::HandedOver));
    assert_eq!(lab.request(), None);
    assert_eq!(lab.count("ApprovalExpired"), 1);
}

#[test]
fn a_latched_incident_of_an_older_version_takes_no_answer() {
    let mut lab = clear_asked();
    let request = lab.request().unwrap().id;
    let target = lab.target(Some(1));
    let latched = Change::IncidentLatched {
        latch: Latch::HandedOver,
        reason: "somebody works on the module".to_owned(),
    };
    lab.record(&target, latched);
    let choice = Choice::Deny;
    let order = HostOrder::Answer { request, choice };
    let latched = OrderError::Latched { target };
    assert_eq!(lab.order(&order), Err(latched));
    lab.run(5);
    assert_eq!(lab.request(), None, "and the request ends");
}
