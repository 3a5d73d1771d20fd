//! What operators, storms and the load hook do, as a scrape sees it.

use vcm_recovery::approval::{Alternative, Answer, Choice, Request, Scope};
use vcm_recovery::control::{Hold, Pause, Release};
use vcm_recovery::event::{ModuleSummary, Summary};
use vcm_recovery::fleet::load::{LoadAction, LoadOrder};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::RequestId;
use vcm_recovery::observation::{Condition, HardserverLook, Network};

use super::*;
use crate::load::{HookCall, IdempotencyKey, LoadHook, LoadHookError, LoadRequest};

const HOUR: Duration = Duration::from_secs(3600);

const NONE: [f64; 0] = [];

fn alice() -> vcm_recovery::ids::Person {
    "alice".parse().unwrap()
}

pub(super) fn hold(until: Option<Time>) -> Hold {
    Hold {
        until,
        reason: "move".to_owned(),
        by: alice(),
    }
}

pub(super) fn paused(until: Option<Time>) -> Change {
    Change::Paused(Pause {
        until,
        reason: "change".to_owned(),
        by: alice(),
    })
}

fn ended() -> Release {
    Release {
        by: alice(),
        reason: "over".to_owned(),
    }
}

pub(super) fn shed() -> Change {
    Change::LoadShed(LoadOrder {
        hsm: "hsm-a".parse().unwrap(),
        why: "test".to_owned(),
        hook: true,
    })
}

/// Asks whether a restart or a clear may start.
pub(super) fn asked() -> Change {
    let offered = |rung| Alternative {
        scope: Scope {
            target: module(),
            rung,
            esn: None,
            steps: Vec::new(),
            condition: Condition::Failed,
            healthy_others: BTreeSet::new(),
            storm: false,
            asked: BTreeSet::from([Guard::ApprovalRequired]),
        },
        reasons: vec!["test".to_owned()],
        disrupts: "everybody".to_owned(),
    };
    Change::ApprovalAsked(Request {
        id: RequestId(1),
        asked_at: Time::from_millis(1_700_000_000_000),
        expires_at: Time::from_millis(1_700_000_000_000).after(HOUR),
        alternatives: vec![offered(Rung::Restart), offered(Rung::Clear)],
        answer: None,
    })
}

#[test]
fn a_pause_has_an_expiry_while_it_counts_and_0_when_only_a_person_ends_it() {
    let mut program = Program::new();
    let family = "vcm_remediator_pause_expiry_timestamp_seconds";
    assert_eq!(program.values(family, ""), NONE);
    program.fleet_event(NO_TIME, paused(Some(program.now.after(HOUR))));
    assert_eq!(program.values(family, ""), [1_700_003_600.0]);
    program.pass(HOUR);
    assert_eq!(program.values(family, ""), NONE, "its time is over");
    program.fleet_event(NO_TIME, paused(None));
    assert_eq!(program.values(family, ""), [0.0]);
    program.fleet_event(NO_TIME, Change::Resumed(ended()));
    assert_eq!(program.values(family, ""), NONE);
}

#[test]
fn a_hold_has_an_expiry_while_it_counts() {
    let mut program = Program::new();
    let family = "vcm_remediator_hold_expiry_timestamp_seconds";
    let until = program.now.after(HOUR);
    program.event(NO_TIME, Change::Held(hold(Some(until))));
    let labels = "host=\"tenant-1\",module=\"1\"";
    assert_eq!(program.value(family, labels), 1_700_003_600.0);
    program.event(SECOND, Change::Held(hold(None)));
    assert_eq!(program.value(family, labels), 0.0);
    program.event(SECOND, Change::Released(ended()));
    assert_eq!(program.values(family, ""), NONE);
}

#[test]
fn a_request_shows_for_each_alternative_until_it_is_answered_or_void() {
    let mut program = Program::new();
    let family = "vcm_remediator_approval_requested_timestamp_seconds";
    program.event(NO_TIME, Change::IncidentOpened(None));
    program.event(NO_TIME, asked());
    for tier in ["restart", "clear"] {
        let labels = format!("module=\"1\",tier=\"{tier}\"");
        assert_eq!(program.value(family, &labels), 1_700_000_000.0);
    }
    assert_eq!(program.values(family, "").len(), 2);
    program.pass(HOUR);
    assert_eq!(program.values(family, ""), NONE, "it is void");
    let mut program = Program::new();
    program.event(NO_TIME, Change::IncidentOpened(None));
    program.event(NO_TIME, asked());
    let answer = Answer {
        choice: Choice::Approve(Rung::Clear),
        by: alice(),
        reason: "r".to_owned(),
    };
    let request = RequestId(1);
    program.event(SECOND, Change::ApprovalAnswered { request, answer });
    assert_eq!(program.values(family, ""), NONE, "it is answered");
}

#[test]
fn load_is_shed_since_the_order_until_it_is_back() {
    let mut program = Program::new();
    let family = "vcm_remediator_load_shed_timestamp_seconds";
    assert_eq!(program.values(family, ""), NONE);
    program.fleet_event(SECOND, shed());
    assert_eq!(program.value(family, "hsm=\"hsm-a\""), 1_700_000_001.0);
}

#[test]
fn pages_of_an_hsm_count_like_those_of_a_module() {
    let mut program = Program::new();
    let page = |hsm: Option<&str>| Change::PageRaised {
        reason: PageReason::LoadHook,
        text: "load of HSM hsm-a: shed has failed".to_owned(),
        hsm: hsm.map(|hsm| hsm.parse().unwrap()),
    };
    program.fleet_event(NO_TIME, page(Some("hsm-a")));
    program.event(NO_TIME, page(None));
    let labels = "reason=\"load_hook\"";
    assert_eq!(program.value("vcm_remediator_pages", labels), 2.0);
}

/// A look at a host of which module 1 is failed.
fn seen_failed() -> Change {
    Change::Observed(Summary {
        observation: None,
        problem: None,
        hardserver: HardserverLook::Up,
        host: Condition::Healthy,
        modules: vec![ModuleSummary {
            module: module().module.unwrap(),
            condition: Condition::Failed,
            network: Network::Good,
            load: None,
        }],
    })
}

/// The storms of both HSMs while one host after the other fails.
fn storms(hosts: [&str; 3], places: &[&str]) -> Vec<[f64; 2]> {
    let mut program = Program::with(places);
    let failing = hosts.map(|host| {
        program.state = HostState::new(host.parse().unwrap());
        program.event(SECOND, Change::IncidentOpened(None));
        program.event(SECOND, seen_failed());
        ["a", "b"].map(|hsm| {
            let labels = format!("hsm=\"hsm-{hsm}\"");
            program.value("vcm_remediator_storm", &labels)
        })
    });
    failing.into()
}

#[test]
fn an_hsm_storms_while_several_hosts_of_it_fail_and_each_one_while_the_fleet_does() {
    let places = ["tenant-1 hsm-a", "tenant-2 hsm-a", "tenant-3 hsm-b"];
    assert_eq!(
        storms(["tenant-1", "tenant-2", "tenant-3"], &places),
        [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    );
    assert_eq!(
        storms(["tenant-1", "tenant-3", "tenant-2"], &places),
        [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]
    );
}

#[test]
fn a_released_share_no_longer_counts_for_the_fleet_but_for_the_host() {
    let mut program = Program::new();
    let in_use = |program: &Program| {
        ["host", "fleet"].map(|scope| {
            let labels = format!("scope=\"{scope}\"");
            program.value("vcm_remediator_budget_in_use", &labels)
        })
    };
    program.event(NO_TIME, intent(1, &host(), Rung::Restart));
    program.event(SECOND, settled(1, Outcome::Unknown));
    assert_eq!(in_use(&program), [1.0, 1.0]);
    let attempt = AttemptId::from_bits(1);
    program.event(HOUR, Change::FleetShareReleased { attempt });
    assert_eq!(in_use(&program), [1.0, 0.0]);
}

#[test]
fn an_incident_counts_for_who_ended_it() {
    let mut program = Program::new();
    for actor in [Actor::Approved, Actor::Manual, Actor::Manual] {
        program.event(
            SECOND,
            Change::IncidentClosed(Closing {
                ending: Ending::Ended,
                actor,
                rung: None,
                recovery_millis: None,
                reason: "alice: over".to_owned(),
                spent: BTreeMap::new(),
            }),
        );
    }
    let closed = |actor: &str| {
        let labels = format!("outcome=\"ended\",actor=\"{actor}\"");
        program.value("vcm_remediator_incidents_closed_total", &labels)
    };
    assert_eq!(
        [closed("approved"), closed("manual"), closed("none")],
        [1.0, 2.0, 0.0]
    );
}

/// A hook that says yes to shed and no to restore.
#[derive(Debug)]
struct HalfHook;

impl LoadHook for HalfHook {
    fn call<'a>(&'a self, request: &'a LoadRequest) -> HookCall<'a> {
        let answer = match request.action {
            LoadAction::Shed => Ok(()),
            LoadAction::Restore => Err(LoadHookError::TimedOut {
                after: SECOND,
                still_running: false,
            }),
        };
        Box::pin(async { answer })
    }
}

#[tokio::test]
async fn calls_of_the_load_hook_are_counted_and_those_that_failed_by_reason() {
    let program = Program::new();
    let Program { metrics, .. } = program;
    let metrics = Arc::new(metrics);
    let hook = CountedHook::new(Arc::new(HalfHook), Arc::clone(&metrics));
    for action in [LoadAction::Shed, LoadAction::Restore] {
        let request = LoadRequest {
            action,
            hsm: "hsm-a".parse().unwrap(),
            key: "key".parse::<IdempotencyKey>().unwrap(),
            since: Time::from_millis(1),
            incidents: Vec::new(),
        };
        let answered = hook.call(&request).await;
        assert_eq!(answered.is_ok(), action == LoadAction::Shed);
    }
    let text = metrics.exposition(Format::Text).unwrap();
    for line in [
        "vcm_remediator_notifications_total{channel=\"load_hook\"} 2",
        "vcm_remediator_notifications_failed_total{channel=\"load_hook\",reason=\"timeout\"} 1",
        "vcm_remediator_notifications_failed_total{channel=\"load_hook\",reason=\"status\"} 0",
    ] {
        assert!(
            text.lines().any(|own| own == line),
            "{line} is not in\n{text}"
        );
    }
}
