//! Echo identifiers on the wire, and which replies count.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use vcm_exporter::icmp::ErrorReason;

use crate::namespace::Namespace;
use crate::prober::{Running, config, errors, replies};
use crate::responder::requests;

const PATIENCE: Duration = Duration::from_secs(60);

/// State on the way is stuck: whatever has the first identifier is lost. Both targets go on with
/// one and the same other identifier, which passes.
fn recovers_with_another_identifier(namespace: &Namespace) {
    let text = "{interval: 100ms, timeout: 200ms, targets: [{name: a, address: 127.0.0.2}, \
                {name: b, address: 127.0.0.3}]}";
    let mut config = config(text);
    config.renew_after = Duration::from_secs(1);
    let requests = requests(namespace);
    let running = Running::start(config);
    let first = requests.recv_timeout(PATIENCE).unwrap().ident;
    let mut idents = BTreeMap::<Ipv4Addr, BTreeSet<u16>>::new();
    while !running
        .board
        .samples()
        .iter()
        .all(|sample| replies(sample) >= 3)
    {
        let request = requests.recv_timeout(PATIENCE).unwrap();
        idents.entry(request.to).or_default().insert(request.ident);
        if request.ident != first {
            request.reply();
        }
    }
    let [a, b] = ["127.0.0.2", "127.0.0.3"].map(|address| &idents[&address.parse().unwrap()]);
    assert_eq!(a, b, "lost together, so that they share the new identifier");
    assert_eq!(a.len(), 2, "no more identifiers than needed: {a:?}");
}

#[test]
fn stuck_state_on_the_way_is_left_behind_with_a_raw_socket() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    recovers_with_another_identifier(&namespace);
}

#[test]
fn stuck_state_on_the_way_is_left_behind_with_a_datagram_socket() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    namespace.allow_datagram();
    recovers_with_another_identifier(&namespace);
}

#[test]
fn duplicate_and_foreign_replies_do_not_count() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    let requests = requests(&namespace);
    let text = "{interval: 200ms, timeout: 10s, size: 100, source: {ip4: 127.0.0.9}, \
                targets: [{name: a, address: 127.0.0.2}]}";
    let running = Running::start(config(text));
    for _ in 0..5 {
        let request = requests.recv_timeout(PATIENCE).unwrap();
        assert_eq!(
            request.from,
            Ipv4Addr::new(127, 0, 0, 9),
            "leaves from its source"
        );
        assert_eq!(request.message.len(), 108);
        request.reply_from(Ipv4Addr::new(127, 0, 0, 77));
        let mut forged = request.clone();
        forged.message[8] ^= 1;
        forged.reply();
        request.reply();
        request.reply();
    }
    let sample = running.until_of("a", "five replies", |sample| replies(sample) >= 5);
    assert_eq!(replies(&sample), 5);
    assert_eq!((sample.timeouts, sample.late_replies), (0, 0));
    assert_eq!(errors(&sample, ErrorReason::Unreachable), 0);
}

#[test]
fn a_reply_after_its_time_out_is_a_late_one() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    let requests = requests(&namespace);
    let text = "{interval: 60s, timeout: 100ms, targets: [{name: a, address: 127.0.0.2}]}";
    let running = Running::start(config(text));
    let request = requests.recv_timeout(PATIENCE).unwrap();
    running.until_of("a", "a time-out", |sample| sample.timeouts == 1);
    request.reply();
    request.reply();
    let sample = running.until_of("a", "a late reply", |sample| sample.late_replies > 0);
    assert_eq!(
        (sample.late_replies, sample.timeouts, replies(&sample)),
        (1, 1, 0)
    );
    assert_eq!(sample.newest_replied, Some(false));
}
