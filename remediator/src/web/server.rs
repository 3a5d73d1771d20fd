//! The listener: HTTP/1.1 with a limit on connections and on the time that headers may take.
//!
//! axum's own `serve` has neither, and one client that sends a byte a minute must not keep
//! Alertmanager out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections at once. Three Alertmanagers and two Prometheuses hold a handful.
pub const CONNECTIONS_MAX: usize = 256;

/// A request's headers must be complete this long after the connection was opened or the answer
/// before was sent.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests may go on after the listener was closed.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// After an error of the listener itself (out of file descriptors) this long nothing is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` comes back, then finishes what is under way.
pub async fn run(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        // Without a free place nothing is accepted: further clients wait in the kernel's queue.
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (permit, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    let connection = graceful.watch(connection(stream, router.clone()));
                    connections.spawn(async move {
                        let _permit = permit;
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "connection ended");
                        }
                    });
                }
                Err(error) => pause(&error).await,
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were cut off: they did not end in time");
    }
}

fn connection(
    stream: TcpStream,
    router: Router,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
