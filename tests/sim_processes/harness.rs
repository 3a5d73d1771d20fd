//! A simulated root of its own for each test, ended with it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use vcm_lab::sim::{
    call_log::{self, CallRecord},
    clock, process,
};

/// How long a condition may take to come about before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A simulated host.
pub(crate) struct Host {
    directory: TempDir,
}

impl Host {
    /// Three VCMs, model times passing 35 times faster: `connect_command_block` takes 1 s and
    /// `connect_broken` 2.6 s. The hardserver runs.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The same, with knobs.
    pub(crate) fn with(knobs: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Self { directory };
        let mut install = simulator();
        install
            .arg("install")
            .arg("--start")
            .arg("--root")
            .arg(host.root());
        for knob in ["time_scale=35"].iter().chain(knobs) {
            install.args(["--set", knob]);
        }
        finish(&mut install);
        host
    }

    /// A host for this `estate.yaml`. The hardserver runs.
    pub(crate) fn of_estate(estate: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Self { directory };
        let file = host.directory.path().join("estate.yaml");
        std::fs::write(&file, estate).unwrap();
        let mut install = simulator();
        install
            .args(["install", "--start", "--root"])
            .arg(host.root());
        finish(install.arg("--estate").arg(&file));
        host
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("nfast")
    }

    /// A tool of the root, with nothing in its environment.
    pub(crate) fn tool(&self, place: &str, arguments: &[&str]) -> Command {
        let mut command = process::command(&self.root().join(place));
        command
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .current_dir("/");
        command
    }

    pub(crate) fn run(&self, place: &str, arguments: &[&str]) -> Run {
        Run::of(self.tool(place, arguments).output().unwrap())
    }

    pub(crate) fn enquiry(&self) -> Run {
        self.run("bin/enquiry", &[])
    }

    pub(crate) fn nopclearfail(&self, line: &str) -> Run {
        self.run(
            "bin/nopclearfail",
            &line.split_whitespace().collect::<Vec<_>>(),
        )
    }

    pub(crate) fn init_script(&self, word: &str) -> Run {
        self.run("sbin/init.d-ncipher", &[word])
    }

    pub(crate) fn ctl(&self, line: &str) -> String {
        let output = self.try_ctl(line);
        assert_eq!(output.code, Some(0), "ctl {line}: {}", output.err);
        output.out
    }

    pub(crate) fn try_ctl(&self, line: &str) -> Run {
        let mut command = simulator();
        command
            .args(["ctl", "--root"])
            .arg(self.root())
            .args(line.split_whitespace());
        Run::of(command.output().unwrap())
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.ctl("status --json")).unwrap()
    }

    /// What `enquiry` shows of a module by the model, whatever the text says.
    pub(crate) fn shown(&self, module: usize) -> String {
        self.status()["modules"][module - 1]["shown"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn calls(&self) -> Vec<CallRecord> {
        call_log::read(&self.root().join("sim/calls.jsonl")).unwrap()
    }

    /// The argument vectors of all calls, without the tools' own names.
    pub(crate) fn argument_vectors(&self) -> Vec<Vec<String>> {
        let arguments = |record| match record {
            CallRecord::Start { argv, .. } => Some(argv[1..].to_vec()),
            CallRecord::End { .. } => None,
        };
        self.calls().into_iter().filter_map(arguments).collect()
    }

    pub(crate) fn events(&self, option: &[&str]) -> Vec<Value> {
        let mut command = simulator();
        command
            .args(["events", "--root"])
            .arg(self.root())
            .args(option);
        let text = finish(&mut command);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn hardserver_pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.root().join("log/hardserver.pid")).unwrap();
        text.trim().parse().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let mut command = simulator();
        command
            .args(["ctl", "--root"])
            .arg(self.root())
            .arg("kill-hardserver");
        // The directory goes next, whether or not there was anything to end.
        let _ = command.output();
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub(crate) fn simulator() -> Command {
    process::command(Path::new(env!("CARGO_BIN_EXE_nfast-sim")))
}

fn finish(command: &mut Command) -> String {
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.code, Some(0), "{command:?}: {}", run.err);
    run.out
}

/// Looks again and again until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = clock::now();
    while !condition() {
        assert!(
            clock::now().since(begun) < PATIENCE,
            "never happened: {what}"
        );
        clock::pass(Duration::from_millis(20));
    }
}

/// How long `work` takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = clock::now();
    let result = work();
    (result, clock::now().since(begun))
}
