//! One lab's directory, its ports, and the processes that live there.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    LabError,
    binaries::Binaries,
    guard::{Guard, Undo},
    process::{self, Process},
};

/// One lab's directory. Dropping it ends everything that was started in it, and removes it unless
/// the thread is panicking: then its path is the best lead there is.
#[derive(Debug)]
pub struct Workspace {
    guard: Guard,
    path: PathBuf,
    binaries: Binaries,
}

impl Workspace {
    /// Creates an empty one.
    ///
    /// # Errors
    /// If the directory cannot be made or the guard not be started.
    pub fn create(name: &str) -> Result<Self, LabError> {
        let binaries = Binaries::find()?;
        let directory = tempfile::Builder::new()
            .prefix(&format!("vcm-lab-{name}-"))
            .tempdir()
            .map_err(LabError::writing(std::env::temp_dir()))?;
        let guard = Guard::start(&binaries.vcm_lab, directory.path())?;
        // From here on the guard removes it.
        Ok(Self {
            guard,
            path: directory.keep(),
            binaries,
        })
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The programs of this workspace's build.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Six characters that no other lab on this machine has.
    #[must_use]
    pub fn id(&self) -> String {
        let name = self.path.to_string_lossy();
        name.chars()
            .skip(name.chars().count().saturating_sub(6))
            .collect::<String>()
            .to_lowercase()
    }

    /// Writes a file below it and returns its path.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, LabError> {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(LabError::writing(parent))?;
        }
        std::fs::write(&path, content).map_err(LabError::writing(&path))?;
        Ok(path)
    }

    /// Makes a directory below it and returns its path.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn directory(&self, name: &str) -> Result<PathBuf, LabError> {
        let path = self.path.join(name);
        std::fs::create_dir_all(&path).map_err(LabError::writing(&path))?;
        Ok(path)
    }

    /// Starts a long-lived process; its output goes to `<name>.log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[OsString],
    ) -> Result<Process, LabError> {
        let log = self.path.join(format!("{name}.log"));
        let process = Process::start(name, program, arguments, log)?;
        let group = i32::try_from(process.id()).map_err(|_| LabError::GuardGone)?;
        self.remember(&Undo::Group(group))?;
        Ok(process)
    }

    /// Runs a program to its end and returns what it printed.
    ///
    /// # Errors
    /// If it cannot be started, takes longer than `patience`, or ends with an error.
    pub async fn run(
        &self,
        program: &Path,
        arguments: &[OsString],
        patience: Duration,
    ) -> Result<String, LabError> {
        process::output(program, arguments, patience).await
    }

    /// Adds to what is undone at the end.
    ///
    /// # Errors
    /// If the guard is gone.
    pub fn remember(&mut self, undo: &Undo) -> Result<(), LabError> {
        self.guard.remember(undo)
    }

    /// Leaves the files behind at the end.
    pub fn keep_files(&mut self) {
        self.remember(&Undo::KeepFiles).ok();
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_files();
            tell(&format!(
                "the lab's files are kept in {}",
                self.path.display()
            ));
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a failing test has no other way to say where its files are"
)]
fn tell(message: &str) {
    eprintln!("{message}");
}

/// A loopback address whose port was free a moment ago.
///
/// # Errors
/// If there is none.
pub fn free_address() -> Result<SocketAddr, LabError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(LabError::writing("127.0.0.1:0"))
}

/// The arguments of a command, from anything that can be one.
#[macro_export]
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => { [$(::std::ffi::OsString::from($argument)),*] };
}
