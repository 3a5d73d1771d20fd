//! What lies on disk: where journals go, what they say, and the files that keep everything as it is.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{
    Access, AtFlags, CWD, FallocateFlags, Mode, OFlags, accessat, fallocate, openat, statvfs,
};
use rustix::io::Errno;

use super::Finding;
use crate::host::config::HostConfig;
use crate::host::document::chain;
use crate::host::journal::story::Story;
use crate::host::journal::{self, past};
use crate::host::observe::holds;
use crate::host::{kernel, liveness, result};

/// Less than this free, and a journal that can just be reserved will not be next time, in bytes.
const FREE_MIN: u64 = 64 << 20;

pub(super) fn findings(config: &HostConfig) -> Vec<Finding> {
    let mut findings = vec![state_dir(&config.state_dir), attempts(&config.state_dir)];
    let modules = config.modules.keys();
    let holds = modules.map(|module| holds::of_module(&config.hold_file, *module));
    let files = [config.pause_file.clone(), config.hold_file.clone()];
    findings.extend(files.into_iter().chain(holds).map(|path| file(&path)));
    findings
}

fn file(path: &Path) -> Finding {
    let name = path.display().to_string();
    match holds::text(path) {
        None => Finding::ok(name, "not there, holds nothing"),
        Some(text) => Finding::not_ok(
            name,
            format!("nothing starts: {text}"),
            "remove the file when its reason is over",
        ),
    }
}

/// Reserves a journal's space in a file without a name, which is gone when it is closed.
fn state_dir(path: &Path) -> Finding {
    const NAME: &str = "state_dir";
    let there = path.ancestors().find(|path| path.is_dir());
    let Some(there) = there else {
        return Finding::not_ok(NAME, "no part of it is there", "correct state_dir");
    };
    if let Err(error) = accessat(
        CWD,
        there,
        Access::WRITE_OK | Access::EXEC_OK,
        AtFlags::EACCESS,
    ) {
        let to_do = "let the user of the host runner own it, with mode 0700";
        return Finding::not_ok(NAME, format!("{}: {error}", there.display()), to_do);
    }
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let reserved = openat(CWD, there, flags, Mode::RUSR | Mode::WUSR).and_then(|file| {
        fallocate(
            File::from(file),
            FallocateFlags::KEEP_SIZE,
            0,
            journal::RESERVED,
        )
    });
    let free = statvfs(there).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    match (reserved, free) {
        (Err(error), _) if error != Errno::OPNOTSUPP => Finding::not_ok(
            NAME,
            format!("no space for a journal in {}: {error}", there.display()),
            "free space: no restart and no clear starts without its journal's space",
        ),
        (_, Ok(free)) if free < FREE_MIN => Finding::not_ok(
            NAME,
            format!("{} MiB are free in {}", free >> 20, there.display()),
            format!("free space, to {} MiB at least", FREE_MIN >> 20),
        ),
        (Err(_), _) => Finding::unknown(
            NAME,
            format!("whether {} can reserve space is not known", there.display()),
            "keep it on a local file system such as ext4 or xfs",
        ),
        (Ok(()), _) => Finding::ok(NAME, format!("{} can be written", there.display())),
    }
}

fn attempts(state_dir: &Path) -> Finding {
    const NAME: &str = "attempts";
    let unreadable = |why: String| {
        let to_do = "look at the journal: nothing starts while one cannot be understood";
        Finding::not_ok(NAME, why, to_do)
    };
    let known = match journal::known(state_dir) {
        Ok(known) => known,
        Err(error) => return unreadable(chain(&error)),
    };
    for &attempt in &known {
        match result::story(state_dir, attempt) {
            Err(error) => return unreadable(chain(&error)),
            Ok(Some(story)) if open(&story) => {
                return Finding::not_ok(
                    NAME,
                    format!("attempt {attempt} was cut short in its critical section"),
                    "run: vcm-remediator host resume-open",
                );
            }
            Ok(_) => {}
        }
    }
    let past = match past::load(state_dir) {
        Ok(past) => past.len(),
        Err(error) => return unreadable(chain(&error)),
    };
    let on_record = known.len() + past;
    match fs::metadata(state_dir.join("fence.json")) {
        Ok(_) => Finding::ok(NAME, format!("{on_record} on record, none is open")),
        Err(_) if on_record == 0 => Finding::ok(NAME, "none is on record"),
        Err(_) => Finding::not_ok(
            NAME,
            "fence.json is gone although attempts are on record",
            "restore state_dir, or move its attempts away after having read them",
        ),
    }
}

/// One that lives finishes its section itself.
fn open(story: &Story) -> bool {
    let boot_id = kernel::boot_id().unwrap_or_default();
    story.open_section().is_some() && !liveness::lives(story, &boot_id)
}
