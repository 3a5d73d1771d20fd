//! A socket for many echoes at a time, for a prober that keeps its own table of them.
//!
//! surge-ping's socket and its reading of packets, without its `Client`: that one takes a waiter, a
//! channel, a timer and a look at the socket's own address for every echo, and holds all of it as
//! long as a late reply may come. Here the caller decides what it waits for and how long.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use surge_ping::{AsyncSocket, Config, ICMP, IcmpPacket, Icmpv4Packet, Icmpv6Packet};
use tokio::task::coop::unconstrained;

use super::{EchoError, Kind, SocketKind, io_error};

/// Bytes of the ICMP header of an echo.
const HEADER: usize = 8;

/// The shortest payload: the token by which a reply is told from every other packet.
pub const PAYLOAD_MIN: usize = size_of::<u64>();

/// The longest payload: what an Ethernet frame takes unfragmented over IPv4. Fragments would be
/// lost one by one and make an echo say something else than that its target answers.
pub const PAYLOAD_MAX: usize = 1472;

/// Room for the parts of a received packet that are looked at: the longest IPv4 header, and what an
/// ICMP error quotes. What is longer is cut off, which harms nothing.
const RECEIVED_MAX: usize = 576;

/// The address family of an echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Returns the family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// What makes an echo request recognizable in whatever comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The echo identifier. A datagram socket has one of its own, which the system fills in.
    pub ident: u16,
    /// The sequence number.
    pub sequence: u16,
    /// The first eight bytes of the payload, which a reply has to bring back.
    pub token: u64,
}

/// What a received packet says about an echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A reply; the token is missing where the payload is too short for one.
    Reply {
        /// The first eight bytes of its payload.
        token: Option<u64>,
    },
    /// The target cannot be reached.
    Unreachable,
    /// The request was passed on too often.
    TimeExceeded,
    /// Some other packet that quotes the request, such as one about a wrong header.
    Other,
}

/// A received packet that belongs to an echo request of this host, not necessarily to one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub message: Message,
    /// Who sent it.
    pub from: SocketAddr,
    /// Where the request went.
    pub target: IpAddr,
    /// The request's identifier.
    pub ident: u16,
    /// The request's sequence number.
    pub sequence: u16,
    /// The hop limit that was left, where the socket shows it (raw, IPv4).
    pub hop_limit: Option<u8>,
}

/// A datagram socket, or a raw one where the system does not allow that.
pub struct EchoSocket {
    socket: AsyncSocket,
    family: Family,
    kind: SocketKind,
}

impl std::fmt::Debug for EchoSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EchoSocket")
            .field("family", &self.family)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl EchoSocket {
    /// Opens a socket, within a tokio runtime. Requests leave from `source`, where one is given.
    ///
    /// # Errors
    ///
    /// If neither kind can be opened, or the source is no address of this host.
    pub fn open(family: Family, source: Option<SocketAddr>) -> Result<Self, EchoError> {
        let kind = match family {
            Family::V4 => ICMP::V4,
            Family::V6 => ICMP::V6,
        };
        let mut config = Config::builder().kind(kind);
        if let Some(source) = source {
            config = config.bind(source);
        }
        let socket = AsyncSocket::new(&config.build()).map_err(io_error)?;
        let kind = SocketKind::of(&socket);
        Ok(Self {
            socket,
            family,
            kind,
        })
    }

    /// Returns which kind of socket it is.
    #[must_use]
    pub const fn kind(&self) -> SocketKind {
        self.kind
    }

    /// Sends a request now or not at all. A new socket may say [`io::ErrorKind::WouldBlock`] until
    /// the runtime has looked at it once.
    ///
    /// # Errors
    ///
    /// If the system does not take it.
    pub fn send(&self, to: SocketAddr, request: Request, size: usize) -> Result<(), EchoError> {
        let mut buffer = [0; HEADER + PAYLOAD_MAX];
        let length = HEADER + size.clamp(PAYLOAD_MIN, PAYLOAD_MAX);
        let (packet, _) = buffer.split_at_mut(length);
        write_request(packet, self.family, self.kind, request);
        let sending = pin!(unconstrained(self.socket.send_to(packet, &to)));
        match sending.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(sent) => sent.map(drop).map_err(io_error),
            Poll::Pending => Err(io_error(io::ErrorKind::WouldBlock.into())),
        }
    }

    /// Waits for the next packet. `None` is one that concerns no echo request.
    ///
    /// # Errors
    ///
    /// If the system cannot receive.
    pub async fn receive(&self) -> io::Result<Option<Received>> {
        let mut buffer = [0; RECEIVED_MAX];
        let (length, from) = self.socket.recv_from(&mut buffer).await?;
        let message = buffer.get(..length).unwrap_or_default();
        Ok(read(message, self.family, self.kind, from))
    }
}

impl SocketKind {
    pub(super) fn of(socket: &AsyncSocket) -> Self {
        if socket.get_type() == Config::default().sock_type_hint {
            Self::Datagram
        } else {
            Self::Raw
        }
    }
}

/// Only a raw IPv4 socket needs a checksum from us; the system computes all others.
fn write_request(packet: &mut [u8], family: Family, kind: SocketKind, request: Request) {
    let icmp_type = match family {
        Family::V4 => 8,
        Family::V6 => 128,
    };
    let [ident0, ident1] = request.ident.to_be_bytes();
    let [sequence0, sequence1] = request.sequence.to_be_bytes();
    let header = [icmp_type, 0, 0, 0, ident0, ident1, sequence0, sequence1];
    let token = request.token.to_be_bytes();
    for (to, from) in packet.iter_mut().zip(header.iter().chain(&token)) {
        *to = *from;
    }
    if (family, kind) == (Family::V4, SocketKind::Raw) {
        let sum = checksum(header.iter().chain(&token)).to_be_bytes();
        for (to, from) in packet.iter_mut().skip(2).zip(sum) {
            *to = from;
        }
    }
}

/// The internet checksum (RFC 1071) of an even number of bytes; the zeros after them change nothing.
fn checksum<'a>(bytes: impl Iterator<Item = &'a u8>) -> u16 {
    let weights = [256_u32, 1].into_iter().cycle();
    let mut sum: u32 = bytes
        .zip(weights)
        .map(|(byte, weight)| u32::from(*byte) * weight)
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn read(message: &[u8], family: Family, kind: SocketKind, from: SocketAddr) -> Option<Received> {
    let (packet, icmp, hop_limit) = match (family, from.ip()) {
        (Family::V4, IpAddr::V4(address)) => {
            let (icmp, hop_limit) = match kind {
                SocketKind::Datagram => (message, None),
                SocketKind::Raw => without_header(message)?,
            };
            // Without its IP header a packet reads as one of a datagram socket.
            let datagram = Config::default().sock_type_hint;
            let packet = Icmpv4Packet::decode(icmp, datagram, address, Ipv4Addr::UNSPECIFIED);
            (IcmpPacket::V4(packet.ok()?), icmp, hop_limit)
        }
        (Family::V6, IpAddr::V6(address)) => {
            let packet = Icmpv6Packet::decode(message, address).ok()?;
            (IcmpPacket::V6(packet), message, None)
        }
        (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => return None,
    };
    let message = match Kind::of(&packet) {
        Kind::Reply => Message::Reply {
            token: icmp
                .get(HEADER..)
                .and_then(|payload| payload.first_chunk().copied())
                .map(u64::from_be_bytes),
        },
        Kind::Unreachable => Message::Unreachable,
        Kind::TimeExceeded => Message::TimeExceeded,
        // Advice to our own system and no answer: the request travels on.
        Kind::Redirect => return None,
        Kind::Other => Message::Other,
    };
    Some(Received {
        message,
        from,
        target: packet.real_destination(),
        ident: packet.get_identifier().into_u16(),
        sequence: packet.get_sequence().into_u16(),
        hop_limit,
    })
}

/// Splits off the IPv4 header. Returns the rest and the hop limit.
fn without_header(packet: &[u8]) -> Option<(&[u8], Option<u8>)> {
    let length = usize::from(packet.first()? & 0x0f) * 4;
    Some((packet.get(length..)?, packet.get(8).copied()))
}

#[cfg(test)]
mod tests;
