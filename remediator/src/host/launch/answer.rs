//! The socket that a detached process answers to when it is not our child.
//!
//! A socket and no file or FIFO: its end shows when the process dies without an answer, and a
//! process that finds nobody listening goes on at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};
use vcm_recovery::ids::AttemptId;

use super::LaunchError;
use crate::host::durable;

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

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
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
            let mut stream = socket.accept().await.unwrap();
            stream.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, answer);
        }
        let path = socket.path().to_owned();
        drop(socket);
        assert!(Caller::connect(&path).is_err());
        assert!(!path.exists());
        AnswerSocket::bind(directory.path(), ATTEMPT).unwrap();
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
