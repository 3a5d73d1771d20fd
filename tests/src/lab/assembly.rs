//! The whole loop in one piece: what a scenario or a test starts with.

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use super::{
    LabError, Speed, Wiring,
    alertmanager::Alertmanager,
    estate::{Call, Estate, Vcm},
    exporter::Exporter,
    guard,
    network::{Network, Shape},
    people::People,
    prometheus::Prometheus,
    remediator::{Event, HOST, Permissions, Remediator},
    wait,
    workspace::{Workspace, free_address},
};

/// How long it may take until Prometheus has seen every module healthy.
const FIRST_SCRAPES: Duration = Duration::from_secs(30);

/// What to start.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its name, for the directory.
    pub name: &'static str,
    /// How many modules the host has, from number 1.
    pub modules: u32,
    /// How module 1 is connected; `None`: by the loopback, as all others.
    pub network: Option<Shape>,
    /// Knobs of the simulator (`timing.retry=1s`).
    pub knobs: &'static [&'static str],
    /// What the remediator may do.
    pub permissions: Permissions,
    /// Whether Prometheus and Alertmanager are started, and how fast they run. Without them a test
    /// posts its own alerts.
    pub alerting: Option<Speed>,
}

/// Alerting runs 15 times faster than shipped: a scrape a second, and `for: 2m` in 8 s.
pub const FAST: Speed = Speed::times(15);

impl Setup {
    /// One healthy module, everything permitted, alerting [`FAST`].
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        Self {
            name,
            modules: 1,
            network: None,
            knobs: &[],
            permissions: Permissions::default(),
            alerting: Some(FAST),
        }
    }
}

/// Prometheus and Alertmanager.
#[derive(Debug)]
pub struct Alerting {
    /// Prometheus.
    pub prometheus: Prometheus,
    /// Alertmanager.
    pub alertmanager: Alertmanager,
    /// Scrape, rule and delivery times.
    pub speed: Speed,
}

/// A running loop. Everything in it ends when it is dropped.
#[derive(Debug)]
pub struct Lab {
    /// The remediator.
    pub remediator: Remediator,
    /// The exporter.
    pub exporter: Exporter,
    /// Prometheus and Alertmanager, where the setup asks for them.
    pub alerting: Option<Alerting>,
    /// Who is paged.
    pub people: People,
    /// The simulated host.
    pub estate: Estate,
    /// The network of module 1, where the setup asks for one.
    pub network: Option<Network>,
    // Last, so that it is dropped last.
    /// Where it all lives.
    pub workspace: Workspace,
}

impl Lab {
    /// Starts everything and waits until it is healthy.
    ///
    /// # Errors
    /// If a part is missing or does not become ready.
    pub async fn start(setup: &Setup) -> Result<Self, LabError> {
        let mut workspace = Workspace::create(setup.name)?;
        let network = match setup.network {
            Some(shape) => Some(Network::create(&mut workspace, shape).await?),
            None => None,
        };
        let mut vcms: Vec<Vcm> = (1..=setup.modules).map(Vcm::numbered).collect();
        if let (Some(network), Some(first)) = (&network, vcms.first_mut()) {
            first.address = network.vcm();
        }
        let estate = Estate::install(&workspace, vcms, setup.knobs).await?;
        let people = People::start().await?;
        let wiring = Wiring {
            exporters: vec![(HOST.to_owned(), free_address()?)],
            remediator: free_address()?,
            alertmanager: free_address()?,
            people: people.address,
        };
        let exporter_address = wiring.exporters[0].1;
        let exporter = Exporter::start(&mut workspace, &estate, exporter_address).await?;
        let config = Remediator::configure(&workspace, &estate, &setup.permissions)?;
        let remediator = Remediator::start(&mut workspace, config, wiring.remediator).await?;
        let alerting = match setup.alerting {
            Some(speed) => Some(Alerting::start(&mut workspace, &wiring, speed).await?),
            None => None,
        };
        let lab = Self {
            remediator,
            exporter,
            alerting,
            people,
            estate,
            network,
            workspace,
        };
        lab.wait_until_seen_healthy(setup.modules).await?;
        Ok(lab)
    }

    /// Every call so far that may have changed something.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn changes(&self) -> Result<Vec<String>, LabError> {
        Ok(self.estate.changes()?.iter().map(Call::line).collect())
    }

    /// The network of module 1.
    ///
    /// # Errors
    /// If the setup asked for none.
    pub fn network(&self) -> Result<&Network, LabError> {
        let none = || LabError::NotPermitted("this lab has no network of its own".to_owned());
        self.network.as_ref().ok_or_else(none)
    }

    /// Kills, as `kill -9` does, every host runner that goes on alone, and returns how many there
    /// were. The vendor's tools that they started live on.
    #[must_use]
    pub fn kill_host_runners(&self) -> usize {
        let program = &self.workspace.binaries().vcm_remediator;
        let serving = self.remediator.process.id();
        let runners: Vec<_> = guard::processes_of(self.workspace.path())
            .filter(|process| guard::runs(process, program))
            .filter_map(|process| guard::pid_of(&process))
            .filter(|pid| u32::try_from(pid.as_raw_nonzero().get()) != Ok(serving))
            .collect();
        for runner in &runners {
            kill_process(*runner, Signal::KILL).ok();
        }
        runners.len()
    }

    /// Waits for an event of the remediator.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn event(
        &self,
        what: &str,
        patience: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event, LabError> {
        wait::until(what, patience, async || {
            Ok(self
                .remediator
                .events(0)
                .await?
                .into_iter()
                .find(|event| wanted(event)))
        })
        .await
    }

    async fn wait_until_seen_healthy(&self, modules: u32) -> Result<(), LabError> {
        let Some(alerting) = &self.alerting else {
            return Ok(());
        };
        let healthy = format!(
            r#"count(nshield:module_state:code{{host="{HOST}"}} == 1) == {modules} and count(nshield:ping_ok{{host="{HOST}"}} == 1) == {modules}"#
        );
        alerting
            .prometheus
            .wait(&healthy, FIRST_SCRAPES)
            .await
            .map(drop)
    }
}

impl Alerting {
    /// Starts both.
    ///
    /// # Errors
    /// If one of them is not installed or does not become ready.
    pub async fn start(
        workspace: &mut Workspace,
        wiring: &Wiring,
        speed: Speed,
    ) -> Result<Self, LabError> {
        let alertmanager = Alertmanager::start(workspace, wiring, speed).await?;
        let prometheus = Prometheus::start(workspace, wiring, speed).await?;
        Ok(Self {
            prometheus,
            alertmanager,
            speed,
        })
    }
}
