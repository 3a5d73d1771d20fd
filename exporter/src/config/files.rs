//! Both configuration files together, at the start and for `--config.check`.

use std::path::Path;

use vcm_web::{ConfigError, WebConfig};
use vcm_yaml::YamlError;

use super::Config;

/// What is wrong with either file, or with both.
#[derive(Debug, thiserror::Error)]
#[error("unusable configuration")]
pub struct FilesError {
    config: Option<YamlError>,
    web: Option<ConfigError>,
}

impl FilesError {
    /// Returns one line for each problem of either file, for people.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let config = self.config.iter().flat_map(YamlError::lines);
        config.chain(self.web.iter().flat_map(ConfigError::lines))
    }
}

/// Loads the configuration file and the web configuration file; each may be absent.
///
/// # Errors
///
/// With every problem of both files.
pub fn load(config: Option<&Path>, web: Option<&Path>) -> Result<(Config, WebConfig), FilesError> {
    let config = config.map_or(Ok(Config::default()), Config::load);
    match (config, WebConfig::load(web)) {
        (Ok(config), Ok(web)) => Ok((config, web)),
        (config, web) => Err(FilesError {
            config: config.err(),
            web: web.err(),
        }),
    }
}
