//! One client: TLS where it is configured, then HTTP/1.1 or HTTP/2 until either side ends it.

mod idle;
mod stalled;

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use self::idle::Activity;
use self::stalled::StallLimit;
use crate::limits::{HEAD_SIZE_MAX, HTTP2_PING_INTERVAL, HTTP2_STREAMS_MAX, Limits};
use crate::listeners::Stream;
use crate::request::Gate;
use crate::serve::ended;

/// An accepted client.
pub(crate) struct Client {
    pub(crate) stream: Box<dyn Stream>,
    /// Absent over a Unix socket.
    pub(crate) peer: Option<SocketAddr>,
    /// Kept as long as the connection is open.
    pub(crate) slot: OwnedSemaphorePermit,
}

/// The protocol spoken on a connection. HTTP/2 only over TLS, as in Prometheus' toolkit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves one client until it leaves, is cut off, or the end is asked for.
pub(crate) async fn serve_client(
    client: Client,
    gate: Arc<Gate>,
    mut shutdown: watch::Receiver<bool>,
) {
    let Client { stream, peer, slot } = client;
    let opened = tokio::select! {
        opened = open(stream, peer, &gate) => opened,
        () = ended(&mut shutdown) => None,
    };
    if let Some((stream, protocol)) = opened {
        serve_http(stream, protocol, gate, shutdown).await;
    }
    drop(slot);
}

/// Does what comes before the first request. Failures are the client's, or those of whoever
/// configured it: they are logged, for a scraper shows only that it was refused.
async fn open(
    stream: Box<dyn Stream>,
    peer: Option<SocketAddr>,
    gate: &Gate,
) -> Option<(Box<dyn Stream>, Protocol)> {
    let stream = StallLimit::new(stream, gate.limits().write_time);
    let Some(tls) = gate.config().current().await.tls() else {
        return Some((Box::new(stream), Protocol::Http1));
    };
    let peer = peer.map(tracing::field::display);
    let handshake = TlsAcceptor::from(tls).accept(stream);
    match timeout(gate.limits().handshake_time, handshake).await {
        Ok(Ok(stream)) => {
            let protocol = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            Some((Box::new(stream), protocol))
        }
        // Looks at the port, and nothing else: load balancers do so all the time.
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            tracing::debug!(%error, peer, "TLS handshake was not begun or given up");
            None
        }
        Ok(Err(error)) => {
            tracing::info!(%error, peer, "TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::info!(peer, "TLS handshake took too long");
            None
        }
    }
}

async fn serve_http(
    stream: Box<dyn Stream>,
    protocol: Protocol,
    gate: Arc<Gate>,
    mut shutdown: watch::Receiver<bool>,
) {
    let limits = *gate.limits();
    let builder = builder(protocol, &limits);
    let activity = Arc::new(Activity::default());
    let requests = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let (gate, requests) = (Arc::clone(&gate), Arc::clone(&requests));
        async move {
            let _open = requests.request();
            Ok::<_, Infallible>(gate.answer(request.map(Body::new)).await)
        }
    });
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = ended(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = activity.idle(limits.head_time) => {
            connection.as_mut().graceful_shutdown();
            let ended = timeout(limits.write_time, connection).await;
            ended.unwrap_or_else(|_| Err(Box::new(io::Error::from(ErrorKind::TimedOut))))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "connection ended");
    }
}

fn builder(protocol: Protocol, limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(HEAD_SIZE_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_SIZE_MAX as u32)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(HTTP2_PING_INTERVAL);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}
