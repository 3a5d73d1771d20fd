//! The store through the program itself: what an operator types, reads and gets as an exit code,
//! and starts that cannot succeed.

#![expect(
    clippy::disallowed_methods,
    reason = "the process under test is started here"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;
use vcm_remediator::store::Store as _;

use crate::place::{Place, fact};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-remediator");

/// A user that is nobody's.
const NOBODY: u32 = 65534;

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(self.directory.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.command(PROGRAM, arguments).output().unwrap().into()
    }

    fn configure(&self) {
        let yaml = format!(
            "store: {{path: {}}}
web: {{listen_address: '127.0.0.1:0'}}
inventory:
  hosts:
    - name: tenant-1
      runner: {{local: {{config_file: {}}}}}
      modules: [{{number: 1, esn: 1A2B-05E0-D947}}]
",
            self.file().display(),
            self.path("host.yaml").display(),
        );
        fs::write(self.path("remediator.yaml"), yaml).unwrap();
        let host = format!(
            "state_dir: {}\nmodules: [{{number: 1, esn: 1A2B-05E0-D947}}]\n",
            self.path("host").display()
        );
        fs::write(self.path("host.yaml"), host).unwrap();
    }

    /// `serve` up to the line of its log that says `until`; what it logged so far.
    fn serve(&self, until: &str) -> (Serving, String) {
        self.configure();
        let arguments = ["serve", "--config.file", "remediator.yaml"];
        let mut child = self.command(PROGRAM, &arguments).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut serving = Serving { child, log };
        let mut lines = String::new();
        while !lines.contains(until) {
            assert_ne!(serving.log.read_line(&mut lines).unwrap(), 0, "{lines}");
        }
        (serving, lines)
    }
}

struct Serving {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Serving {
    /// Ends it; the rest of its log.
    fn end(mut self) -> String {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.log, &mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
        rest
    }
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// What stands after `head=` in the line of the log that was written at `when`.
fn logged_head(log: &str, when: &str) -> String {
    let line = log
        .lines()
        .find(|line| line.contains(&format!("when={when}")))
        .unwrap_or_else(|| panic!("no head was logged at {when}:\n{log}"));
    let (_, head) = line.split_once("head=").unwrap();
    head.split_whitespace()
        .next()
        .unwrap()
        .trim_matches('"')
        .to_owned()
}

#[test]
fn the_head_is_logged_at_start_and_stop_and_verified_from_the_log() {
    let place = Place::new();
    let (serving, log) = place.serve("when=start");
    let start = logged_head(&log, "start");
    let beside = place.run(&[
        "audit",
        "verify",
        "--store",
        "remediator.sqlite",
        "--head",
        &start,
    ]);
    assert_eq!(
        beside.code,
        Some(0),
        "beside the program: {}{}",
        beside.out,
        beside.err
    );
    let stop = logged_head(&serving.end(), "stop");
    let arguments = [
        "audit",
        "verify",
        "--store",
        "remediator.sqlite",
        "--head",
        &start,
        "--head",
        &stop,
    ];
    let said = place.run(&arguments);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("chain   whole"), "{}", said.out);
    let unknown = format!("{}@1000", "0".repeat(64));
    let said = place.run(&[
        "audit",
        "verify",
        "--store",
        "remediator.sqlite",
        "--head",
        &unknown,
    ]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("its tail was cut off"), "{}", said.out);
}

#[tokio::test]
async fn a_broken_chain_is_named_for_people_and_for_programs() {
    let place = Place::new();
    let store = place.store();
    store
        .accept(vec![fact(1, 1_000), fact(2, 1_000)])
        .await
        .unwrap();
    drop(store);
    place.sql("UPDATE events SET time = time + 1 WHERE seq = 2");
    let verify = ["audit", "verify", "--store", "remediator.sqlite"];
    let said = place.run(&verify);
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    let line =
        "chain   broken at event 2, FactChanged, 2023-11-14T22:13:20.001Z: its hash does not";
    assert!(said.out.contains(line), "{}", said.out);
    let said = place.run(&[&verify[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(said.code, Some(1));
    assert_eq!(
        (&json["whole"], &json["events"]),
        (&Value::Bool(false), &Value::from(1))
    );
    assert_eq!(
        (&json["broken"]["seq"], &json["broken"]["what"]),
        (&Value::from(2), &Value::from("hash"))
    );
    assert_eq!(json["broken"]["time"], "2023-11-14T22:13:20.001Z");
}

#[test]
fn what_cannot_be_verified_at_all_is_said_on_standard_error_and_as_json() {
    let place = Place::new();
    let said = place.run(&["audit", "verify", "--store", "nowhere.sqlite"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(
        said.err.contains("there is no store at nowhere.sqlite"),
        "{}",
        said.err
    );
    let said = place.run(&[
        "audit",
        "verify",
        "--store",
        "nowhere.sqlite",
        "--format",
        "json",
    ]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &json["whole"]), (Some(1), &Value::Bool(false)));
    let said = place.run(&["audit", "verify", "--store", "x", "--head", "abc"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
}

#[test]
fn a_bump_is_refused_beside_the_program_and_said_when_done() {
    let place = Place::new();
    let (serving, _) = place.serve("msg=ready");
    let bump = [
        "store",
        "bump-epoch",
        "--by",
        "ops",
        "--store",
        "remediator.sqlite",
    ];
    let said = place.run(&bump);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("is in use by another process"),
        "{}",
        said.err
    );
    serving.end();
    let said = place.run(&[&bump[..], &["--at-least", "5"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out
            .contains("epoch 1 -> 1000001; the next start has epoch 1000002"),
        "{}",
        said.out
    );
    let (serving, log) = place.serve("msg=ready");
    assert!(log.contains("epoch=1000002"), "{log}");
    serving.end();
}

/// The program itself and the host runner itself, as on a host that has heard of a later start.
#[test]
fn the_host_runner_refuses_the_epoch_of_a_restored_store_and_takes_the_bumped_one() {
    let place = Place::new();
    let store = place.store().identity().store_id.to_string();
    let copy = fs::read(place.file()).unwrap();
    for _ in 0..3 {
        drop(place.store());
    }
    place.configure();
    let order = |epoch: u64| {
        let epoch = epoch.to_string();
        let id = "01935bd4-0f3a-7c11-8000-000000000100";
        let said = place.run(&[
            "host",
            "run",
            "--config.file",
            "host.yaml",
            "--attempt",
            id,
            "--epoch",
            &epoch,
            "--store",
            &store,
            "--tier",
            "retry",
            "--module",
            "1",
            "--esn",
            "unconfirmed",
            "--observation",
            id,
            "--max-age",
            "30s",
            "--newest",
            "none",
        ]);
        format!("{}{}", said.out, said.err)
    };
    let known = "epoch 2 is older than 5, which this host has heard of";
    assert!(!order(5).contains("is older than"), "{}", order(5));
    fs::write(place.file(), copy).unwrap();
    let restored = place.store().identity().epoch;
    let refused = order(restored.0);
    assert!(refused.contains(known), "{refused}");
    let said = place.run(&[
        "store",
        "bump-epoch",
        "--by",
        "ops",
        "--store",
        "remediator.sqlite",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let bumped = place.store().identity().epoch;
    let taken = order(bumped.0);
    assert!(!taken.contains("is older than"), "{taken}");
}

/// As a user who owns nothing here; the program is copied to where that user may start it.
fn as_another_user(place: &Place, arguments: &[&str]) -> Said {
    let program = place.path("program");
    fs::copy(PROGRAM, &program).unwrap();
    let mut command = place.command(program.to_str().unwrap(), arguments);
    if geteuid().is_root() {
        fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        command.uid(NOBODY);
    }
    command.output().unwrap().into()
}

#[test]
fn a_store_that_this_user_may_not_write_is_refused_with_owner_and_mode() {
    let place = Place::new();
    drop(place.store());
    fs::remove_file(place.path("remediator.sqlite.lock")).unwrap();
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o444)).unwrap();
    place.configure();
    let said = as_another_user(&place, &["serve", "--config.file", "remediator.yaml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let owner = geteuid().as_raw();
    let words = format!("may not write it: it belongs to user {owner} and has mode 0444");
    assert!(said.err.contains(&words), "{}", said.err);
    let said = as_another_user(&place, &["audit", "verify", "--store", "remediator.sqlite"]);
    assert_eq!(
        said.code,
        Some(0),
        "reading is enough to verify: {}",
        said.err
    );
}

#[test]
fn an_auditor_who_may_write_nothing_can_verify() {
    let place = Place::new();
    drop(place.store());
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o444)).unwrap();
    let program = place.path("program");
    fs::copy(PROGRAM, &program).unwrap();
    fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let arguments = ["audit", "verify", "--store", "remediator.sqlite"];
    let mut command = place.command(program.to_str().unwrap(), &arguments);
    if geteuid().is_root() {
        command.uid(NOBODY);
    }
    let said: Said = command.output().unwrap().into();
    fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
}

/// A limit on the size of files stands for the full disk: both fail the first write.
#[test]
fn a_start_that_cannot_write_says_so_and_leaves_nothing_half_made() {
    let place = Place::new();
    place.configure();
    let limited = |blocks: u32| {
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {PROGRAM} serve --config.file remediator.yaml"
        );
        Said::from(place.command("/bin/sh", &["-c", &script]).output().unwrap())
    };
    let said = limited(8);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err.contains("remediator.sqlite cannot be opened"),
        "{}",
        said.err
    );
    assert!(!place.file().exists(), "half a store was left behind");
    let (serving, _) = place.serve("msg=ready");
    serving.end();
    let before = fs::read(place.file()).unwrap();
    let said = limited(0);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err.contains("remediator.sqlite cannot be opened"),
        "{}",
        said.err
    );
    assert_eq!(fs::read(place.file()).unwrap(), before, "it was changed");
    let (serving, _) = place.serve("msg=ready");
    serving.end();
}
