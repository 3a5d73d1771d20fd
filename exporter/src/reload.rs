//! Reading the configuration again while running: by SIGHUP and by `/-/reload`.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};
use vcm_web::{WebConfig, WebConfigStatus};
use vcm_yaml::YamlError;

use crate::clock::UnixTime;
use crate::collect::Shared;
use crate::config::Config;

/// Shown as metrics, so that a file that was refused is noticed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReloadRecord {
    /// Whether the newest reading was put in force.
    pub successful: bool,
    /// When a reading was last put in force.
    pub last_success: UnixTime,
}

impl ReloadRecord {
    /// The program has started, so that the configuration was read and put in force.
    #[must_use]
    pub fn started() -> Self {
        Self {
            successful: true,
            last_success: UnixTime::now(),
        }
    }

    /// Returns how both files stand: the web configuration file is also read without being asked.
    #[must_use]
    pub fn with(self, web: Option<WebConfigStatus>) -> Self {
        let Some(web) = web else { return self };
        let loaded = UnixTime(web.last_reload_success_timestamp.as_secs_f64());
        Self {
            successful: self.successful && web.last_reload_successful,
            last_success: if loaded > self.last_success {
                loaded
            } else {
                self.last_success
            },
        }
    }

    fn ended(&mut self, successful: bool) {
        self.successful = successful;
        if successful {
            self.last_success = UnixTime::now();
        }
    }
}

/// The configuration in force stays, because the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] YamlError),
    /// The web configuration file.
    #[error(transparent)]
    Web(#[from] vcm_web::ConfigError),
    /// The file could not be read for a defect of ours.
    #[error("reading the configuration ended unexpectedly")]
    Ended(#[from] JoinError),
}

impl ReloadError {
    /// Returns the problems, each a line with its file, line and key.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Config(error) => error.lines().collect(),
            Self::Web(error) => error.lines().collect(),
            Self::Ended(_) => vec![self.to_string()],
        }
    }
}

/// Reads both files again and puts them in force, one reading at a time.
#[derive(Debug)]
pub struct Reloader {
    shared: Arc<Shared>,
    file: Option<PathBuf>,
    web: WebConfig,
    reading: Mutex<()>,
}

impl Reloader {
    /// Creates what reads `file`, if there is one, and the file of `web`.
    #[must_use]
    pub fn new(shared: Arc<Shared>, file: Option<PathBuf>, web: WebConfig) -> Self {
        shared.state().web = Some(web.clone());
        Self {
            shared,
            file,
            web,
            reading: Mutex::new(()),
        }
    }

    /// Returns what the configuration is put in force for.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Reads both files. Each stands for itself: one that is valid is put in force whatever the
    /// other is like. The counters of targets that stay the same go on.
    ///
    /// # Errors
    ///
    /// If a file cannot be used. What was in force of it stays.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        let _alone = self.reading.lock().await;
        let config = self.read().await;
        self.shared.state().config_reload.ended(config.is_ok());
        let web = self.web.reload().await.map_err(ReloadError::from);
        for error in [&config, &web]
            .into_iter()
            .filter_map(|result| result.as_ref().err())
        {
            for problem in error.lines() {
                tracing::error!(problem, "the old configuration stays in force");
            }
        }
        config.and(web)?;
        tracing::info!("the configuration was read again");
        Ok(())
    }

    async fn read(&self) -> Result<(), ReloadError> {
        if let Some(file) = self.file.clone() {
            let config = spawn_blocking(move || Config::load(&file)).await??;
            self.shared.reconfigure(config);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nshield::tools::Installation;

    use super::*;
    use crate::collect::Schedule;

    #[tokio::test]
    async fn a_bad_file_keeps_the_old_configuration_and_shows() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("exporter.yml");
        let shared = Arc::new(Shared::new(
            Installation::default(),
            Config::default(),
            Schedule::OnScrape,
        ));
        let web = WebConfig::load(None).unwrap();
        let reloader = Reloader::new(Arc::clone(&shared), Some(file.clone()), web);
        let record = || shared.state().config_reload;

        fs::write(&file, "icmp: {discover: false}").unwrap();
        reloader.reload().await.unwrap();
        assert!(!shared.config().icmp.discover && record().successful);
        let read_at = record().last_success;

        for text in ["icmp: {discover: true, colour: red}", "icmp: ["] {
            fs::write(&file, text).unwrap();
            let lines = reloader.reload().await.unwrap_err().lines();
            assert!(lines[0].contains("exporter.yml:1"), "{lines:?}");
            assert!(!shared.config().icmp.discover && !record().successful);
            assert_eq!(record().last_success, read_at);
        }
        fs::remove_file(&file).unwrap();
        reloader.reload().await.unwrap_err();

        fs::write(&file, "").unwrap();
        reloader.reload().await.unwrap();
        assert!(shared.config().icmp.discover && record().successful);
    }

    #[tokio::test]
    async fn a_bad_web_configuration_file_shows_too() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("web.yml");
        fs::write(&file, "http_server_config: {http2: true}").unwrap();
        let shared = Arc::new(Shared::new(
            Installation::default(),
            Config::default(),
            Schedule::OnScrape,
        ));
        let web = WebConfig::load(Some(&file)).unwrap();
        let reloader = Reloader::new(Arc::clone(&shared), None, web.clone());
        let successful = || shared.state().configuration().successful;
        assert!(successful());
        fs::write(&file, "http_server_config: {http3: true}").unwrap();
        // Read without the exporter's own reload, as a request would have it read.
        web.reload().await.unwrap_err();
        assert!(!successful());
        let lines = reloader.reload().await.unwrap_err().lines();
        assert!(
            lines[0].contains("web.yml:1: http_server_config.http3"),
            "{lines:?}"
        );
        fs::write(&file, "http_server_config: {http2: false}").unwrap();
        reloader.reload().await.unwrap();
        assert!(successful());
    }
}
