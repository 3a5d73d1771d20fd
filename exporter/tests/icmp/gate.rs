//! No false loss, and each echo ends exactly once.

use std::fmt::Write as _;
use std::io;

use nshield::icmp::SocketKind;
use vcm_exporter::icmp::{ErrorReason, Lookup};

use crate::namespace::Namespace;
use crate::prober::{Running, config, errors, once, replies};

/// 1,000 targets at one echo a second each.
fn thousand() -> String {
    let mut targets = String::new();
    for number in 0..1000 {
        let (high, low) = (number / 250, number % 250 + 1);
        let _ = write!(
            targets,
            "{{name: t{number}, address: 127.1.{high}.{low}}}, "
        );
    }
    format!("{{discover: false, targets: [{targets}]}}")
}

fn loses_nothing(socket: SocketKind) {
    let running = Running::start(config(&thousand()));
    let samples = running.until("three replies from each", |samples| {
        samples.iter().all(|sample| replies(sample) >= 3)
    });
    assert_eq!(samples.len(), 1000);
    for sample in samples {
        assert_eq!(sample.ended(), replies(&sample), "false loss: {sample:?}");
        assert!(sample.requests - sample.ended() <= 1, "{sample:?}");
        assert_eq!(sample.place.socket, Some(socket));
        assert_eq!(sample.newest_replied, Some(true));
    }
    assert!(running.board.progress().is_some());
    assert_eq!(running.board.trouble(), None);
}

#[test]
fn a_thousand_targets_lose_nothing_through_a_datagram_socket() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    namespace.allow_datagram();
    loses_nothing(SocketKind::Datagram);
}

#[test]
fn a_thousand_targets_lose_nothing_through_a_raw_socket() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    namespace.set("net.ipv4.ping_group_range=1 0");
    loses_nothing(SocketKind::Raw);
}

#[test]
fn each_echo_ends_exactly_once_whatever_its_end() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    namespace.add_silence();
    let refused = Lookup::with(|_| Box::pin(async { Err(io::ErrorKind::NotFound.into()) }));
    let text = "{timeout: 300ms, targets: [{name: replies, address: 127.0.0.1}, \
                {name: replies6, address: '::1'}, {name: silent, address: 192.0.2.9}, \
                {name: unroutable, address: 203.0.113.1}, {name: nameless, address: vcm.example}, \
                {name: no-link, address: 'fe80::1%nowhere0'}, \
                {name: no-source, address: 127.0.0.1, source: 203.0.113.9}, \
                {name: too-big, address: 192.0.2.9, size: 1472}, \
                {name: largest, address: 127.0.0.1, size: 1472}, \
                {name: least, address: '::1', size: 8}]}";
    namespace.ip(&["link", "set", "silence", "mtu", "1400"]);
    let (samples, trouble) = once(config(text), refused);
    for sample in &samples {
        assert_eq!((sample.requests, sample.ended()), (1, 1), "{sample:?}");
    }
    let ends: Vec<_> = samples
        .iter()
        .map(|sample| {
            let error = |reason: &ErrorReason| errors(sample, *reason) == 1;
            let reason = ErrorReason::ALL.into_iter().find(error);
            (
                sample.key().0.as_str(),
                replies(sample),
                sample.timeouts,
                reason,
            )
        })
        .collect();
    let send = Some(ErrorReason::Send);
    assert_eq!(
        ends,
        [
            ("largest", 1, 0, None),
            ("least", 1, 0, None),
            ("nameless", 0, 0, Some(ErrorReason::Resolve)),
            ("no-link", 0, 0, send),
            ("no-source", 0, 0, send),
            ("replies", 1, 0, None),
            ("replies6", 1, 0, None),
            ("silent", 0, 1, None),
            // Fragmented, and so sent: the network swallows it.
            ("too-big", 0, 1, None),
            ("unroutable", 0, 0, send),
        ]
    );
    assert!(trouble.is_some(), "what could not be sent is said");
}

/// Nothing that the system answers ends the prober; what comes back is counted again.
#[test]
fn a_target_that_could_not_be_reached_is_found_again() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    let text = "{interval: 100ms, timeout: 300ms, targets: [{name: a, address: 198.51.100.1}]}";
    let running = Running::start(config(text));
    running.until_of("a", "no route", |sample| {
        errors(sample, ErrorReason::Send) >= 2
    });
    assert!(running.board.trouble().is_some());
    namespace.ip(&["addr", "add", "198.51.100.1/32", "dev", "lo"]);
    running.until_of("a", "replies", |sample| replies(sample) >= 2);
    assert_eq!(running.board.trouble(), None);
}
