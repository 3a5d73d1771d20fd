//! The echoes that are under way, and those that timed out and may still be answered.
//!
//! Each ends exactly once: it is taken out or marked in the same step that reports its end, so that
//! a duplicate reply finds nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::Duration;

use nshield::icmp::{Message, Received, Request};

use super::channels::ChannelId;
use super::wheel::{Slot, Wheel};

/// How many sequence numbers are tried before a channel counts as full. In use together are those
/// of one time-out; with 65,536 of them this many neighbours in use mean that nearly all are.
const SEQUENCE_TRIES: u16 = 256;

/// The number of an echo, over all targets: the newest has the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct EchoId(u64);

impl EchoId {
    pub(super) const fn get(self) -> u64 {
        self.0
    }
}

/// An echo that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight<O> {
    pub(super) id: EchoId,
    /// Whose it is.
    pub(super) owner: O,
    pub(super) to: SocketAddr,
    pub(super) sent: Duration,
    late: bool,
}

/// What a packet makes of an echo.
#[derive(Debug, Clone, Copy)]
pub(super) enum End<O> {
    /// The target itself replied in time.
    Reply(Flight<O>, Duration),
    /// The target itself replied after the time-out had been counted.
    LateReply(Flight<O>),
    /// Somebody else answered, or the target with something else.
    Refused(Flight<O>, Message),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    channel: ChannelId,
    sequence: u16,
}

/// All echoes under way, of owners of type `O`.
#[derive(Debug)]
pub(super) struct Flights<O> {
    flights: HashMap<Key, Flight<O>>,
    /// When to look at an echo again: at its time-out, and at the end of its late window.
    deadlines: Wheel<(Key, EchoId)>,
    newest: EchoId,
    /// Unknown to others, so that nobody can answer what they have not received.
    secret: u64,
    late_window: Duration,
    in_time: usize,
}

impl<O: Copy> Flights<O> {
    pub(super) fn new(late_window: Duration) -> Self {
        Self {
            flights: HashMap::new(),
            deadlines: Wheel::default(),
            newest: EchoId::default(),
            secret: RandomState::new().hash_one(()),
            late_window,
            in_time: 0,
        }
    }

    pub(super) fn set_late_window(&mut self, late_window: Duration) {
        self.late_window = late_window;
    }

    /// Returns how many echoes are under way, without those that timed out.
    pub(super) const fn in_time(&self) -> usize {
        self.in_time
    }

    /// Returns when something ends by itself next.
    pub(super) fn next(&self) -> Option<Slot> {
        self.deadlines.next()
    }

    /// Gives an echo its number.
    pub(super) fn number(&mut self) -> EchoId {
        self.newest.0 += 1;
        self.newest
    }

    /// Finds the next sequence number of a channel that no echo under way has; a late reply to an
    /// older echo of that number is given up. `None` when all are in use.
    pub(super) fn request(
        &mut self,
        channel: ChannelId,
        ident: u16,
        sequence: &mut u16,
        id: EchoId,
    ) -> Option<Request> {
        for _ in 0..SEQUENCE_TRIES {
            *sequence = sequence.wrapping_add(1);
            let key = Key {
                channel,
                sequence: *sequence,
            };
            match self.flights.entry(key) {
                Entry::Occupied(flight) if !flight.get().late => {}
                Entry::Occupied(flight) => {
                    flight.remove();
                    return Some(self.request_with(ident, key, id));
                }
                Entry::Vacant(_) => return Some(self.request_with(ident, key, id)),
            }
        }
        None
    }

    const fn request_with(&self, ident: u16, key: Key, id: EchoId) -> Request {
        Request {
            ident,
            sequence: key.sequence,
            token: id.0 ^ self.secret,
        }
    }

    /// Takes in an echo that was sent.
    pub(super) fn sent(&mut self, channel: ChannelId, request: Request, launch: Launch<O>) {
        let key = Key {
            channel,
            sequence: request.sequence,
        };
        let id = EchoId(request.token ^ self.secret);
        let flight = Flight {
            id,
            owner: launch.owner,
            to: launch.to,
            sent: launch.at,
            late: false,
        };
        self.flights.insert(key, flight);
        self.in_time += 1;
        self.deadlines.add(launch.at + launch.timeout, (key, id));
    }

    /// Takes in a packet. `None` where it is about no echo under way.
    pub(super) fn received(
        &mut self,
        channel: ChannelId,
        packet: &Received,
        at: Duration,
    ) -> Option<End<O>> {
        let key = Key {
            channel,
            sequence: packet.sequence,
        };
        let flight = *self.flights.get(&key)?;
        if !concerns(&flight, packet, self.secret) {
            return None;
        }
        self.flights.remove(&key);
        if !flight.late {
            self.in_time -= 1;
        }
        match (packet.message, flight.late) {
            (Message::Reply { .. }, true) => Some(End::LateReply(flight)),
            (Message::Reply { .. }, false) => {
                Some(End::Reply(flight, at.saturating_sub(flight.sent)))
            }
            (_, true) => None,
            (message, false) => Some(End::Refused(flight, message)),
        }
    }

    /// Ends what is due: echoes whose time-out has passed, and the wait for late replies. Replies
    /// that have arrived are to be taken in before, so that a pause of this program loses none.
    pub(super) fn expire(&mut self, now: Slot) -> Vec<Flight<O>> {
        let mut ended = Vec::new();
        while let Some((_, due)) = self.deadlines.take(now) {
            for (key, id) in due {
                ended.extend(self.expire_one(key, id, now));
            }
        }
        ended
    }

    fn expire_one(&mut self, key: Key, id: EchoId, now: Slot) -> Option<Flight<O>> {
        let Entry::Occupied(mut entry) = self.flights.entry(key) else {
            return None;
        };
        if entry.get().id != id {
            return None;
        }
        if entry.get().late {
            entry.remove();
            return None;
        }
        entry.get_mut().late = true;
        let flight = *entry.get();
        self.in_time -= 1;
        self.deadlines
            .add(now.begins() + self.late_window, (key, id));
        Some(flight)
    }

    /// Returns whether an echo of this channel is still waited for.
    pub(super) fn uses(&self, channel: ChannelId) -> bool {
        self.flights.keys().any(|key| key.channel == channel)
    }

    /// Returns how many echoes are remembered, with those that timed out.
    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.flights.len()
    }
}

/// What is known when an echo was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launch<O> {
    pub(super) owner: O,
    pub(super) to: SocketAddr,
    pub(super) at: Duration,
    pub(super) timeout: Duration,
}

/// A reply counts only from the target itself and with the token; an error only where it quotes a
/// request to the target.
fn concerns<O>(flight: &Flight<O>, packet: &Received, secret: u64) -> bool {
    let to_target = packet.target == flight.to.ip();
    match packet.message {
        Message::Reply { token } => {
            to_target && same_link(flight.to, packet.from) && token == Some(flight.id.0 ^ secret)
        }
        Message::Unreachable | Message::TimeExceeded | Message::Other => to_target,
    }
}

fn same_link(to: SocketAddr, from: SocketAddr) -> bool {
    match (to, from) {
        (SocketAddr::V6(to), SocketAddr::V6(from)) => {
            to.scope_id() == 0 || to.scope_id() == from.scope_id()
        }
        (SocketAddr::V4(_), SocketAddr::V4(_)) => true,
        (SocketAddr::V4(_), SocketAddr::V6(_)) | (SocketAddr::V6(_), SocketAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests;
