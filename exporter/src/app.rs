//! Puts the parts together and keeps them running until the end is asked for.

use std::convert::Infallible;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use vcm_telemetry::exposition::Format;
use vcm_web::{Listeners, WebConfig};

use crate::args::Args;
use crate::collect::{Shared, enquiry, icmp, stattree};
use crate::config::Config;
use crate::families::Exposition;
use crate::http::{HttpState, router};
use crate::reload::Reloader;
use crate::service;
use crate::state::CollectorName;

/// Exit status for bad configuration (EX_CONFIG of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// Runs what the command line asks for.
///
/// # Errors
///
/// If it cannot be done, or a part of the program ended unexpectedly.
pub async fn run(args: Args, config: Config, web: WebConfig) -> anyhow::Result<ExitCode> {
    let mut shared = Shared::new(args.installation(), config, args.schedule());
    if let Some(file) = &args.state_file {
        shared = shared.remembering(file.clone());
    }
    for name in args.switched_off() {
        shared = shared.without(name);
    }
    let shared = Arc::new(shared);
    if args.once {
        once(shared).await
    } else {
        serve(&args, shared, web).await
    }
}

async fn once(shared: Arc<Shared>) -> anyhow::Result<ExitCode> {
    let enquiry = async {
        if shared.runs(CollectorName::Enquiry) {
            enquiry::once(&shared).await;
        }
    };
    let stattree = async {
        if shared.runs(CollectorName::Stattree) {
            stattree::once(&shared).await;
        }
    };
    tokio::join!(enquiry, stattree);
    if shared.runs(CollectorName::Icmp) {
        icmp::once(&shared).await;
    }
    let text = Exposition::new(shared).encode(Format::Text)?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &Args, shared: Arc<Shared>, web: WebConfig) -> anyhow::Result<ExitCode> {
    let listeners = Listeners::bind(&args.web).await?;
    for address in listeners.addresses() {
        let (version, root) = (env!("CARGO_PKG_VERSION"), args.nfast_root.display());
        tracing::info!(version, %address, %root, "listening");
    }
    let reloader = Reloader::new(Arc::clone(&shared), args.config_file.clone(), web.clone());
    let http = Arc::new(HttpState::new(reloader, args.telemetry_path.clone()));
    let mut tasks = JoinSet::new();
    spawn_collectors(&mut tasks, &shared);
    let (stop, stopped) = watch::channel(false);
    let limits = args.web.limits();
    let mut server = std::pin::pin!(vcm_web::serve(
        listeners,
        web,
        limits,
        router(Arc::clone(&http)),
        stopped
    ));
    let mut signals = Signals::new()?;
    service::ready();
    tokio::select! {
        ended = &mut server => ended?,
        signal = signals.end(&http.reloader) => {
            tracing::info!(signal, "stopping");
            service::stopping();
            tasks.shutdown().await;
            let _ = stop.send(true);
            server.await?;
            return Ok(ExitCode::SUCCESS);
        }
        // None ends where every collector is switched off.
        Some(ended) = tasks.join_next() => bail!("collector {} ended unexpectedly", ended?),
        never = watchdog(&shared) => match never {},
    }
    bail!("the HTTP server ended unexpectedly")
}

/// Feeds the service manager's watchdog, if it has one.
async fn watchdog(shared: &Shared) -> Infallible {
    service::feed_watchdog(shared).await;
    std::future::pending().await
}

fn spawn_collectors(tasks: &mut JoinSet<&'static str>, shared: &Arc<Shared>) {
    for name in CollectorName::ALL
        .into_iter()
        .filter(|name| shared.runs(*name))
    {
        let shared = Arc::clone(shared);
        match name {
            CollectorName::Enquiry => tasks.spawn(named(name, enquiry::run(shared))),
            CollectorName::Stattree => tasks.spawn(named(name, stattree::run(shared))),
            CollectorName::Icmp => tasks.spawn(named(name, icmp::run(shared))),
        };
    }
}

async fn named(name: CollectorName, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name.as_str()
}

/// The signals that mean something.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let wait = |kind, name| signal(kind).with_context(|| format!("cannot wait for {name}"));
        Ok(Self {
            terminate: wait(SignalKind::terminate(), "SIGTERM")?,
            interrupt: wait(SignalKind::interrupt(), "SIGINT")?,
            hangup: wait(SignalKind::hangup(), "SIGHUP")?,
        })
    }

    /// Reads the configuration again at each SIGHUP; comes back when the end is asked for, also
    /// while a file that hangs is being read.
    async fn end(&mut self, reloader: &Reloader) -> &'static str {
        let hangup = &mut self.hangup;
        let reloads = async {
            loop {
                hangup.recv().await;
                service::reloading();
                // It has said in the log and in a metric how it went.
                let _ = reloader.reload().await;
                service::ready();
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = reloads => "SIGHUP",
        }
    }
}
