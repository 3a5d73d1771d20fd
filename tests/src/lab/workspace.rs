//! One lab's directory, its ports, and the processes that live there.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use rustix::process::{Signal, kill_process};

use super::{
    LabError,
    binaries::Binaries,
    guard::{self, Guard, Undo},
    process::{self, Process},
    wait,
};

/// How long killed processes may take to vanish.
const VANISH: Duration = Duration::from_secs(20);

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

    /// Kills everything that lives here, as a power cut does. Its guard lives on.
    ///
    /// # Errors
    /// If something does not go.
    pub async fn power_off(&self) -> Result<(), LabError> {
        let guard = &self.binaries.vcm_lab;
        wait::until("the end of every process", VANISH, async || {
            let others = |process: &PathBuf| !guard::runs(process, guard);
            let living = guard::processes_of(&self.path).filter(others);
            let living: Vec<_> = living
                .filter_map(|process| guard::pid_of(&process))
                .collect();
            for process in &living {
                // Gone already is what we want.
                kill_process(*process, Signal::KILL).ok();
            }
            Ok(living.is_empty().then_some(()))
        })
        .await
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

/// Ports below those that Linux gives to outgoing connections (32768 and up by default): nothing
/// takes one by chance between the choice and its use.
const PORTS: RangeInclusive<u16> = 20_000..=31_999;

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A loopback address whose port was free a moment ago. Labs of one process never get the same one;
/// those of other processes begin elsewhere.
///
/// # Errors
/// If there is none.
pub fn free_address() -> Result<SocketAddr, LabError> {
    let begin = std::process::id().wrapping_mul(97);
    PORTS
        .map(|_| {
            let count = u32::from(NEXT_PORT.fetch_add(1, Ordering::Relaxed));
            let step = begin.wrapping_add(count) % u32::from(PORTS.end() - PORTS.start());
            PORTS.start() + u16::try_from(step).unwrap_or_default()
        })
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .ok_or_else(|| LabError::NotPermitted("no port of 20000 to 31999 is free".to_owned()))
}

/// The arguments of a command, from anything that can be one.
#[macro_export]
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => { [$(::std::ffi::OsString::from($argument)),*] };
}
