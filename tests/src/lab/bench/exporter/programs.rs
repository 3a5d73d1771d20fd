//! The programs that are compared: vcm-exporter on a simulated host, and Debian's exporters.

use std::{ffi::OsString, time::Duration};

use serde_json::Value;
use tokio::net::TcpStream;

use super::{exposition::Exposition, usage::Usage};
use crate::{
    arguments,
    lab::{
        LabError,
        binaries::installed,
        estate::{Estate, Vcm},
        http::Client,
        process::Process,
        wait,
        workspace::{Workspace, free_address},
    },
};

/// How long a program may take until it answers.
const START: Duration = Duration::from_secs(60);

/// A running program that serves `/metrics`.
#[derive(Debug)]
pub(super) struct Program {
    /// Asks it.
    pub(super) client: Client,
    process: Process,
}

/// vcm-exporter, its simulated host and the directory of both; everything ends with it.
#[derive(Debug)]
pub(super) struct Host {
    /// The exporter. Dropped before the workspace, so that it ends in peace.
    pub(super) exporter: Program,
    /// The simulated host.
    pub(super) estate: Estate,
    _workspace: Workspace,
}

/// How a [`Host`] is set up.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// How many modules it has.
    pub(super) modules: u32,
    /// Knobs of the simulator, turned before the exporter starts.
    pub(super) knobs: Vec<&'static str>,
    /// The exporter's configuration.
    pub(super) config: Value,
    /// Its `--collector.interval`.
    pub(super) interval: &'static str,
    /// The path that answers 200 once there is something to measure.
    pub(super) ready: &'static str,
}

impl Host {
    /// Installs the host and starts the exporter on it.
    ///
    /// # Errors
    /// If a program does not start.
    pub(super) async fn start(setup: &Setup) -> Result<Self, LabError> {
        let mut workspace = Workspace::create("bench-exporter")?;
        let vcms = (1..=setup.modules).map(Vcm::numbered).collect();
        let estate = Estate::install(&workspace, vcms, &setup.knobs).await?;
        let config = workspace.write("exporter.yaml", &setup.config.to_string())?;
        let program = workspace.binaries().vcm_exporter.clone();
        let address = free_address()?;
        let flags = arguments![
            "--config.file",
            &config,
            "--nfast.root",
            estate.root(),
            "--collector.interval",
            setup.interval,
            "--web.listen-address",
            address.to_string(),
        ];
        let process = workspace.start("vcm-exporter", &program, &flags)?;
        let mut exporter = Program {
            client: Client::new(address),
            process,
        };
        exporter.ready(setup.ready).await?;
        Ok(Self {
            exporter,
            estate,
            _workspace: workspace,
        })
    }
}

/// One of Debian's exporters and its directory.
#[derive(Debug)]
pub(super) struct Peer {
    /// The program. Dropped before the workspace.
    pub(super) program: Program,
    _workspace: Workspace,
}

impl Peer {
    /// Starts `prometheus-<name>`, with a configuration file if it takes one.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub(super) async fn start(name: &str, config: Option<&Value>) -> Result<Self, LabError> {
        let mut workspace = Workspace::create("bench-peer")?;
        let package = format!("prometheus-{name}");
        let program = installed(&package, &package)?;
        let address = free_address()?;
        let mut flags = vec![OsString::from(format!("--web.listen-address={address}"))];
        if let Some(config) = config {
            // JSON is YAML.
            let file = workspace.write("peer.yml", &config.to_string())?;
            let mut flag = OsString::from("--config.file=");
            flag.push(file);
            flags.push(flag);
        }
        let process = workspace.start(&package, &program, &flags)?;
        let mut program = Program {
            client: Client::new(address),
            process,
        };
        program.listens().await?;
        Ok(Self {
            program,
            _workspace: workspace,
        })
    }
}

impl Program {
    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// If it has ended.
    pub(super) fn usage(&mut self) -> Result<Usage, LabError> {
        self.process.must_run()?;
        Usage::of(self.process.id())
    }

    /// Its metrics.
    ///
    /// # Errors
    /// If it does not answer 200.
    pub(super) async fn metrics(&self) -> Result<String, LabError> {
        let answer = self.client.get("/metrics", &[]).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        Err(LabError::Answer {
            asked: format!("GET http://{}/metrics", self.client.address),
            answer: answer.status.to_string(),
        })
    }

    /// How many series it shows.
    ///
    /// # Errors
    /// If it does not answer 200.
    pub(super) async fn series(&self) -> Result<usize, LabError> {
        Ok(Exposition(&self.metrics().await?).series())
    }

    /// Waits until it listens. What it answers is another matter: smokeping_prober with many raw
    /// sockets is too busy to answer at all.
    async fn listens(&mut self) -> Result<(), LabError> {
        let address = self.client.address;
        let what = format!("a listener on {address}");
        wait::until(&what, START, async || {
            self.process.must_run()?;
            Ok(TcpStream::connect(address).await.ok().map(drop))
        })
        .await
    }

    async fn ready(&mut self, path: &str) -> Result<(), LabError> {
        self.client.ready(path, &mut self.process, START).await
    }
}
