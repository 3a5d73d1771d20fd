//! The web configuration file of Prometheus' exporter-toolkit.
//!
//! [`WebConfig`] is what the rest asks for the protection in force. The files are looked at again
//! when there is something to protect, that is for a new connection or request, and at most once in
//! [`LOOK_INTERVAL`].

mod file;
mod files;
mod headers;
mod protection;
mod rate_limit;
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

pub(crate) use self::protection::Protection;

use self::file::{Loaded, load};
use self::files::Files;
use crate::clock;

/// Time that a connection or request waits for a look at the files: a file system that hangs must
/// not hold up what the configuration in force can protect.
const LOOK_WAIT: Duration = Duration::from_secs(2);

/// Time between two looks at the files. Prometheus' toolkit reads them for every request; nobody
/// rotates a certificate faster than this.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Why a web configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read, is not YAML, or its values are not usable.
    #[error(transparent)]
    File(#[from] vcm_yaml::YamlError),
    /// It is usable, and without a protection that is in force. A file that is empty for a moment
    /// while it is written looks the same, so this takes a restart.
    #[error("{}: {lost} is no longer configured; taking that protection away needs a restart", path.display())]
    Unprotected {
        /// The file.
        path: PathBuf,
        /// The section or key that is gone.
        lost: &'static str,
    },
    /// Reading it panicked.
    #[error("reading the web configuration failed unexpectedly")]
    Task(#[source] tokio::task::JoinError),
}

impl ConfigError {
    /// Returns one line for each problem, causes included, for people.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        match self {
            Self::File(error) => error.lines().collect(),
            Self::Unprotected { .. } => vec![self.to_string()],
            Self::Task(source) => vec![format!("{self}: {source}")],
        }
        .into_iter()
    }
}

/// How the newest attempt to load the file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebConfigStatus {
    /// Whether the file, as it was when last looked at, is the configuration in force.
    pub last_reload_successful: bool,
    /// When the configuration in force was loaded, since 1970 (UTC).
    pub last_reload_success_timestamp: Duration,
}

/// The web configuration in force. Copies share it.
#[derive(Clone)]
pub struct WebConfig(Arc<Shared>);

struct Shared {
    /// Absent where nothing is configured.
    path: Option<PathBuf>,
    protection: RwLock<Arc<Protection>>,
    status: Mutex<WebConfigStatus>,
    next_look: Mutex<Instant>,
    /// Held while the files are looked at, by whoever does it, so that no more than one thread ever
    /// waits for a file system that hangs.
    watch: Arc<tokio::sync::Mutex<Watch>>,
}

/// What the newest look at the files found.
struct Watch {
    files: Files,
    /// Its problems, as logged.
    problems: Option<String>,
}

impl WebConfig {
    /// Loads the file; nothing is protected without one, or when it is empty.
    ///
    /// # Errors
    ///
    /// With everything that is wrong with the file, and with the certificates that it names.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (protection, files) = match path {
            Some(path) => {
                let Loaded { protection, files } = load(path);
                (protection?, files)
            }
            None => (Protection::default(), Files::default()),
        };
        protection.log_remarks();
        Ok(Self(Arc::new(Shared {
            path: path.map(Path::to_owned),
            protection: RwLock::new(Arc::new(protection)),
            status: Mutex::new(WebConfigStatus {
                last_reload_successful: true,
                last_reload_success_timestamp: clock::since_1970(),
            }),
            next_look: Mutex::new(Instant::now() + LOOK_INTERVAL),
            watch: Arc::new(tokio::sync::Mutex::new(Watch {
                files,
                problems: None,
            })),
        })))
    }

    /// Loads the file again now.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); and if the file takes a protection away. The configuration in force
    /// stays then.
    pub async fn reload(&self) -> Result<(), ConfigError> {
        let Some(path) = self.0.path.clone() else {
            return Ok(());
        };
        let mut watch = Arc::clone(&self.0.watch).lock_owned().await;
        let config = self.clone();
        let reloaded = spawn_blocking(move || {
            let ended = config.take(&mut watch, load(&path));
            watch.problems = ended.as_ref().err().map(text);
            ended
        });
        reloaded.await.map_err(ConfigError::Task)?
    }

    /// Returns how the newest attempt to load the file ended; nothing where there is no file.
    #[must_use]
    pub fn status(&self) -> Option<WebConfigStatus> {
        let status = *self.0.status.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.path.is_some().then_some(status)
    }

    /// Returns the protection in force, after a look at the files when one is due.
    pub(crate) async fn current(&self) -> Arc<Protection> {
        // Whoever finds somebody else looking takes what there is.
        if self.look_is_due()
            && let Some(path) = self.0.path.clone()
            && let Ok(watch) = Arc::clone(&self.0.watch).try_lock_owned()
        {
            let config = self.clone();
            // Goes on without whoever asked, who may be a client that leaves.
            let looked = spawn_blocking(move || config.look(&path, watch));
            let _ = timeout(LOOK_WAIT, looked).await;
        }
        self.in_force()
    }

    fn look_is_due(&self) -> bool {
        let now = Instant::now();
        let next = self.0.next_look.lock();
        let mut next = next.unwrap_or_else(PoisonError::into_inner);
        let due = now >= *next;
        if due {
            *next = now + LOOK_INTERVAL;
        }
        due
    }

    /// Loads the file again if it, or one that it names, changed. Blocks.
    fn look(&self, path: &Path, mut watch: OwnedMutexGuard<Watch>) {
        if !watch.files.changed() {
            return;
        }
        let loaded = load(path);
        if watch.problems.is_none() && loaded.is_usable_as(&watch.files) {
            // Looked at again only because its time stamp was too young to be trusted.
            watch.files = loaded.files;
            return;
        }
        let ended = self.take(&mut watch, loaded);
        let problems = ended.as_ref().err().map(text);
        let path = path.display();
        match &problems {
            None => tracing::info!(%path, "web configuration reloaded"),
            Some(error) if watch.problems.as_ref() != Some(error) => {
                tracing::error!(%path, error, "cannot reload the web configuration; the old one stays");
            }
            Some(_) => {}
        }
        watch.problems = problems;
    }

    /// Puts a newly loaded file into force, if it is usable.
    fn take(&self, watch: &mut Watch, loaded: Loaded) -> Result<(), ConfigError> {
        let Loaded { protection, files } = loaded;
        watch.files = files;
        let usable = protection.and_then(|new| self.no_weaker(new));
        let mut status = self.0.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.last_reload_successful = usable.is_ok();
        let protection = usable?;
        status.last_reload_success_timestamp = clock::since_1970();
        protection.log_remarks();
        let current = self.0.protection.write();
        *current.unwrap_or_else(PoisonError::into_inner) = Arc::new(protection);
        Ok(())
    }

    fn no_weaker(&self, new: Protection) -> Result<Protection, ConfigError> {
        match (self.in_force().lost_in(&new), &self.0.path) {
            (Some(lost), Some(path)) => Err(ConfigError::Unprotected {
                path: path.clone(),
                lost,
            }),
            _ => Ok(new),
        }
    }

    fn in_force(&self) -> Arc<Protection> {
        let protection = self.0.protection.read();
        Arc::clone(&protection.unwrap_or_else(PoisonError::into_inner))
    }
}

fn text(error: &ConfigError) -> String {
    let lines: Vec<String> = error.lines().collect();
    lines.join("; ")
}

impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig")
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}
