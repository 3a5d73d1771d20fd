//! Starts the detached process that runs an attempt, and passes its answer on.
//!
//! The caller of `host run` may be killed, lose its terminal or its connection at any time; an
//! attempt that was accepted must go on. So this program starts itself again: the child makes its
//! own session, logs to the attempt's file, answers over a pipe, and from then on needs nobody. This
//! and `nshield::runner` are the only two places that start processes.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use vcm_recovery::ids::AttemptId;

use super::document::Answered;
use super::{durable, journal};

/// The longest answer, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// What the child adds to the longest look before it answers: reading journals, asking sudo.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(20);

/// Why there is no answer. The attempt may be running all the same: `host result` tells.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The log could not be opened; nothing was started.
    #[error("cannot open the log {}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process could not be started.
    #[error("cannot start the detached process")]
    Start(#[source] io::Error),
    /// Its answer could not be read.
    #[error("cannot read the answer of the detached process")]
    Read(#[source] io::Error),
    /// It did not answer in time.
    #[error("the detached process has not answered within {} s", deadline.as_secs())]
    Late {
        /// How long it had.
        deadline: Duration,
    },
    /// It ended without an answer, or answered something else.
    #[error("the detached process gave no answer; its log is {}", log.display())]
    NoAnswer {
        /// Its log.
        log: PathBuf,
    },
}

/// Why a process could not detach; nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum DetachError {
    /// It could not make its own session.
    #[error("cannot make a session")]
    Session(#[source] Errno),
    /// It could not set up its signals.
    #[error("cannot handle signals")]
    Signals(#[source] io::Error),
}

/// Starts `vcm-remediator host <arguments>` detached and waits for its answer.
///
/// # Errors
/// If there is no answer.
pub async fn launch(
    state_dir: &Path,
    attempt: AttemptId,
    arguments: Vec<OsString>,
    deadline: Duration,
) -> Result<Answered, LaunchError> {
    let log = journal::log_path(state_dir, attempt);
    let stderr = open_log(state_dir, &log).map_err(|source| LaunchError::Log {
        path: log.clone(),
        source,
    })?;
    let stdout = spawn(arguments, stderr).map_err(LaunchError::Start)?;
    let mut answer = Vec::new();
    let read = async { stdout.take(ANSWER_MAX).read_to_end(&mut answer).await };
    match timeout(deadline, read).await {
        Err(_) => Err(LaunchError::Late { deadline }),
        Ok(Err(source)) => Err(LaunchError::Read(source)),
        Ok(Ok(_)) => serde_json::from_slice::<Answered>(&answer)
            .ok()
            .filter(|answered| answered.attempt == attempt)
            .ok_or(LaunchError::NoAnswer { log }),
    }
}

fn open_log(state_dir: &Path, path: &Path) -> io::Result<File> {
    durable::create_directory(&journal::directory(state_dir))?;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)
}

/// The child is not waited for: it outlives this process, and then belongs to init.
#[expect(
    clippy::disallowed_methods,
    reason = "the launcher of the detached process; the runner would tie it to this one"
)]
fn spawn(arguments: Vec<OsString>, stderr: File) -> io::Result<pipe::Receiver> {
    let mut child = std::process::Command::new(std::env::current_exe()?)
        .arg("host")
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()?;
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    pipe::Receiver::from_owned_fd(stdout.into())
}

/// A process that runs alone.
#[derive(Debug)]
pub struct Detached {
    _handled: [Signal; 3],
}

/// Handles TERM, INT and HUP from now on: while a signal is handled, it does not end the process.
/// Unlike an ignored one it is not inherited, so that commands can be ended.
///
/// # Errors
/// If the system does not let it.
pub fn handle_signals() -> Result<[Signal; 3], DetachError> {
    let handle = |kind| signal(kind).map_err(DetachError::Signals);
    Ok([
        handle(SignalKind::terminate())?,
        handle(SignalKind::interrupt())?,
        handle(SignalKind::hangup())?,
    ])
}

impl Detached {
    /// Makes this process a session of its own that TERM, INT and HUP do not end: what an attempt
    /// has begun, it finishes. Called by the child before anything else.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn detach() -> Result<Self, DetachError> {
        rustix::process::setsid().map_err(DetachError::Session)?;
        let _handled = handle_signals()?;
        Ok(Self { _handled })
    }

    /// Answers the caller, if it is still there, and lets go of it.
    pub fn answer(&self, answered: &Answered) {
        let sent = serde_json::to_vec(answered)
            .map_err(io::Error::from)
            .and_then(|json| {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&json)?;
                stdout.flush()
            });
        if let Err(error) = sent {
            tracing::warn!(%error, "the caller is gone; the attempt goes on");
        }
        if let Err(error) = rustix::stdio::dup2_stdout(io::stderr()) {
            tracing::warn!(%error, "the caller cannot be let go");
        }
    }
}
