//! Every order: what it records, and every reason for which it is not carried out.

use std::collections::BTreeSet;
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};

use super::*;
use crate::alert::Fact;
use crate::approval::{Alternative, Request, Scope};
use crate::attempt::{Intent, Report};
use crate::evidence::Look;
use crate::guard::Guard;
use crate::ids::{Epoch, ObservationId};
use crate::incident::Latch;
use crate::observation::{
    HardserverLook, ModuleLook, NetworkLook, Observation, SourceStatus, Sources, StopSign,
};
use crate::page::PageReason;
use crate::tier::{Rung, Tier};

const NOW: Time = Time::from_millis(1_000_000_000);
const REQUEST: RequestId = RequestId(7);
const ATTEMPT: u128 = 5;

fn target() -> Target {
    Target::module("tenant-1".parse().unwrap(), number())
}

fn number() -> ModuleNumber {
    ModuleNumber::try_from(1).unwrap()
}

fn giver() -> Giver {
    Giver {
        by: "ada".parse().unwrap(),
        reason: "I have seen to it".to_owned(),
    }
}

/// An open incident of module 1 with a request for approval of a clear.
fn state() -> HostState {
    let mut state = HostState::new("tenant-1".parse().unwrap());
    let apply = |state: &mut HostState, change: Change| {
        state.apply_change(&target(), None, &change, NOW);
    };
    apply(&mut state, Change::IncidentOpened(None));
    let scope = Scope {
        target: target(),
        rung: Rung::Clear,
        esn: None,
        steps: Vec::new(),
        condition: Condition::Failed,
        healthy_others: BTreeSet::new(),
        storm: false,
        asked: BTreeSet::from([Guard::ApprovalRequired]),
    };
    let request = Request {
        id: REQUEST,
        asked_at: NOW,
        expires_at: NOW.after(Duration::from_secs(3_600)),
        alternatives: vec![Alternative {
            scope,
            reasons: vec!["a clear drops every key loaded in this module".to_owned()],
            disrupts: "7 objects loaded in module 1".to_owned(),
        }],
        answer: None,
    };
    apply(&mut state, Change::ApprovalAsked(request));
    state
}

/// The module as the newest look shows it.
fn seen(state: ModuleState) -> Evidence {
    let look = ModuleLook {
        state,
        printed: String::new(),
        esn: None,
        hardware_ok: Some(true),
        connection_ok: None,
        kind: None,
        objects: None,
        uptime: None,
        load_percent: None,
        network: NetworkLook::NotApplicable,
        hold: None,
        path: None,
    };
    let mut evidence = Evidence::default();
    evidence.push(Look {
        at: NOW,
        seen: Ok(Observation {
            schema: 1,
            observation_id: ObservationId::from_bits(1),
            boot_id: String::new(),
            started_boottime: 0,
            finished_boottime: 0,
            sources: Sources {
                enquiry: SourceStatus::Ok,
                enquiry_server: SourceStatus::Ok,
                stattree: SourceStatus::Ok,
                socket: SourceStatus::Ok,
            },
            hardserver: HardserverLook::Up,
            complete: true,
            modules: [(number(), look)].into(),
            clients: None,
            hardserver_uptime: None,
            stop: StopSign::None,
            pause: None,
            hold: None,
            host_uptime: None,
            service_check: None,
            max_tier: Tier::Clear,
        }),
    });
    evidence
}

fn order_at(
    state: &HostState,
    evidence: &Evidence,
    order: &HostOrder,
    now: Time,
) -> Result<Vec<Change>, OrderError> {
    let knows = |found: &Target| *found == target() || found.module.is_none();
    let entries = of_host(order, &giver(), state, evidence, knows, now)?;
    for entry in &entries {
        assert_eq!(entry.host, Some(state.host.clone()));
        assert!(entry.target.is_some());
    }
    Ok(entries.into_iter().map(|entry| entry.change).collect())
}

fn order(state: &HostState, order: &HostOrder) -> Result<Vec<Change>, OrderError> {
    order_at(state, &seen(ModuleState::Operational), order, NOW)
}

fn answer(choice: Choice) -> HostOrder {
    HostOrder::Answer {
        request: REQUEST,
        choice,
    }
}

fn said(result: Result<Vec<Change>, OrderError>) -> String {
    result.unwrap_err().to_string()
}

/// The state after what an order has recorded.
fn after(mut state: HostState, changes: &[Change]) -> HostState {
    for change in changes {
        state.apply_change(&target(), None, change, NOW);
    }
    state
}

#[test]
fn an_order_needs_a_reason_that_can_be_kept_and_shown() {
    let reasons = [
        "",
        "  ",
        "two\nlines",
        "a bell \u{7}",
        "an escape \u{1b}[2J",
        "a delete \u{7f}",
    ];
    let too_long = "x".repeat(REASON_LENGTH_MAX + 1);
    for reason in reasons.into_iter().chain([too_long.as_str()]) {
        let giver = Giver {
            reason: reason.to_owned(),
            ..giver()
        };
        let state = state();
        let host = of_host(
            &HostOrder::Close { target: target() },
            &giver,
            &state,
            &Evidence::default(),
            |_| true,
            NOW,
        );
        assert_eq!(host, Err(OrderError::Reason), "{reason:?}");
        let pause = FleetOrder::Pause { until: None };
        let fleet = of_fleet(&pause, &giver, &FleetState::default(), NOW);
        assert_eq!(fleet, Err(OrderError::Reason), "{reason:?}");
    }
    assert_eq!(
        OrderError::Reason.to_string(),
        "a reason of 1 to 500 characters without control characters is needed"
    );
    let longest = Giver {
        reason: "ü".repeat(REASON_LENGTH_MAX),
        ..giver()
    };
    let pause = FleetOrder::Pause { until: None };
    assert!(of_fleet(&pause, &longest, &FleetState::default(), NOW).is_ok());
}

#[test]
fn an_answer_is_recorded_with_its_giver() {
    let state = state();
    let given = |choice| Change::ApprovalAnswered {
        request: REQUEST,
        answer: Answer {
            choice,
            by: "ada".parse().unwrap(),
            reason: "I have seen to it".to_owned(),
        },
    };
    for choice in [Choice::Approve(Rung::Clear), Choice::Deny] {
        let changes = order(&state, &answer(choice)).unwrap();
        assert_eq!(changes, [given(choice)]);
    }
}

#[test]
fn an_answer_is_taken_only_for_what_is_asked_now() {
    let state = state();
    let other = HostOrder::Answer {
        request: RequestId(6),
        choice: Choice::Deny,
    };
    let closed = "request #6 is not open: it was answered, used, or has expired";
    assert_eq!(said(order(&state, &other)), closed);
    let retry = answer(Choice::Approve(Rung::Retry));
    assert_eq!(
        said(order(&state, &retry)),
        "request #7 does not offer retry"
    );
    let clear = answer(Choice::Approve(Rung::Clear));
    let evidence = seen(ModuleState::Failed);
    let last = NOW.after(Duration::from_millis(3_600_000 - 1));
    assert!(order_at(&state, &evidence, &clear, last).is_ok());
    let expired = NOW.after(Duration::from_secs(3_600));
    let closed = "request #7 is not open: it was answered, used, or has expired";
    assert_eq!(said(order_at(&state, &evidence, &clear, expired)), closed);
    let changes = order(&state, &clear).unwrap();
    let approved = after(state.clone(), &changes);
    assert_eq!(
        said(order(&approved, &clear)),
        "request #7 was answered by ada"
    );
    let changes = order(&state, &answer(Choice::Deny)).unwrap();
    let denied = after(state, &changes);
    assert_eq!(said(order(&denied, &clear)), closed);
    let incident = &denied.incidents[&target()];
    assert_eq!(incident.denied[&Rung::Clear], "ada decided against it");
}

#[test]
fn what_the_inventory_lists_can_be_held_until_a_time_to_come() {
    let state = state();
    let hold = |target, until| HostOrder::Hold { target, until };
    let until = Some(NOW.after(Duration::from_millis(1)));
    let changes = order(&state, &hold(target(), until)).unwrap();
    let held = Hold {
        until,
        reason: "I have seen to it".to_owned(),
        by: "ada".parse().unwrap(),
    };
    assert_eq!(changes, [Change::Held(held)]);
    let past = order(&state, &hold(target(), Some(NOW)));
    assert_eq!(said(past), "the end lies in the past");
    let other = Target::module(state.host.clone(), ModuleNumber::try_from(9).unwrap());
    let unknown = order(&state, &hold(other, None));
    assert_eq!(said(unknown), "tenant-1/9 is not in the inventory");
}

#[test]
fn only_what_is_held_is_released() {
    let state = state();
    let release = HostOrder::Release { target: target() };
    assert_eq!(said(order(&state, &release)), "tenant-1/1 is not held");
    let until = None;
    let target = target();
    let changes = order(&state, &HostOrder::Hold { target, until }).unwrap();
    let held = after(state, &changes);
    let changes = order(&held, &release).unwrap();
    assert_eq!(
        changes.iter().map(Change::kind).collect::<Vec<_>>(),
        ["Released"]
    );
    assert_eq!(after(held, &changes).holds.len(), 0);
}

/// With an attempt that has come to this.
fn attempted(outcome: Option<Outcome>) -> HostState {
    let mut state = state();
    let incident = state.incidents[&target()].id.clone();
    let attempt = AttemptId::from_bits(ATTEMPT);
    let intent = Intent {
        attempt,
        incident,
        target: target(),
        rung: Rung::Clear,
        epoch: Epoch(1),
        observation: ObservationId::from_bits(1),
        ceiling: Tier::Clear,
        esn: None,
        hsms: BTreeSet::new(),
        steps: Vec::new(),
        healthy_before: BTreeSet::new(),
        approval: None,
        asked: BTreeSet::new(),
    };
    state = after(state, &[Change::IntentReserved(intent)]);
    if let Some(outcome) = outcome {
        let reason = String::new();
        let report = Report::Settled { outcome, reason };
        state = after(state, &[Change::AttemptReported { attempt, report }]);
    }
    state
}

#[test]
fn a_person_says_what_an_unknown_attempt_came_to_once() {
    let attempt = AttemptId::from_bits(ATTEMPT);
    let resolve = |outcome| HostOrder::ResolveAttempt { attempt, outcome };
    for outcome in [Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled] {
        let state = attempted(Some(Outcome::Unknown));
        let changes = order(&state, &resolve(outcome)).unwrap();
        let state = after(state, &changes);
        let settled = &state.attempts[&attempt];
        assert_eq!(settled.outcome, Some((outcome, NOW)));
        assert_eq!(
            (settled.resolved, settled.reason.as_str()),
            (true, "ada: I have seen to it")
        );
        let again = said(order(&state, &resolve(outcome)));
        assert_eq!(
            again,
            format!("attempt {attempt} is not of unknown outcome")
        );
    }
    for outcome in [Outcome::MadeWorse, Outcome::Refused, Outcome::Unknown] {
        let state = attempted(Some(Outcome::Unknown));
        let refused = said(order(&state, &resolve(outcome)));
        let expected = "an attempt is resolved as succeeded, failed or cancelled";
        assert_eq!(refused, expected);
    }
    for known in [None, Some(Outcome::Failed)] {
        let refused = said(order(&attempted(known), &resolve(Outcome::Failed)));
        assert_eq!(
            refused,
            format!("attempt {attempt} is not of unknown outcome")
        );
    }
    let never_heard_of = said(order(&state(), &resolve(Outcome::Failed)));
    assert_eq!(
        never_heard_of,
        format!("attempt {attempt} is not of unknown outcome")
    );
}

#[test]
fn only_a_latched_incident_is_reopened() {
    let reopen = HostOrder::Reopen { target: target() };
    let not_latched = "the incident of tenant-1/1 is not latched: it goes on by itself";
    assert_eq!(said(order(&state(), &reopen)), not_latched);
    let empty = HostState::new("tenant-1".parse().unwrap());
    assert_eq!(
        said(order(&empty, &reopen)),
        "tenant-1/1 has no open incident"
    );
    let latch = Change::IncidentLatched {
        latch: Latch::Exhausted,
        reason: String::new(),
    };
    let latched = after(state(), &[latch]);
    let changes = order(&latched, &reopen).unwrap();
    let reopened = after(latched, &changes);
    let incident = &reopened.incidents[&target()];
    assert_eq!((&incident.latch, &incident.request), (&None, &None));
    assert_eq!(incident.reopened_at, Some(NOW));
}

#[test]
fn an_incident_is_closed_with_its_pages_and_uses_its_alerts_up() {
    let close = HostOrder::Close { target: target() };
    let empty = HostState::new("tenant-1".parse().unwrap());
    assert_eq!(
        said(order(&empty, &close)),
        "tenant-1/1 has no open incident"
    );
    let page = Change::PageRaised {
        reason: PageReason::ApprovalRequired,
        text: String::new(),
        hsm: None,
    };
    let mut state = after(state(), &[page]);
    state.deliver(&Fact {
        fingerprint: "00000000000000aa".parse().unwrap(),
        name: "VcmFailed".to_owned(),
        target: target(),
        tier: None,
        lowered: None,
        firing: true,
        starts_at: NOW,
        ends_at: None,
        delivered_at: NOW,
    });
    for unclear in [ModuleState::Operational, ModuleState::Unknown] {
        let changes = order_at(&state, &seen(unclear), &close, NOW).unwrap();
        let kinds: Vec<_> = changes.iter().map(Change::kind).collect();
        assert_eq!(kinds, ["HumanResolved", "PageCleared", "IncidentClosed"]);
        let closed = after(state.clone(), &changes);
        assert_eq!((closed.incidents.len(), closed.pages.len()), (0, 0));
        assert_eq!(closed.spent.values().copied().collect::<Vec<_>>(), [NOW]);
    }
    let still = said(order_at(&state, &seen(ModuleState::Failed), &close, NOW));
    assert_eq!(
        still,
        "tenant-1/1 is still seen failed; hold it to have nothing done"
    );
    for open in [None, Some(Outcome::Unknown)] {
        let refused = said(order(&attempted(open), &close));
        assert_eq!(refused, "an attempt of this incident is open");
    }
}

#[test]
fn everything_is_paused_and_resumed() {
    let order = |order, fleet: &FleetState| {
        let entries = of_fleet(&order, &giver(), fleet, NOW)?;
        assert!(entries.iter().all(|entry| entry.host.is_none()));
        Ok::<_, OrderError>(entries)
    };
    let mut fleet = FleetState::default();
    let resume = || FleetOrder::Resume;
    let nothing = order(resume(), &fleet).unwrap_err();
    assert_eq!(nothing.to_string(), "nothing is paused");
    let past = FleetOrder::Pause { until: Some(NOW) };
    assert_eq!(order(past, &fleet), Err(OrderError::Past));
    let until = Some(NOW.after(Duration::from_secs(1)));
    let entries = order(FleetOrder::Pause { until }, &fleet).unwrap();
    apply(&mut fleet, entries);
    let pause = fleet.pause.clone().unwrap();
    assert_eq!((pause.until, pause.by.as_str()), (until, "ada"));
    let entries = order(resume(), &fleet).unwrap();
    apply(&mut fleet, entries);
    assert_eq!(fleet.pause, None);
}

#[test]
fn time_without_the_remediator_is_confirmed_once() {
    let confirm = |fleet: &FleetState| of_fleet(&FleetOrder::ConfirmGap, &giver(), fleet, NOW);
    let mut fleet = FleetState::default();
    let nothing = confirm(&fleet).unwrap_err();
    assert_eq!(
        nothing.to_string(),
        "there is no unconfirmed time without the remediator"
    );
    let since = NOW.before(Duration::from_secs(90_000));
    let gap = Entry {
        host: None,
        target: None,
        incident: None,
        change: Change::GapFound { since },
    };
    apply(&mut fleet, vec![gap]);
    assert_eq!(fleet.unconfirmed_gap, Duration::from_secs(90_000));
    let entries = confirm(&fleet).unwrap();
    apply(&mut fleet, entries);
    assert_eq!(confirm(&fleet), Err(OrderError::NoGap));
}

fn apply(fleet: &mut FleetState, entries: Vec<Entry>) {
    for (seq, entry) in (1..).zip(entries) {
        fleet.apply(&crate::event::Event {
            seq,
            schema: 2,
            time: NOW,
            epoch: Epoch(1),
            entry,
        });
    }
}
