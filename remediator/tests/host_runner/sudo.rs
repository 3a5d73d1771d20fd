//! The real sudo, and an ordinary user: what root owns, nobody else can end.
//!
//! These tests need root, to become that user and to write rules for it, and sudo.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::estate::{Estate, SOON, attempt, eventually, order};

/// The user `nobody`, who owns nothing and has no rules of its own.
const NOBODY: u32 = 65_534;

const SUDO: &str = "/usr/bin/sudo";

/// Says so where everybody reads it: what a test prints is kept from people.
pub(crate) fn skipped(what: &str) {
    let line = format!("SKIPPED: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn possible() -> bool {
    let root = rustix::process::geteuid().is_root();
    let possible = root && Path::new(SUDO).exists() && Path::new("/etc/sudoers.d").is_dir();
    if !possible {
        skipped("the tests with the real sudo, which take root and sudo");
    }
    possible
}

/// A file of rules, there as long as this value lives.
struct Rules(PathBuf);

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// An estate that belongs to `nobody`, its tools to root, and rules for `nobody`.
struct Sudo {
    estate: Estate,
    program: PathBuf,
    _rules: Rules,
    _alone: MutexGuard<'static, ()>,
}

/// What sudo says of a user rests on all of its rules, those of another test too.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Sudo {
    /// `rules` are lines of sudoers in which `BIN` is the directory of the tools.
    fn new(rules: &str) -> Self {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let estate = Estate::new();
        let root = estate.path().to_owned();
        chown(&root, Some(NOBODY), Some(NOBODY)).unwrap();
        estate.configure(&format!(
            "tools: {{sudo_prefix: [{SUDO}, -n]}}\n\
             deadlines: {{enquiry: 5s, step: 1s, ping: 1s}}"
        ));
        // The program, where an ordinary user can start it.
        let program = root.join("vcm-remediator");
        fs::copy(env!("CARGO_BIN_EXE_vcm-remediator"), &program).unwrap();
        let text = rules.replace("BIN", &root.join("bin").display().to_string());
        accepted_by_visudo(&text);
        let name = root.file_name().unwrap().to_str().unwrap().replace('.', "");
        let path = PathBuf::from(format!("/etc/sudoers.d/vcm-host-runner-test-{name}"));
        // Its name becomes valid only when it is whole: sudo leaves out names with a dot.
        let unfinished = PathBuf::from(format!("{}.new", path.display()));
        fs::write(&unfinished, text).unwrap();
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o440)).unwrap();
        fs::rename(unfinished, &path).unwrap();
        Self {
            estate,
            program,
            _rules: Rules(path),
            _alone,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test is started as another user"
    )]
    fn host(&self, words: &[&str]) -> Value {
        let mut program = Command::new(&self.program);
        answered(self.asked(program.uid(NOBODY).gid(NOBODY), words))
    }

    fn asked<'a>(&self, program: &'a mut Command, words: &[&str]) -> &'a mut Command {
        program
            .arg("host")
            .arg(words[0])
            .arg("--config.file")
            .arg(self.estate.config())
            .args(&words[1..])
            .current_dir("/")
            .stdin(Stdio::null())
    }

    /// The same where `/proc` hides the processes of others, in a mount namespace of its own; `None`
    /// where that cannot be made.
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test is started in another namespace"
    )]
    fn blind(&self, words: &[&str]) -> Option<Value> {
        let hide = "mount -t proc -o hidepid=2 proc /proc";
        let namespace = || {
            let mut unshare = Command::new("/usr/bin/unshare");
            unshare.args(["--mount", "/bin/sh", "-c"]);
            unshare
        };
        if !namespace().arg(hide).status().unwrap().success() {
            return None;
        }
        let user = format!("{NOBODY}");
        let script =
            format!("{hide} && exec setpriv --reuid={user} --regid={user} --clear-groups \"$@\"");
        let mut program = namespace();
        program.arg(script).arg("sh").arg(&self.program);
        Some(answered(self.asked(&mut program, words)))
    }

    fn run(&self, attempt: &str, tier: &str) -> Value {
        let observation = self.host(&["observe"]);
        let observation = observation["observation_id"].as_str().unwrap();
        let newest = self.host(&["newest"]);
        let newest = newest["newest"]["attempt"].as_str().unwrap_or("none");
        let words = order(observation, attempt, tier, &["--newest", newest]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.host(&words)
    }

    fn status(&self, attempt: &str) -> Value {
        self.host(&["result", "--attempt", attempt])
    }

    fn comes_to(&self, attempt: &str, status: &str) -> Value {
        eventually(&format!("{attempt} is {status}"), SOON, || {
            self.status(attempt)["status"] == status
        });
        self.status(attempt)
    }
}

fn answered(command: &mut Command) -> Value {
    let Output { stdout, stderr, .. } = command.output().unwrap();
    serde_json::from_slice(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)))
}

#[expect(clippy::disallowed_methods, reason = "asks visudo")]
pub(crate) fn accepted_by_visudo(rules: &str) {
    let visudo = "/usr/sbin/visudo";
    if !Path::new(visudo).exists() {
        return skipped("visudo's word on sudo rules, because sudo is not installed");
    }
    let mut child = Command::new(visudo)
        .args(["-c", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(rules.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}: {rules}");
}

#[test]
fn an_ordinary_user_runs_what_sudo_permits() {
    if !possible() {
        return;
    }
    let sudo = Sudo::new("nobody ALL=(root) TIMEOUT=30s NOPASSWD: BIN/nopclearfail -m1 -r\n");
    sudo.estate.tool(
        "bin/nopclearfail",
        "id -u >user; cp operational.txt module.txt",
    );
    let said = sudo.run(&attempt(1), "retry");
    assert_eq!(said["answer"], "accepted", "{said}");
    let result = sudo.comes_to(&attempt(1), "ended");
    assert_eq!(result["steps"][0]["exit"]["code"], 0, "{result}");
    assert_eq!(sudo.estate.changes(), ["nopclearfail -m1 -r"]);
    let user = fs::read_to_string(sudo.estate.path().join("user")).unwrap();
    assert_eq!(user.trim(), "0");
}

/// sudo's process could not be seen to live while its command runs.
#[test]
fn nothing_is_run_through_sudo_where_the_processes_of_others_are_hidden() {
    if !possible() {
        return;
    }
    let sudo = Sudo::new("nobody ALL=(root) NOPASSWD: BIN/nopclearfail -m1 -r\n");
    let observation = sudo.host(&["observe"]);
    let observation = observation["observation_id"].as_str().unwrap();
    let words = order(observation, &attempt(1), "retry", &["--newest", "none"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(said) = sudo.blind(&words) else {
        return skipped("the test with hidden processes, which takes a mount namespace");
    };
    assert_eq!(said["answer"], "refused", "{said}");
    let because = said.to_string();
    assert!(
        because.contains("/proc hides the processes of others"),
        "{because}"
    );
    assert!(sudo.estate.changes().is_empty());
}

#[test]
fn a_clear_whose_second_command_is_not_permitted_or_asks_for_a_password_never_begins() {
    if !possible() {
        return;
    }
    let enter = "nobody ALL=(root) NOPASSWD: BIN/nopclearfail -m1 -M\n";
    for (clear, because) in [
        ("", "does not permit nopclearfail -m1 -c"),
        // Listed as permitted, but sudo -n would not run it.
        (
            "nobody ALL=(root) PASSWD: BIN/nopclearfail -m1 -c\n",
            "ask for a password",
        ),
        (
            "nobody ALL=(root) NOPASSWD: BIN/nopclearfail -m2 -c\n",
            "does not permit",
        ),
    ] {
        let sudo = Sudo::new(&format!("{enter}{clear}"));
        let said = sudo.run(&attempt(1), "clear");
        assert_eq!(said["answer"], "refused", "{said}");
        assert!(said["reason"].as_str().unwrap().contains(because), "{said}");
        assert!(sudo.estate.changes().is_empty());
        assert_eq!(sudo.status(&attempt(1))["status"], "refused");
    }
}

#[test]
fn a_command_of_root_that_ignores_term_keeps_the_lock_until_it_is_gone() {
    if !possible() {
        return;
    }
    let sudo = Sudo::new("nobody ALL=(root) NOPASSWD: BIN/nopclearfail -m1 -r\n");
    let estate = &sudo.estate;
    estate.tool(
        "bin/nopclearfail",
        "trap '' TERM HUP INT; while ! [ -e go ]; do sleep 0.1; done; cp operational.txt module.txt",
    );
    let said = sudo.run(&attempt(1), "retry");
    assert_eq!(said["answer"], "accepted", "{said}");
    let still = sudo.comes_to(&attempt(1), "still_running");
    assert!(
        still["detail"]
            .as_str()
            .unwrap()
            .contains("nopclearfail -m1 -r"),
        "{still}"
    );
    let other = sudo.run(&attempt(2), "retry");
    assert_eq!(other["answer"], "refused", "{other}");
    assert!(
        other["reason"].as_str().unwrap().contains("lock"),
        "{other}"
    );
    let again = sudo.run(&attempt(1), "retry");
    assert_eq!(again["answer"], "refused", "{again}");
    // The lock is given back with the process that holds it, and what it started still counts.
    let runner = estate.runner(&attempt(1));
    crate::estate::kill(runner, rustix::process::Signal::KILL);
    eventually("the runner is dead", SOON, || !crate::estate::lives(runner));
    assert_eq!(sudo.status(&attempt(1))["status"], "still_running");
    let other = sudo.run(&attempt(3), "retry");
    assert!(
        other["reason"].as_str().unwrap().contains("still runs"),
        "{other}"
    );
    fs::write(estate.path().join("go"), "").unwrap();
    sudo.comes_to(&attempt(1), "interrupted");
    assert_eq!(estate.changes(), ["nopclearfail -m1 -r"]);
}
