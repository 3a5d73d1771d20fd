//! An Alertmanager of Debian's, with the shipped routing.

use std::{ffi::OsString, time::Duration};

use super::{
    LabError, Speed, Wiring, binaries::installed, http::Client, process::Process, shipped,
    workspace::Workspace,
};
use crate::arguments;

/// How long it may take to start.
const START: Duration = Duration::from_secs(30);

/// A running Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    /// Where it listens.
    pub client: Client,
    /// Its process.
    pub process: Process,
}

impl Alertmanager {
    /// Starts it at the address of `wiring` and waits until it is ready.
    ///
    /// # Errors
    /// If it is not installed or does not become ready.
    pub async fn start(
        workspace: &mut Workspace,
        wiring: &Wiring,
        speed: Speed,
    ) -> Result<Self, LabError> {
        let program = installed("prometheus-alertmanager", "prometheus-alertmanager")?;
        let config = shipped::alertmanager(wiring, speed)?;
        let config = workspace.write("alertmanager/alertmanager.yml", &config)?;
        let flag = |name: &str, path: &std::path::Path| {
            let mut flag = OsString::from(name);
            flag.push(path);
            flag
        };
        let flags = arguments![
            flag("--config.file=", &config),
            flag("--storage.path=", &config.with_file_name("data")),
            format!("--web.listen-address={}", wiring.alertmanager),
            // One replica: no gossip.
            "--cluster.listen-address=",
            "--log.level=warn",
        ];
        let process = workspace.start("alertmanager", &program, &flags)?;
        let mut alertmanager = Self {
            client: Client::new(wiring.alertmanager),
            process,
        };
        alertmanager
            .client
            .ready("/-/ready", &mut alertmanager.process, START)
            .await?;
        Ok(alertmanager)
    }
}
