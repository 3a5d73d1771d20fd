//! The simulator's only place that starts, watches and ends processes.

use std::{
    fs, io,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, getppid, kill_process, pidfd_open},
};

/// A command for `program`: the one place that may build it.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator stands in for foreign software and shares no runner with what it tests"
)]
#[must_use]
pub fn command(program: &Path) -> Command {
    Command::new(program)
}

/// Starts `program` as a daemon to be: no input, output through a pipe until it says that it is
/// ready, errors to `log`.
///
/// # Errors
/// If it cannot be started.
pub fn start_daemon(program: &Path, arguments: &[&str], log: &Path) -> io::Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
    command(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .current_dir("/")
        .spawn()
}

/// Starts this executable once more with these arguments and leaves it to itself; it inherits
/// standard output and error only if `holds_output`.
///
/// # Errors
/// If it cannot be started.
pub fn leave_behind(program: &Path, arguments: &[&str], holds_output: bool) -> io::Result<()> {
    let mut command = command(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .current_dir("/");
    if !holds_output {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    command.spawn().map(drop)
}

/// Runs a site's hook and waits for it; a hook that fails is reported on standard error.
pub fn run_hook(hook: &[String], direction: &str) {
    let Some((program, arguments)) = hook.split_first() else {
        return;
    };
    let mut command = command(Path::new(program));
    command
        .args(arguments)
        .arg(direction)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => complain(&format!("network hook {program} {direction}: {status}")),
        Err(error) => complain(&format!("network hook {program} {direction}: {error}")),
    }
}

/// Says something on standard error.
#[expect(clippy::print_stderr, reason = "a tool's messages belong there")]
pub fn complain(text: &str) {
    eprintln!("nfast-sim: {text}");
}

/// When a process was started, in the kernel's ticks; none if there is no such living process.
#[must_use]
pub fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(START_TIME_AFTER_STATE)?.parse().ok()
}

/// How many fields of `/proc/<pid>/stat` lie between the state and the start time (proc(5):
/// fields 3 and 22).
const START_TIME_AFTER_STATE: usize = 18;

/// Whether the process that was started then still lives.
#[must_use]
pub fn is_alive(pid: u32, start: u64) -> bool {
    start_of(pid) == Some(start)
}

/// Sends SIGKILL to the process that was started then and waits until it is gone.
///
/// # Errors
/// If it cannot be signalled or does not end in time.
pub fn kill_and_wait(pid: u32, start: u64) -> io::Result<()> {
    end_and_wait(pid, start, Signal::KILL)
}

/// Sends SIGTERM to the process that was started then and waits until it is gone.
///
/// # Errors
/// If it cannot be signalled or does not end in time.
pub fn terminate_and_wait(pid: u32, start: u64) -> io::Result<()> {
    end_and_wait(pid, start, Signal::TERM)
}

fn end_and_wait(pid: u32, start: u64, signal: Signal) -> io::Result<()> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(target) = raw else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let Ok(pidfd) = pidfd_open(target, PidfdFlags::empty()) else {
        return Ok(());
    };
    if !is_alive(pid, start) {
        return Ok(());
    }
    kill_process(target, signal)?;
    let limit = Timespec::try_from(END_LIMIT).map_err(|_| io::ErrorKind::InvalidInput)?;
    let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit))?;
    if ended == 0 {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(())
    }
}

/// How long a process may take to end after a signal that it does not handle.
const END_LIMIT: Duration = Duration::from_secs(10);

/// The process that started this one.
#[derive(Debug, Clone, Copy)]
pub struct Caller(Option<Pid>);

impl Caller {
    /// The one that it has now.
    #[must_use]
    pub fn now() -> Self {
        Self(getppid())
    }

    /// Ends it by SIGKILL. Does nothing if it is gone: whoever has taken this process over since
    /// did not call it.
    ///
    /// # Errors
    /// If it cannot be signalled.
    pub fn kill(self) -> io::Result<()> {
        match self.0 {
            Some(caller) if !caller.is_init() && getppid() == self.0 => {
                Ok(kill_process(caller, Signal::KILL)?)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Ends this process by SIGKILL, as an out-of-memory killer would.
pub fn kill_self() -> ! {
    // A refused signal leaves nothing better to do than to end anyway.
    let _ = kill_process(rustix::process::getpid(), Signal::KILL);
    std::process::abort()
}
