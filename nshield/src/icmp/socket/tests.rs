use super::*;

const TARGET: &str = "192.0.2.11";
const ROUTER: &str = "192.0.2.1";
const TARGET6: &str = "2001:db8::11";
const REQUEST: Request = Request {
    ident: 0x1234,
    sequence: 7,
    token: 0x0102_0304_0506_0708,
};

fn address(text: &str) -> SocketAddr {
    SocketAddr::new(text.parse().unwrap(), 0)
}

/// The reply to a request: the same packet with another type.
fn reply(family: Family) -> Vec<u8> {
    let mut packet = vec![0; HEADER + 16];
    write_request(&mut packet, family, SocketKind::Raw, REQUEST);
    packet[0] = if family == Family::V4 { 0 } else { 129 };
    packet
}

fn with_header(icmp: &[u8], words: u8) -> Vec<u8> {
    let mut packet = vec![0; usize::from(words) * 4];
    packet[0] = 0x40 | words;
    packet[8] = 61;
    packet.extend(icmp);
    packet
}

/// A router's error that quotes a request to the target, as far as RFC 792 demands.
fn router_error(icmp_type: u8) -> Vec<u8> {
    let mut quoted = vec![0; 20];
    quoted[0] = 0x45;
    quoted[16..20].copy_from_slice(&[192, 0, 2, 11]);
    let mut message = vec![icmp_type, 0, 0, 0, 0, 0, 0, 0];
    message.extend(quoted);
    message.extend([8, 0, 0, 0, 0x12, 0x34, 0, 7]);
    message
}

#[test]
fn reads_back_what_a_reply_repeats() {
    let cases = [
        (reply(Family::V4), Family::V4, SocketKind::Datagram, TARGET),
        (
            with_header(&reply(Family::V4), 5),
            Family::V4,
            SocketKind::Raw,
            TARGET,
        ),
        (
            with_header(&reply(Family::V4), 15),
            Family::V4,
            SocketKind::Raw,
            TARGET,
        ),
        (reply(Family::V6), Family::V6, SocketKind::Datagram, TARGET6),
        (reply(Family::V6), Family::V6, SocketKind::Raw, TARGET6),
    ];
    for (message, family, kind, from) in cases {
        let received = read(&message, family, kind, address(from)).unwrap();
        let token = Some(REQUEST.token);
        assert_eq!(
            received.message,
            Message::Reply { token },
            "{family:?} {kind:?}"
        );
        assert_eq!(received.target, address(from).ip());
        assert_eq!(
            (received.ident, received.sequence),
            (REQUEST.ident, REQUEST.sequence)
        );
        let shown = (family, kind) == (Family::V4, SocketKind::Raw);
        assert_eq!(received.hop_limit, shown.then_some(61));
    }
}

#[test]
fn a_reply_too_short_for_a_token_has_none() {
    let short = &reply(Family::V4)[..HEADER + 7];
    let received = read(short, Family::V4, SocketKind::Datagram, address(TARGET)).unwrap();
    assert_eq!(received.message, Message::Reply { token: None });
}

#[test]
fn a_routers_error_names_the_request_it_quotes() {
    for (icmp_type, message) in [
        (3, Message::Unreachable),
        (11, Message::TimeExceeded),
        (12, Message::Other),
    ] {
        let packet = with_header(&router_error(icmp_type), 5);
        let received = read(&packet, Family::V4, SocketKind::Raw, address(ROUTER)).unwrap();
        assert_eq!(received.message, message);
        assert_eq!(received.from, address(ROUTER));
        assert_eq!(received.target, address(TARGET).ip());
        assert_eq!(
            (received.ident, received.sequence),
            (REQUEST.ident, REQUEST.sequence)
        );
    }
}

#[test]
fn requests_redirects_and_stumps_concern_nothing() {
    let mut request = reply(Family::V4);
    request[0] = 8;
    for message in [
        with_header(&request, 5),
        with_header(&router_error(5), 5),
        with_header(&router_error(3)[..20], 5),
        vec![],
        vec![0x45],
        vec![0x4f; 20],
    ] {
        let read = read(&message, Family::V4, SocketKind::Raw, address(ROUTER));
        assert_eq!(read, None, "{message:?}");
    }
}

/// RFC 1071: the sum over a packet with its checksum is all ones.
#[test]
fn a_raw_request_has_a_right_checksum_whatever_its_size() {
    for size in [PAYLOAD_MIN, 9, 56, PAYLOAD_MAX] {
        let mut packet = vec![0; HEADER + size];
        write_request(&mut packet, Family::V4, SocketKind::Raw, REQUEST);
        assert_eq!(checksum(packet.iter()), 0, "{size}");
    }
}
