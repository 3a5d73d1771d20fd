//! Attempts of which the journal is no longer kept: their ids for ever, and how they ended.
//!
//! Journals of attempts that are over go when they are old or many. Their ids stay in
//! `<state_dir>/past-attempts.jsonl`, which is only ever appended to, so that no attempt starts a
//! second time and none that ran is ruled out as never started. An id is on disk there before its
//! journal is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use vcm_recovery::ids::AttemptId;

use super::story::End;
use super::{JournalError, directory, durable, log_path, path};

/// The version of the lines that this build writes and reads.
const SCHEMA: u32 = 1;

/// How long the journal of an attempt that is over is kept, as long as the remediator keeps what an
/// attempt was decided on.
pub const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3600);

/// How many journals of attempts that are over are kept at most. Every order reads them all; a
/// thousand are about 10 MB, and more than 90 days of one host's attempts within the default caps.
pub const KEPT_MAX: usize = 1_000;

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    schema: u32,
    attempt: AttemptId,
    end: End,
}

/// Reads how the attempts ended of which there is no journal any more. A line that is torn was not
/// synced when the machine stopped, and then its journal is still there.
///
/// # Errors
/// If the file cannot be read or is not what was written. That it is not there means that there is
/// none.
pub fn load(state_dir: &Path) -> Result<BTreeMap<AttemptId, End>, JournalError> {
    let path = file(state_dir);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(JournalError::Read { path, source }),
    };
    let mut ends = BTreeMap::new();
    let lines = durable::whole_lines(&bytes).split_inclusive(|&byte| byte == b'\n');
    for (index, line) in lines.enumerate() {
        let parsed = serde_json::from_slice(line).ok();
        let Some(Line { attempt, end, .. }) = parsed.filter(|line: &Line| line.schema == SCHEMA)
        else {
            let line = index + 1;
            return Err(JournalError::PastBroken { path, line });
        };
        ends.insert(attempt, end);
    }
    Ok(ends)
}

/// Removes the journals that are old or too many, of attempts that are over, and the logs beside
/// them. `ended` says how an attempt ended, and nothing of one that is not over or that nobody can
/// read. Returns how many attempts went.
///
/// Only for who holds the host's lock *and* keeps tombstones from being written: nobody else may
/// begin a journal meanwhile.
///
/// # Errors
/// If the ids could not be kept; their journals are all still there then.
pub fn prune(
    state_dir: &Path,
    now: SystemTime,
    ended: impl Fn(AttemptId) -> Option<End>,
) -> Result<usize, JournalError> {
    let files = files(state_dir)?;
    let over = |attempt| Some((attempt, ended(attempt)?));
    let journals: Vec<(AttemptId, SystemTime)> = newest_first(&files, "jsonl");
    let ends: Vec<(AttemptId, End)> = surplus(&journals, now).filter_map(over).collect();
    append(state_dir, &ends)?;
    for (attempt, _) in &ends {
        remove(&path(state_dir, *attempt));
    }
    let gone: BTreeSet<AttemptId> = ends.iter().map(|(attempt, _)| *attempt).collect();
    let kept: BTreeSet<AttemptId> = journals.iter().map(|(attempt, _)| *attempt).collect();
    // An order that was refused before it had a journal leaves a log too.
    let logs: Vec<(AttemptId, SystemTime)> = newest_first(&files, "log");
    let alone = surplus(&logs, now).filter(|attempt| !kept.contains(attempt));
    for attempt in gone.iter().copied().chain(alone) {
        remove(&log_path(state_dir, attempt));
    }
    Ok(gone.len())
}

/// The old ones and those beyond [`KEPT_MAX`]. Pure.
fn surplus(
    newest_first: &[(AttemptId, SystemTime)],
    now: SystemTime,
) -> impl Iterator<Item = AttemptId> {
    let is_old = move |at| now.duration_since(at).is_ok_and(|age| age > KEPT_FOR);
    let surplus = newest_first.iter().enumerate();
    surplus
        .filter(move |(index, (_, at))| *index >= KEPT_MAX || is_old(*at))
        .map(|(_, (attempt, _))| *attempt)
}

/// A file of an attempt, and when it was written last.
struct Found {
    attempt: AttemptId,
    extension: String,
    at: SystemTime,
}

fn files(state_dir: &Path) -> Result<Vec<Found>, JournalError> {
    let directory = directory(state_dir);
    let read = |source| JournalError::Read {
        path: directory.clone(),
        source,
    };
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(read(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(read)?;
        let at = entry.metadata().and_then(|file| file.modified());
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.split_once('.'));
        let Some((id, extension)) = parts else {
            continue;
        };
        if let (Ok(attempt), Ok(at)) = (id.parse(), at) {
            let extension = extension.to_owned();
            found.push(Found {
                attempt,
                extension,
                at,
            });
        }
    }
    Ok(found)
}

fn newest_first(files: &[Found], extension: &str) -> Vec<(AttemptId, SystemTime)> {
    let of_kind = files.iter().filter(|file| file.extension == extension);
    let mut of_kind: Vec<_> = of_kind.map(|file| (file.attempt, file.at)).collect();
    of_kind.sort_unstable_by_key(|(attempt, at)| std::cmp::Reverse((*at, *attempt)));
    of_kind
}

/// What cannot be removed is left for the next time.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "an old file could not be removed");
    }
}

/// Makes the ids durable.
fn append(state_dir: &Path, ends: &[(AttemptId, End)]) -> Result<(), JournalError> {
    if ends.is_empty() {
        return Ok(());
    }
    let path = file(state_dir);
    let lines = lines(ends).map_err(io::Error::from);
    lines
        .and_then(|lines| durable::append_lines(&path, &lines))
        .map_err(|source| JournalError::Write { path, source })
}

fn lines(ends: &[(AttemptId, End)]) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for (attempt, end) in ends {
        let (attempt, end) = (*attempt, end.clone());
        let schema = SCHEMA;
        serde_json::to_writer(
            &mut lines,
            &Line {
                schema,
                attempt,
                end,
            },
        )?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("past-attempts.jsonl")
}

#[cfg(test)]
mod tests;
