use std::collections::{BTreeMap, BTreeSet};

use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::event::{
    Closing, EVENT_SCHEMA, LoadClass, ModuleSummary, Ruling, RungVerdict, Summary,
};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, ObservationId, RequestId};
use vcm_recovery::incident::{Actor, Ending, Latch, Standing};
use vcm_recovery::observation::{Condition, HardserverLook, Network};
use vcm_recovery::page::PageReason;
use vcm_recovery::start::Start;
use vcm_recovery::step::Step;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::verdict::Verdict;

use super::*;

fn target() -> Target {
    Target::module(
        "tenant-1".parse().unwrap(),
        ModuleNumber::try_from(7).unwrap(),
    )
}

fn fact() -> Fact {
    Fact {
        fingerprint: "00000000000000ff".parse().unwrap(),
        name: "VcmFailed".to_owned(),
        target: target(),
        tier: Some(Tier::Retry),
        lowered: Some(Tier::Clear),
        firing: true,
        starts_at: Time::from_millis(1),
        ends_at: None,
        delivered_at: Time::from_millis(2),
    }
}

fn intent() -> Intent {
    Intent {
        attempt: AttemptId::from_bits(1),
        incident: IncidentId::new(&target(), Time::from_millis(5)),
        target: target(),
        rung: Rung::Clear,
        epoch: Epoch(3),
        observation: ObservationId::from_bits(2),
        ceiling: Tier::Clear,
        esn: Some("1A2B-05E0-D947".parse().unwrap()),
        hsms: BTreeSet::from([None, Some("hsm-a".parse().unwrap())]),
        steps: vec![
            Step::EnterMaintenance(ModuleNumber::try_from(7).unwrap()),
            Step::Wait(30_000),
        ],
        healthy_before: BTreeSet::from([ModuleNumber::try_from(2).unwrap()]),
        approval: Some(RequestId(3)),
        asked: BTreeSet::from([Guard::ApprovalRequired]),
    }
}

fn summary() -> Summary {
    let seen = ModuleSummary {
        module: ModuleNumber::try_from(7).unwrap(),
        condition: Condition::Failed,
        network: Network::Good,
        load: Some(LoadClass::High),
    };
    Summary {
        observation: Some(ObservationId::from_bits(2)),
        problem: Some("with \"quotes\"\nand lines".to_owned()),
        hardserver: HardserverLook::Up,
        host: Condition::Healthy,
        modules: vec![seen],
    }
}

fn ruling() -> Ruling {
    let verdict = |guard, verdict| RungVerdict {
        rung: Rung::Retry,
        guard,
        verdict,
    };
    Ruling {
        standing: Standing::Waiting(Rung::Retry),
        observation: None,
        verdicts: vec![
            verdict(
                Guard::NotBefore,
                Verdict::refuse_until(Time::from_millis(9), "too early"),
            ),
            verdict(
                Guard::ApprovalRequired,
                Verdict::Ask("a person decides".to_owned()),
            ),
            verdict(Guard::Kind, Verdict::NotApplicable("host".to_owned())),
        ],
    }
}

fn closing() -> Closing {
    Closing {
        ending: Ending::Recovered,
        actor: Actor::Automatic,
        rung: Some(Rung::Retry),
        recovery_millis: Some(125_000),
        reason: "healthy for 60 s".to_owned(),
        spent: BTreeMap::from([("00000000000000ff".parse().unwrap(), Time::from_millis(1))]),
    }
}

fn every_kind() -> Vec<Change> {
    let reported = |report| Change::AttemptReported {
        attempt: AttemptId::from_bits(1),
        report,
    };
    let reason = PageReason::Exhausted;
    vec![
        Change::FactChanged(fact()),
        Change::Observed(summary()),
        Change::Decided(ruling()),
        Change::IncidentOpened(None),
        Change::IncidentOpened(Some("1A2B-05E0-D947".parse().unwrap())),
        Change::HealthHeld {
            why: "the service check does not pass".to_owned(),
        },
        Change::IncidentLatched {
            latch: Latch::Exhausted,
            reason: "out of rungs".to_owned(),
        },
        Change::IncidentClosed(closing()),
        Change::IntentReserved(intent()),
        reported(Report::Accepted),
        reported(Report::Ended {
            detail: "exit 0".to_owned(),
        }),
        reported(Report::Settled {
            outcome: Outcome::Unknown,
            reason: "silent".to_owned(),
        }),
        Change::PageRaised {
            reason,
            text: "nobody answers".to_owned(),
            hsm: None,
        },
        Change::PageCleared { reason, hsm: None },
    ]
}

fn event(change: Change, target: Option<Target>) -> Event {
    let incident = target
        .as_ref()
        .map(|target| IncidentId::new(target, Time::from_millis(5)));
    let host = Some("tenant-1".parse().unwrap());
    Event {
        seq: 4,
        schema: EVENT_SCHEMA,
        time: Time::from_millis(1_700_000_000_000),
        epoch: Epoch(3),
        entry: Entry {
            host,
            target,
            incident,
            change,
        },
    }
}

#[test]
fn every_kind_of_event_comes_back_as_it_went_in() {
    let host = Target::host("tenant-1".parse().unwrap());
    for change in every_kind() {
        for target in [None, Some(target()), Some(host.clone())] {
            let event = event(change.clone(), target);
            let row = Row::encode(&event).unwrap();
            assert_eq!(row.decode().unwrap(), event, "{}", row.kind);
        }
    }
}

#[test]
fn the_same_event_has_the_same_text_each_time() {
    for change in every_kind() {
        let event = event(change, Some(target()));
        assert_eq!(Row::encode(&event).unwrap(), Row::encode(&event).unwrap());
    }
}

#[test]
fn unknown_kind_is_unreadable_and_names_the_event() {
    let mut row = Row::encode(&event(Change::IncidentOpened(None), None)).unwrap();
    row.kind = "SomethingNewer".to_owned();
    assert!(matches!(
        row.decode(),
        Err(StoreError::Unreadable { seq: 4, .. })
    ));
}

/// It was recorded only where it was not known how long the program had been away.
#[test]
fn start_under_its_old_name_does_not_know_how_long_the_program_was_away() {
    let mut row = Row::encode(&event(Change::Started(Start::FIRST), None)).unwrap();
    row.kind = "StartedBehind".to_owned();
    row.body = r#"{"milliseconds":90000}"#.to_owned();
    let unsure = Start {
        away_known: false,
        ..Start::FIRST
    };
    assert_eq!(row.decode().unwrap().entry.change, Change::Started(unsure));
}
