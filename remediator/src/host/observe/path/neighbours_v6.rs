//! The neighbours of IPv6. The kernel lists them through rtnetlink(7) only: /proc has none.

use std::io;
use std::net::Ipv6Addr;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// Types and flags of messages, from `linux/netlink.h` and `linux/rtnetlink.h`.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const NLM_F_REQUEST_DUMP: u16 = 0x301;

/// Bytes of `struct nlmsghdr` and of `struct ndmsg`.
const HEADER: usize = 16;
const NEIGHBOUR_HEADER: usize = 12;

/// `AF_INET6`
const FAMILY: u8 = 10;

/// The attribute with the neighbour's address, from `linux/neighbour.h`.
const NDA_DST: u16 = 1;

/// States in which the link address is known: reachable, stale, delay, probe, noarp, permanent.
const NUD_VALID: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;

/// Nobody has asked for it.
const NUD_NONE: u16 = 0;

/// The largest datagram that the kernel makes of a list, in bytes.
const DATAGRAM_MAX: usize = 64 << 10;

/// Datagrams that are read at most: each holds some hundred neighbours.
const DATAGRAMS_MAX: usize = 256;

/// An entry of the kernel's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// The number of its interface.
    pub(super) interface: u32,
    pub(super) address: Ipv6Addr,
    /// Whether its link address is known.
    pub(super) complete: bool,
}

/// Asks the kernel. Its answer is there when the question has been put: nothing is waited for.
pub(super) fn read() -> io::Result<Vec<Neighbour>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // NETLINK_ROUTE is protocol 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    send(&socket, &request(), SendFlags::empty())?;
    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut neighbours = Vec::new();
    for _ in 0..DATAGRAMS_MAX {
        let (read, _) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let datagram = buffer.get(..read).unwrap_or_default();
        match add(datagram, &mut neighbours) {
            Some(Go::On) => {}
            Some(Go::Done) => return Ok(neighbours),
            None => break,
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// `struct nlmsghdr` and `struct ndmsg`: every neighbour of this family.
fn request() -> Vec<u8> {
    let length = u32::try_from(HEADER + NEIGHBOUR_HEADER).unwrap_or_default();
    let sequence: u32 = 1;
    let mut bytes = Vec::new();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(RTM_GETNEIGH.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.push(FAMILY);
    bytes.extend([0; NEIGHBOUR_HEADER - 1]);
    bytes
}

/// Whether more datagrams follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Go {
    On,
    Done,
}

/// Adds the neighbours of one datagram; `None` if it is not what the kernel writes.
fn add(datagram: &[u8], to: &mut Vec<Neighbour>) -> Option<Go> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        let message = rest.get(..length).filter(|_| length >= HEADER)?;
        match u16_at(message, 4)? {
            NLMSG_DONE => return Some(Go::Done),
            NLMSG_ERROR => return None,
            RTM_NEWNEIGH => to.extend(neighbour(message.get(HEADER..)?)),
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Some(Go::On)
}

/// Reads `struct ndmsg` and its attributes; `None` for what says nothing of a neighbour of IPv6.
fn neighbour(message: &[u8]) -> Option<Neighbour> {
    let state = u16_at(message, 8)?;
    if message.first() != Some(&FAMILY) || state == NUD_NONE {
        return None;
    }
    Some(Neighbour {
        interface: u32_at(message, 4)?,
        address: address(message.get(NEIGHBOUR_HEADER..)?)?,
        complete: state & NUD_VALID != 0,
    })
}

/// Attributes read length, type, value, each at a multiple of 4 bytes.
fn address(attributes: &[u8]) -> Option<Ipv6Addr> {
    let mut rest = attributes;
    while !rest.is_empty() {
        let length = usize::from(u16_at(rest, 0)?);
        let value = rest.get(4..length)?;
        if u16_at(rest, 2)? == NDA_DST {
            return <[u8; 16]>::try_from(value).ok().map(Ipv6Addr::from);
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    None
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*four))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*two))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Linux 6.18 answers in a network namespace with eth1 (number 2) and eth0 (3) after
    /// `ip -6 neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent`,
    /// `fe80::1 ... dev eth0 nud stale`, `2001:db8::7 dev eth0 nud failed` and
    /// `2001:db8::8 ... dev eth1 nud stale`, as little-endian machines read it.
    const CAPTURED: &[u8] = include_bytes!("neighbours_v6.bin");

    pub(in super::super) fn captured() -> Vec<Neighbour> {
        let mut found = Vec::new();
        let _ = add(CAPTURED, &mut found);
        found
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn reads_what_the_kernel_answers() {
        let mut found = Vec::new();
        assert_eq!(add(CAPTURED, &mut found), Some(Go::Done));
        let told: Vec<String> = found
            .iter()
            .filter(|neighbour| !neighbour.address.is_multicast())
            .map(|n| format!("{} on {}: {}", n.address, n.interface, n.complete))
            .collect();
        assert_eq!(
            told,
            [
                "2001:db8::8 on 2: true",
                "2001:db8::7 on 3: false",
                "fe80::1 on 3: true",
                "2001:db8::1 on 3: true",
            ]
        );
        // The end of the list may be in a datagram of its own.
        let (list, end) = CAPTURED.split_at(CAPTURED.len() - 20);
        assert_eq!(add(list, &mut Vec::new()), Some(Go::On));
        assert_eq!(add(end, &mut Vec::new()), Some(Go::Done));
        assert_eq!(add(&list[..list.len() - 1], &mut Vec::new()), None);
    }

    #[test]
    fn the_kernel_of_this_machine_answers() {
        read().unwrap();
    }

    proptest! {
        #[test]
        fn takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = add(&bytes, &mut Vec::new());
        }

        #[test]
        fn takes_any_change_of_an_answer(at in 0usize..536, byte in any::<u8>()) {
            let mut bytes = CAPTURED.to_vec();
            bytes[at] = byte;
            let _ = add(&bytes, &mut Vec::new());
        }
    }
}
