//! Accepts clients until the end is asked for, then lets open requests finish.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::WebConfig;
use crate::connection::{Client, serve_client};
use crate::limits::{ACCEPT_PAUSE, ACCEPT_QUIET, Limits};
use crate::listeners::{Listener, Listeners, Stream};
use crate::request::Gate;

/// Why serving ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The task of a listener panicked.
    #[error("a listener ended unexpectedly")]
    Listener(#[source] tokio::task::JoinError),
}

/// Serves `router` on all listeners until `shutdown` is true (or its sender is gone), then lets
/// open requests finish within [`Limits::drain_time`]. Neither clients nor a lack of resources end
/// it.
///
/// # Errors
///
/// If a listener's task ended although nobody asked for it.
pub async fn serve(
    listeners: Listeners,
    config: WebConfig,
    limits: Limits,
    router: Router,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let gate = Arc::new(Gate::new(config, limits, router));
    let slots = Arc::new(Semaphore::new(limits.max_connections.max(1)));
    let mut tasks = JoinSet::new();
    for listener in listeners.into_vec() {
        let acceptor = Acceptor {
            listener,
            slots: Arc::clone(&slots),
            accepted: None,
            pause_until: None,
            last_failure: None,
        };
        tasks.spawn(acceptor.run(Arc::clone(&gate), shutdown.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(ServeError::Listener)?;
    }
    Ok(())
}

/// Waits until the end is asked for.
pub(crate) async fn ended(shutdown: &mut watch::Receiver<bool>) {
    // A sender that is gone can never ask: that is the end too.
    let _ = shutdown.wait_for(|ended| *ended).await;
}

/// Accepts the clients of one listener.
struct Acceptor {
    listener: Listener,
    /// One for each open connection, of all listeners.
    slots: Arc<Semaphore>,
    /// Waits for a slot. Kept here, and the slot taken last: a listener without clients must not
    /// hold one, and a wait that is given up must not lose a client.
    accepted: Option<(Box<dyn Stream>, Option<SocketAddr>)>,
    /// Set while accepting fails.
    pause_until: Option<Instant>,
    last_failure: Option<Instant>,
}

impl Acceptor {
    async fn run(mut self, gate: Arc<Gate>, mut shutdown: watch::Receiver<bool>) {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                () = ended(&mut shutdown) => break,
                Some(_) = clients.join_next() => {}
                accepted = self.accept() => match accepted {
                    Ok(client) => {
                        self.pause_until = None;
                        clients.spawn(serve_client(client, Arc::clone(&gate), shutdown.clone()));
                    }
                    Err(error) => self.failed(&error),
                },
            }
        }
        drop(self);
        drain(clients, gate.limits()).await;
    }

    async fn accept(&mut self) -> io::Result<Client> {
        if self.accepted.is_none() {
            if let Some(pause) = self.pause_until {
                sleep_until(pause).await;
            }
            self.accepted = Some(self.listener.accept().await?);
        }
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let slot = slot.map_err(io::Error::other)?;
        match self.accepted.take() {
            Some((stream, peer)) => Ok(Client { stream, peer, slot }),
            None => Err(ErrorKind::ConnectionAborted.into()),
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if is_of_the_client(error) {
            return;
        }
        let now = Instant::now();
        let known = |failure: Instant| now.duration_since(failure) < ACCEPT_QUIET;
        if !self.last_failure.is_some_and(known) {
            let address = &self.listener.address;
            tracing::error!(%error, address, "cannot accept clients; trying again");
        }
        self.last_failure = Some(now);
        self.pause_until = Some(now + ACCEPT_PAUSE);
    }
}

/// Whether the connection, not the listener, failed.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}

async fn drain(mut clients: JoinSet<()>, limits: &Limits) {
    let all = async { while clients.join_next().await.is_some() {} };
    if timeout(limits.drain_time, all).await.is_err() {
        let open = clients.len();
        tracing::warn!(open, "connections were still open at the end");
    }
}
