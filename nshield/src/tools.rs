//! The vendor's tools of one installation, as typed invocations.
//!
//! Paths are configuration and no search path is used. Everything here only looks: the commands
//! that change something are built by the host runner of `vcm-remediator` and by nobody else.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::enquiry::Enquiry;
use crate::hardserver::{EnquiryEnding, Look, SocketProbe};
use crate::runner::{Ending, Exit, Invocation, Run, StartError};

/// Where the vendor installs on Linux.
pub const DEFAULT_ROOT: &str = "/opt/nfast";

/// Deadline of a full `enquiry`: the hardserver may hold it for 35 s after a module dropped
/// (`connect_command_block`), and it must not be ended just before it would have answered.
pub const ENQUIRY_DEADLINE: Duration = Duration::from_secs(50);

/// Deadline of `enquiry -m0`, which asks no module and is answered at once.
pub const ENQUIRY_SERVER_DEADLINE: Duration = Duration::from_secs(5);

/// Deadline of `stattree`.
pub const STATTREE_DEADLINE: Duration = Duration::from_secs(20);

/// Deadline of connecting to the hardserver's socket on the same machine.
pub const SOCKET_DEADLINE: Duration = Duration::from_secs(2);

/// The environment variable that points the vendor's tools at another hardserver socket.
pub const NFAST_SERVER: &str = "NFAST_SERVER";

/// How long each tool may take before it is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Of the full `enquiry`.
    pub enquiry: Duration,
    /// Of `enquiry -m0`.
    pub enquiry_server: Duration,
    /// Of `stattree`.
    pub stattree: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            enquiry: ENQUIRY_DEADLINE,
            enquiry_server: ENQUIRY_SERVER_DEADLINE,
            stattree: STATTREE_DEADLINE,
        }
    }
}

/// One installation of the Security World software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    root: PathBuf,
    socket: Option<PathBuf>,
    deadlines: Deadlines,
}

impl Default for Installation {
    fn default() -> Self {
        Self::at(DEFAULT_ROOT)
    }
}

impl Installation {
    /// Creates the installation under a root directory, usually [`DEFAULT_ROOT`].
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            socket: None,
            deadlines: Deadlines::default(),
        }
    }

    /// Uses another hardserver socket; tools are told by [`NFAST_SERVER`].
    #[must_use]
    pub fn with_socket(mut self, socket: impl Into<PathBuf>) -> Self {
        self.socket = Some(socket.into());
        self
    }

    /// Uses other deadlines than the defaults.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Returns how long each tool may take.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        self.deadlines
    }

    /// Returns the directory everything else is below.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of `bin/enquiry`.
    #[must_use]
    pub fn enquiry_path(&self) -> PathBuf {
        self.root.join("bin/enquiry")
    }

    /// Returns the path of `bin/stattree`.
    #[must_use]
    pub fn stattree_path(&self) -> PathBuf {
        self.root.join("bin/stattree")
    }

    /// Returns the path of `bin/nopclearfail`.
    #[must_use]
    pub fn nopclearfail_path(&self) -> PathBuf {
        self.root.join("bin/nopclearfail")
    }

    /// Returns the path of the script that starts and stops all services.
    #[must_use]
    pub fn init_script_path(&self) -> PathBuf {
        self.root.join("sbin/init.d-ncipher")
    }

    /// Returns the path of the hardserver's configuration file.
    #[must_use]
    pub fn hardserver_config_path(&self) -> PathBuf {
        self.root.join("kmdata/config/config")
    }

    /// Returns the path of the hardserver's ordinary socket.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        self.socket
            .clone()
            .unwrap_or_else(|| self.root.join("sockets/nserver"))
    }

    /// Builds the full `enquiry`.
    #[must_use]
    pub fn enquiry(&self) -> Invocation {
        self.invocation(self.enquiry_path(), &[], self.deadlines.enquiry)
    }

    /// Builds `enquiry -m0`, which prints only the hardserver's section.
    #[must_use]
    pub fn enquiry_server_only(&self) -> Invocation {
        self.invocation(self.enquiry_path(), &["-m0"], self.deadlines.enquiry_server)
    }

    /// Builds the full `stattree`.
    #[must_use]
    pub fn stattree(&self) -> Invocation {
        self.invocation(self.stattree_path(), &[], self.deadlines.stattree)
    }

    /// Connects to the hardserver's socket and closes it again; nothing is sent.
    pub async fn probe_socket(&self) -> SocketProbe {
        match timeout(SOCKET_DEADLINE, UnixStream::connect(self.socket_path())).await {
            Ok(Ok(_stream)) => SocketProbe::Connected,
            Ok(Err(error)) => socket_error(&error),
            Err(_) => SocketProbe::TimedOut,
        }
    }

    fn invocation(&self, program: PathBuf, args: &[&str], deadline: Duration) -> Invocation {
        let invocation = Invocation::new(program, args, deadline);
        match &self.socket {
            Some(socket) => invocation.with_env(NFAST_SERVER, socket),
            None => invocation,
        }
    }
}

fn socket_error(error: &io::Error) -> SocketProbe {
    use io::ErrorKind as Kind;
    [
        (Kind::ConnectionRefused, SocketProbe::Refused),
        (Kind::NotFound, SocketProbe::Absent),
        (Kind::PermissionDenied, SocketProbe::PermissionDenied),
        (Kind::TimedOut, SocketProbe::TimedOut),
    ]
    .into_iter()
    .find_map(|(kind, probe)| (error.kind() == kind).then_some(probe))
    .unwrap_or(SocketProbe::Other)
}

/// Combines a finished `enquiry` (full or `-m0`) and a probe of the socket into one look at the
/// hardserver.
#[must_use]
pub fn look(run: &Result<Run, StartError>, socket: Option<SocketProbe>) -> Look {
    let ending = match run {
        Ok(run) => match &run.ending {
            Ending::Exited(Exit::Code(0)) => EnquiryEnding::Success,
            Ending::Exited(Exit::Code(_)) => EnquiryEnding::Failure,
            Ending::TimedOut(_) => EnquiryEnding::TimedOut,
            Ending::Exited(Exit::Signal(_) | Exit::Unknown) | Ending::OutputLimit(_) => {
                EnquiryEnding::Other
            }
        },
        Err(StartError::PermissionDenied { .. }) => EnquiryEnding::NotPermitted,
        Err(
            StartError::NotAbsolute { .. } | StartError::NotFound { .. } | StartError::Other { .. },
        ) => EnquiryEnding::Other,
    };
    let printed = run
        .as_ref()
        .map(|run| run.stdout.as_slice())
        .unwrap_or_default();
    Look {
        ending,
        server_section: Enquiry::parse(printed).server.is_some(),
        socket,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;
    use crate::hardserver::LookResult;
    use crate::runner;

    #[tokio::test]
    async fn tells_a_dead_socket_from_an_absent_and_a_living_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nserver");
        let installation = Installation::default().with_socket(&path);
        assert_eq!(installation.probe_socket().await, SocketProbe::Absent);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(installation.probe_socket().await, SocketProbe::Connected);
        drop(listener);
        assert_eq!(installation.probe_socket().await, SocketProbe::Refused);
    }

    #[tokio::test]
    async fn tools_are_told_which_socket_to_use() {
        let directory = tempfile::tempdir().unwrap();
        fake(directory.path(), "bin/enquiry", "echo \"$NFAST_SERVER $*\"");
        let installation = Installation::at(directory.path()).with_socket("/run/other");
        let run = runner::run(installation.enquiry_server_only())
            .await
            .unwrap();
        assert_eq!(run.stdout, b"/run/other -m0\n");
    }

    #[tokio::test]
    async fn classifies_real_runs() {
        let directory = tempfile::tempdir().unwrap();
        let installation = Installation::at(directory.path());
        let missing = runner::run(installation.enquiry()).await;
        assert_eq!(
            look(&missing, Some(SocketProbe::Refused)).classify(),
            LookResult::Unknown
        );
        for (script, expected) in [
            ("exit 1", LookResult::SuspectedDown),
            ("echo Server:", LookResult::Up),
            ("echo Server:; exit 1", LookResult::Up),
            ("exit 0", LookResult::Unknown),
            ("kill -9 $$", LookResult::Unknown),
        ] {
            fake(directory.path(), "bin/enquiry", script);
            let run = runner::run(installation.enquiry_server_only()).await;
            let look = look(&run, Some(SocketProbe::Refused));
            assert_eq!(look.classify(), expected, "{script}");
        }
    }

    fn fake(root: &Path, name: &str, script: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake-tool");
        let _ = std::os::unix::fs::symlink(tool, &path);
        std::fs::write(path.with_extension("script"), script).unwrap();
    }
}
