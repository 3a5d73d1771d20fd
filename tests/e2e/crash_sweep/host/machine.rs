//! What a host is made of beside its programs: where they are started from, what stands in front of
//! them, and what a power cut does.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use vcm_lab::{
    arguments,
    lab::{LabError, Workspace, installed},
};

use super::REAL;
use crate::crash_sweep::kill::{Kill, Traced, strace};

/// Two names for the program in the workspace: one that it is started by, so that something else
/// can stand there afterwards, and one to reach it by then.
pub(super) fn link_program(workspace: &Workspace) -> Result<PathBuf, LabError> {
    let program = &workspace.binaries().vcm_remediator;
    let link = |name: &str| {
        let place = workspace.path().join(name);
        // Across file systems there are no links.
        fs::hard_link(program, &place)
            .or_else(|_| fs::copy(program, &place).map(drop))
            .map_err(file_error("linking the program to", &place))?;
        Ok(place)
    };
    link(REAL)?;
    link("vcm-remediator")
}

/// What stands in front of the remediator where its store is swept, or its syncs are counted.
pub(super) fn store_strace(workspace: &Workspace, kill: Kill) -> Result<Vec<OsString>, LabError> {
    let Kill::Commit(n) = kill else {
        return Ok(Vec::new());
    };
    let directory = workspace.directory("remediator")?;
    let file = |suffix: &str| directory.join(format!("remediator.sqlite{suffix}"));
    let (store, wal, journal) = (file(""), file("-wal"), file("-journal"));
    let only = [&*directory, &*store, &*wal, &*journal];
    strace(&workspace.path().join("strace.log"), n, &only)
}

/// What a power cut leaves of the record that was being synced: half of its line.
pub(super) fn tear(traced: &Traced) -> Result<(), LabError> {
    let path = Path::new(&traced.last);
    if !traced.killed
        || path
            .extension()
            .is_none_or(|extension| extension != "jsonl")
    {
        return Ok(());
    }
    let text = fs::read(path).map_err(file_error("reading", path))?;
    let mut lines = text.split_inclusive(|&byte| byte == b'\n');
    let last = lines.next_back().map_or(0, <[u8]>::len);
    let kept = text.len() - last / 2;
    fs::write(path, &text[..kept]).map_err(file_error("tearing", path))
}

/// What stands in front of a program of the next boot: the kernel's name for the boot is another
/// one there.
pub(super) fn next_boot(boot_id: &Path) -> Result<Vec<OsString>, LabError> {
    let unshare = installed("unshare", "util-linux")?;
    let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
    Ok(arguments![
        unshare,
        "--mount",
        "--propagation",
        "private",
        "/bin/sh",
        "-c",
        script,
        boot_id
    ]
    .to_vec())
}

/// Whether a process lives; one that nobody waits for does not.
pub(super) fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.trim_start().chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    })
}

pub(super) fn file_error(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> LabError {
    let path = path.to_owned();
    move |source| LabError::File {
        doing,
        path,
        source,
    }
}
