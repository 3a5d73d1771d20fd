//! Both configuration files together, at the start and for `--config.check`.

use std::path::Path;

use vcm_web::WebConfig;

use super::Config;

/// Loads the configuration file and the web configuration file; each may be absent.
///
/// # Errors
///
/// One line for each problem of either file.
pub fn load(config: Option<&Path>, web: Option<&Path>) -> Result<(Config, WebConfig), Vec<String>> {
    let config = config.map_or(Ok(Config::default()), Config::load);
    match (config, WebConfig::load(web)) {
        (Ok(config), Ok(web)) => Ok((config, web)),
        (config, web) => {
            let ours = config
                .err()
                .into_iter()
                .flat_map(|error| error.lines().collect::<Vec<_>>());
            let webs = web
                .err()
                .into_iter()
                .flat_map(|error| error.lines().collect::<Vec<_>>());
            Err(ours.chain(webs).collect())
        }
    }
}
