//! Clear: the wait, and death at every point of it. Waits here are the real 30 s, so that all of
//! them run side by side in one test.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufReader, Read as _};
use std::process::Command;
use std::thread;

use nshield::runner::ProcessIdentity;
use rustix::process::Signal;
use serde_json::Value;
use vcm_recovery::ids::{Epoch, ObservationId};
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;
use vcm_remediator::host::journal::Journal;
use vcm_remediator::host::journal::record::{Accepted, Record, StepExit};
use vcm_remediator::host::kernel;

use crate::estate::{
    AFTER_THE_WAIT, EFFECTS, ESN, Estate, SOON, STORE, attempt, eventually, kill, lives, order,
};
use crate::sudo::skipped;

/// The vendor's wait, in milliseconds.
const WAIT: u64 = 30_000;

const ENTER: &str = "nopclearfail -m1 -M";
const CLEAR: &str = "nopclearfail -m1 -c";

#[test]
fn clear_waits_and_survives_death_at_every_point() {
    thread::scope(|scope| {
        scope.spawn(signals_end_nothing);
        scope.spawn(killed_in_enter_maintenance);
        scope.spawn(killed_in_the_wait);
        scope.spawn(killed_in_clear_that_worked);
        scope.spawn(killed_in_clear_that_did_nothing);
        scope.spawn(somebody_else_cleared_it);
        scope.spawn(clear_that_never_works);
        scope.spawn(finished_at_boot);
        scope.spawn(hook_behind_a_clear);
        scope.spawn(enter_that_outlives_its_deadline);
        scope.spawn(killed_while_enter_outlives_its_deadline);
        scope.spawn(no_space_for_the_log);
        scope.spawn(killed_without_space_for_the_log);
        scope.spawn(resumed_without_a_log);
        scope.spawn(resumed_where_the_newer_epoch_cannot_be_kept);
        scope.spawn(resumed_on_a_disk_that_became_read_only);
        let journal = scope.spawn(whole_clear).join().unwrap();
        for records in 0..journal.len() {
            let prefix = journal[..records].concat();
            scope.spawn(move || resumed_from(&prefix));
        }
    });
}

fn accepted_clear(estate: &Estate) {
    let said = estate.run(&attempt(1), "clear", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
}

/// `-M` exactly once, and every `-c` at least 30 s after it.
fn never_hasty(estate: &Estate) -> Vec<String> {
    let calls = estate.calls();
    let entered: Vec<u64> = calls
        .iter()
        .filter(|call| call.2 == ENTER)
        .map(|call| call.0)
        .collect();
    let cleared: Vec<u64> = calls
        .iter()
        .filter(|call| call.2 == CLEAR)
        .map(|call| call.0)
        .collect();
    assert!(entered.len() <= 1, "{calls:?}");
    let times: Vec<u64> = entered.into_iter().chain(cleared).collect();
    assert!(
        times.windows(2).all(|pair| pair[1] - pair[0] >= WAIT),
        "{calls:?}"
    );
    estate.changes()
}

/// A clear from begin to end. Returns its journal, line by line.
fn whole_clear() -> Vec<String> {
    let estate = Estate::new();
    accepted_clear(&estate);
    let result = estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT);
    assert_eq!(never_hasty(&estate), [ENTER, CLEAR]);
    assert!(
        result["detail"]
            .as_str()
            .unwrap()
            .contains("is operational"),
        "{result}"
    );
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "refused");
    let text = fs::read_to_string(estate.journal(&attempt(1))).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// A host on which a clear was cut short behind these records, and nothing of it lives.
fn resumed_from(prefix: &str) {
    let records = prefix.lines().count();
    let estate = Estate::new();
    // Pins the store, so that the fence is there.
    assert_eq!(
        estate
            .run(&attempt(9), "retry", &["--max-age", "0s"])
            .text("answer"),
        "refused"
    );
    fs::write(estate.journal(&attempt(1)), prefix).unwrap();
    let section = prefix.contains("enter_maintenance\":1}}}");
    let cleared = prefix.contains("clear_module\":1}}}");
    estate.set(if cleared {
        "operational"
    } else {
        "maintenance"
    });
    let result = estate.result(&attempt(1));
    assert_eq!(result.text("status"), "interrupted", "{records} records");
    assert_eq!(
        result.document["section_open"], section,
        "{records} records"
    );
    let resumed = estate.resume(&attempt(1));
    if !section {
        assert_eq!(resumed.text("answer"), "refused", "{records} records");
        assert_eq!(estate.tombstone(&attempt(1)).text("status"), "tombstoned");
        assert!(estate.changes().is_empty());
        return;
    }
    assert_eq!(
        resumed.text("answer"),
        "accepted",
        "{records} records {}",
        resumed.document
    );
    let tombstone = estate.tombstone(&attempt(1));
    assert!(
        ["running", "ended"].contains(&tombstone.text("status")),
        "{}",
        tombstone.document
    );
    estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT);
    let expected: &[&str] = if cleared { &[] } else { &[CLEAR] };
    assert_eq!(estate.changes(), expected, "{records} records");
}

fn dies(estate: &Estate) {
    let runner = estate.runner(&attempt(1));
    eventually("the runner is dead", AFTER_THE_WAIT, || !lives(runner));
    let result = estate.comes_to(&attempt(1), "interrupted", SOON);
    assert_eq!(result["section_open"], true, "{result}");
    let said = estate.run(&attempt(2), "retry", &[]);
    assert!(
        said.text("reason").contains("not finished"),
        "{}",
        said.document
    );
}

fn resumes(estate: &Estate) -> Vec<String> {
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "accepted");
    estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT * 2);
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "refused");
    never_hasty(estate)
}

fn signals_end_nothing() {
    let estate = Estate::new();
    accepted_clear(&estate);
    eventually("the wait began", SOON, || {
        estate
            .records(&attempt(1))
            .iter()
            .filter(|name| *name == "step_started")
            .count()
            == 2
    });
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill(estate.runner(&attempt(1)), signal);
    }
    assert_eq!(estate.tombstone(&attempt(1)).text("status"), "running");
    estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT);
    assert_eq!(never_hasty(&estate), [ENTER, CLEAR]);
}

fn killed_in_enter_maintenance() {
    let estate = Estate::new();
    estate.tool(
        "bin/nopclearfail",
        &format!("[ \"$2\" = -M ] && kill -9 $PPID\n{EFFECTS}"),
    );
    accepted_clear(&estate);
    dies(&estate);
    assert_eq!(resumes(&estate), [ENTER, CLEAR]);
}

fn killed_in_the_wait() {
    let estate = Estate::new();
    accepted_clear(&estate);
    eventually("the wait began", SOON, || {
        estate
            .records(&attempt(1))
            .iter()
            .filter(|name| *name == "step_started")
            .count()
            == 2
    });
    kill(estate.runner(&attempt(1)), Signal::KILL);
    dies(&estate);
    // The process that resumes dies as well.
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "accepted");
    kill(estate.runner(&attempt(1)), Signal::KILL);
    dies(&estate);
    assert_eq!(resumes(&estate), [ENTER, CLEAR]);
}

fn killed_in_clear_that_worked() {
    let estate = Estate::new();
    estate.tool(
        "bin/nopclearfail",
        &format!("{EFFECTS}\n[ \"$2\" = -c ] && kill -9 $PPID"),
    );
    accepted_clear(&estate);
    dies(&estate);
    assert_eq!(resumes(&estate), [ENTER, CLEAR]);
}

fn killed_in_clear_that_did_nothing() {
    let estate = Estate::new();
    estate.tool(
        "bin/nopclearfail",
        &format!("[ \"$2\" = -c ] && kill -9 $PPID && exit\n{EFFECTS}"),
    );
    accepted_clear(&estate);
    dies(&estate);
    estate.tool("bin/nopclearfail", EFFECTS);
    assert_eq!(resumes(&estate), [ENTER, CLEAR, CLEAR]);
}

fn somebody_else_cleared_it() {
    let estate = Estate::new();
    accepted_clear(&estate);
    eventually("-M was issued", SOON, || !estate.changes().is_empty());
    eventually("-M is over", SOON, || {
        estate
            .records(&attempt(1))
            .iter()
            .any(|name| name == "step_finished")
    });
    estate.set("operational");
    estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT);
    assert_eq!(never_hasty(&estate), [ENTER]);
}

/// Nobody asks: the host finishes what is open itself, and has nothing to do a second time.
fn finished_at_boot() {
    let estate = Estate::new();
    let script = format!("[ \"$2\" = -M ] && kill -9 $PPID\n{EFFECTS}");
    estate.tool("bin/nopclearfail", &script);
    accepted_clear(&estate);
    dies(&estate);
    let said = estate.host(&["resume-open"]);
    assert_eq!(said.code, Some(0), "{}", said.document);
    assert_eq!(said.document["resumed"][0]["attempt"], attempt(1));
    assert_eq!(said.document["resumed"][0]["answer"], "accepted");
    assert_eq!(estate.status(&attempt(1)), "ended");
    assert_eq!(never_hasty(&estate), [ENTER, CLEAR]);
    let again = estate.host(&["resume-open"]);
    assert_eq!(again.document["resumed"], serde_json::json!([]));
}

/// The site loads its keys again: told which module, and not while the module is out of service.
fn hook_behind_a_clear() {
    let estate = Estate::new();
    let script = "grep -q operational module.txt && echo \"$VCM_MODULE $VCM_ESN\" >hooked";
    estate.tool("reload", script);
    let root = estate.path().display();
    estate.configure(&format!("hooks: {{after_clear: [{root}/reload]}}"));
    accepted_clear(&estate);
    let result = estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT);
    let detail = result["detail"].as_str().unwrap();
    assert!(detail.ends_with("after_clear succeeded"), "{detail}");
    assert_eq!(never_hasty(&estate), [ENTER, CLEAR, "reload"]);
    let hooked = fs::read_to_string(estate.path().join("hooked")).unwrap();
    assert_eq!(hooked.trim(), format!("1 {ESN}"));
}

/// A host whose commands run behind a prefix that passes no signal on, and whose `-M` lives until
/// there is a file `go`: its deadline is over long before. Puts an `ended` among the calls.
fn unending_enter() -> Estate {
    let estate = Estate::new();
    let root = estate.path().display();
    estate.configure(&format!(
        "tools: {{sudo_prefix: [{root}/sudo, -n]}}\n\
         deadlines: {{enquiry: 5s, step: 1s, ping: 1s}}"
    ));
    estate.tool(
        "sudo",
        "case \" $* \" in *' -l '*|*' -v '*) exit;; esac; trap '' TERM; shift; \"$@\"",
    );
    let enter = "trap '' TERM; while ! [ -e go ]; do sleep 0.05; done";
    let ended = "echo \"$(date +%s%3N) $$ ended\" >>calls";
    estate.tool(
        "bin/nopclearfail",
        &format!("[ \"$2\" = -M ] && {{ {enter}; {ended}; }}\n{EFFECTS}"),
    );
    accepted_clear(&estate);
    let result = estate.comes_to(&attempt(1), "still_running", SOON);
    assert!(
        result["detail"].as_str().unwrap().contains(ENTER),
        "{result}"
    );
    estate
}

/// The calls without those of the prefix.
fn vendor_calls(estate: &Estate) -> Vec<(u64, String)> {
    let calls = estate.calls().into_iter();
    let calls = calls.filter(|(_, _, words)| !words.starts_with("sudo"));
    calls.map(|(at, _, words)| (at, words)).collect()
}

fn cleared_behind_the_end_of_enter(estate: &Estate) {
    estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT);
    let calls = vendor_calls(estate);
    let words: Vec<&str> = calls.iter().map(|(_, words)| words.as_str()).collect();
    assert_eq!(words, [ENTER, "ended", CLEAR]);
    assert!(calls[2].0 - calls[1].0 >= WAIT, "{calls:?}");
}

/// The wait begins when `-M` has ended, however long that takes.
fn enter_that_outlives_its_deadline() {
    let estate = unending_enter();
    let began = vendor_calls(&estate)[0].0;
    let now = || kernel::Moment::now().unwrap().wall_ms;
    let after_a_wait = i64::try_from(began + WAIT + 5_000).unwrap();
    eventually("a wait is over", AFTER_THE_WAIT, || now() > after_a_wait);
    assert_eq!(vendor_calls(&estate).len(), 1, "nothing beside a living -M");
    assert_eq!(estate.status(&attempt(1)), "still_running");
    fs::write(estate.path().join("go"), "").unwrap();
    cleared_behind_the_end_of_enter(&estate);
}

fn killed_while_enter_outlives_its_deadline() {
    let estate = unending_enter();
    let runner = estate.runner(&attempt(1));
    kill(runner, Signal::KILL);
    eventually("the runner is dead", SOON, || !lives(runner));
    assert_eq!(estate.status(&attempt(1)), "still_running");
    let refused = estate.resume(&attempt(1));
    assert!(
        refused.text("reason").contains("still lives"),
        "{}",
        refused.document
    );
    fs::write(estate.path().join("go"), "").unwrap();
    estate.comes_to(&attempt(1), "interrupted", SOON);
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "accepted");
    cleared_behind_the_end_of_enter(&estate);
}

/// The detached process, with a log on a disk that is full.
fn detached_on_a_full_disk(estate: &Estate, words: &[String]) -> Value {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let full = fs::OpenOptions::new().append(true).open("/dev/full");
    let mut child = estate.start_logging_to(&words, full.unwrap().into());
    let mut answer = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_to_string(&mut answer).unwrap();
    // Nobody else asks for its status, and without that it never counts as gone.
    thread::spawn(move || child.wait());
    serde_json::from_str(&answer).unwrap()
}

fn accepted_clear_on_a_full_disk(estate: &Estate) {
    let observation = estate.observe();
    let mut words = order(&observation, &attempt(1), "clear", &[]);
    words[0] = "run-detached".to_owned();
    let answer = detached_on_a_full_disk(estate, &words);
    assert_eq!(answer["answer"], "accepted", "{answer}");
}

fn no_space_for_the_log() {
    let estate = Estate::new();
    accepted_clear_on_a_full_disk(&estate);
    estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT);
    assert_eq!(never_hasty(&estate), [ENTER, CLEAR]);
}

/// A refusal is logged as well, and its caller hears of it.
fn killed_without_space_for_the_log() {
    let estate = Estate::new();
    let script = format!("[ \"$2\" = -M ] && kill -9 $PPID\n{EFFECTS}");
    estate.tool("bin/nopclearfail", &script);
    accepted_clear_on_a_full_disk(&estate);
    dies(&estate);
    let resume = |epoch: &str| {
        let words = ["resume-detached", "--attempt", &attempt(1)];
        let caller = ["--epoch", epoch, "--store", STORE];
        let words = words.into_iter().chain(caller).map(str::to_owned);
        detached_on_a_full_disk(&estate, &words.collect::<Vec<_>>())
    };
    let refused = resume("4");
    assert_eq!(refused["answer"], "refused", "{refused}");
    let accepted = resume("5");
    assert_eq!(accepted["answer"], "accepted", "{accepted}");
    estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT);
    assert_eq!(never_hasty(&estate), [ENTER, CLEAR]);
}

/// The log cannot even be opened: what begins is refused, what was begun is finished.
fn resumed_without_a_log() {
    let estate = killed_in_enter();
    let log = |number| {
        let name = format!("state/attempts/{}.log", attempt(number));
        estate.path().join(name)
    };
    fs::create_dir(log(3)).unwrap();
    let refused = estate.run(&attempt(3), "retry", &[]);
    assert!(
        refused.text("error").contains("log"),
        "{}",
        refused.document
    );
    fs::remove_file(log(1)).unwrap();
    fs::create_dir(log(1)).unwrap();
    assert_eq!(resumes(&estate), [ENTER, CLEAR]);
}

/// A clear that was killed behind its `-M`.
fn killed_in_enter() -> Estate {
    let estate = Estate::new();
    let script = format!("[ \"$2\" = -M ] && kill -9 $PPID\n{EFFECTS}");
    estate.tool("bin/nopclearfail", &script);
    accepted_clear(&estate);
    dies(&estate);
    estate
}

/// As when the remediator was started anew and the disk is full.
fn resumed_where_the_newer_epoch_cannot_be_kept() {
    let estate = killed_in_enter();
    fs::create_dir(estate.path().join("state/fence.tmp")).unwrap();
    let attempt = attempt(1);
    let newer = ["--epoch", "6", "--store", STORE];
    let resume = [&["resume", "--attempt", &attempt], &newer[..]].concat();
    let said = estate.host(&resume);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    estate.comes_to(&attempt, "ended", AFTER_THE_WAIT);
    assert_eq!(never_hasty(&estate), [ENTER, CLEAR]);
    let begins = estate.run(&crate::estate::attempt(2), "retry", &["--epoch", "6"]);
    assert_eq!(begins.text("answer"), "refused", "{}", begins.document);
}

/// Nothing of it can be written down, and the module is brought back all the same.
#[expect(
    clippy::disallowed_methods,
    reason = "the program under test is started where its disk is read-only"
)]
fn resumed_on_a_disk_that_became_read_only() {
    let estate = killed_in_enter();
    let state = estate.path().join("state");
    let read_only = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec \"$@\"";
    let attempt = attempt(1);
    let in_a_namespace = |words: &[&OsStr]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", read_only]).arg(&state);
        command.args(words).output()
    };
    let possible = in_a_namespace(&[OsStr::new("true")]);
    if !possible.is_ok_and(|output| output.status.success()) {
        return skipped("the resume on a read-only disk, which takes root and a mount namespace");
    }
    let config = estate.config();
    let words = [
        env!("CARGO_BIN_EXE_vcm-remediator"),
        "host",
        "resume",
        "--config.file",
        config.to_str().unwrap(),
        "--attempt",
        &attempt,
        "--epoch",
        "5",
        "--store",
        STORE,
    ];
    let output = in_a_namespace(&words.map(OsStr::new)).unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["answer"], "accepted", "{answer}");
    eventually("-c was issued", AFTER_THE_WAIT, || {
        estate.changes().len() == 2
    });
    assert_eq!(never_hasty(&estate), [ENTER, CLEAR]);
}

/// `-M` and two `-c` were issued, and the runner died: one more, and then it is given up.
fn clear_that_never_works() {
    let estate = Estate::new();
    assert_eq!(
        estate
            .run(&attempt(9), "retry", &["--max-age", "0s"])
            .text("answer"),
        "refused"
    );
    let module = 1.try_into().unwrap();
    let clear = Step::ClearModule(module);
    let mut records = vec![Record::Accepted(Box::new(Accepted {
        attempt: attempt(1).parse().unwrap(),
        epoch: Epoch(5),
        store: STORE.parse().unwrap(),
        tier: Rung::Clear,
        module: Some(module),
        esn: ESN.parse().ok(),
        observation: ObservationId::from_bits(1),
        fresh: ObservationId::from_bits(2),
        approval: None,
        snapshot: None,
        plan: Vec::new(),
        runner: ProcessIdentity {
            pid: i32::MAX,
            start_ticks: 0,
        },
    }))];
    for (index, step) in [(0, Step::EnterMaintenance(module)), (1, clear), (2, clear)] {
        let (exit, output) = (StepExit::Code(1), String::new());
        records.push(Record::StepStarted { index, step });
        records.push(Record::StepFinished {
            index,
            exit,
            output,
        });
    }
    let mut journal = Journal::create(&estate.path().join("state"), attempt(1).parse().unwrap());
    for record in records {
        journal.as_mut().unwrap().append(record).unwrap();
    }
    estate.set("maintenance");
    estate.tool("bin/nopclearfail", "cp maintenance.txt module.txt; exit 1");
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "accepted");
    let result = estate.comes_to(&attempt(1), "ended", AFTER_THE_WAIT * 2);
    assert_eq!(estate.changes(), [CLEAR]);
    let detail = result["detail"].as_str().unwrap();
    assert!(detail.contains("still in maintenance after 3"), "{result}");
}
