use std::net::{Ipv4Addr, Ipv6Addr};

use surge_ping::{Icmpv4Packet, Icmpv6Packet};

use super::*;

const TARGET: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const TARGET6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 11);
const ROUTER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// An ICMPv4 message as a datagram socket would deliver it; errors quote a request to the target.
fn v4(icmp_type: u8, from: Ipv4Addr) -> IcmpPacket {
    let mut message = vec![icmp_type, 0, 0, 0, 0x12, 0x34, 0, 7];
    if icmp_type != 0 {
        let mut quoted = vec![0; 20];
        quoted[0] = 0x45;
        quoted[16..20].copy_from_slice(&TARGET.octets());
        message.extend(quoted);
        message.extend([8, 0, 0, 0, 0x12, 0x34, 0, 7]);
    }
    let datagram = Config::default().sock_type_hint;
    IcmpPacket::V4(Icmpv4Packet::decode(&message, datagram, from, Ipv4Addr::LOCALHOST).unwrap())
}

fn v6(icmp_type: u8, from: Ipv6Addr) -> IcmpPacket {
    let mut message = vec![icmp_type, 0, 0, 0, 0x12, 0x34, 0, 7];
    if icmp_type != 129 {
        let mut quoted = vec![0; 40];
        quoted[0] = 0x60;
        quoted[6] = 58;
        quoted[24..40].copy_from_slice(&TARGET6.octets());
        message.extend(quoted);
        message.extend([128, 0, 0, 0, 0x12, 0x34, 0, 7]);
    }
    IcmpPacket::V6(Icmpv6Packet::decode(&message, from).unwrap())
}

fn echo(target: impl Into<IpAddr>, packet: IcmpPacket) -> Echo {
    classify(target.into(), Ok((packet, Duration::from_millis(3))))
}

#[test]
fn counts_an_echo_reply_from_the_target_itself() {
    assert!(matches!(echo(TARGET, v4(0, TARGET)), Echo::Reply { .. }));
    assert!(matches!(
        echo(TARGET6, v6(129, TARGET6)),
        Echo::Reply { .. }
    ));
}

#[test]
fn a_routers_unreachable_is_never_a_reply() {
    for echo in [
        echo(TARGET, v4(3, ROUTER)),
        echo(TARGET, v4(3, TARGET)),
        echo(TARGET6, v6(1, ROUTER6)),
        echo(TARGET6, v6(1, TARGET6)),
    ] {
        assert!(matches!(echo, Echo::Unreachable { .. }), "{echo:?}");
    }
}

#[test]
fn a_routing_loop_is_told_apart() {
    for echo in [echo(TARGET, v4(11, ROUTER)), echo(TARGET6, v6(3, ROUTER6))] {
        assert!(matches!(echo, Echo::TimeExceeded { .. }), "{echo:?}");
    }
}

#[test]
fn no_other_packet_is_a_reply() {
    for icmp_type in [4, 5, 12] {
        let echo = echo(TARGET, v4(icmp_type, TARGET));
        assert!(matches!(echo, Echo::Other { .. }), "{icmp_type}: {echo:?}");
    }
    for icmp_type in [2, 4, 137] {
        let echo = echo(TARGET6, v6(icmp_type, TARGET6));
        assert!(matches!(echo, Echo::Other { .. }), "{icmp_type}: {echo:?}");
    }
    assert!(
        matches!(echo(TARGET, v4(0, ROUTER)), Echo::Other { .. }),
        "reply of another address"
    );
}

#[test]
fn tells_permission_from_other_local_errors() {
    let error = |kind: io::ErrorKind| classify(TARGET.into(), Err(io::Error::from(kind).into()));
    let denied = error(io::ErrorKind::PermissionDenied);
    assert!(
        matches!(denied, Echo::Error(EchoError::Permission { .. })),
        "{denied:?}"
    );
    let unroutable = error(io::ErrorKind::NetworkUnreachable);
    assert!(
        matches!(unroutable, Echo::Error(EchoError::Send { .. })),
        "{unroutable:?}"
    );
}

/// Without the privilege to open any socket the same call has to say so, so that this holds on
/// every machine.
#[tokio::test]
async fn loopback_replies_or_permission_is_reported() {
    let pinger = Pinger::new();
    let target = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let echo = pinger.echo(target, Duration::from_secs(5)).await;
    match pinger.client(target) {
        Ok(_) => assert!(matches!(echo, Echo::Reply { .. }), "{echo:?}"),
        Err(_) => {
            assert!(
                matches!(echo, Echo::Error(EchoError::Permission { .. })),
                "{echo:?}"
            );
        }
    }
}

/// Many echoes to one address at a time is what two modules with one address amount to.
#[tokio::test]
async fn concurrent_echoes_to_one_address_do_not_disturb_each_other() {
    let pinger = Pinger::new();
    let target = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let wait = Duration::from_secs(5);
    let (a, b, c) = tokio::join!(
        pinger.echo(target, wait),
        pinger.echo(target, wait),
        pinger.echo(target, wait)
    );
    for echo in [a, b, c] {
        assert!(
            matches!(
                echo,
                Echo::Reply { .. } | Echo::Error(EchoError::Permission { .. })
            ),
            "{echo:?}"
        );
    }
}

/// 192.0.2.0/24 is reserved for documentation: nobody may answer from it.
#[tokio::test]
async fn silence_is_a_timeout_or_an_error_and_never_a_reply() {
    let pinger = Pinger::new();
    let wait = Duration::from_millis(200);
    let echo = pinger.echo(TARGET.into(), wait).await;
    assert!(!matches!(echo, Echo::Reply { .. }), "{echo:?}");
}
