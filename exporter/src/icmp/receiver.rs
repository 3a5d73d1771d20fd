//! Open sockets, each with a task that takes the time of whatever comes in.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use nshield::icmp::{EchoError, EchoSocket, Family, Received, Request, SocketKind};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, JoinSet, yield_now};

use super::channels::Opened;

/// Failures to receive in a row after which a socket counts as broken and is replaced.
const FAILURES_MAX: u32 = 16;

/// A socket that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketId(pub(super) u32);

/// A packet and when it was taken out of its socket.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) socket: SocketId,
    pub(super) packet: Received,
    pub(super) at: Instant,
}

/// An open socket; its task ends with it.
pub(super) struct Socket {
    id: SocketId,
    socket: Arc<EchoSocket>,
    receiving: AbortHandle,
}

impl Socket {
    /// Opens a socket and receives from now on. The task's end tells that the socket is broken.
    pub(super) fn open(
        id: SocketId,
        family: Family,
        source: Option<SocketAddr>,
        tasks: &mut JoinSet<SocketId>,
        arrivals: UnboundedSender<Arrival>,
    ) -> Result<Self, EchoError> {
        let socket = Arc::new(EchoSocket::open(family, source)?);
        let receiving = tasks.spawn(receive(id, Arc::clone(&socket), arrivals));
        Ok(Self {
            id,
            socket,
            receiving,
        })
    }

    pub(super) fn send(
        &self,
        to: SocketAddr,
        request: Request,
        size: usize,
    ) -> Result<(), EchoError> {
        self.socket.send(to, request, size)
    }
}

impl Opened for Socket {
    fn id(&self) -> SocketId {
        self.id
    }

    fn kind(&self) -> SocketKind {
        self.socket.kind()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.id.0).finish()
    }
}

async fn receive(
    id: SocketId,
    socket: Arc<EchoSocket>,
    arrivals: UnboundedSender<Arrival>,
) -> SocketId {
    let mut failures = 0;
    while failures < FAILURES_MAX {
        match socket.receive().await {
            Ok(packet) => {
                failures = 0;
                let at = Instant::now();
                let arrival = packet.map(|packet| Arrival {
                    socket: id,
                    packet,
                    at,
                });
                if arrival.is_some_and(|arrival| arrivals.send(arrival).is_err()) {
                    break;
                }
            }
            Err(error) => {
                failures += 1;
                tracing::debug!(%error, "cannot receive ICMP packets");
                yield_now().await;
            }
        }
    }
    id
}
