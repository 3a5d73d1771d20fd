use std::collections::BTreeMap;

use super::*;

const CONFIG: &str = "icmp:\n  targets:\n    - {name: vcm-a, address: 192.0.2.11, size: 100}\n    \
                      - {name: vcm-b, address: vcm-b.example}\nprobe:\n  allow: [192.0.2.99, \
                      198.51.100.0/24, gateway.example]\n";

#[test]
fn only_what_is_configured_may_be_probed() {
    let config = Config::parse(CONFIG).unwrap();
    let board = Board::new(&config.icmp);
    for (target, allowed) in [
        ("vcm-a", true),
        ("vcm-b", true),
        ("vcm-b.example", true),
        ("VCM-B.example.", true),
        ("192.0.2.99", true),
        ("198.51.100.200", true),
        ("gateway.example", true),
        ("192.0.2.98", false),
        ("198.51.101.0", false),
        ("vcm-c", false),
        ("evil.gateway.example", false),
        ("vcm-a ", false),
        ("127.0.0.1", false),
        ("::ffff:192.0.2.99", false),
        ("fe80::1%eth0", false),
    ] {
        let plan = plan(target, &config, &board);
        assert_eq!(plan.is_some(), allowed, "{target:?}: {plan:?}");
    }
}

#[test]
fn a_target_by_name_is_probed_as_it_is_configured() {
    let config = Config::parse(CONFIG).unwrap();
    let plan = plan("vcm-a", &config, &Board::new(&config.icmp)).unwrap();
    assert_eq!(plan.echo.size, 100);
    let address: Address = "192.0.2.11".parse().unwrap();
    assert_eq!(plan.destination, Destination::Address(address));
}

#[test]
fn wants_exactly_one_target() {
    let word = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    for (words, expected) in [
        (vec![], Err(Refusal::Missing)),
        (vec![word("module", "icmp")], Err(Refusal::Missing)),
        (vec![word("target", "")], Err(Refusal::Missing)),
        (
            vec![word("target", "a"), word("target", "b")],
            Err(Refusal::Several),
        ),
        (vec![word("module", "icmp"), word("target", "a")], Ok("a")),
    ] {
        assert_eq!(only_target(&words), expected, "{words:?}");
    }
}

#[test]
fn writes_the_names_of_blackbox_exporter() {
    let outcome = Outcome {
        duration: Duration::from_millis(4),
        resolve: Duration::from_millis(1),
        setup: Duration::from_millis(2),
        rtt: Some(Duration::from_micros(500)),
        hop_limit: Some(61),
        family: Some(Family::V4),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(outcome));
    let text = render(&registry, Format::Text).unwrap();
    let samples: BTreeMap<&str, &str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .collect();
    let expected = BTreeMap::from([
        ("probe_dns_lookup_time_seconds", "0.001"),
        ("probe_duration_seconds", "0.004"),
        ("probe_icmp_duration_seconds{phase=\"resolve\"}", "0.001"),
        ("probe_icmp_duration_seconds{phase=\"rtt\"}", "0.0005"),
        ("probe_icmp_duration_seconds{phase=\"setup\"}", "0.002"),
        ("probe_icmp_reply_hop_limit", "61"),
        ("probe_ip_protocol", "4"),
        ("probe_success", "1"),
    ]);
    assert_eq!(samples, expected, "{text}");
}
