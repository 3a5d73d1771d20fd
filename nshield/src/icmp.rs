//! ICMP echo: does the target itself answer?
//!
//! The exporter sends echoes without pause, through an [`EchoSocket`] and with a table of its own;
//! the remediator's network gate sends five in a row, through a [`Pinger`]. An echo
//! counts only when an echo *reply* from the target came back. surge-ping matches any ICMP packet
//! that quotes the request, so that on a raw socket a router's "destination unreachable" comes back
//! as success: type and source are checked here.
//!
//! A datagram socket is tried first (`net.ipv4.ping_group_range`), then a raw one (CAP_NET_RAW). On
//! a datagram socket the kernel passes on replies only, so that an unreachable target looks like a
//! time-out.

mod socket;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};
use tokio::time::{Instant, timeout};

pub use socket::{EchoSocket, Family, Message, PAYLOAD_MAX, PAYLOAD_MIN, Received, Request};

/// Bytes of payload, the customary number of `ping`.
const PAYLOAD: [u8; 56] = [0; 56];

/// How one echo ended.
#[derive(Debug)]
pub enum Echo {
    /// The target itself replied.
    Reply {
        /// From sending the request to receiving the reply.
        rtt: Duration,
    },
    /// Nothing came back in time.
    Timeout,
    /// Somebody on the way, or the target, says that it cannot be reached. Raw sockets only.
    Unreachable {
        /// Who says so.
        from: IpAddr,
    },
    /// The packet was passed on too often: a routing loop. Raw sockets only.
    TimeExceeded {
        /// Who says so.
        from: IpAddr,
    },
    /// Some other ICMP packet quotes the request. Raw sockets only.
    Other {
        /// Who sent it.
        from: IpAddr,
        /// Its ICMP type.
        icmp_type: u8,
    },
    /// The request was not sent, so that nothing is known about the target.
    Error(EchoError),
}

/// Why an echo request was not sent.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    /// Neither kind of socket may be opened, or the system refused to send.
    #[error(
        "not permitted to send ICMP echoes: neither net.ipv4.ping_group_range nor CAP_NET_RAW \
         allows it"
    )]
    Permission {
        /// The system's answer.
        source: io::Error,
    },
    /// The system could not send, for example for want of a route.
    #[error("cannot send an ICMP echo")]
    Send {
        /// The system's answer.
        source: io::Error,
    },
    /// The library could not send.
    #[error("cannot send an ICMP echo")]
    Library {
        /// The library's answer.
        source: SurgeError,
    },
}

/// Which kind of socket echoes are sent through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketKind {
    /// Unprivileged; sees replies only.
    Datagram,
    /// Privileged; also sees what routers say.
    Raw,
}

impl SocketKind {
    /// Returns the value of the metric label `socket`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datagram => "datagram",
            Self::Raw => "raw",
        }
    }
}

/// Sends echoes to any number of targets through one socket per address family.
///
/// Sockets are opened at first use, within a tokio runtime.
pub struct Pinger {
    v4: OnceLock<Client>,
    v6: OnceLock<Client>,
    ident: PingIdentifier,
    sequence: AtomicU16,
}

impl Default for Pinger {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Pinger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinger")
            .field("ident", &self.ident.0)
            .finish_non_exhaustive()
    }
}

impl Pinger {
    /// Creates a pinger with a random identifier, which keeps its echoes apart from those of other
    /// programs on raw sockets.
    #[must_use]
    pub fn new() -> Self {
        let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
        let ident = PingIdentifier(u16::from_le_bytes([low, high]));
        Self {
            v4: OnceLock::new(),
            v6: OnceLock::new(),
            ident,
            sequence: AtomicU16::new(0),
        }
    }

    /// Sends one echo and waits for its end.
    pub async fn echo(&self, target: IpAddr, wait: Duration) -> Echo {
        let client = match self.client(target) {
            Ok(client) => client.clone(),
            Err(error) => return Echo::Error(error),
        };
        let sequence = PingSequence(self.sequence.fetch_add(1, Ordering::Relaxed));
        let answer = exchange(client, target, self.ident, sequence, wait);
        match timeout(wait, answer).await {
            Ok(answer) => classify(target, answer),
            Err(_) => Echo::Timeout,
        }
    }

    fn client(&self, target: IpAddr) -> Result<&Client, EchoError> {
        let (cell, kind) = match target {
            IpAddr::V4(_) => (&self.v4, ICMP::V4),
            IpAddr::V6(_) => (&self.v6, ICMP::V6),
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = Client::new(&Config::builder().kind(kind).build()).map_err(io_error)?;
        Ok(cell.get_or_init(|| client))
    }
}

/// A redirect is advice to our own system and no answer: the request travels on. surge-ping has
/// given up waiting by then, so that the same request is sent once more, and the reply to either of
/// the two counts, timed from the first.
async fn exchange(
    client: Client,
    target: IpAddr,
    ident: PingIdentifier,
    sequence: PingSequence,
    limit: Duration,
) -> Result<(IcmpPacket, Duration), SurgeError> {
    let mut pinger = client.pinger(target, ident).await;
    let sent = Instant::now();
    let (packet, rtt) = pinger.timeout(limit).ping(sequence, &PAYLOAD).await?;
    if !matches!(Kind::of(&packet), Kind::Redirect) {
        return Ok((packet, rtt));
    }
    let left = limit.saturating_sub(sent.elapsed());
    let (packet, _) = pinger.timeout(left).ping(sequence, &PAYLOAD).await?;
    Ok((packet, sent.elapsed()))
}

fn classify(target: IpAddr, answer: Result<(IcmpPacket, Duration), SurgeError>) -> Echo {
    let (packet, rtt) = match answer {
        Ok(answer) => answer,
        Err(SurgeError::Timeout { .. }) => return Echo::Timeout,
        Err(SurgeError::IOError(source)) => return Echo::Error(io_error(source)),
        Err(source) => return Echo::Error(EchoError::Library { source }),
    };
    let from = source(&packet);
    match Kind::of(&packet) {
        Kind::Reply if from == target => Echo::Reply { rtt },
        Kind::Unreachable => Echo::Unreachable { from },
        Kind::TimeExceeded => Echo::TimeExceeded { from },
        Kind::Reply | Kind::Redirect | Kind::Other => Echo::Other {
            from,
            icmp_type: icmp_type(&packet),
        },
    }
}

fn io_error(source: io::Error) -> EchoError {
    if source.kind() == io::ErrorKind::PermissionDenied {
        // surge-ping puts advice of several lines around the system's answer.
        let source = match source.raw_os_error() {
            Some(_) => source,
            None => io::ErrorKind::PermissionDenied.into(),
        };
        EchoError::Permission { source }
    } else {
        EchoError::Send { source }
    }
}

/// The kinds of ICMP packet that matter here, by the numbers of RFC 792 and RFC 4443.
enum Kind {
    Reply,
    Unreachable,
    TimeExceeded,
    Redirect,
    Other,
}

impl Kind {
    fn of(packet: &IcmpPacket) -> Self {
        match (packet, icmp_type(packet)) {
            (IcmpPacket::V4(_), 0) | (IcmpPacket::V6(_), 129) => Self::Reply,
            (IcmpPacket::V4(_), 3) | (IcmpPacket::V6(_), 1) => Self::Unreachable,
            (IcmpPacket::V4(_), 11) | (IcmpPacket::V6(_), 3) => Self::TimeExceeded,
            (IcmpPacket::V4(_), 5) | (IcmpPacket::V6(_), 137) => Self::Redirect,
            (IcmpPacket::V4(_) | IcmpPacket::V6(_), _) => Self::Other,
        }
    }
}

fn icmp_type(packet: &IcmpPacket) -> u8 {
    match packet {
        IcmpPacket::V4(packet) => packet.get_icmp_type().0,
        IcmpPacket::V6(packet) => packet.get_icmpv6_type().0,
    }
}

fn source(packet: &IcmpPacket) -> IpAddr {
    match packet {
        IcmpPacket::V4(packet) => packet.get_source().into(),
        IcmpPacket::V6(packet) => packet.get_source().into(),
    }
}

#[cfg(test)]
mod tests;
