use super::*;

const TARGET: &str = "192.0.2.11";
const ROUTER: &str = "192.0.2.1";
const IDENT: u16 = 0x1234;
const MS: Duration = Duration::from_millis(1);
const TIMEOUT: Duration = Duration::from_secs(1);
const LATE_WINDOW: Duration = Duration::from_secs(10);

fn address(text: &str) -> SocketAddr {
    SocketAddr::new(text.parse().unwrap(), 0)
}

/// One channel of a prober.
struct Sky {
    flights: Flights<char>,
    sequence: u16,
}

impl Sky {
    const CHANNEL: ChannelId = ChannelId::FIRST;

    fn new() -> Self {
        Self {
            flights: Flights::new(LATE_WINDOW),
            sequence: 0,
        }
    }

    fn send(&mut self, owner: char, at: Duration) -> Request {
        self.try_send(owner, at).unwrap()
    }

    fn try_send(&mut self, owner: char, at: Duration) -> Option<Request> {
        let id = self.flights.number();
        let request = self
            .flights
            .request(Self::CHANNEL, IDENT, &mut self.sequence, id)?;
        let launch = Launch {
            owner,
            to: address(TARGET),
            at,
            timeout: TIMEOUT,
        };
        self.flights.sent(Self::CHANNEL, request, launch);
        Some(request)
    }

    fn receive(&mut self, packet: &Received, at: Duration) -> Option<End<char>> {
        self.flights.received(Self::CHANNEL, packet, at)
    }

    fn expire(&mut self, at: Duration) -> Vec<char> {
        let ended = self.flights.expire(Slot::current(at));
        ended.into_iter().map(|flight| flight.owner).collect()
    }
}

fn reply(request: Request) -> Received {
    Received {
        message: Message::Reply {
            token: Some(request.token),
        },
        from: address(TARGET),
        target: address(TARGET).ip(),
        ident: IDENT,
        sequence: request.sequence,
        hop_limit: None,
    }
}

#[test]
fn a_reply_ends_its_echo_and_a_duplicate_finds_nothing() {
    let mut sky = Sky::new();
    let request = sky.send('a', Duration::ZERO);
    let end = sky.receive(&reply(request), MS * 3);
    assert!(matches!(end, Some(End::Reply(Flight { owner: 'a', .. }, rtt)) if rtt == MS * 3));
    assert!(sky.receive(&reply(request), MS * 4).is_none());
    assert_eq!(sky.expire(MS * 5000), []);
    assert_eq!((sky.flights.in_time(), sky.flights.remembered()), (0, 0));
}

#[test]
fn echoes_to_one_address_are_told_apart() {
    let mut sky = Sky::new();
    let (a, b) = (sky.send('a', Duration::ZERO), sky.send('b', Duration::ZERO));
    for (request, owner) in [(b, 'b'), (a, 'a')] {
        let end = sky.receive(&reply(request), MS);
        assert!(matches!(end, Some(End::Reply(flight, _)) if flight.owner == owner));
    }
}

#[test]
fn a_time_out_comes_in_the_first_slot_after_its_time_and_once() {
    let mut sky = Sky::new();
    sky.send('a', MS * 250);
    assert_eq!(sky.expire(MS * 1299), []);
    assert_eq!(sky.expire(MS * 1300), ['a']);
    assert_eq!(sky.expire(MS * 1400), []);
    assert_eq!(sky.flights.in_time(), 0);
}

/// The program paused: the reply was there in time, and is read before anything is ended.
#[test]
fn a_reply_that_is_read_before_the_time_out_is_counted_is_in_time() {
    let mut sky = Sky::new();
    let request = sky.send('a', Duration::ZERO);
    assert!(matches!(
        sky.receive(&reply(request), MS * 7000),
        Some(End::Reply(..))
    ));
    assert_eq!(sky.expire(MS * 7000), []);
}

#[test]
fn a_late_reply_is_one_until_the_late_window_ends() {
    let mut sky = Sky::new();
    let (a, b) = (sky.send('a', Duration::ZERO), sky.send('b', Duration::ZERO));
    assert_eq!(sky.expire(MS * 1000), ['a', 'b']);
    assert!(matches!(
        sky.receive(&reply(a), MS * 2000),
        Some(End::LateReply(_))
    ));
    assert!(sky.receive(&reply(a), MS * 2001).is_none(), "duplicate");
    assert_eq!(sky.expire(MS * 11_000), []);
    assert!(sky.receive(&reply(b), MS * 11_001).is_none());
    assert_eq!(sky.flights.remembered(), 0);
}

#[test]
fn only_the_targets_own_reply_with_the_token_counts() {
    let mut sky = Sky::new();
    let request = sky.send('a', Duration::ZERO);
    let good = reply(request);
    let wrong_token = Message::Reply {
        token: Some(request.token ^ 1),
    };
    let no_token = Message::Reply { token: None };
    for packet in [
        Received {
            target: address(ROUTER).ip(),
            from: address(ROUTER),
            ..good
        },
        Received {
            message: wrong_token,
            ..good
        },
        Received {
            message: no_token,
            ..good
        },
        Received {
            sequence: request.sequence + 1,
            ..good
        },
    ] {
        assert!(sky.receive(&packet, MS).is_none(), "{packet:?}");
    }
    assert!(sky.receive(&good, MS).is_some());
}

#[test]
fn a_link_local_reply_comes_from_the_same_link() {
    let mut flights = Flights::new(LATE_WINDOW);
    let on = |scope| {
        SocketAddr::V6(std::net::SocketAddrV6::new(
            "fe80::1".parse().unwrap(),
            0,
            0,
            scope,
        ))
    };
    let mut sequence = 0;
    let id = flights.number();
    let request = flights
        .request(Sky::CHANNEL, IDENT, &mut sequence, id)
        .unwrap();
    let (to, at) = (on(3), Duration::ZERO);
    flights.sent(
        Sky::CHANNEL,
        request,
        Launch {
            owner: 'a',
            to,
            at,
            timeout: TIMEOUT,
        },
    );
    let from = |scope| Received {
        from: on(scope),
        target: on(scope).ip(),
        ..reply(request)
    };
    assert!(flights.received(Sky::CHANNEL, &from(2), MS).is_none());
    assert!(flights.received(Sky::CHANNEL, &from(3), MS).is_some());
}

#[test]
fn a_routers_error_ends_the_echo_it_quotes() {
    for message in [Message::Unreachable, Message::TimeExceeded, Message::Other] {
        let mut sky = Sky::new();
        let request = sky.send('a', Duration::ZERO);
        let error = Received {
            message,
            from: address(ROUTER),
            ..reply(request)
        };
        let elsewhere = Received {
            target: address(ROUTER).ip(),
            ..error
        };
        assert!(
            sky.receive(&elsewhere, MS).is_none(),
            "about another target"
        );
        assert!(matches!(sky.receive(&error, MS), Some(End::Refused(_, told)) if told == message));
        assert!(sky.receive(&reply(request), MS).is_none());
        assert_eq!(sky.expire(MS * 5000), []);
    }
}

#[test]
fn a_routers_error_after_the_time_out_is_not_counted_again() {
    let mut sky = Sky::new();
    let request = sky.send('a', Duration::ZERO);
    assert_eq!(sky.expire(MS * 1000), ['a']);
    let error = Received {
        message: Message::Unreachable,
        ..reply(request)
    };
    assert!(sky.receive(&error, MS * 1100).is_none());
}

#[test]
fn sequence_numbers_in_use_are_stepped_over() {
    let mut sky = Sky::new();
    let first = sky.send('a', Duration::ZERO);
    sky.sequence = first.sequence.wrapping_sub(1);
    let second = sky.send('b', Duration::ZERO);
    assert_eq!(second.sequence, first.sequence + 1);
    assert!(sky.receive(&reply(first), MS).is_some());
}

#[test]
fn a_full_channel_is_told_and_breaks_nothing() {
    let mut sky = Sky::new();
    for _ in 0..=u16::MAX {
        sky.send('a', Duration::ZERO);
    }
    assert_eq!(sky.try_send('b', Duration::ZERO), None);
    assert_eq!(sky.expire(MS * 1000).len(), 65_536);
    // Late replies to the older ones are given up for new echoes.
    sky.send('b', MS * 1000);
}

/// 1,000 targets that nobody answers for: what is remembered stops growing after the late window.
#[test]
fn memory_stays_flat_when_nobody_answers() {
    let mut sky = Sky::new();
    let mut most = Vec::new();
    for second in 0..60 {
        for _ in 0..1000 {
            sky.send('a', MS * 1000 * second);
        }
        sky.expire(MS * 1000 * second);
        most.push(sky.flights.remembered());
    }
    assert_eq!(most[20], 11_000);
    assert!(
        most[20..].iter().all(|remembered| *remembered == 11_000),
        "{most:?}"
    );
}
