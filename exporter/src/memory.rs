//! What is known about modules, kept over a restart of the exporter.
//!
//! Without it a module that fails while the exporter restarts would lose its identity, and one that
//! is not printed at all would disappear. A module that was given up is forgotten by removing the
//! file and restarting.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::modules::KnownModules;

/// Version of the file's form; another one is not read.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Saved<'a> {
    version: u32,
    modules: &'a KnownModules,
}

#[derive(Deserialize)]
struct Loaded {
    version: u32,
    modules: KnownModules,
}

/// What is kept cannot be used. The exporter goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The file is there and cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not in the form that was written.
    #[error("{path:?} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file is of another version.
    #[error("{path:?} has version {version}, this program knows {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file cannot be written.
    #[error("cannot write {path:?}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Reads what was kept; nothing where there is no file yet.
///
/// # Errors
///
/// If there is a file that cannot be used.
pub fn load(path: &Path) -> Result<KnownModules, MemoryError> {
    let path_of = || path.to_owned();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KnownModules::default()),
        Err(source) => {
            return Err(MemoryError::Read {
                path: path_of(),
                source,
            });
        }
    };
    let loaded: Loaded = serde_json::from_slice(&bytes).map_err(|source| MemoryError::Damaged {
        path: path_of(),
        source,
    })?;
    if loaded.version != VERSION {
        return Err(MemoryError::Version {
            path: path_of(),
            version: loaded.version,
        });
    }
    Ok(loaded.modules)
}

/// Replaces the file as a whole: whoever reads it sees the old or the new one.
///
/// # Errors
///
/// If it cannot be written.
pub fn save(path: &Path, modules: &KnownModules) -> Result<(), MemoryError> {
    replace(path, modules).map_err(|source| MemoryError::Write {
        path: path.to_owned(),
        source,
    })
}

fn replace(path: &Path, modules: &KnownModules) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    serde_json::to_writer_pretty(
        &mut file,
        &Saved {
            version: VERSION,
            modules,
        },
    )?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use nshield::enquiry::Enquiry;

    use super::*;

    const THREE: &[u8] =
        include_bytes!("../../nshield/tests/fixtures/enquiry-one-of-three-failed.txt");

    #[test]
    fn keeps_what_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("modules.json");
        assert_eq!(load(&path).unwrap(), KnownModules::default());
        let mut known = KnownModules::default();
        known.learn(&Enquiry::parse(THREE));
        save(&path, &known).unwrap();
        assert_eq!(load(&path).unwrap(), known);
        assert_eq!(known.iter().count(), 3);
    }

    #[test]
    fn tells_damaged_from_unreadable_from_another_version() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("modules.json");
        fs::write(&path, "{\"version\": 1, \"modules\": {\"0\": {}}}").unwrap();
        assert!(matches!(load(&path), Err(MemoryError::Damaged { .. })));
        fs::write(&path, "{\"version\": 2, \"modules\": {}}").unwrap();
        assert!(matches!(
            load(&path),
            Err(MemoryError::Version { version: 2, .. })
        ));
        assert!(matches!(
            load(directory.path()),
            Err(MemoryError::Read { .. })
        ));
    }
}
