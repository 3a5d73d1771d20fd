//! What the judge objects to, and what it does not.

use serde_json::json;

use super::super::ladder::{CLEAR, RETRY};
use super::*;

fn call(at: u64, line: &str) -> Call {
    Call {
        time_ms: at,
        boot_ms: at,
        caller: 7,
        words: line.split(' ').map(str::to_owned).collect(),
    }
}

fn event(seq: u64, time_ms: u64, kind: &str, body: Value) -> Event {
    let (kind, host) = (kind.to_owned(), None);
    Event {
        seq,
        time_ms,
        host,
        target: None,
        incident: None,
        kind,
        body,
    }
}

/// A clear as it should be, behind its retry.
fn good() -> Evidence {
    let started = ["-r", "-M", "-c"].map(|flag| (0, format!("nopclearfail -m1 {flag}")));
    let settled = json!({"attempt": "a", "report": "settled", "outcome": "succeeded"});
    Evidence {
        calls: vec![
            call(10, "nopclearfail -m1 -r"),
            call(20, "nopclearfail -m1 -M"),
            call(30_030, "nopclearfail -m1 -c"),
        ],
        journals: vec![Journal {
            attempt: "a".to_owned(),
            runners: vec![7],
            started: started.to_vec(),
            ended: Some(30_050),
        }],
        chain: Ok(vec![
            event(1, 5, "IntentReserved", json!({"attempt": "a"})),
            event(2, 30_060, "AttemptReported", settled),
            event(3, 30_070, "IncidentClosed", json!({"ending": "recovered"})),
        ]),
        healthy: true,
        files: PathBuf::new(),
    }
}

const POINT: Point = Point {
    kill: Kill::RunnerSync(3),
    with: With::Power,
};

/// The names of the properties that do not hold.
fn broken(evidence: &Evidence) -> BTreeSet<String> {
    let found = evidence.violations(&CLEAR, POINT);
    found.iter().map(|text| text[..2].to_owned()).collect()
}

fn changed(change: impl Fn(&mut Evidence)) -> BTreeSet<String> {
    let mut evidence = good();
    change(&mut evidence);
    broken(&evidence)
}

fn events(evidence: &mut Evidence) -> &mut Vec<Event> {
    evidence.chain.as_mut().expect("this chain holds")
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn a_clear_as_it_should_be_is_not_objected_to() {
    assert_eq!(broken(&good()), names([]));
}

#[test]
fn every_property_is_missed_where_it_does_not_hold() {
    let enter_again = changed(|it| it.calls.push(call(40_000, "nopclearfail -m1 -M")));
    assert_eq!(enter_again, names(["L4", "S2", "S8"]));
    let hasty = changed(|it| it.calls[2] = call(29_000, "nopclearfail -m1 -c"));
    assert_eq!(hasty, names(["S8"]));
    let inside = changed(|it| it.calls.insert(2, call(100, "nopclearfail -m2 -r")));
    assert_eq!(inside, names(["S1", "S8"]));
    let never_cleared = changed(|it| drop(it.calls.pop()));
    assert_eq!(never_cleared, names(["L4"]));
    let by_nobody = changed(|it| it.calls.push(call(30_060, "nopclearfail -m3 -r")));
    assert_eq!(by_nobody, names(["S1"]));
    let not_announced = changed(|it| it.journals[0].started[1].0 = 21);
    assert_eq!(not_announced, names(["S1"]));
    let no_intent = changed(|it| events(it)[0].time_ms = 11);
    assert_eq!(no_intent, names(["S1"]));
    let no_outcome = changed(|it| drop(events(it).remove(1)));
    assert_eq!(no_outcome, names(["L2"]));
    let unknown = changed(|it| events(it)[1].body["outcome"] = "unknown".into());
    assert_eq!(unknown, names(["L2"]));
    let broken_chain = changed(|it| it.chain = Err("event 2 breaks the chain".to_owned()));
    assert_eq!(broken_chain, names(["S1"]));
    assert_eq!(changed(|it| it.healthy = false), names(["L1"]));
    assert_eq!(changed(|it| drop(events(it).pop())), names(["L1"]));
}

#[test]
fn a_command_comes_twice_only_behind_a_power_cut() {
    let again = |with| {
        let mut evidence = good();
        evidence.calls.push(call(61_000, "nopclearfail -m1 -c"));
        evidence.journals[0].ended = Some(61_050);
        let point = Point { with, ..POINT };
        evidence.violations(&CLEAR, point).len()
    };
    assert_eq!((again(With::Power), again(With::Nothing)), (0, 1));
}

#[test]
fn while_the_host_runner_lives_everything_is_done_as_if_nobody_had_died() {
    let point = Point {
        kill: Kill::Commit(2),
        with: With::Nothing,
    };
    assert_eq!(good().violations(&CLEAR, point), Vec::<String>::new());
    assert_eq!(good().violations(&RETRY, point).len(), 1);
}
