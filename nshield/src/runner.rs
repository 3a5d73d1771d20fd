//! The one place that starts child processes.
//!
//! The exporter runs the vendor's tools through it, the remediator's host runner every step of a
//! rung. Whatever a tool does - hang, ignore signals, leave a child behind that holds its pipe,
//! print without end - [`run`] comes back within the deadline plus [`Invocation::grace`] plus
//! [`KILL_WAIT`], and says what is known about the process then.
//!
//! An exit status is reported and never taken as a module's health.

mod capture;
mod group;
mod identity;
mod invocation;
mod outliving;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

pub use identity::ProcessIdentity;
pub use invocation::{GRACE, Invocation, OUTPUT_LIMIT};
pub use outliving::Outliving;

use capture::{Capture, Progress};
use group::Group;
use invocation::Discipline;

/// How long to go on reading after the process itself has ended.
///
/// Its own output is in the pipe by then; only a process that it left behind can still hold the
/// other end.
pub const DRAIN_TIME: Duration = Duration::from_secs(1);

/// How long to wait for the end of a process after KILL.
///
/// The kernel ends a process at once unless it is in an uninterruptible wait or not ours to kill.
pub const KILL_WAIT: Duration = Duration::from_secs(2);

/// The search path that children get: scripts among the vendor's tools need one. Programs are
/// started by absolute path and never looked up in it.
const CHILD_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What came of one child process.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub ending: Ending,
    /// What it printed until then, at most the invocation's limit together with `stderr`.
    pub stdout: Vec<u8>,
    /// What it printed to standard error.
    pub stderr: Vec<u8>,
    /// Whether both outputs were read to their end and kept whole: without that the text may be cut
    /// short.
    pub end_of_file: bool,
    /// Whether processes of its group live on: a daemon that it was to start, or something that is
    /// not ours to end. Always true for a process that is [still running](Fate::StillRunning).
    pub left_behind: bool,
    /// From start to the end that is reported.
    pub elapsed: Duration,
}

/// How a child process ended.
#[derive(Debug)]
pub enum Ending {
    /// By itself, within the deadline.
    Exited(Exit),
    /// The deadline passed.
    TimedOut(Fate),
    /// It printed more than the invocation's limit and was stopped.
    OutputLimit(Fate),
}

/// How a process that ended by itself did so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With an exit status.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It ended and nobody can tell how.
    Unknown,
}

/// What became of a process that did not end in time.
#[derive(Debug)]
pub enum Fate {
    /// It and all processes of its group have ended.
    Gone,
    /// It lives on: a child of sudo cannot be ended by us. What it does is not known until it is
    /// gone.
    StillRunning(Box<Outliving>),
}

impl Run {
    /// Returns whether the process ended by itself with exit status 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.ending, Ending::Exited(Exit::Code(0)))
    }
}

/// `exit status 78`, `killed by signal 9`.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::Unknown => f.write_str("ended unseen"),
        }
    }
}

/// A process that certainly never ran.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The path of the program is not absolute.
    #[error("{program:?} is not an absolute path")]
    NotAbsolute {
        /// The program.
        program: PathBuf,
    },
    /// There is no such program.
    #[error("{program:?} was not found")]
    NotFound {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// We may not start it.
    #[error("not permitted to start {program:?}")]
    PermissionDenied {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The system could not start it.
    #[error("cannot start {program:?}")]
    Other {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Runs a program to its end or its deadline.
///
/// If the future is dropped, the whole process group is killed, unless the invocation is
/// [uninterruptible](Invocation::uninterruptible).
///
/// # Errors
///
/// Only if the program was never started.
pub async fn run(invocation: Invocation) -> Result<Run, StartError> {
    Ok(start(invocation)?.finish().await)
}

/// Starts a program; for callers that must record the process before they wait for it.
///
/// Must be called within a tokio runtime.
///
/// # Errors
///
/// If the program was never started.
pub fn start(invocation: Invocation) -> Result<Running, StartError> {
    let program = invocation.program().to_owned();
    if !program.is_absolute() {
        return Err(StartError::NotAbsolute { program });
    }
    let started = Instant::now();
    let mut child = command(&invocation)
        .and_then(|mut command| command.spawn())
        .map_err(|source| start_error(program, source))?;
    let group = Group::led_by(&child, invocation.discipline.kills());
    let identity = child.id().and_then(ProcessIdentity::of_child);
    let capture = Capture::new(
        child.stdout.take(),
        child.stderr.take(),
        invocation.output_limit,
    );
    Ok(Running {
        child,
        group,
        identity,
        capture,
        started,
        invocation,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one home of child processes"
)]
fn command(invocation: &Invocation) -> io::Result<Command> {
    let mut command = Command::new(invocation.program());
    command
        .args(invocation.args())
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", CHILD_PATH)
        .envs(invocation.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .process_group(0);
    match &invocation.discipline {
        Discipline::Stop { .. } => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
        Discipline::Leave { output } => command
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?),
    };
    Ok(command)
}

/// The system refuses a directory as if permission were missing, which would send people looking for
/// the wrong cause.
fn start_error(program: PathBuf, source: io::Error) -> StartError {
    if source.kind() == io::ErrorKind::NotFound {
        StartError::NotFound { program, source }
    } else if source.kind() == io::ErrorKind::PermissionDenied && !program.is_dir() {
        StartError::PermissionDenied { program, source }
    } else {
        StartError::Other { program, source }
    }
}

/// A started process.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Group,
    identity: Option<ProcessIdentity>,
    capture: Capture,
    started: Instant,
    invocation: Invocation,
}

/// What happened first.
enum First {
    Exited(Exit),
    Deadline,
    OverLimit,
}

impl Running {
    /// Returns what names this process for as long as the machine runs; `None` if it ended before
    /// it could be looked at.
    #[must_use]
    pub fn identity(&self) -> Option<ProcessIdentity> {
        self.identity
    }

    /// Waits for the end or the deadline.
    #[tracing::instrument(name = "tool", skip_all, fields(program = ?self.invocation.program()))]
    pub async fn finish(mut self) -> Run {
        let deadline = self.started + self.invocation.deadline;
        let run = match self.first(deadline).await {
            First::Exited(exit) => self.exited(exit).await,
            First::Deadline => self.stopped(Ending::TimedOut).await,
            First::OverLimit => self.stopped(Ending::OutputLimit).await,
        };
        tracing::debug!(ending = ?run.ending, elapsed = ?run.elapsed, "tool ended");
        run
    }

    async fn first(&mut self, deadline: Instant) -> First {
        loop {
            tokio::select! {
                biased;
                status = self.child.wait() => return First::Exited(exit(status)),
                () = sleep_until(deadline) => return First::Deadline,
                progress = self.capture.read(), if !self.capture.ended() => {
                    if progress == Progress::OverLimit {
                        return First::OverLimit;
                    }
                }
            }
        }
    }

    /// Reads what the ended process left in its pipes. Returns whether that was over the limit.
    async fn drain(&mut self) -> bool {
        let until = Instant::now() + DRAIN_TIME;
        while !self.capture.ended() {
            tokio::select! {
                biased;
                progress = self.capture.read() => {
                    if progress == Progress::OverLimit {
                        return true;
                    }
                }
                () = sleep_until(until) => return false,
            }
        }
        false
    }

    /// Ends the process group: TERM, grace, KILL. Returns whether all of it is gone.
    async fn stop(&mut self) -> bool {
        if !self.invocation.discipline.stops() {
            return false;
        }
        self.group.terminate();
        if !self.exits_within(self.invocation.grace()).await {
            if !self.invocation.discipline.kills() {
                return false;
            }
            self.group.kill();
            if !self.exits_within(KILL_WAIT).await {
                return false;
            }
        }
        self.group.end_leftovers(self.invocation.grace()).await
    }

    /// Waits for the exit, and goes on reading so that a process that is writing can end.
    async fn exits_within(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            tokio::select! {
                biased;
                _ = self.child.wait() => return true,
                () = sleep_until(until) => return false,
                _ = self.capture.read(), if !self.capture.ended() => {}
            }
        }
    }

    async fn exited(mut self, exit: Exit) -> Run {
        let over = self.drain().await;
        let left_behind = if self.invocation.discipline.stops() {
            !self.group.end_leftovers(self.invocation.grace()).await
        } else {
            !self.group.is_empty()
        };
        self.group.disarm();
        let ending = if over {
            Ending::OutputLimit(Fate::Gone)
        } else {
            Ending::Exited(exit)
        };
        let (stdout, stderr, end_of_file) = self.capture.into_parts();
        Run {
            ending,
            stdout,
            stderr,
            end_of_file,
            left_behind,
            elapsed: self.started.elapsed(),
        }
    }

    async fn stopped(mut self, ending: fn(Fate) -> Ending) -> Run {
        let gone = self.stop().await;
        let Self {
            child,
            mut group,
            identity,
            capture,
            started,
            ..
        } = self;
        group.disarm();
        let fate = if gone {
            Fate::Gone
        } else {
            Fate::StillRunning(Box::new(Outliving::new(child, group, identity)))
        };
        let (stdout, stderr, end_of_file) = capture.into_parts();
        let elapsed = started.elapsed();
        Run {
            ending: ending(fate),
            stdout,
            stderr,
            end_of_file,
            left_behind: !gone,
            elapsed,
        }
    }
}

fn exit(status: io::Result<ExitStatus>) -> Exit {
    use std::os::unix::process::ExitStatusExt;

    let Ok(status) = status else {
        return Exit::Unknown;
    };
    let signal = status.signal().map(Exit::Signal);
    status
        .code()
        .map(Exit::Code)
        .or(signal)
        .unwrap_or(Exit::Unknown)
}
