//! The whole program as a process: what was ordered outlives it.

#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is started here"
)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-remediator");

/// The files of one installation.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            directory: TempDir::new().unwrap(),
        };
        let at = |name: &str| place.path(name).display().to_string();
        let host = format!(
            "state_dir: {}\nmodules: [{{number: 1, esn: 1A2B-05E0-D947}}]\n",
            at("host")
        );
        let remediator = format!(
            "store: {{path: {}}}
web: {{operators: [{{name: alice, token_file: {}}}]}}
inventory:
  hosts:
    - name: tenant-1
      runner: {{local: {{config_file: {}}}}}
      modules: [{{number: 1, esn: 1A2B-05E0-D947}}]
",
            at("store.sqlite"),
            at("alice"),
            at("host.yaml"),
        );
        let files = [
            ("host.yaml", host),
            ("remediator.yaml", remediator),
            ("alice", "alice-0123456789abcdef\n".to_owned()),
        ];
        for (name, text) in files {
            std::fs::write(place.path(name), text).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn serve(&self) -> Serving {
        let mut child = Command::new(PROGRAM)
            .args([
                "serve",
                "--web.listen-address",
                "127.0.0.1:0",
                "--config.file",
            ])
            .arg(self.path("remediator.yaml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = ready(&mut log);
        Serving {
            child,
            url: format!("http://{address}"),
            _log: log,
        }
    }

    fn run(&self, serving: &Serving, line: &[&str]) -> Output {
        Command::new(PROGRAM)
            .args(line)
            .args(["--server", &serving.url, "--token-file"])
            .arg(self.path("alice"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

/// Reads the log up to the line that says so, and where the program listens.
fn ready(log: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(
            log.read_line(&mut line).unwrap(),
            0,
            "ended before it was ready"
        );
        if line.contains("msg=ready") {
            let address = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix("address="));
            return address.unwrap().to_owned();
        }
    }
}

struct Serving {
    child: Child,
    url: String,
    _log: BufReader<std::process::ChildStderr>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn list(place: &Place, serving: &Serving) -> String {
    let output = place.run(serving, &["incidents", "list"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn s12_pause_and_hold_outlive_the_program_that_took_them() {
    let place = Place::new();
    let first = place.serve();
    for line in [
        &["pause", "--reason", "change"][..],
        &["hold", "tenant-1/1", "--for", "4h", "--reason", "case"],
    ] {
        let output = place.run(&first, line);
        assert!(output.status.success(), "{output:?}");
    }
    // SIGKILL: nothing is written on the way down.
    drop(first);
    let second = place.serve();
    let shown = list(&place, &second);
    assert!(
        shown.contains("PAUSED by alice until somebody ends it: change"),
        "{shown}"
    );
    assert!(shown.contains("HELD tenant-1/1 by alice until "), "{shown}");
    let output = place.run(&second, &["resume", "--reason", "done"]);
    assert!(output.status.success(), "{output:?}");
    drop(second);
    let shown = list(&place, &place.serve());
    assert!(!shown.contains("PAUSED"), "{shown}");
    assert!(shown.contains("HELD tenant-1/1"), "{shown}");
}
