//! The detached process: alone, and heard once.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{getpid, getsid, setsid};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::host::document::Answered;

/// The longest that a caller which does not read may hold up an attempt.
const ANSWER_TIME: Duration = Duration::from_secs(5);

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

/// A process that runs alone.
#[derive(Debug)]
pub struct Detached {
    _handled: [Signal; 3],
    answer_to: AnswerTo,
}

/// Where the one answer goes.
#[derive(Debug)]
enum AnswerTo {
    /// To whoever holds the other end of standard output.
    Stdout,
    /// To a socket; `None` when nobody listens there any more.
    Socket(Option<UnixStream>),
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
    /// has begun, it finishes. Called by the child before anything else. The answer goes to the
    /// socket `answer_to`, or without one to standard output.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn detach(answer_to: Option<&Path>) -> Result<Self, DetachError> {
        own_session().map_err(DetachError::Session)?;
        let _handled = handle_signals()?;
        let answer_to = answer_to.map_or(AnswerTo::Stdout, |path| AnswerTo::Socket(connect(path)));
        Ok(Self {
            _handled,
            answer_to,
        })
    }

    /// Answers the caller, if it is still there, and lets go of it.
    pub fn answer(&self, answered: &Answered) {
        let sent = serde_json::to_vec(answered)
            .map_err(io::Error::from)
            .and_then(|json| self.send(&json));
        if let Err(error) = sent {
            tracing::warn!(%error, "the caller is gone; the attempt goes on");
        }
    }

    fn send(&self, json: &[u8]) -> io::Result<()> {
        match &self.answer_to {
            AnswerTo::Socket(None) => Err(io::ErrorKind::NotConnected.into()),
            AnswerTo::Socket(Some(stream)) => {
                let mut writer = stream;
                let sent = writer.write_all(json);
                sent.and(stream.shutdown(std::net::Shutdown::Both))
            }
            AnswerTo::Stdout => {
                let mut stdout = io::stdout().lock();
                let sent = stdout.write_all(json).and_then(|()| stdout.flush());
                let let_go = rustix::stdio::dup2_stdout(io::stderr());
                sent.and(let_go.map_err(io::Error::from))
            }
        }
    }
}

/// A service manager has made the session already.
fn own_session() -> Result<(), Errno> {
    match setsid() {
        Err(Errno::PERM) if getsid(None)? == getpid() => Ok(()),
        result => result.map(|_| ()),
    }
}

fn connect(path: &Path) -> Option<UnixStream> {
    let connected = UnixStream::connect(path).and_then(|stream| {
        stream.set_write_timeout(Some(ANSWER_TIME))?;
        Ok(stream)
    });
    connected
        .inspect_err(|error| tracing::warn!(%error, "the caller is gone"))
        .ok()
}
