//! Where somebody is killed, and what else goes down with him.

use std::{ffi::OsString, fmt, path::Path};

use vcm_lab::{
    arguments,
    lab::{LabError, command, installed},
};

/// A point of the sweep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) kill: Kill,
    pub(super) with: With,
}

/// Who is killed, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kill {
    /// The host runner at its n-th sync: the record is written, its effect has not begun.
    RunnerSync(u32),
    /// The host runner before or after the effect of a command, which lives on.
    Effect {
        line: &'static str,
        knob: &'static str,
        when: &'static str,
    },
    /// The host runner before the first effect of its rung, and the process that finishes the
    /// critical section at its n-th sync.
    ResumeSync { first: &'static str, n: u32 },
    /// The remediator at the n-th sync of its store.
    Commit(u32),
}

/// A sync that is never reached: such a point kills nobody, and counts.
pub(super) const NEVER: u32 = 60_000;

impl Point {
    /// Whether nobody is killed but to get as far as where counting begins.
    pub(super) fn kills_nobody(self) -> bool {
        matches!(
            self.kill,
            Kill::RunnerSync(NEVER) | Kill::Commit(NEVER) | Kill::ResumeSync { n: NEVER, .. }
        )
    }

    /// At which sync somebody is killed, where it is at one.
    pub(super) fn number(self) -> Option<u32> {
        match self.kill {
            Kill::RunnerSync(n) | Kill::ResumeSync { n, .. } | Kill::Commit(n) => Some(n),
            Kill::Effect { .. } => None,
        }
    }

    /// In which count it stands.
    pub(super) fn kind(self) -> &'static str {
        match self.kill {
            Kill::RunnerSync(_) => "syncs of the host runner",
            Kill::Effect { .. } => "effects",
            Kill::ResumeSync { .. } => "syncs of who resumes",
            Kill::Commit(_) => "syncs of the store",
        }
    }
}

/// What dies with him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum With {
    /// Nothing: the remediator lives on.
    Nothing,
    /// The remediator.
    Remediator,
    /// The machine: everything that runs on it, and what was not synced. Another boot begins.
    Power,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kill {
            Kill::RunnerSync(n) => write!(f, "host runner at sync {n}")?,
            Kill::Effect { line, when, .. } => write!(f, "host runner {when} {line}")?,
            Kill::ResumeSync { n, .. } => write!(f, "host runner, and who resumes at sync {n}")?,
            Kill::Commit(n) => write!(f, "remediator at sync {n} of its store")?,
        }
        match self.with {
            With::Nothing => Ok(()),
            With::Remediator => f.write_str(", with the remediator"),
            With::Power => f.write_str(", with the machine"),
        }
    }
}

/// The command line in front of a program whose syncs are logged to `log` and that is killed at
/// the `n`-th. The tracer is nobody's parent and holds none of the program's pipes. It
/// counts for each thread on its own: a host runner syncs in one, and the store in another.
///
/// # Errors
/// If strace is not installed.
pub(super) fn strace(log: &Path, n: u32, only: &[&Path]) -> Result<Vec<OsString>, LabError> {
    let strace = installed("strace", "strace")?;
    let mut line = arguments![
        strace,
        "-DDD",
        "-f",
        "-y",
        "-o",
        log,
        "-e",
        "trace=fsync,fdatasync"
    ]
    .to_vec();
    let inject = format!("inject=fsync,fdatasync:signal=SIGKILL:when={n}");
    line.extend(arguments!["-e", inject]);
    for path in only {
        line.extend(arguments!["-P", path]);
    }
    Ok(line)
}

/// Makes sure that processes can be traced here: a sweep that kills nobody would prove nothing.
///
/// # Errors
/// If strace is not installed, or may not trace.
pub(super) fn must_trace() -> Result<(), LabError> {
    let line = strace(Path::new("/dev/null"), NEVER, &[])?;
    let (strace, options) = line
        .split_first()
        .expect("a command line begins with a program");
    let traced = command(Path::new(strace))
        .args(options)
        .arg("/bin/true")
        .output();
    match traced {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(LabError::NotPermitted(format!(
            "strace cannot trace here: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
        Err(source) => Err(LabError::Start {
            program: strace.into(),
            source,
        }),
    }
}

/// What strace has seen: how many syncs, the file of the last one, and whether it killed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Traced {
    pub(super) syncs: u32,
    pub(super) last: String,
    pub(super) killed: bool,
}

/// Reads a log of [`strace`]. One that is not there yet has seen nothing. Syncs are those of the
/// thread that has the most.
pub(super) fn traced(log: &Path) -> Traced {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut threads = std::collections::BTreeMap::<&str, (u32, &str)>::new();
    for (thread, call) in text.lines().filter_map(|line| line.split_once(' ')) {
        let call = call.trim_start();
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            let file = call.split(['<', '>']).nth(1).unwrap_or_default();
            let seen = threads.entry(thread).or_default();
            *seen = (seen.0 + 1, file);
        }
    }
    let most = threads.into_values().max_by_key(|seen| seen.0);
    let (syncs, last) = most.unwrap_or_default();
    Traced {
        syncs,
        last: last.to_owned(),
        killed: text.contains("+++ killed by SIGKILL +++"),
    }
}
