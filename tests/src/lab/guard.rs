//! Ends everything that a lab started, also when the lab itself is killed.
//!
//! A workspace starts `vcm-lab guard` first and tells it, over a pipe, about everything it makes:
//! process groups, network namespaces, links. However the lab ends (returns, panics, `kill -9`), the
//! pipe closes, and the guard undoes the list from its end. It lives in a process group of its own,
//! so that a ^C at the terminal does not reach it.

use std::{
    ffi::OsStr,
    io::{BufRead, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

use super::{LabError, binaries::installed, command};

/// How long processes may take to vanish after SIGKILL before the guard gives up on them. They can
/// only take long in an uninterruptible system call.
const VANISH: Duration = Duration::from_secs(10);

/// One thing to undo.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// Kill this process group.
    Group(i32),
    /// Delete this network namespace.
    Namespace(String),
    /// Delete this network link.
    Link(String),
    /// Leave the files where they are: somebody will want to read them.
    KeepFiles,
}

/// The lab's end of the pipe. Dropping it ends everything and waits until that is done.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts a guard for what will be made under `workspace`; `vcm_lab` is this crate's binary.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(vcm_lab: &Path, workspace: &Path) -> Result<Self, LabError> {
        let mut child = command(vcm_lab)
            .arg("guard")
            .arg(workspace)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|source| LabError::Start {
                program: vcm_lab.to_owned(),
                source,
            })?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Adds to what will be undone. Call it before the thing is made where that is possible.
    ///
    /// # Errors
    /// If the guard is gone.
    pub fn remember(&mut self, undo: &Undo) -> Result<(), LabError> {
        let Some(pipe) = &mut self.pipe else {
            return Err(LabError::GuardGone);
        };
        let line = serde_json::to_string(undo).map_err(|_| LabError::GuardGone)?;
        writeln!(pipe, "{line}").map_err(|_| LabError::GuardGone)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        // Nothing can be done about a guard that fails, and its own messages are on standard error.
        self.child.wait().ok();
    }
}

/// The guard's own program: reads the list until the pipe closes, then undoes it.
pub fn run(workspace: &Path, list: impl BufRead) {
    let _deaf = deaf_to_signals();
    let list: Vec<Undo> = list
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect();
    for undo in list.iter().rev() {
        match undo {
            Undo::Group(id) => kill_group(*id),
            Undo::Namespace(_) | Undo::Link(_) | Undo::KeepFiles => {}
        }
    }
    end_strays(workspace);
    for undo in list.iter().rev() {
        match undo {
            Undo::Namespace(name) => ip(["netns", "delete", name.as_str()]),
            Undo::Link(name) => ip(["link", "delete", name.as_str()]),
            Undo::Group(_) | Undo::KeepFiles => {}
        }
    }
    if !list.contains(&Undo::KeepFiles) {
        std::fs::remove_dir_all(workspace).ok();
    }
}

/// Whoever ends the lab by name means the guard too, and then nothing would be cleaned up: it ends
/// when the pipe closes, and not before. Handlers that nobody reads do just that.
fn deaf_to_signals() -> std::io::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let entered = runtime.enter();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        drop(signal(kind)?);
    }
    drop(entered);
    Ok(runtime)
}

fn kill_group(id: i32) {
    if let Some(group) = Pid::from_raw(id) {
        // Gone already is what we want.
        kill_process_group(group, Signal::KILL).ok();
    }
}

fn ip<const N: usize>(arguments: [&str; N]) {
    // Without the program nothing was made with it.
    let Ok(program) = installed("ip", "iproute2") else {
        return;
    };
    // A link vanishes with the namespace of its peer: an error here is the normal case.
    let deleted = command(&program)
        .args(arguments)
        .stderr(Stdio::null())
        .status();
    deleted.ok();
}

/// Ends daemons that left their process group: simulated hardservers, detached host runners. They
/// are told by the workspace's path, which is unique, among their arguments.
fn end_strays(workspace: &Path) {
    let deadline = Instant::now() + VANISH;
    loop {
        let strays = strays(workspace);
        if strays.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in strays {
            kill_process(pid, Signal::KILL).ok();
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at /proc, in a program of its own"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

fn strays(workspace: &Path) -> Vec<Pid> {
    processes_of(workspace)
        .filter_map(|process| pid_of(&process))
        .filter(|pid| *pid != rustix::process::getpid())
        .collect()
}

/// The directories in `/proc` of every process that belongs to a workspace.
pub(super) fn processes_of(workspace: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(move |process| belongs_to(process, workspace))
}

/// Whether a process runs this program.
pub(super) fn runs(process: &Path, program: &Path) -> bool {
    std::fs::read_link(process.join("exe")).is_ok_and(|path| path == program)
}

/// The id of a process, from its directory in `/proc`.
pub(super) fn pid_of(process: &Path) -> Option<Pid> {
    let name = process.file_name().and_then(OsStr::to_str)?;
    name.parse().ok().and_then(Pid::from_raw)
}

fn belongs_to(process: &Path, workspace: &Path) -> bool {
    let needle = workspace.as_os_str().as_encoded_bytes();
    let mentions = |file: &str| {
        std::fs::read(process.join(file))
            .is_ok_and(|text| text.windows(needle.len()).any(|window| window == needle))
    };
    let lies_in = |link: &str| {
        std::fs::read_link(process.join(link))
            .is_ok_and(|path: PathBuf| path.starts_with(workspace))
    };
    (mentions("cmdline") || lies_in("exe") || lies_in("cwd")) && !is_zombie(process)
}

fn is_zombie(process: &Path) -> bool {
    std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.starts_with(" Z"))
    })
}
