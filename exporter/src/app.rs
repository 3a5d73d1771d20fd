//! Puts the parts together and keeps them running until the end is asked for.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use nshield::tools::Installation;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use vcm_telemetry::exposition::Format;

use crate::args::Args;
use crate::collect::{Shared, enquiry, icmp, stattree};
use crate::config::Config;
use crate::families::Exposition;
use crate::http::{HttpState, router};
use crate::state::CollectorName;

/// How long open requests may take after the end was asked for.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Exit status for bad configuration (EX_CONFIG of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// Runs what the command line asks for.
///
/// # Errors
///
/// If it cannot be done, or a part of the program ended unexpectedly.
pub async fn run(args: Args, config: Config) -> anyhow::Result<ExitCode> {
    let mut installation = Installation::at(&args.nfast_root);
    if let Some(socket) = &args.nfast_socket {
        installation = installation.with_socket(socket);
    }
    let mut shared = Shared::new(installation, config, args.schedule());
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
        serve(&args, shared).await
    }
}

async fn once(shared: Arc<Shared>) -> anyhow::Result<ExitCode> {
    let tools = async {
        tokio::join!(
            async {
                if shared.runs(CollectorName::Enquiry) {
                    enquiry::once(&shared).await;
                }
            },
            async {
                if shared.runs(CollectorName::Stattree) {
                    stattree::once(&shared).await;
                }
            }
        )
    };
    tools.await;
    if shared.runs(CollectorName::Icmp) {
        icmp::once(&shared).await;
    }
    let text = Exposition::new(shared).encode(Format::Text)?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &Args, shared: Arc<Shared>) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(args.listen_address)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen_address))?;
    let address = listener
        .local_addr()
        .context("cannot tell the listen address")?;
    tracing::info!(%address, root = %args.nfast_root.display(), "listening");
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    spawn_collectors(&mut tasks, &shared);
    let http = HttpState {
        exposition: Exposition::new(Arc::clone(&shared)),
        telemetry_path: args.telemetry_path.clone(),
        shared,
    };
    let mut server = std::pin::pin!(serve_http(listener, http, stopped));
    tokio::select! {
        ended = &mut server => ended?,
        signal = ended_by_signal() => {
            tracing::info!(signal = signal?, "stopping");
            tasks.shutdown().await;
            let _ = stop.send(true);
            if timeout(DRAIN_TIME, server).await.is_err() {
                tracing::warn!("requests were still open at the end");
            }
            return Ok(ExitCode::SUCCESS);
        }
        ended = tasks.join_next() => {
            let name = ended.map(|name| name.map_err(anyhow::Error::from)).transpose()?;
            bail!("collector {} ended unexpectedly", name.unwrap_or_default());
        }
    }
    bail!("the HTTP server ended unexpectedly")
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

async fn serve_http(
    listener: TcpListener,
    http: HttpState,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    axum::serve(listener, router(Arc::new(http)))
        .with_graceful_shutdown(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        })
        .await
        .context("cannot serve HTTP")
}

async fn ended_by_signal() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
