//! A running prober and how to wait for what it counts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use nshield::ModuleNumber;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};
use vcm_exporter::config::{Config, IcmpConfig};
use vcm_exporter::icmp::{Board, ErrorReason, Lookup, Prober, Sample, Start};

/// Guards against a hang; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// A prober with what a test needs to see of it.
pub(crate) struct Running {
    pub(crate) board: Board,
    pub(crate) prober: Prober,
    runtime: Runtime,
}

impl Running {
    pub(crate) fn start(config: IcmpConfig) -> Self {
        Self::with(config, Lookup::default(), BTreeMap::new())
    }

    pub(crate) fn with(
        config: IcmpConfig,
        lookup: Lookup,
        modules: BTreeMap<ModuleNumber, IpAddr>,
    ) -> Self {
        let board = Board::new(&config);
        let start = Start {
            board: board.clone(),
            config,
            modules,
            lookup,
        };
        let prober = Prober::start(start).unwrap();
        let runtime = runtime();
        Self {
            board,
            prober,
            runtime,
        }
    }

    /// Waits until something is so of the counters of all targets.
    pub(crate) fn until(&self, what: &str, so: impl Fn(&[Sample]) -> bool) -> Vec<Sample> {
        let wait = async {
            loop {
                let samples = self.board.samples();
                if so(&samples) {
                    return samples;
                }
                sleep(LOOK).await;
            }
        };
        let waited = self
            .runtime
            .block_on(async { timeout(PATIENCE, wait).await });
        waited.unwrap_or_else(|_| panic!("never so: {what}; {:?}", self.board.samples()))
    }

    /// Waits until something is so of the counters of one target.
    pub(crate) fn until_of(&self, name: &str, what: &str, so: impl Fn(&Sample) -> bool) -> Sample {
        let of = |samples: &[Sample]| {
            samples
                .iter()
                .find(|sample| sample.key().0 == name)
                .cloned()
        };
        let samples = self.until(what, |samples| {
            of(samples).is_some_and(|sample| so(&sample))
        });
        of(&samples).unwrap()
    }
}

/// Sends one echo to each target and returns the counters once all have ended.
pub(crate) fn once(config: IcmpConfig, lookup: Lookup) -> (Vec<Sample>, Option<String>) {
    let board = Board::new(&config);
    let mut prober = Prober::once(Start {
        board: board.clone(),
        config,
        modules: BTreeMap::new(),
        lookup,
    })
    .unwrap();
    let ended = runtime().block_on(async { timeout(PATIENCE, prober.ended()).await });
    ended.unwrap();
    (board.samples(), board.trouble())
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The configuration that a file with this section has.
pub(crate) fn config(icmp: &str) -> IcmpConfig {
    Config::parse(&format!("icmp: {icmp}")).unwrap().icmp
}

pub(crate) fn errors(sample: &Sample, reason: ErrorReason) -> u64 {
    let mut errors = sample.errors();
    errors
        .find(|(found, _)| *found == reason)
        .map_or(0, |(_, count)| count)
}

pub(crate) fn replies(sample: &Sample) -> u64 {
    sample.rtt.count()
}
