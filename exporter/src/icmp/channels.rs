//! Echo identifiers, and which targets use which.
//!
//! A firewall or NAT on the way keeps state for each pair of addresses and identifier. When that is
//! stuck, every echo that goes on with the same identifier keeps it alive. So a target that has
//! been lost for a while continues with another one: on a datagram socket, whose identifier is its
//! own, that is another socket; on a raw one it is another number in the same socket. All targets
//! that are lost at that time share it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use nshield::icmp::{Family, SocketKind};

use super::address::Address;
use super::receiver::SocketId;

/// The most identifiers in use for one family and source. A lost target then takes turns with those
/// that there are: by the time it comes back to one, its state on the way has ended.
const CHANNELS_MAX: usize = 8;

/// An identifier in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ChannelId(u32);

#[cfg(test)]
impl ChannelId {
    /// Any identifier.
    pub(super) const FIRST: Self = Self(1);
}

/// Which socket an echo needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) family: Family,
    pub(super) source: Option<Address>,
}

/// What is asked of a socket here.
pub(super) trait Opened {
    fn id(&self) -> SocketId;
    fn kind(&self) -> SocketKind;
}

/// An echo identifier with its sequence numbers.
#[derive(Debug)]
pub(super) struct Channel<S> {
    pub(super) route: Route,
    pub(super) socket: Arc<S>,
    /// The identifier; on a datagram socket the system puts its own there.
    pub(super) ident: u16,
    /// The newest sequence number.
    pub(super) sequence: u16,
    opened: Duration,
}

/// What a lost target does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// It goes on as it is: the newest identifier is its own, and another would come too soon.
    Stay,
    /// It continues with this one.
    Join(ChannelId),
    /// A new one is to be opened.
    Open,
}

/// Every identifier in use.
#[derive(Debug)]
pub(super) struct Channels<S> {
    channels: BTreeMap<ChannelId, Channel<S>>,
    newest: u32,
}

impl<S> Default for Channels<S> {
    fn default() -> Self {
        Self {
            channels: BTreeMap::new(),
            newest: 0,
        }
    }
}

impl<S: Opened> Channels<S> {
    /// Returns the identifier that a target without trouble uses.
    pub(super) fn usual(&self, route: &Route) -> Option<ChannelId> {
        self.on(route).next()
    }

    /// Returns the socket of a route, where identifiers may share it.
    pub(super) fn shared_socket(&self, route: &Route) -> Option<Arc<S>> {
        let id = self.usual(route)?;
        let socket = &self.channels.get(&id)?.socket;
        (socket.kind() == SocketKind::Raw).then(|| Arc::clone(socket))
    }

    pub(super) fn add(&mut self, route: Route, socket: Arc<S>, now: Duration) -> ChannelId {
        self.newest += 1;
        let id = ChannelId(self.newest);
        let channel = Channel {
            route,
            socket,
            ident: self.unused_ident(),
            sequence: 0,
            opened: now,
        };
        self.channels.insert(id, channel);
        id
    }

    pub(super) fn get_mut(&mut self, id: ChannelId) -> Option<&mut Channel<S>> {
        self.channels.get_mut(&id)
    }

    pub(super) fn get(&self, id: ChannelId) -> Option<&Channel<S>> {
        self.channels.get(&id)
    }

    /// Finds whose packet came in through a socket.
    pub(super) fn receiving(&self, socket: SocketId, ident: u16) -> Option<ChannelId> {
        let mine = |channel: &Channel<S>| {
            channel.socket.id() == socket
                && (channel.socket.kind() == SocketKind::Datagram || channel.ident == ident)
        };
        let mut found = self.channels.iter().filter(|(_, channel)| mine(channel));
        found.next().map(|(id, _)| *id)
    }

    /// Says what a lost target does that uses `current`; two new identifiers are at least `spacing`
    /// apart.
    pub(super) fn renewal(&self, current: ChannelId, now: Duration, spacing: Duration) -> Renewal {
        let Some(route) = self.channels.get(&current).map(|channel| &channel.route) else {
            return Renewal::Open;
        };
        let ids: Vec<ChannelId> = self.on(route).collect();
        let Some(&newest) = ids.last() else {
            return Renewal::Open;
        };
        let recent = self
            .channels
            .get(&newest)
            .is_some_and(|channel| now < channel.opened + spacing);
        if recent && newest != current {
            return Renewal::Join(newest);
        }
        if recent {
            return Renewal::Stay;
        }
        if ids.len() < CHANNELS_MAX {
            return Renewal::Open;
        }
        let after = ids.iter().copied().find(|id| *id > current);
        after
            .or(ids.first().copied())
            .map_or(Renewal::Open, Renewal::Join)
    }

    /// Drops those that `used` says nobody uses.
    pub(super) fn retain(&mut self, used: impl Fn(ChannelId) -> bool) {
        self.channels.retain(|id, _| used(*id));
    }

    /// Drops all that use a socket.
    pub(super) fn without_socket(&mut self, socket: SocketId) {
        self.channels
            .retain(|_, channel| channel.socket.id() != socket);
    }

    /// Random, which keeps echoes apart from those of other programs on raw sockets.
    fn unused_ident(&self) -> u16 {
        let taken = |ident: &u16| {
            self.channels
                .values()
                .any(|channel| channel.ident == *ident)
        };
        let random = RandomState::new();
        let mut idents = (0_u32..).map(|round| random.hash_one(round) as u16);
        idents.find(|ident| !taken(ident)).unwrap_or_default()
    }

    fn on(&self, route: &Route) -> impl DoubleEndedIterator<Item = ChannelId> {
        let on_route =
            |(id, channel): (&ChannelId, &Channel<S>)| (channel.route == *route).then_some(*id);
        self.channels.iter().filter_map(on_route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fake(u32, SocketKind);

    impl Opened for Fake {
        fn id(&self) -> SocketId {
            SocketId(self.0)
        }

        fn kind(&self) -> SocketKind {
            self.1
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
    const SPACING: Duration = Duration::from_secs(30);

    fn route() -> Route {
        Route {
            family: Family::V4,
            source: None,
        }
    }

    fn datagram(number: u32) -> Arc<Fake> {
        Arc::new(Fake(number, SocketKind::Datagram))
    }

    #[test]
    fn targets_lost_at_one_time_share_one_new_identifier() {
        let mut channels = Channels::default();
        let first = channels.add(route(), datagram(1), Duration::ZERO);
        assert_eq!(
            channels.renewal(first, SECOND * 100, SPACING),
            Renewal::Open
        );
        let second = channels.add(route(), datagram(2), SECOND * 100);
        for now in [100, 129] {
            assert_eq!(
                channels.renewal(first, SECOND * now, SPACING),
                Renewal::Join(second)
            );
            assert_eq!(
                channels.renewal(second, SECOND * now, SPACING),
                Renewal::Stay
            );
        }
        assert_eq!(
            channels.renewal(first, SECOND * 130, SPACING),
            Renewal::Open
        );
        assert_eq!(channels.usual(&route()), Some(first));
    }

    #[test]
    fn the_number_of_sockets_is_bounded_and_lost_targets_take_turns() {
        let mut channels = Channels::default();
        let mut current = channels.add(route(), datagram(0), Duration::ZERO);
        let mut used = Vec::new();
        for round in 1..40 {
            let now = SECOND * 100 * round;
            current = match channels.renewal(current, now, SPACING) {
                Renewal::Open => channels.add(route(), datagram(round), now),
                Renewal::Join(channel) => channel,
                Renewal::Stay => panic!("round {round}"),
            };
            assert_ne!(used.last(), Some(&current), "round {round}");
            used.push(current);
        }
        assert_eq!(channels.channels.len(), CHANNELS_MAX);
    }

    #[test]
    fn a_raw_socket_serves_several_identifiers() {
        let mut channels = Channels::default();
        let socket = Arc::new(Fake(1, SocketKind::Raw));
        let first = channels.add(route(), Arc::clone(&socket), Duration::ZERO);
        let shared = channels.shared_socket(&route()).unwrap();
        let second = channels.add(route(), shared, Duration::ZERO);
        let ident = |id| channels.get(id).unwrap().ident;
        assert_ne!(ident(first), ident(second));
        for id in [first, second] {
            assert_eq!(channels.receiving(SocketId(1), ident(id)), Some(id));
        }
        assert_eq!(channels.receiving(SocketId(2), ident(first)), None);
        let mut foreign = (0..).filter(|other| *other != ident(first) && *other != ident(second));
        assert_eq!(
            channels.receiving(SocketId(1), foreign.next().unwrap()),
            None
        );
    }

    #[test]
    fn a_datagram_socket_has_an_identifier_of_its_own() {
        let mut channels = Channels::default();
        let id = channels.add(route(), datagram(1), Duration::ZERO);
        assert!(channels.shared_socket(&route()).is_none());
        assert_eq!(channels.receiving(SocketId(1), 4711), Some(id));
    }

    #[test]
    fn a_broken_socket_takes_its_identifiers_with_it() {
        let mut channels = Channels::default();
        let first = channels.add(route(), datagram(1), Duration::ZERO);
        let second = channels.add(route(), datagram(2), Duration::ZERO);
        channels.without_socket(SocketId(1));
        assert!(channels.get(first).is_none());
        assert_eq!(channels.usual(&route()), Some(second));
        channels.retain(|_| false);
        assert_eq!(channels.usual(&route()), None);
    }
}
