//! How one echo is sent: to which address, under which identifier, and what is noted where it cannot
//! be.

use std::sync::Arc;
use std::time::Duration;

use nshield::icmp::EchoError;
use tokio::task::yield_now;
use vcm_telemetry::logging::chain;

use super::{Engine, Owner};
use crate::clock::UnixTime;
use crate::icmp::address::Address;
use crate::icmp::channels::{ChannelId, Opened, Renewal, Route};
use crate::icmp::flights::{EchoId, Launch};
use crate::icmp::names::Known;
use crate::icmp::prober::EVENT_INTERVAL;
use crate::icmp::receiver::{Socket, SocketId};
use crate::icmp::record::Place;
use crate::icmp::roster::TargetId;
use crate::icmp::target::{Destination, EchoConfig};
use crate::icmp::{EchoEnd, ErrorReason};

/// How long after a socket could not be opened the next attempt is made.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Time between two lines about new identifiers.
const RENEWAL_LINE_SPACING: Duration = Duration::from_secs(600);

/// Why an echo was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::icmp) struct Fault {
    pub(super) reason: ErrorReason,
    pub(super) text: String,
}

impl Fault {
    fn send(error: &dyn std::error::Error) -> Self {
        Self {
            reason: ErrorReason::Send,
            text: chain(error),
        }
    }
}

impl From<&EchoError> for Fault {
    fn from(error: &EchoError) -> Self {
        let reason = match error {
            EchoError::Permission { .. } => ErrorReason::Permission,
            EchoError::Send { .. } | EchoError::Library { .. } => ErrorReason::Send,
        };
        Self {
            reason,
            text: chain(error),
        }
    }
}

impl Engine {
    pub(super) async fn probe(&mut self, id: TargetId) {
        let Some((address, echo)) = self.where_to(id) else {
            return;
        };
        let number = self.flights.number();
        let sent = match address.clone() {
            Some(address) => {
                self.renew(id).await;
                let channel = self.roster.get(id).and_then(|probed| probed.channel);
                self.launch(Owner::Target(id), number, &address, &echo, channel)
                    .await
            }
            None => Err(Fault {
                reason: ErrorReason::Resolve,
                text: "its name has no address".to_owned(),
            }),
        };
        let Some(probed) = self.roster.get_mut(id) else {
            return;
        };
        probed.record.started();
        if let Ok(channel) = &sent {
            probed.channel = Some(*channel);
        }
        let channel = probed
            .channel
            .and_then(|channel| self.channels.get(channel));
        let socket = channel.map(|channel| channel.socket.kind());
        probed.set_place(Place { address, socket });
        let fault = sent.err();
        if let Some(fault) = &fault {
            let end = EchoEnd::Error(fault.reason);
            probed.record.finished(number.get(), end, UnixTime::now());
        }
        self.note_fault(id, fault);
    }

    /// Returns where the next echo to a target goes: nowhere yet while its name is looked up for
    /// the first time, and to no address where that failed.
    fn where_to(&self, id: TargetId) -> Option<(Option<Address>, EchoConfig)> {
        let probed = self.roster.get(id)?;
        let address = match &probed.target.destination {
            Destination::Address(address) => Some(address.clone()),
            Destination::Host { host, prefer } => match self.names.known(host) {
                Known::NotYet => return None,
                Known::Nothing => None,
                Known::Addresses(addresses) => {
                    let in_use = probed.place.address.as_ref().map(Address::ip);
                    prefer.choose(addresses, in_use).map(Address::from)
                }
            },
        };
        Some((address, probed.target.echo.clone()))
    }

    pub(super) async fn launch(
        &mut self,
        owner: Owner,
        number: EchoId,
        address: &Address,
        echo: &EchoConfig,
        channel: Option<ChannelId>,
    ) -> Result<ChannelId, Fault> {
        let to = address
            .socket_address()
            .map_err(|error| Fault::send(&error))?;
        let route = Route {
            family: address.family(),
            source: echo.source.of(address.family()).cloned(),
        };
        let fits = |id: &ChannelId| {
            self.channels
                .get(*id)
                .is_some_and(|found| found.route == route)
        };
        let id = match channel.filter(fits).or_else(|| self.channels.usual(&route)) {
            Some(id) => id,
            None => self.open(route).await?,
        };
        let full = || Fault {
            reason: ErrorReason::Send,
            text: "all sequence numbers are in use".to_owned(),
        };
        let channel = self.channels.get_mut(id).ok_or_else(full)?;
        let (ident, sequence) = (channel.ident, &mut channel.sequence);
        let request = self
            .flights
            .request(id, ident, sequence, number)
            .ok_or_else(full)?;
        let (at, timeout) = (self.started.elapsed(), echo.timeout);
        channel
            .socket
            .send(to, request, echo.size)
            .map_err(|error| Fault::from(&error))?;
        self.flights.sent(
            id,
            request,
            Launch {
                owner,
                to,
                at,
                timeout,
            },
        );
        Ok(id)
    }

    /// Opens an identifier for a route. A failure is kept for a while, so that 1,000 targets do not
    /// try it one after the other.
    async fn open(&mut self, route: Route) -> Result<ChannelId, Fault> {
        let now = self.now();
        self.closed.retain(|(_, until, _)| now < *until);
        if let Some((_, _, fault)) = self.closed.iter().find(|(closed, _, _)| *closed == route) {
            return Err(fault.clone());
        }
        let socket = match self.channels.shared_socket(&route) {
            Some(socket) => Ok(socket),
            None => self.open_socket(&route).await,
        };
        match socket {
            Ok(socket) => Ok(self.channels.add(route, socket, now)),
            Err(fault) => {
                self.closed.push((route, now + REOPEN_AFTER, fault.clone()));
                Err(fault)
            }
        }
    }

    async fn open_socket(&mut self, route: &Route) -> Result<Arc<Socket>, Fault> {
        let source = route
            .source
            .as_ref()
            .map(Address::socket_address)
            .transpose();
        let source = source.map_err(|error| Fault::send(&error))?;
        self.sockets_opened += 1;
        let id = SocketId(self.sockets_opened);
        let arriving = self.arriving.clone();
        let socket = Socket::open(id, route.family, source, &mut self.sockets, arriving);
        let socket = socket.map_err(|error| Fault::from(&error))?;
        // The runtime learns here that the socket takes packets. A wake that comes late, of a command
        // that was taken already, ends a yield early; after so many it has looked in any case.
        for _ in 0..=EVENT_INTERVAL {
            yield_now().await;
        }
        Ok(Arc::new(socket))
    }

    /// Gives a target another identifier, where it has been lost for long enough.
    async fn renew(&mut self, id: TargetId) {
        let (now, after) = (self.now(), self.config.renew_after);
        let Some(probed) = self
            .roster
            .get(id)
            .filter(|probed| probed.wants_renewal(now, after))
        else {
            return;
        };
        let Some(current) = probed.channel else {
            return;
        };
        let renewed = match self.channels.renewal(current, now, after) {
            Renewal::Stay => None,
            Renewal::Join(channel) => Some(channel),
            Renewal::Open => self.open_another(current).await,
        };
        if let (Some(channel), Some(probed)) = (renewed, self.roster.get_mut(id)) {
            probed.renewed(channel, now);
        }
    }

    async fn open_another(&mut self, current: ChannelId) -> Option<ChannelId> {
        let route = self.channels.get(current)?.route.clone();
        let family = route.family;
        let opened = self.open(route).await.ok()?;
        let now = self.now();
        if self
            .renewal_logged
            .is_none_or(|logged| now >= logged + RENEWAL_LINE_SPACING)
        {
            self.renewal_logged = Some(now);
            tracing::info!(?family, "lost targets go on with another echo identifier");
        }
        Some(opened)
    }

    /// Notes whether the newest echo to a target could be sent.
    fn note_fault(&mut self, id: TargetId, fault: Option<Fault>) {
        let Some(probed) = self.roster.get_mut(id) else {
            return;
        };
        if probed.fault != fault {
            probed.fault = fault;
            self.show_trouble();
        }
    }

    /// Shows a target to which echoes cannot be sent now: the one shown so far while that is so. A
    /// line tells when the reason is another one; that trouble begins or ends is the collector's.
    pub(super) fn show_trouble(&mut self) {
        let before = self.troubled.take();
        let found = before
            .and_then(|(id, _)| self.faulty(id))
            .or_else(|| self.roster.ids().into_iter().find_map(|id| self.faulty(id)));
        let Some((id, name, fault)) = found else {
            return self.board.set_trouble(None);
        };
        let (reason, error) = (fault.reason, &fault.text);
        let trouble = format!("target {name:?}: {error}");
        if before.is_some_and(|(_, before)| before != reason) {
            let reason = reason.as_str();
            tracing::warn!(icmp_target = name, reason, error, "echoes fail otherwise");
        }
        self.troubled = Some((id, reason));
        self.board.set_trouble(Some(trouble));
    }

    fn faulty(&self, id: TargetId) -> Option<(TargetId, &str, &Fault)> {
        let probed = self.roster.get(id)?;
        Some((id, &probed.target.name, probed.fault.as_ref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{engine, target};
    use super::*;

    #[test]
    fn the_trouble_shown_is_of_a_target_that_is_faulty_now() {
        let targets = ["a", "b", "c"].map(|name| target(name, "127.0.0.1"));
        let (mut engine, board) = engine(targets.into());
        let ids = engine.roster.ids();
        let fault = |reason| {
            let text = "so".to_owned();
            Some(Fault { reason, text })
        };
        let (send, resolve) = (fault(ErrorReason::Send), fault(ErrorReason::Resolve));
        for (target, fault, shown) in [
            (1, &send, Some(1)),
            (2, &resolve, Some(1)),
            (0, &send, Some(1)),
            (0, &None, Some(1)),
            (1, &None, Some(2)),
            (1, &send, Some(2)),
            (2, &None, Some(1)),
            (1, &None, None),
        ] {
            engine.note_fault(ids[target], fault.clone());
            let name = |index: usize| engine.roster.get(ids[index]).unwrap().target.name.clone();
            let expected = shown.map(|index| format!("target {:?}: so", name(index)));
            assert_eq!(board.trouble(), expected);
        }
    }
}
