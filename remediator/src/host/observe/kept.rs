//! The last observations, kept so that `host run` can compare the one that was decided on with the
//! one it takes itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vcm_recovery::ids::ObservationId;
use vcm_recovery::observation::{OBSERVATION_SCHEMA, Observation};

use crate::host::durable;

/// How many are kept: half an hour at one every 30 s, and more than are ever decided on.
pub const KEPT_MAX: usize = 64;

/// The largest one that is read, in bytes.
const SIZE_MAX: u64 = 4 << 20;

/// Why a kept observation could not be stored or found.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It could not be written.
    #[error("cannot keep the observation in {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It could not be read; also when it was never made here, or is too old to be kept.
    #[error("cannot read the observation {}", path.display())]
    Read {
        /// Where it would be.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what this program writes.
    #[error("the observation {} is not readable", path.display())]
    Corrupt {
        /// Where it is.
        path: PathBuf,
    },
}

/// Keeps an observation and forgets the oldest ones.
///
/// # Errors
/// If it could not be written.
pub fn keep(state_dir: &Path, observation: &Observation) -> Result<(), KeptError> {
    let path = path(state_dir, observation.observation_id);
    let written = serde_json::to_vec(observation)
        .map_err(io::Error::from)
        .and_then(|json| {
            durable::create_directory(&directory(state_dir))?;
            durable::write(&path, &json)
        });
    written.map_err(|source| KeptError::Write { path, source })?;
    forget_oldest(&directory(state_dir));
    Ok(())
}

/// Finds a kept observation.
///
/// # Errors
/// If it is not there, not readable or not what was written.
pub fn load(state_dir: &Path, id: ObservationId) -> Result<Observation, KeptError> {
    use io::Read as _;
    let path = path(state_dir, id);
    let mut json = Vec::new();
    fs::File::open(&path)
        .and_then(|file| file.take(SIZE_MAX).read_to_end(&mut json))
        .map_err(|source| KeptError::Read {
            path: path.clone(),
            source,
        })?;
    serde_json::from_slice(&json)
        .ok()
        .filter(|seen: &Observation| seen.schema == OBSERVATION_SCHEMA && seen.observation_id == id)
        .ok_or(KeptError::Corrupt { path })
}

/// Whether an observation is kept, whatever is in it.
///
/// # Errors
/// If that cannot be told.
pub fn knows(state_dir: &Path, id: ObservationId) -> Result<bool, KeptError> {
    let path = path(state_dir, id);
    path.try_exists()
        .map_err(|source| KeptError::Read { path, source })
}

fn directory(state_dir: &Path) -> PathBuf {
    state_dir.join("observations")
}

fn path(state_dir: &Path, id: ObservationId) -> PathBuf {
    directory(state_dir).join(format!("{id}.json"))
}

/// Ids begin with their time, so that names sort by age; what a crash has left half written counts
/// too. What cannot be removed is left for the next time.
fn forget_oldest(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json" || extension == durable::TEMPORARY)
    });
    paths.sort_unstable();
    let excess = paths.len().saturating_sub(KEPT_MAX);
    for path in &paths[..excess] {
        let _ = fs::remove_file(path);
    }
}
