//! The journal of one attempt: what was done, on disk before it is done.
//!
//! `<state_dir>/attempts/<attempt-id>.jsonl` is only ever appended to, by one process at a time
//! (the one that holds the host's [lock](super::lock)), and each record is synced before the effect
//! that it announces. That the file is there means that the attempt is known, so that no attempt
//! can start twice. [`fold`](story::fold) reads its meaning. Of attempts that are long over only the
//! [ids](past) are kept.

pub mod line;
pub mod past;
pub mod record;
pub mod story;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use vcm_recovery::ids::AttemptId;

use super::{durable, kernel};
use line::{Contents, LineError, Sum};
use record::{Entry, Record, SCHEMA};

/// Space reserved for a journal before anything is done, in bytes: a clear with its two repetitions
/// writes about 20 records of at most 3 KiB each.
pub const RESERVED: u64 = 64 << 10;

/// What the host runner keeps is for its own user only.
const FILE_MODE: u32 = 0o600;

/// Why a journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// This attempt is known already.
    #[error("the attempt is known: {} exists, or did", path.display())]
    Known {
        /// Its journal.
        path: PathBuf,
    },
    /// It could not be read.
    #[error("cannot read the journal {}", path.display())]
    Read {
        /// The journal.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It could not be written: nothing that it was to announce may happen.
    #[error("cannot write the journal {}", path.display())]
    Write {
        /// The journal.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No space could be reserved for it.
    #[error("cannot reserve {RESERVED} bytes for the journal {}", path.display())]
    Reserve {
        /// The journal.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The list of past attempts is not what was written.
    #[error("line {line} of {} is not what was written", path.display())]
    PastBroken {
        /// The list.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// It is not what was written.
    #[error("the journal {} is broken", path.display())]
    Broken {
        /// The journal.
        path: PathBuf,
        /// Where.
        #[source]
        source: LineError,
    },
}

/// A journal that is open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of intact records; whatever is behind them was never written.
    length: u64,
    next_seq: u64,
    last_sum: Sum,
    /// [`File::sync_all`]; a test has it fail.
    sync: fn(&File) -> io::Result<()>,
}

impl Journal {
    /// Begins the journal of an attempt that is not known yet.
    ///
    /// # Errors
    /// [`JournalError::Known`] if it is; another one if nothing can be kept there.
    pub fn create(state_dir: &Path, attempt: AttemptId) -> Result<Self, JournalError> {
        let path = path(state_dir, attempt);
        let write = |source: io::Error| {
            let path = path.clone();
            if source.kind() == io::ErrorKind::AlreadyExists {
                JournalError::Known { path }
            } else {
                JournalError::Write { path, source }
            }
        };
        durable::create_directory(&directory(state_dir)).map_err(write)?;
        if past::load(state_dir)?.contains_key(&attempt) {
            return Err(JournalError::Known { path });
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let file = options.open(&path).map_err(write)?;
        durable::sync_directory(&directory(state_dir)).map_err(write)?;
        Ok(Self {
            file,
            length: 0,
            next_seq: 0,
            last_sum: Sum::default(),
            sync: File::sync_all,
            path: path.clone(),
        })
    }

    /// Opens the journal of a known attempt to go on with it; `None` if it is not known.
    ///
    /// # Errors
    /// If it cannot be read or is broken.
    pub fn open(
        state_dir: &Path,
        attempt: AttemptId,
    ) -> Result<Option<(Self, Vec<Entry>)>, JournalError> {
        let path = path(state_dir, attempt);
        let Some(contents) = read(&path)? else {
            return Ok(None);
        };
        let file = match OpenOptions::new().write(true).open(&path) {
            // Nothing can be written, and what was begun is finished all the same.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path),
            opened => opened,
        };
        let file = file.map_err(|source| JournalError::Write {
            path: path.clone(),
            source,
        })?;
        let journal = Self {
            path,
            file,
            length: contents.length,
            next_seq: contents.entries.len() as u64,
            last_sum: contents.last_sum,
            sync: File::sync_all,
        };
        Ok(Some((journal, contents.entries)))
    }

    /// Reserves space, so that a full disk cannot keep an attempt from being journalled to its end.
    ///
    /// # Errors
    /// If there is no space, or the file system cannot reserve any.
    pub fn reserve(&self) -> Result<(), JournalError> {
        rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.length, RESERVED).map_err(
            |error| JournalError::Reserve {
                path: self.path.clone(),
                source: error.into(),
            },
        )
    }

    /// Appends a record and makes it durable.
    ///
    /// # Errors
    /// If it is not durable. It then counts as never written, and the journal can go on.
    pub fn append(&mut self, record: Record) -> Result<(), JournalError> {
        let Err(source) = self.try_append(record) else {
            return Ok(());
        };
        // What was written and cannot be synced would be read as something that was done. Where this
        // fails too, the next append cuts it off first.
        let _ = self.cut_off();
        let path = self.path.clone();
        Err(JournalError::Write { path, source })
    }

    /// Cuts off what stands behind the intact records: a torn one, or what a failed append left.
    fn cut_off(&self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.length {
            self.file.set_len(self.length)?;
            // That gave the reserved space away. Without it the records fit as long as there is some.
            let _ = self.reserve();
        }
        Ok(())
    }

    fn try_append(&mut self, record: Record) -> io::Result<()> {
        let now = kernel::Moment::now()?;
        let entry = Entry {
            schema: SCHEMA,
            seq: self.next_seq,
            wall_ms: now.wall_ms,
            boottime_ms: now.boottime_ms,
            boot_id: now.boot_id,
            record,
        };
        let (line, sum) = line::write(&entry, &self.last_sum)?;
        self.cut_off()?;
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.length))?;
        self.file.write_all(&line)?;
        (self.sync)(&self.file)?;
        self.length += line.len() as u64;
        self.next_seq += 1;
        self.last_sum = sum;
        Ok(())
    }

    /// A journal on a disk that is full.
    #[cfg(test)]
    pub(super) fn on_a_full_disk() -> Self {
        let path = PathBuf::from("/dev/full");
        Self {
            file: OpenOptions::new().write(true).open(&path).unwrap(),
            path,
            length: 0,
            next_seq: 0,
            last_sum: Sum::default(),
            sync: File::sync_all,
        }
    }

    /// Syncs records in this way from now on.
    #[cfg(test)]
    pub(super) fn syncing_by(mut self, sync: fn(&File) -> io::Result<()>) -> Self {
        self.sync = sync;
        self
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads the records of an attempt; `None` if it is not known.
///
/// # Errors
/// If the journal cannot be read or is broken.
pub fn load(state_dir: &Path, attempt: AttemptId) -> Result<Option<Vec<Entry>>, JournalError> {
    Ok(read(&path(state_dir, attempt))?.map(|contents| contents.entries))
}

/// The attempts of which there is a journal on this host.
///
/// # Errors
/// If the directory cannot be read. That it is not there means that none is known.
pub fn known(state_dir: &Path) -> Result<Vec<AttemptId>, JournalError> {
    let directory = directory(state_dir);
    let error = |source| JournalError::Read {
        path: directory.clone(),
        source,
    };
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(error(source)),
    };
    let mut attempts = Vec::new();
    for entry in entries {
        let name = entry.map_err(error)?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        attempts.extend(id.and_then(|id| id.parse::<AttemptId>().ok()));
    }
    Ok(attempts)
}

/// Where the log of the process that runs an attempt goes.
#[must_use]
pub fn log_path(state_dir: &Path, attempt: AttemptId) -> PathBuf {
    directory(state_dir).join(format!("{attempt}.log"))
}

/// Where journals and logs are.
#[must_use]
pub fn directory(state_dir: &Path) -> PathBuf {
    state_dir.join("attempts")
}

fn path(state_dir: &Path, attempt: AttemptId) -> PathBuf {
    directory(state_dir).join(format!("{attempt}.jsonl"))
}

fn read(path: &Path) -> Result<Option<Contents>, JournalError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(JournalError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    line::read(&bytes)
        .map(Some)
        .map_err(|source| JournalError::Broken {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests;
