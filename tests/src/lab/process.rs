//! The one place where the lab starts processes.
//!
//! Long-lived ones get a process group and a log file of their own; short ones a deadline.

use std::{
    ffi::OsString,
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{LabError, wait};

/// A `Command` for `program`: the only constructor of one in the lab.
#[expect(
    clippy::disallowed_methods,
    reason = "the lab starts what is under test from outside"
)]
pub fn command(program: &Path) -> Command {
    Command::new(program)
}

/// A long-lived process of the lab. Dropping it kills its group.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `program`; both its outputs are appended to `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn start(
        name: &str,
        program: &Path,
        arguments: &[OsString],
        log: PathBuf,
    ) -> Result<Self, LabError> {
        let failed = |source| LabError::Start {
            program: program.to_owned(),
            source,
        };
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(failed)?;
        let child = command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        Ok(Self {
            name: name.to_owned(),
            log,
            child,
        })
    }

    /// Its process id, which is that of its group too.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its end, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// An error that says how it ended and shows the end of its log, if it has ended.
    ///
    /// # Errors
    /// If it has ended.
    pub fn must_run(&mut self) -> Result<(), LabError> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(LabError::Ended {
                name: self.name.clone(),
                status,
                log: tail(&self.log),
            }),
        }
    }

    /// Kills it as `kill -9` does: this process alone, none of its children, and waits for its end.
    pub fn kill_9(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// If it still runs after `patience`.
    pub async fn terminate(&mut self, patience: Duration) -> Result<ExitStatus, LabError> {
        self.signal(Signal::TERM);
        let name = format!("the end of {}", self.name);
        wait::until(&name, patience, async || Ok(self.ended())).await
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Gone already is what we want.
            kill_process_group(group, signal).ok();
        }
    }

    /// Everything it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.signal(Signal::KILL);
            self.child.wait().ok();
        }
    }
}

/// Runs `program` to its end and returns its standard output.
///
/// # Errors
/// If it cannot be started, does not end in time, or ends with an error.
pub(super) async fn output(
    program: &Path,
    arguments: &[OsString],
    patience: Duration,
) -> Result<String, LabError> {
    let mut command = tokio::process::Command::from(command(program));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let failed = |source| LabError::Start {
        program: program.to_owned(),
        source,
    };
    let finished = tokio::time::timeout(patience, command.output()).await;
    let Ok(output) = finished else {
        return Err(LabError::TooLong {
            program: program.to_owned(),
            patience,
        });
    };
    let output = output.map_err(failed)?;
    if !output.status.success() {
        return Err(LabError::Failed {
            program: program.to_owned(),
            arguments: arguments.to_vec(),
            status: output.status,
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How much of a log stands in an error.
const TAIL_LINES: usize = 15;

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
