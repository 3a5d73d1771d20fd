//! The launcher that starts the detached process itself.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::process::Stdio;

use tokio::net::unix::pipe;

/// The child is not waited for: it outlives this process, and then belongs to init.
#[expect(
    clippy::disallowed_methods,
    reason = "the launcher of the detached process; the runner would tie it to this one"
)]
pub(super) fn spawn(arguments: Vec<OsString>, stderr: File) -> io::Result<pipe::Receiver> {
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
