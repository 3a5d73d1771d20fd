//! vcm-exporter under test.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use super::{LabError, estate::Estate, http::Client, process::Process, workspace::Workspace};
use crate::arguments;

/// How long it may take to start.
const START: Duration = Duration::from_secs(30);

/// A running exporter.
#[derive(Debug)]
pub struct Exporter {
    /// Where it listens.
    pub client: Client,
    /// Its process.
    pub process: Process,
}

impl Exporter {
    /// Starts it on the estate's host and waits until it is ready.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn start(
        workspace: &mut Workspace,
        estate: &Estate,
        address: SocketAddr,
    ) -> Result<Self, LabError> {
        let config = workspace.write("exporter.yaml", &config().to_string())?;
        let program = workspace.binaries().vcm_exporter.clone();
        let flags = arguments![
            "--config.file",
            &config,
            "--nfast.root",
            estate.root(),
            "--collector.interval",
            "1s",
            "--web.listen-address",
            address.to_string(),
        ];
        let process = workspace.start("vcm-exporter", &program, &flags)?;
        let mut exporter = Self {
            client: Client::new(address),
            process,
        };
        exporter
            .client
            .ready("/-/ready", &mut exporter.process, START)
            .await?;
        Ok(exporter)
    }
}

/// Enrolled modules are found by the exporter itself; only the echoes are quicker than shipped, to
/// suit a scrape a second.
fn config() -> Value {
    json!({"icmp": {"interval": "500ms", "timeout": "500ms"}})
}
