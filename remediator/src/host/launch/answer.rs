//! The socket that a detached process answers to when it is not our child.
//!
//! A socket and no file or FIFO: its end shows when the process dies without an answer, and a
//! process that finds nobody listening goes on at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use vcm_recovery::ids::AttemptId;

use super::LaunchError;
use crate::host::durable;

/// How long an answer that was given just before its process ended may take to be seen.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// A socket that somebody listens on as long as this value lives.
#[derive(Debug)]
pub(super) struct AnswerSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AnswerSocket {
    /// Listens on a socket of its own, in a directory that is for our user only.
    pub(super) fn bind(state_dir: &Path, attempt: AttemptId) -> Result<Self, LaunchError> {
        let path = path(state_dir, attempt);
        let bound = path.parent().map_or(Ok(()), durable::create_directory);
        // What a process with our id has left behind.
        let _ = fs::remove_file(&path);
        match bound.and_then(|()| UnixListener::bind(&path)) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(LaunchError::Socket { path, source }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the process to connect; `None` once it is `gone` and has not.
    pub(super) async fn accept_unless(
        &self,
        gone: impl Future<Output = ()>,
    ) -> io::Result<Option<UnixStream>> {
        tokio::select! {
            biased;
            accepted = self.listener.accept() => return Ok(Some(accepted?.0)),
            () = gone => {}
        }
        match timeout(LAST_ANSWER, self.listener.accept()).await {
            Ok(accepted) => Ok(Some(accepted?.0)),
            Err(_) => Ok(None),
        }
    }
}

impl Drop for AnswerSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn path(state_dir: &Path, attempt: AttemptId) -> PathBuf {
    let name = format!("{attempt}.{}", std::process::id());
    state_dir.join("answers").join(name)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::io::Write as _;
    use std::os::unix::net::UnixStream as Caller;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    const ATTEMPT: AttemptId = AttemptId::from_bits(1);

    #[tokio::test]
    async fn hears_an_answer_or_the_end_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let socket = AnswerSocket::bind(directory.path(), ATTEMPT).unwrap();
        for answer in ["{}", ""] {
            let mut caller = Caller::connect(socket.path()).unwrap();
            caller.write_all(answer.as_bytes()).unwrap();
            drop(caller);
            let mut heard = String::new();
            let accepted = socket.accept_unless(pending()).await.unwrap();
            let mut stream = accepted.unwrap();
            stream.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, answer);
        }
        let path = socket.path().to_owned();
        drop(socket);
        assert!(Caller::connect(&path).is_err());
        assert!(!path.exists());
        AnswerSocket::bind(directory.path(), ATTEMPT).unwrap();
    }

    #[tokio::test]
    async fn what_was_said_before_the_end_is_heard_and_silence_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let socket = AnswerSocket::bind(directory.path(), ATTEMPT).unwrap();
        let nobody = socket.accept_unless(ready(())).await.unwrap();
        assert!(nobody.is_none());
        // The process connects after the question whether it lives was put.
        let path = socket.path().to_owned();
        let says_and_ends = async { drop(Caller::connect(path).unwrap()) };
        let heard = socket.accept_unless(says_and_ends).await.unwrap();
        assert!(heard.is_some());
    }

    /// The system allows 107 bytes for the path of a socket.
    #[tokio::test]
    async fn a_state_directory_with_a_long_name_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let long = directory.path().join("x".repeat(100));
        let error = AnswerSocket::bind(&long, ATTEMPT).unwrap_err();
        assert!(matches!(error, LaunchError::Socket { .. }));
    }
}
