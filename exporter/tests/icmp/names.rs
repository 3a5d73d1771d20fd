//! Targets by name, and addresses that change.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vcm_exporter::icmp::{ErrorReason, Lookup};

use crate::namespace::Namespace;
use crate::prober::{Running, config, errors, replies};

const TEXT: &str = "{interval: 100ms, timeout: 300ms, targets: [{name: a, address: vcm.example}]}";

/// A name server whose answer a test changes.
#[derive(Clone, Default)]
struct NameServer(Arc<Mutex<Vec<IpAddr>>>);

impl NameServer {
    fn answer(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        *self.0.lock().unwrap() = addresses.collect();
    }

    /// Without an address every lookup fails.
    fn lookup(&self) -> Lookup {
        let server = self.clone();
        Lookup::with(move |host| {
            assert_eq!(host, "vcm.example");
            let addresses = server.0.lock().unwrap().clone();
            let failed = addresses.is_empty();
            Box::pin(async move {
                if failed {
                    Err(io::ErrorKind::NotFound.into())
                } else {
                    Ok(addresses)
                }
            })
        })
    }

    fn running(&self) -> Running {
        let mut config = config(TEXT);
        config.resolve_interval = Duration::from_millis(100);
        Running::with(config, self.lookup(), BTreeMap::new())
    }
}

#[test]
fn a_name_without_an_address_is_an_error_until_it_has_one() {
    let Some(_namespace) = Namespace::enter_new() else {
        return;
    };
    let server = NameServer::default();
    let running = server.running();
    let sample = running.until_of("a", "not resolved", |sample| {
        errors(sample, ErrorReason::Resolve) >= 2
    });
    assert_eq!(sample.place.address, None);
    assert!(
        running
            .board
            .trouble()
            .is_some_and(|trouble| trouble.contains("\"a\""))
    );
    server.answer(&["127.0.0.2"]);
    running.until_of("a", "replies", |sample| replies(sample) >= 2);
    assert_eq!(running.board.trouble(), None);
}

#[test]
fn the_last_good_address_is_kept_and_counters_follow_the_name() {
    let Some(_namespace) = Namespace::enter_new() else {
        return;
    };
    let server = NameServer::default();
    server.answer(&["127.0.0.2"]);
    let running = server.running();
    let address =
        |sample: &vcm_exporter::icmp::Sample| sample.place.address.as_ref().unwrap().to_string();
    let before = running.until_of("a", "replies", |sample| replies(sample) >= 2);
    assert_eq!(address(&before), "127.0.0.2");
    server.answer(&[]);
    let kept = running.until_of("a", "replies", |sample| {
        replies(sample) >= replies(&before) + 5
    });
    assert_eq!(address(&kept), "127.0.0.2");
    server.answer(&["127.0.0.3", "127.0.0.4"]);
    let moved = running.until_of("a", "moved", |sample| address(sample) == "127.0.0.3");
    assert!(replies(&moved) >= replies(&kept), "counters stay");
    server.answer(&["127.0.0.4", "127.0.0.3"]);
    let more = running.until_of("a", "replies", |sample| {
        replies(sample) >= replies(&moved) + 5
    });
    assert_eq!(
        address(&more),
        "127.0.0.3",
        "an address in use stays in use"
    );
    assert_eq!(more.ended(), replies(&more), "nothing was lost in all this");
}

#[test]
fn a_module_is_followed_to_its_new_address() {
    let Some(_namespace) = Namespace::enter_new() else {
        return;
    };
    let module = 1.try_into().unwrap();
    let at = |address: &str| BTreeMap::from([(module, address.parse().unwrap())]);
    let discover = config("{interval: 100ms, timeout: 300ms}");
    let running = Running::with(discover, Lookup::default(), at("127.0.0.2"));
    let before = running.until_of("module1", "replies", |sample| replies(sample) >= 2);
    assert_eq!(before.key().1, Some(module));
    running.prober.follow(at("127.0.0.3"));
    let moved = running.until_of("module1", "moved", |sample| {
        sample
            .place
            .address
            .as_ref()
            .is_some_and(|address| address.to_string() == "127.0.0.3")
    });
    assert!(replies(&moved) >= replies(&before));
    running.until_of("module1", "replies", |sample| {
        replies(sample) > replies(&moved)
    });
}
