//! Where the programs are: those of this build, and Debian's.

use std::path::{Path, PathBuf};

use super::LabError;

/// The programs of this workspace, all from one build.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// This crate's program, which carries the guard.
    pub vcm_lab: PathBuf,
    /// The simulator.
    pub nfast_sim: PathBuf,
    /// The exporter.
    pub vcm_exporter: PathBuf,
    /// The remediator.
    pub vcm_remediator: PathBuf,
}

impl Binaries {
    /// Finds them beside the running program, or one above (`target/debug/deps` for tests).
    ///
    /// # Errors
    /// If one of them has not been built.
    pub fn find() -> Result<Self, LabError> {
        let own = std::env::current_exe().map_err(LabError::reading("/proc/self/exe"))?;
        let mut directory = own.parent().unwrap_or(Path::new("/"));
        if directory.ends_with("deps") {
            directory = directory.parent().unwrap_or(directory);
        }
        let find = |name: &str| {
            let path = directory.join(name);
            if path.exists() {
                return Ok(path);
            }
            let remedy = format!(
                "build it first: cargo build --bins (looked in {})",
                directory.display()
            );
            Err(LabError::Missing {
                program: name.to_owned(),
                remedy,
            })
        };
        Ok(Self {
            vcm_lab: find("vcm-lab")?,
            nfast_sim: find("nfast-sim")?,
            vcm_exporter: find("vcm-exporter")?,
            vcm_remediator: find("vcm-remediator")?,
        })
    }
}

/// A program from Debian's packages.
///
/// # Errors
/// If it is on no usual path.
pub fn installed(name: &str, package: &str) -> Result<PathBuf, LabError> {
    ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/sbin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
        .ok_or_else(|| LabError::Missing {
            program: name.to_owned(),
            remedy: format!("apt-get install {package}"),
        })
}
