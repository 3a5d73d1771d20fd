use nshield::runner::ProcessIdentity;
use proptest::prelude::*;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{Epoch, ObservationId, StoreId};
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;

use super::record::{Accepted, StepExit};
use super::story::{End, OutOfOrder, Section, Story, fold};
use super::*;
use crate::host::document::Status;
use crate::host::liveness::Alive;
use crate::host::result::status;

mod hooks;

fn module() -> nshield::ModuleNumber {
    1.try_into().unwrap()
}

fn process(pid: i32) -> ProcessIdentity {
    ProcessIdentity {
        pid,
        start_ticks: 7,
    }
}

fn accepted(tier: Rung, plan: &[Step]) -> Record {
    Record::Accepted(Box::new(Accepted {
        attempt: AttemptId::from_bits(1),
        epoch: Epoch(3),
        store: StoreId::from_bits(2),
        tier,
        module: Some(module()),
        esn: Some("1A2B-05E0-D947".parse().unwrap()),
        observation: ObservationId::from_bits(4),
        fresh: ObservationId::from_bits(5),
        approval: None,
        snapshot: None,
        plan: plan.to_vec(),
        runner: process(100),
    }))
}

fn started(index: u32, step: Step) -> Record {
    Record::StepStarted { index, step }
}

fn finished(index: u32, exit: StepExit) -> Record {
    Record::StepFinished {
        index,
        exit,
        output: "Module 1, command ClearUnitEx: OK\n".to_owned(),
    }
}

fn ended() -> Record {
    Record::Ended {
        detail: "the module is operational".to_owned(),
    }
}

fn refused() -> Record {
    Record::Refused {
        guard: Some(Guard::NetworkBad),
        reason: "0 of 5".to_owned(),
    }
}

/// A whole clear.
fn clear() -> Vec<Record> {
    let enter = Step::EnterMaintenance(module());
    let (wait, clear) = (Step::Wait(30_000), Step::ClearModule(module()));
    vec![
        accepted(Rung::Clear, &[enter, wait, clear]),
        started(0, enter),
        Record::Process(process(101)),
        finished(0, StepExit::Code(0)),
        started(1, wait),
        finished(1, StepExit::Waited),
        started(2, clear),
        Record::Process(process(102)),
        finished(2, StepExit::Code(0)),
        ended(),
    ]
}

fn entries(records: Vec<Record>) -> Vec<Entry> {
    let entry = |(seq, record)| Entry {
        schema: SCHEMA,
        seq,
        wall_ms: 0,
        boottime_ms: seq * 10,
        boot_id: "boot".to_owned(),
        record,
    };
    (0..).zip(records).map(entry).collect()
}

fn bytes(records: Vec<Record>) -> Vec<u8> {
    let mut sum = Sum::default();
    let mut bytes = Vec::new();
    for entry in entries(records) {
        let (line, next) = line::write(&entry, &sum).unwrap();
        bytes.extend(line);
        sum = next;
    }
    bytes
}

fn story(records: Vec<Record>) -> Result<Story, OutOfOrder> {
    fold(&entries(records))
}

/// The status of a journal of which nothing lives, in one word.
fn word(records: Vec<Record>) -> &'static str {
    match status(&story(records).unwrap(), Alive::Nothing) {
        Status::NotFound => "not found",
        Status::Refused(_) => "refused",
        Status::Tombstoned => "tombstoned",
        Status::Running => "running",
        Status::StillRunning { .. } => "still running",
        Status::Ended { .. } => "ended",
        Status::Interrupted {
            section_open: true, ..
        } => "section open",
        Status::Interrupted { .. } => "interrupted",
    }
}

#[test]
fn every_prefix_of_a_clear_has_its_status() {
    let expected = [
        "interrupted",
        "interrupted",
        "section open",
        "section open",
        "section open",
        "section open",
        "section open",
        "section open",
        "section open",
        "section open",
        "ended",
    ];
    let whole = clear();
    for (length, expected) in expected.into_iter().enumerate() {
        assert_eq!(word(whole[..length].to_vec()), expected, "{length} records");
    }
    assert_eq!(
        status(&story(whole[..2].to_vec()).unwrap(), Alive::Runner),
        Status::Running
    );
}

#[test]
fn a_retry_leaves_no_section_and_a_restart_does() {
    let retry = Step::RetryModule(module());
    let before = || vec![accepted(Rung::Retry, &[retry]), started(0, retry)];
    assert_eq!(word(before()), "interrupted");
    for step in [
        Step::RestartHardserver,
        Step::StartHardserver,
        Step::StopService,
        Step::StartService,
    ] {
        let records = vec![accepted(Rung::Restart, &[step]), started(0, step)];
        assert_eq!(word(records), "section open", "{step:?}");
    }
}

#[test]
fn a_first_command_that_never_ran_opens_no_section_and_can_be_refused() {
    let enter = Step::EnterMaintenance(module());
    let mut records = vec![
        accepted(Rung::Clear, &[enter]),
        started(0, enter),
        finished(0, StepExit::NeverStarted("no such file".to_owned())),
    ];
    assert_eq!(word(records.clone()), "interrupted");
    records.push(refused());
    assert_eq!(word(records), "refused");
}

#[test]
fn records_that_cannot_follow_each_other_are_no_story() {
    let retry = Step::RetryModule(module());
    let accepted = || accepted(Rung::Retry, &[retry]);
    let tombstoned = || Record::Tombstoned { epoch: Epoch(3) };
    let table = [
        vec![started(0, retry)],
        vec![ended()],
        vec![Record::Process(process(1))],
        vec![accepted(), accepted()],
        vec![accepted(), Record::Process(process(1))],
        vec![accepted(), finished(0, StepExit::Code(0))],
        vec![
            accepted(),
            started(0, retry),
            finished(1, StepExit::Code(0)),
        ],
        vec![accepted(), started(0, retry), refused()],
        vec![accepted(), started(0, retry), tombstoned()],
        vec![accepted(), ended(), started(0, retry)],
        vec![refused(), accepted()],
        vec![tombstoned(), accepted()],
        vec![Record::Resumed {
            epoch: Epoch(3),
            runner: process(1),
        }],
    ];
    for records in table {
        let last = records.len() as u64 - 1;
        assert_eq!(
            story(records.clone()),
            Err(OutOfOrder { seq: last }),
            "{records:?}"
        );
    }
    assert_eq!(word(vec![tombstoned()]), "tombstoned");
    assert_eq!(word(vec![accepted(), tombstoned()]), "tombstoned");
}

#[test]
fn processes_count_only_in_their_boot_and_while_their_step_is_not_over() {
    let whole = clear();
    let pids = |length: usize, boot: &str| -> Vec<i32> {
        let story = story(whole[..length].to_vec()).unwrap();
        story
            .processes(boot)
            .iter()
            .map(|process| process.pid)
            .collect()
    };
    assert_eq!(pids(1, "boot"), [100]);
    assert_eq!(pids(3, "boot"), [100, 101]);
    assert_eq!(pids(4, "boot"), [100]);
    assert_eq!(pids(8, "boot"), [100, 102]);
    assert!(pids(8, "other").is_empty());
    let mut still = whole[..3].to_vec();
    still.push(finished(0, StepExit::StillRunning));
    let still = story(still).unwrap().processes("boot");
    assert_eq!(still, [process(100), process(101)]);
}

#[test]
fn a_child_that_nobody_recorded_is_looked_for_in_its_runners_session() {
    let whole = clear();
    let unseen = |length: usize, boot: &str| {
        let story = story(whole[..length].to_vec()).unwrap();
        story.unseen_child_of(boot).map(|leader| leader.pid)
    };
    let found: Vec<_> = (0..=whole.len())
        .map(|length| unseen(length, "boot"))
        .collect();
    let at: Vec<usize> = (0..found.len())
        .filter(|&length| found[length].is_some())
        .collect();
    assert_eq!(at, [2, 7], "after -M and -c were about to start");
    assert_eq!(unseen(2, "other"), None);
}

#[test]
fn a_torn_last_line_was_never_written_and_any_other_broken_line_is_an_error() {
    let whole = bytes(clear());
    let read = |bytes: &[u8]| line::read(bytes).map(|contents| contents.entries.len());
    assert_eq!(read(&whole), Ok(10));
    assert_eq!(read(b""), Ok(0));
    assert_eq!(read(&whole[..whole.len() - 2]), Ok(9), "torn");
    assert!(
        read(&whole[..whole.len() - 1]).is_err(),
        "only its newline is missing"
    );
    let mut lines: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
    lines.remove(4);
    assert_eq!(read(&lines.concat()), Err(LineError::Changed { line: 5 }));
    let newer = Entry {
        schema: 2,
        ..entries(clear()).remove(0)
    };
    let (line, _) = line::write(&newer, &Sum::default()).unwrap();
    assert_eq!(read(&line), Err(LineError::Newer { line: 1, schema: 2 }));
}

proptest! {
    /// Cut anywhere, a journal reads as one of its prefixes, and never as less than what was synced.
    #[test]
    fn a_cut_journal_reads_as_the_records_before_the_cut(cut in 0_usize..4_000) {
        let whole = bytes(clear());
        let cut = cut.min(whole.len());
        let intact = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
        match line::read(&whole[..cut]) {
            Ok(contents) => prop_assert_eq!(contents.entries, entries(clear())[..intact].to_vec()),
            // Exactly the newline of a whole record is missing.
            Err(_) => prop_assert_eq!(whole[cut], b'\n'),
        }
    }

    /// Whatever bit is flipped, a step that had started is never forgotten.
    #[test]
    fn a_flipped_bit_is_an_error_and_never_forgets_a_step(
        records in 1_usize..=10,
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut changed = bytes(clear()[..records].to_vec());
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        prop_assert!(line::read(&changed).is_err(), "byte {at} bit {bit}");
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = line::read(&bytes).map(|contents| fold(&contents.entries));
    }

    /// In whatever order records come, a step that may have run is never "never started".
    #[test]
    fn no_order_of_records_loses_a_started_step(
        order in prop::collection::vec(0_usize..10, 0..12),
    ) {
        let whole = clear();
        let records: Vec<Record> = order.iter().map(|&index| whole[index].clone()).collect();
        let ran = records.iter().any(|record| {
            matches!(record, Record::StepStarted { step, .. } if step.command().is_some())
        });
        if let Ok(story) = story(records) {
            prop_assert_eq!(story.nothing_done(), !ran);
            let nothing = matches!(story.end, Some(End::Refused { .. } | End::Tombstoned));
            prop_assert!(!(nothing && ran));
        }
    }
}

#[test]
fn appends_go_on_behind_a_torn_line() {
    let directory = tempfile::tempdir().unwrap();
    let attempt = AttemptId::from_bits(9);
    let mut journal = Journal::create(directory.path(), attempt).unwrap();
    journal.reserve().unwrap();
    for record in &clear()[..3] {
        journal.append(record.clone()).unwrap();
    }
    let path = journal.path().to_owned();
    let mut torn = fs::read(&path).unwrap();
    torn.extend(b"{\"sum\":\"12");
    fs::write(&path, torn).unwrap();
    let (mut journal, entries) = Journal::open(directory.path(), attempt).unwrap().unwrap();
    assert_eq!(entries.len(), 3);
    journal.append(clear()[3].clone()).unwrap();
    let entries = load(directory.path(), attempt).unwrap().unwrap();
    let records: Vec<Record> = entries.into_iter().map(|entry| entry.record).collect();
    assert_eq!(records, clear()[..4]);
    let section = fold(&load(directory.path(), attempt).unwrap().unwrap());
    assert_eq!(
        section.unwrap().open_section(),
        Some(Section::Clear(module()))
    );
}

#[test]
fn an_attempt_is_created_once_and_listed() {
    let directory = tempfile::tempdir().unwrap();
    let attempt = AttemptId::from_bits(9);
    assert!(known(directory.path()).unwrap().is_empty());
    assert!(load(directory.path(), attempt).unwrap().is_none());
    Journal::create(directory.path(), attempt).unwrap();
    let again = Journal::create(directory.path(), attempt);
    assert!(matches!(again, Err(JournalError::Known { .. })));
    fs::write(log_path(directory.path(), attempt), "log").unwrap();
    assert_eq!(known(directory.path()).unwrap(), [attempt]);
}

/// The space that is taken on the disk, in bytes.
fn taken(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    // stat(2): in units of 512 bytes, whatever the size of a block is.
    fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn what_was_reserved_stays_reserved_while_records_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let attempt = AttemptId::from_bits(9);
    let mut journal = Journal::create(directory.path(), attempt).unwrap();
    let path = journal.path().to_owned();
    let mut records = clear().into_iter();
    journal.reserve().unwrap();
    assert!(taken(&path) >= RESERVED);
    for record in records.by_ref().take(4) {
        journal.append(record).unwrap();
        assert!(taken(&path) >= RESERVED, "{}", taken(&path));
    }
    drop(journal);
    // A torn line is cut off, and what that gave away is reserved again.
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"sum\":").unwrap();
    let (mut journal, entries) = Journal::open(directory.path(), attempt).unwrap().unwrap();
    assert_eq!(entries.len(), 4);
    for record in records {
        journal.append(record).unwrap();
        assert!(taken(&path) >= RESERVED, "{}", taken(&path));
    }
    assert_eq!(load(directory.path(), attempt).unwrap().unwrap().len(), 10);
}

/// Else a step that never started would read as one that may have.
#[test]
fn what_was_written_and_could_not_be_synced_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let attempt = AttemptId::from_bits(9);
    let journal = Journal::create(directory.path(), attempt).unwrap();
    let read = || load(directory.path(), attempt).unwrap().unwrap().len();
    let mut records = clear().into_iter();
    let fails = |_: &File| Err(io::Error::other("injected"));
    let mut journal = journal.syncing_by(fails);
    let accepted = records.next().unwrap();
    assert!(journal.append(accepted.clone()).is_err());
    assert_eq!(read(), 0);
    let mut journal = journal.syncing_by(File::sync_all);
    journal.append(accepted).unwrap();
    let mut journal = journal.syncing_by(fails);
    assert!(journal.append(records.next().unwrap()).is_err());
    assert_eq!(read(), 1);
    let mut journal = journal.syncing_by(File::sync_all);
    journal.append(refused()).unwrap();
    assert_eq!(read(), 2);
}
