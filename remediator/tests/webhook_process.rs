//! The program as a process: its exit codes, and what it keeps over its own end.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the process under test is started here"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-remediator");

/// Longer than anything here takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(60);

const FIRING: &str = r#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"VcmFailed","host":"tenant-1","module":"1"},"startsAt":"2023-11-14T22:00:00Z","fingerprint":"00000000000000ff"}]}"#;

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            directory: TempDir::new().unwrap(),
        };
        let state_dir = place.path("host");
        let host = format!(
            "state_dir: {}\nmodules: [{{number: 1, esn: 1A2B-05E0-D947}}]\n",
            state_dir.display()
        );
        place.write("host.yaml", &host);
        let text = format!(
            "store: {{path: {}}}
inventory:
  hosts:
    - name: tenant-1
      runner: {{local: {{config_file: {}}}}}
      modules: [{{number: 1, esn: 1A2B-05E0-D947}}]
",
            place.path("store.sqlite").display(),
            place.path("host.yaml").display(),
        );
        place.write("remediator.yaml", &text);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg(verb)
            .arg("--config.file")
            .arg(self.path("remediator.yaml"));
        command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    fn run(&self, verb: &str) -> Output {
        self.command(verb).output().unwrap()
    }

    fn serve(&self) -> Serving {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = format!("127.0.0.1:{port}");
        let mut command = self.command("serve");
        let child = command
            .args(["--web.listen-address", &address])
            .spawn()
            .unwrap();
        let mut serving = Serving { child, address };
        serving.wait_until_ready();
        serving
    }
}

struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    /// Reads the log up to the line that says so.
    fn wait_until_ready(&mut self) {
        let mut log = BufReader::new(self.child.stderr.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("msg=ready") {
            assert_ne!(
                log.read_line(&mut lines).unwrap(),
                0,
                "ended before it was ready:\n{lines}"
            );
        }
        self.child.stderr = Some(log.into_inner());
    }

    fn ask(&self, request: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already where a test has waited for it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn wrong_arguments_and_configurations_have_their_own_exit_codes() {
    let place = Place::new();
    assert_eq!(place.run("check-config").status.code(), Some(0));
    assert_eq!(place.run("frobnicate").status.code(), Some(2));
    place.write("remediator.yaml", "inventory: {hosts: []}\nalerts: {}\n");
    for verb in ["check-config", "serve"] {
        let output = place.run(verb);
        assert_eq!(output.status.code(), Some(78), "{verb}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("inventory.hosts: there is no host"), "{said}");
        assert!(said.contains("alerts: no alert is listed"), "{said}");
    }
}

#[test]
fn a_signal_ends_it_cleanly() {
    let place = Place::new();
    for signal in [Signal::TERM, Signal::INT] {
        assert_eq!(place.serve().end(signal), Some(0));
    }
}

#[test]
fn a_second_one_on_the_same_store_is_refused() {
    let place = Place::new();
    let first = place.serve();
    let mut second = place.command("serve");
    let output = second
        .args(["--web.listen-address", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("store.sqlite is in use by another process"),
        "{said}"
    );
    assert!(first.ask("GET /-/ready", "").starts_with("HTTP/1.1 200"));
}

#[test]
fn what_it_accepted_is_there_after_it_was_killed() {
    let place = Place::new();
    let first = place.serve();
    let answer = first.ask("POST /api/v1/alerts/webhook", FIRING);
    assert!(
        answer.contains(r#"{"accepted":1,"ignored":{}}"#),
        "{answer}"
    );
    assert_eq!(first.end(Signal::KILL), None);
    let second = place.serve();
    let shows = |text: &str| second.ask("GET /api/v1/incidents", "").contains(text);
    let begun = Instant::now();
    while !shows(r#""target":{"host":"tenant-1","module":1}"#) {
        assert!(begun.elapsed() < PATIENCE, "no incident was opened");
        std::thread::yield_now();
    }
    let events = second.ask("GET /api/v1/events", "");
    assert!(events.contains(r#""kind":"FactChanged""#), "{events}");
}
