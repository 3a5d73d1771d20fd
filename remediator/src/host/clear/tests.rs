use nshield::runner::ProcessIdentity;
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::tier::Rung;

use super::*;
use crate::host::journal::record::{Accepted, Entry, Record, SCHEMA};
use crate::host::journal::story::fold;

/// The resume table: what was seen, how many `-c`, waited or not -> what is done.
#[test]
fn the_resume_table() {
    use Seen::{Maintenance, Operational, Other, Renumbered, SomebodyElses, Unknown};
    let failed = Other(ModuleState::Failed);
    let offline = Other(ModuleState::Offline);
    let initialising = SomebodyElses(ModuleState::Initialization);
    let table = [
        // Behind -M: everything but a working module and somebody else's work gets its -c.
        (Maintenance, 0, true, "clear"),
        (Unknown, 0, true, "clear"),
        (failed, 0, true, "clear"),
        (offline, 0, true, "clear"),
        (Operational, 0, true, "stop"),
        (initialising, 0, true, "stop"),
        (Renumbered, 0, true, "stop"),
        // Behind the first -c.
        (Operational, 1, false, "stop"),
        (failed, 1, false, "stop"),
        (offline, 1, false, "stop"),
        (Maintenance, 1, false, "wait"),
        (Unknown, 1, false, "wait"),
        (Maintenance, 1, true, "clear"),
        (Unknown, 1, true, "clear"),
        (Operational, 1, true, "stop"),
        // Three in all.
        (Maintenance, 2, true, "clear"),
        (Maintenance, 3, false, "wait"),
        (Maintenance, 3, true, "stop"),
        (Unknown, 3, true, "stop"),
        (Operational, 3, true, "stop"),
        (Renumbered, 2, true, "stop"),
        (Maintenance, 9, true, "stop"),
    ];
    for (seen, clears, waited, expected) in table {
        let next = match decide(seen, clears, waited) {
            Next::Clear => "clear",
            Next::Wait => "wait",
            Next::Stop(_) => "stop",
        };
        assert_eq!(
            next, expected,
            "{seen:?} after {clears} -c, waited {waited}"
        );
    }
}

const NOW: u64 = 1_000_000;

fn at(boottime_ms: u64, boot: &str, seq: u64, record: Record) -> Entry {
    Entry {
        schema: SCHEMA,
        seq,
        wall_ms: 0,
        boottime_ms,
        boot_id: boot.to_owned(),
        record,
    }
}

fn module() -> ModuleNumber {
    3.try_into().unwrap()
}

fn accepted() -> Record {
    Record::Accepted(Box::new(Accepted {
        attempt: AttemptId::from_bits(1),
        epoch: Epoch(1),
        store: StoreId::from_bits(1),
        tier: Rung::Clear,
        module: Some(module()),
        esn: Some("1A2B-05E0-D947".parse().unwrap()),
        observation: ObservationId::from_bits(1),
        fresh: ObservationId::from_bits(2),
        approval: None,
        snapshot: None,
        plan: Vec::new(),
        runner: ProcessIdentity {
            pid: 1,
            start_ticks: 1,
        },
    }))
}

/// A step with the boot and the seconds before now at which it ended, if it did.
type Past<'a> = (Step, Option<(&'a str, u64)>);

fn left(steps: &[Past<'_>], wait: u64) -> (usize, u64) {
    let mut entries = vec![at(0, "this", 0, accepted())];
    for (index, &(step, ended)) in (0..).zip(steps) {
        let boot = ended.map_or("this", |(boot, _)| boot);
        let seq = entries.len() as u64;
        entries.push(at(1, boot, seq, Record::StepStarted { index, step }));
        if let Some((boot, ago)) = ended {
            let exit = StepExit::TimedOut;
            let output = String::new();
            let record = Record::StepFinished {
                index,
                exit,
                output,
            };
            entries.push(at(NOW - ago * 1_000, boot, seq + 1, record));
        }
    }
    from_here(&entries, wait)
}

/// How many `-c` these records tell of, and how many seconds are left to wait.
fn from_here(entries: &[Entry], wait: u64) -> (usize, u64) {
    let now = Moment {
        wall_ms: 0,
        boottime_ms: NOW,
        boot_id: "this".to_owned(),
    };
    let story = fold(entries).unwrap();
    let progress = progress(&story, module(), Duration::from_secs(wait), &now);
    (progress.clears, (progress.look_at - NOW) / 1_000)
}

#[test]
fn waits_what_is_left_of_the_wait_and_all_of_it_when_that_is_not_known() {
    let enter = Step::EnterMaintenance(module());
    let clear = Step::ClearModule(module());
    let other = Step::ClearModule(4.try_into().unwrap());
    let wait = Step::Wait(30_000);
    let table: [(&[Past<'_>], u64, usize, u64); 10] = [
        (&[(enter, None)], 30, 0, 30),
        (&[(enter, Some(("this", 12)))], 30, 0, 18),
        (&[(enter, Some(("this", 99)))], 30, 0, 0),
        (&[(enter, Some(("other", 99)))], 30, 0, 30),
        (&[(enter, Some(("this", 12)))], 45, 0, 33),
        (&[(enter, Some(("this", 12)))], 5, 0, 18),
        (&[(enter, Some(("this", 12))), (wait, None)], 30, 0, 18),
        (&[(enter, Some(("this", 99))), (clear, None)], 30, 1, 30),
        (
            &[(enter, Some(("this", 99))), (clear, Some(("this", 10)))],
            60,
            1,
            20,
        ),
        (
            &[(enter, Some(("this", 99))), (other, Some(("this", 10)))],
            30,
            0,
            0,
        ),
    ];
    for (steps, configured, clears, seconds) in table {
        assert_eq!(left(steps, configured), (clears, seconds), "{steps:?}");
    }
}

/// What lived on at its deadline ended later, nobody knows when.
#[test]
fn waits_all_of_it_behind_a_command_that_outlived_its_deadline() {
    let step = Step::EnterMaintenance(module());
    let index = 0;
    let begun = [
        at(0, "this", 0, accepted()),
        at(1, "this", 1, Record::StepStarted { index, step }),
    ];
    let command = String::new();
    let still = at(NOW - 99_000, "this", 2, Record::StillRunning { command });
    let finished = |exit| {
        let output = String::new();
        Record::StepFinished {
            index,
            exit,
            output,
        }
    };
    let killed = [&begun[..], std::slice::from_ref(&still)].concat();
    assert_eq!(from_here(&killed, 30), (0, 30));
    let ended = at(NOW - 12_000, "this", 3, finished(StepExit::Code(0)));
    let ended = [&begun[..], &[still, ended]].concat();
    assert_eq!(from_here(&ended, 30), (0, 18));
    // As earlier versions wrote it.
    let lived_on = at(NOW - 99_000, "this", 2, finished(StepExit::StillRunning));
    let lived_on = [&begun[..], &[lived_on]].concat();
    assert_eq!(from_here(&lived_on, 30), (0, 30));
}

fn look(modules: &str) -> Observation {
    let text = format!(
        r#"{{"schema":1,"observation_id":"01935bd4-0f3a-7c11-8000-000000000002","boot_id":"b",
        "started_boottime":1,"finished_boottime":2,"sources":{{"enquiry":{{"status":"ok"}},
        "enquiry_server":{{"status":"not_asked"}},"stattree":{{"status":"not_asked"}},
        "socket":{{"status":"ok"}}}},"hardserver":"up","complete":true,"modules":{{{modules}}},
        "clients":null,"hardserver_uptime":null,"stop":{{"sign":"none"}},"hold":null,
        "max_tier":"clear"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn entry(number: u16, state: &str, esn: &str) -> String {
    format!(
        r#""{number}":{{"state":"{state}","printed":"","esn":{esn},"hardware_ok":null,
        "connection_ok":null,"kind":"vcm","objects":null,"uptime":null,"load_percent":null,
        "network":"not_applicable"}}"#
    )
}

#[test]
fn sees_the_module_by_state_and_never_another_one_in_its_place() {
    let esn: Esn = "1A2B-05E0-D947".parse().unwrap();
    let (ours, others) = ("\"1A2B-05E0-D947\"", "\"9999-05E0-D947\"");
    let table = [
        (entry(3, "operational", ours), Seen::Operational),
        (entry(3, "maintenance", "null"), Seen::Maintenance),
        (entry(3, "pre_maintenance", ours), Seen::Maintenance),
        (entry(3, "failed", "null"), Seen::Other(ModuleState::Failed)),
        (
            entry(3, "uninitialized", ours),
            Seen::SomebodyElses(ModuleState::Uninitialized),
        ),
        (entry(3, "unknown", ours), Seen::Unknown),
        (entry(3, "operational", others), Seen::Renumbered),
        (
            [
                entry(3, "maintenance", "null"),
                entry(1, "operational", ours),
            ]
            .join(","),
            Seen::Renumbered,
        ),
        (entry(1, "operational", others), Seen::Unknown),
    ];
    for (modules, expected) in table {
        assert_eq!(
            seen(&look(&modules), module(), Some(&esn)),
            expected,
            "{modules}"
        );
    }
    let healthy = look(&entry(3, "operational", ours));
    let hardserver = HardserverLook::SuspectedDown;
    let down = Observation {
        hardserver,
        ..healthy.clone()
    };
    assert_eq!(seen(&down, module(), Some(&esn)), Seen::Unknown);
    assert_eq!(
        seen(&healthy, module(), None),
        Seen::Operational,
        "no ESN is known"
    );
}

/// A module that is gone from the output makes a look incomplete, and that is when numbers change.
#[test]
fn an_incomplete_look_still_shows_whose_a_number_is_and_what_works() {
    let esn: Esn = "1A2B-05E0-D947".parse().unwrap();
    let (ours, others) = ("\"1A2B-05E0-D947\"", "\"9999-05E0-D947\"");
    let third = "\"7777-05E0-D947\"";
    let table = [
        // Ours is gone, the one behind it has moved up.
        (
            vec![entry(3, "operational", others), entry(4, "unknown", "null")],
            Seen::Renumbered,
        ),
        // Ours has moved up, its number is gone.
        (
            vec![entry(2, "maintenance", ours), entry(3, "unknown", "null")],
            Seen::Renumbered,
        ),
        // Another one is gone, ours works and gets no second command.
        (
            vec![entry(2, "unknown", "null"), entry(3, "operational", ours)],
            Seen::Operational,
        ),
        (
            vec![entry(2, "unknown", "null"), entry(3, "maintenance", ours)],
            Seen::Maintenance,
        ),
        (
            vec![entry(2, "operational", third), entry(3, "unknown", "null")],
            Seen::Unknown,
        ),
        (Vec::new(), Seen::Unknown),
    ];
    for (modules, expected) in table {
        let look = Observation {
            complete: false,
            ..look(&modules.join(","))
        };
        assert_eq!(seen(&look, module(), Some(&esn)), expected, "{modules:?}");
    }
}

/// Everywhere else such a module counts as unknown or as a fault, so that it does not here count as
/// cleared by somebody else, which would leave out `-c`.
#[test]
fn what_is_operational_only_by_its_mode_is_not_taken_for_working() {
    let shown = |connection: &str, hardware: &str| {
        let text = entry(3, "operational", "null");
        let text = text.replace(
            "\"connection_ok\":null",
            &format!("\"connection_ok\":{connection}"),
        );
        text.replace(
            "\"hardware_ok\":null",
            &format!("\"hardware_ok\":{hardware}"),
        )
    };
    for (connection, hardware, expected) in [
        ("true", "true", Seen::Operational),
        ("null", "null", Seen::Operational),
        ("false", "true", Seen::Unknown),
        ("false", "null", Seen::Unknown),
        ("true", "false", Seen::Other(ModuleState::Error)),
    ] {
        let look = look(&shown(connection, hardware));
        assert_eq!(
            seen(&look, module(), None),
            expected,
            "connection {connection}, hardware {hardware}"
        );
        let clears = matches!(decide(expected, 0, true), Next::Clear);
        assert_eq!(clears, expected != Seen::Operational);
    }
}
