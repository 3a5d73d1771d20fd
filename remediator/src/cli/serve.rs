//! `vcm-remediator serve`: wires the parts together, runs them, and ends when one of them does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use clap::Args;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use vcm_recovery::event::Event;
use vcm_recovery::fleet::Ownership;
use vcm_recovery::ids::HostName;
use vcm_recovery::state::HostState;
use vcm_telemetry::logging::LogFlags;

use super::config_file::ConfigFile;

use super::{EXIT_CONFIG, EXIT_FAILURE, no_runtime};
use crate::alertmanager::{Poller, PollerError, pulled};
use crate::board::Board;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Runner};
use crate::engine::{Engine, EngineParts, Surroundings};
use crate::host_client::{CommandRunner, HostRunner};
use crate::load::{self, LoadHook};
use crate::metrics::{CountedHook, Metrics};
use crate::outward::TrustError;
use crate::store::counted::Counted;
use crate::store::head_log;
use crate::store::open::{self, OpenError};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::web::{self, App, Part, Readiness, Recent, server};
use crate::webhook::Receiver;

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Where to listen; overrides `web.listen_address` of the configuration.
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    listen_address: Option<SocketAddr>,
    #[command(flatten)]
    log: LogFlags,
}

/// Why the program could not start, or ended.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("the store cannot be used")]
    Open(#[from] OpenError),
    #[error("the stored state cannot be read")]
    Load(#[from] StoreError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("Alertmanager cannot be asked")]
    Alertmanager(#[from] PollerError),
    #[error("the load hook cannot be used")]
    LoadHook(#[from] TrustError),
    #[error("cannot find this program's own file")]
    Program(#[source] io::Error),
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    #[error("the {0} has ended unexpectedly")]
    Ended(&'static str),
}

impl ServeArgs {
    /// Serves until a signal asks for the end, or a part of the program has ended.
    pub(super) fn run(self) -> ExitCode {
        // Until the runtime has ended: its tasks may log.
        let _log = self.log.start();
        match Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.run_until_asked()),
            Err(error) => no_runtime(&error),
        }
    }

    async fn run_until_asked(self) -> ExitCode {
        let Some(mut config) = self.config.load() else {
            return ExitCode::from(EXIT_CONFIG);
        };
        if let Some(address) = self.listen_address {
            config.web.listen_address = address;
        }
        match serve(config).await {
            Ok(()) => {
                tracing::info!("ended");
                ExitCode::SUCCESS
            }
            Err(error) => {
                let detail: &dyn Error = &error;
                tracing::error!(error = detail, "ended");
                ExitCode::from(EXIT_FAILURE)
            }
        }
    }
}

async fn serve(config: Config) -> Result<(), ServeError> {
    let signals = Signals::catch()?;
    for line in config.loosened() {
        tracing::warn!(setting = line, "this permits more than the default");
    }
    let opened = open::open(&config.store)?;
    if opened.created {
        tracing::warn!(
            path = %config.store.display(),
            store = %opened.identity.store_id,
            "there was no store: a new one was made; hosts that know another one will refuse it"
        );
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::resume(
        opened.last_time,
        opened.last_boot.as_ref(),
    ));
    let last_seq = opened.last_seq;
    let mut store = SqliteStore::start(opened, Arc::clone(&clock))?;
    let store_ended = store.ended();
    let parts = Parts::new(config, store, clock)?;
    parts.load_recent(last_seq).await?;
    parts.run(signals, store_ended).await
}

/// Everything that the program consists of, beside the engine.
struct Parts {
    app: Arc<App>,
    runners: BTreeMap<HostName, Runner>,
    load_hook: Option<Arc<dyn LoadHook>>,
    poller: Option<Poller>,
    address: SocketAddr,
}

impl Parts {
    fn new(config: Config, store: SqliteStore, clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let hook = config.load.as_ref().and_then(|load| load.hook.as_ref());
        let load_hook = hook.map(load::hook).transpose()?;
        let asking = config
            .alertmanager
            .as_ref()
            .map(|config| Poller::new(config, Arc::clone(&clock)))
            .transpose()?;
        let (inventory, policy) = (Arc::new(config.inventory), Arc::new(config.policy));
        let board = Arc::new(Board::default());
        let metrics = Arc::new(Metrics::new(&inventory, &policy, &board, &clock));
        metrics.configuration_loaded(clock.now());
        let counted = |hook| Arc::new(CountedHook::new(hook, Arc::clone(&metrics)));
        let load_hook = load_hook.map(|hook| counted(hook) as Arc<dyn LoadHook>);
        let store: Arc<dyn Store> = Arc::new(Counted::new(store, Arc::clone(&metrics)));
        let receiver = Receiver {
            inventory: Arc::clone(&inventory),
            policy: Arc::clone(&policy),
            clock: Arc::clone(&clock),
            store: Arc::clone(&store),
            deliver: OnceLock::new(),
            metrics: Arc::clone(&metrics),
            watchdog: Arc::default(),
            alertmanagers: asking
                .as_ref()
                .map(|(_, alertmanagers)| alertmanagers.clone()),
            body_max: config.web.body_max,
            token: config.web.token,
        };
        let readiness = Arc::new(Readiness::starting());
        readiness.ready(Part::Store);
        let app = App {
            receiver: Arc::new(receiver),
            board,
            recent: Arc::new(Recent::default()),
            metrics,
            store,
            readiness,
            inventory,
            policy,
            clock,
            operators: config.web.operators,
            orders: OnceLock::new(),
            address: config.web.listen_address,
        };
        Ok(Self {
            app: Arc::new(app),
            runners: config.runners,
            load_hook,
            poller: asking.map(|(poller, _)| poller),
            address: config.web.listen_address,
        })
    }

    async fn load_recent(&self, last_seq: u64) -> Result<(), StoreError> {
        let limit = web::RECENT_MAX;
        let after = last_seq.saturating_sub(limit.into());
        for event in self.app.store.events_after(after, limit).await? {
            self.app.recent.push(&event);
        }
        Ok(())
    }

    /// Listens at once, so that readiness can be asked for; accepts alerts when the engine runs.
    async fn run(
        mut self,
        mut signals: Signals,
        store_ended: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let listener = self.listen().await?;
        // Port 0 has become one that the system has chosen.
        self.address = listener.local_addr().unwrap_or(self.address);
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        let stopped = async move { drop(stopped.await) };
        tasks.spawn(server::run(
            listener,
            web::router(Arc::clone(&self.app)),
            stopped,
        ));
        let mut engine = Engine::start(self.engine_parts()?).await?;
        // Set once: nothing else fills it.
        let _empty_before = self.app.receiver.deliver.set(engine.door());
        let _empty_before = self.app.orders.set(engine.door());
        let mut asking = self.ask_alertmanager(&engine);
        self.app.readiness.ready(Part::Engine);
        self.log_start();
        let end = tokio::select! {
            () = signals.arrived() => Ok(()),
            () = engine.failed() => Err(self.failed(Part::Engine, "engine")),
            _ = tasks.join_next() => Err(self.failed(Part::Running, "listener")),
            () = store_ended => Err(self.failed(Part::Store, "store's writer")),
            Some(_) = asking.join_next() => Err(self.failed(Part::Running, "Alertmanager's poller")),
            never = head_log::log_hourly(&*self.app.store) => match never {},
        };
        self.app
            .readiness
            .unready(Part::Running, "is on its way down");
        drop(stop);
        while tasks.join_next().await.is_some() {}
        head_log::log_head(&*self.app.store, "stop").await;
        end
    }

    /// Asks Alertmanager from now on, where one is configured.
    fn ask_alertmanager(&mut self, engine: &Engine) -> JoinSet<Infallible> {
        let mut tasks = JoinSet::new();
        let alertmanagers = self.app.receiver.alertmanagers.clone();
        if let (Some(poller), Some(alertmanagers)) = (self.poller.take(), alertmanagers) {
            tasks.spawn(poller.run());
            tasks.spawn(pulled::hand_on(
                alertmanagers,
                Arc::clone(&self.app.store),
                engine.door(),
                Arc::clone(&self.app.inventory),
                Arc::clone(&self.app.policy),
            ));
        }
        tasks
    }

    fn surroundings(&self) -> Surroundings {
        let store = Arc::clone(&self.app.store);
        let mut around = Surroundings::new(Arc::clone(&self.app.receiver.watchdog));
        around.ownership = Arc::new(move || match store.ownership() {
            Ok(()) => Ownership::Ours,
            Err(lost) => Ownership::Lost(lost.to_string()),
        });
        if let Some(alertmanagers) = self.app.receiver.alertmanagers.clone() {
            around.silences = Arc::new(move |now| pulled::silences(&alertmanagers, now));
        }
        around
    }

    async fn listen(&self) -> Result<TcpListener, ServeError> {
        let address = self.address;
        TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Listen { address, source })
    }

    fn engine_parts(&self) -> Result<EngineParts, ServeError> {
        let program = std::env::current_exe().map_err(ServeError::Program)?;
        let app = &self.app;
        let (metrics, recent) = (Arc::clone(&app.metrics), Arc::clone(&app.recent));
        Ok(EngineParts {
            store: Arc::clone(&app.store),
            board: Arc::clone(&app.board),
            clock: Arc::clone(&app.clock),
            inventory: Arc::clone(&app.inventory),
            policy: Arc::clone(&app.policy),
            runners: self
                .runners
                .iter()
                .map(|(host, runner)| (host.clone(), connect(runner, &program)))
                .collect(),
            load_hook: self.load_hook.clone(),
            surroundings: self.surroundings(),
            on_event: Arc::new(move |event: &Event, before: Option<&HostState>| {
                if let Some(before) = before {
                    metrics.observe_event(event, before);
                }
                recent.push(event);
            }),
        })
    }

    fn failed(&self, part: Part, name: &'static str) -> ServeError {
        self.app.readiness.unready(part, "has ended unexpectedly");
        ServeError::Ended(name)
    }

    fn log_start(&self) {
        let identity = self.app.store.identity();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %self.address,
            store = %identity.store_id,
            epoch = %identity.epoch,
            hosts = self.app.inventory.hosts.len(),
            mode = self.app.policy.mode.as_str(),
            "ready"
        );
    }
}

fn connect(runner: &Runner, program: &std::path::Path) -> Arc<dyn HostRunner> {
    Arc::new(match runner {
        Runner::Local { config_file } => CommandRunner::Local {
            program: program.to_owned(),
            config_file: config_file.clone(),
        },
        Runner::Ssh(ssh) => CommandRunner::Ssh(ssh.clone()),
    })
}

/// The signals that ask for the end. Caught from the first moment on, so that the end is an
/// orderly one whenever it is asked for.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> Result<Self, ServeError> {
        let catch = |kind| signal(kind).map_err(ServeError::Signals);
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    /// Comes back when one of them has arrived.
    async fn arrived(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: ending"),
            _ = self.interrupt.recv() => tracing::info!("SIGINT: ending"),
        }
    }
}
