//! Starts the detached process that runs an attempt, and passes its answer on.
//!
//! The caller of `host run` may be killed, lose its terminal or its connection at any time; an
//! attempt that was accepted must go on. So this program starts itself again: the child makes its
//! own session, logs to the attempt's file, answers, and from then on needs nobody. `direct` starts
//! it as a child that answers over a pipe, `systemd` has the service manager start it as a unit of
//! its own that answers over a socket. This and `nshield::runner` are the only two places that
//! start processes.

mod answer;
mod detached;
mod direct;
mod systemd;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nshield::runner::StartError;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, timeout_at};
use vcm_recovery::ids::AttemptId;

use super::config::{HostConfig, Launcher};
use super::document::Answered;
use super::{durable, journal};
use answer::AnswerSocket;

pub use detached::{DetachError, Detached, handle_signals};
pub use systemd::{MANAGER_DIRECTORY, unit_name};

/// Where the log of a process goes that must run and whose own log cannot be opened.
pub(super) const NO_LOG: &str = "/dev/null";

/// The longest answer, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// What the child adds to the longest look before it answers: reading journals, asking sudo.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(20);

/// What a detached process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To run an attempt.
    Run,
    /// To finish its critical section.
    Resume,
}

/// A detached process.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What it is to do.
    pub purpose: Purpose,
    /// For which attempt.
    pub attempt: AttemptId,
    /// The words behind `vcm-remediator host`.
    pub arguments: Vec<OsString>,
}

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
    /// The socket for its answer could not be made; nothing was started.
    #[error("cannot make the socket {} for the answer", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The service manager did not start it.
    #[error("the service manager has not started it: {said}")]
    Manager {
        /// How `systemd-run` ended and what it said.
        said: String,
    },
    /// `systemd-run` could not be started; nothing was.
    #[error("cannot start systemd-run")]
    SystemdRun(#[source] StartError),
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

/// Starts `vcm-remediator host <arguments>` detached and waits for its answer.
///
/// # Errors
/// If there is no answer.
pub async fn launch(config: &HostConfig, launch: Launch) -> Result<Answered, LaunchError> {
    let state_dir = &config.state_dir;
    let deadline = config.deadlines.enquiry + ANSWER_MARGIN;
    let (stderr, log) = log_of(state_dir, &launch)?;
    let until = Instant::now() + deadline;
    let attempt = launch.attempt;
    let answer = match config.launcher {
        Launcher::Direct => {
            let stdout = direct::spawn(launch.arguments, stderr).map_err(LaunchError::Start)?;
            timeout_at(until, read(stdout)).await
        }
        Launcher::Systemd => {
            let socket = AnswerSocket::bind(state_dir, attempt)?;
            let unit = systemd::start(config, launch, socket.path(), &log).await?;
            let answer = async {
                match socket.accept_unless(unit.gone()).await? {
                    Some(stream) => read(stream).await,
                    None => Ok(Vec::new()),
                }
            };
            timeout_at(until, answer).await
        }
    };
    let answer = answer
        .map_err(|_| LaunchError::Late { deadline })?
        .map_err(LaunchError::Read)?;
    serde_json::from_slice::<Answered>(&answer)
        .ok()
        .filter(|answered| answered.attempt == attempt)
        .ok_or(LaunchError::NoAnswer { log })
}

/// The detached process lets go of its end as soon as it has answered, or dies.
async fn read(from: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    from.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The log of the process. A section is finished whether that can be logged or not.
fn log_of(state_dir: &Path, launch: &Launch) -> Result<(File, PathBuf), LaunchError> {
    let path = journal::log_path(state_dir, launch.attempt);
    match open_log(state_dir, &path) {
        Ok(file) => Ok((file, path)),
        Err(source) if launch.purpose == Purpose::Run => Err(LaunchError::Log { path, source }),
        Err(_) => {
            let path = PathBuf::from(NO_LOG);
            match OpenOptions::new().write(true).open(&path) {
                Ok(file) => Ok((file, path)),
                Err(source) => Err(LaunchError::Log { path, source }),
            }
        }
    }
}

fn open_log(state_dir: &Path, path: &Path) -> io::Result<File> {
    durable::create_directory(&journal::directory(state_dir))?;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)
}
