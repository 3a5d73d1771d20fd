use super::*;
use crate::config::Config;

fn read(text: &str) -> IcmpConfig {
    Config::parse(text).unwrap().icmp
}

#[test]
fn reads_every_key() {
    let icmp = read(
        "icmp:\n  interval: 500ms\n  timeout: 2s\n  late_window: 5s\n  size: 1472\n  \
         source: {ip4: 192.0.2.5, ip6: '2001:db8::5'}\n  discover: false\n  \
         resolve_interval: 30s\n  renew_after: 1m\n  preferred_ip_protocol: ip4\n  targets:\n    \
         - {name: vcm-a, address: 192.0.2.11, module: 1}\n    \
         - {name: router, address: 'fe80::1%eth0', interval: 5s, timeout: 3s, size: 8, \
            source: 'fe80::5%eth0'}\n    \
         - {name: vcm-b, address: VCM-B.example}\n    \
         - {name: vcm-c, address: vcm-c.example, preferred_ip_protocol: any}\n",
    );
    let address = |text: &str| text.parse::<Address>().unwrap();
    let echo = EchoConfig {
        interval: Duration::from_millis(500),
        timeout: Duration::from_secs(2),
        size: 1472,
        source: Source {
            ip4: Some(address("192.0.2.5")),
            ip6: Some(address("2001:db8::5")),
        },
    };
    assert_eq!(icmp.echo, echo);
    assert_eq!(icmp.late_window, Duration::from_secs(5));
    assert_eq!(icmp.resolve_interval, Duration::from_secs(30));
    assert_eq!(icmp.renew_after, Duration::from_secs(60));
    assert!(!icmp.discover);
    assert_eq!(icmp.targets[0].module, Some(1.try_into().unwrap()));
    assert_eq!(icmp.targets[0].echo, echo);
    let own = EchoConfig {
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(3),
        size: 8,
        source: Source {
            ip6: Some(address("fe80::5%eth0")),
            ..echo.source
        },
    };
    assert_eq!(icmp.targets[1].echo, own);
    let host = |host: &str, prefer| Destination::Host {
        host: host.to_owned(),
        prefer,
    };
    let destinations: Vec<_> = icmp
        .targets
        .into_iter()
        .map(|target| target.destination)
        .collect();
    assert_eq!(
        destinations,
        [
            Destination::Address(address("192.0.2.11")),
            Destination::Address(address("fe80::1%eth0")),
            host("vcm-b.example", Preference::Family(Family::V4)),
            host("vcm-c.example", Preference::Any),
        ]
    );
}

#[test]
fn a_source_decides_about_the_family_of_a_name() {
    let icmp = read("icmp: {targets: [{name: a, address: vcm.example, source: '2001:db8::5'}]}");
    let prefer = Preference::Family(Family::V6);
    let host = "vcm.example".to_owned();
    assert_eq!(
        icmp.targets[0].destination,
        Destination::Host { host, prefer }
    );
}

#[test]
fn says_what_is_wrong() {
    let targets = |target: &str| format!("{{targets: [{{name: a, {target}}}]}}");
    for (text, expected) in [
        (
            "{interval: 1}".to_owned(),
            "interval: has no unit: write a duration such as 30s",
        ),
        (
            "{timeout: 99ms}".to_owned(),
            "timeout: is not from 100ms to 1m",
        ),
        (
            "{late_window: 61s}".to_owned(),
            "late_window: is not from 100ms to 1m",
        ),
        (
            "{resolve_interval: 1s}".to_owned(),
            "resolve_interval: is not from 5s to 1h",
        ),
        (
            "{size: 7}".to_owned(),
            "size: is not a whole number from 8 to 1472",
        ),
        (
            "{size: 1473}".to_owned(),
            "size: is not a whole number from 8 to 1472",
        ),
        (
            "{discover: on}".to_owned(),
            "discover: is not true or false",
        ),
        (
            "{preferred_ip_protocol: ipv4}".to_owned(),
            "preferred_ip_protocol: is not any, ip4 or ip6",
        ),
        (
            "{source: {ip4: '::1'}}".to_owned(),
            "source.ip4: is not an IPv4 address",
        ),
        (
            "{source: {ip6: 127.0.0.1}}".to_owned(),
            "source.ip6: is not an IPv6 address",
        ),
        (
            "{source: {ip6: vcm}}".to_owned(),
            "source.ip6: is not an IPv4 or IPv6 address",
        ),
        (
            "{targets: [{address: 192.0.2.1}]}".to_owned(),
            "targets[0].name: is required",
        ),
        (
            "{targets: [{name: '', address: 192.0.2.1}]}".to_owned(),
            "targets[0].name: is empty",
        ),
        (
            "{targets: [{name: a}]}".to_owned(),
            "targets[0].address: is required",
        ),
        (
            targets("address: 192.0.2.300"),
            "targets[0].address: is not an IPv4 or IPv6 address or a host name",
        ),
        (
            targets("address: 'fe80::1'"),
            "targets[0].address: is unusable: a link-local address needs a zone, such as \
             fe80::1%eth0",
        ),
        (
            targets("address: '192.0.2.1%eth0'"),
            "targets[0].address: is unusable: only an IPv6 link-local address has a zone",
        ),
        (
            targets("address: 192.0.2.1, source: '2001:db8::5'"),
            "targets[0].source: is not of the same family as address",
        ),
        (
            targets("address: 192.0.2.1, module: 65536"),
            "targets[0].module: is not a whole number from 1 to 65535",
        ),
        (
            "{targets: [{name: a, address: 192.0.2.1}, {name: a, address: 192.0.2.2}]}".to_owned(),
            "targets[1].name: is the name of another target, of the same module",
        ),
    ] {
        let error = Config::parse(&format!("icmp: {text}")).unwrap_err();
        let expected = format!("configuration:1: icmp.{expected}");
        assert_eq!(error.to_string(), expected, "{text}");
    }
}
