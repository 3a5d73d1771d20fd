//! Answers echo requests in place of the system, as oddly as a test wants.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketType, bind, ipproto, recvfrom, sendto, socket,
};

use crate::namespace::Namespace;

/// A request as it was on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) from: Ipv4Addr,
    pub(crate) to: Ipv4Addr,
    pub(crate) ident: u16,
    pub(crate) message: Vec<u8>,
}

impl Seen {
    /// Sends a reply from an address.
    pub(crate) fn reply_from(&self, from: Ipv4Addr) {
        let socket = raw();
        bind(&socket, &SocketAddr::new(IpAddr::V4(from), 0)).unwrap();
        let mut reply = self.message.clone();
        reply[0] = 0;
        reply[2..4].fill(0);
        let sum = checksum(&reply);
        reply[2..4].copy_from_slice(&sum.to_be_bytes());
        let to = SocketAddr::new(self.from.into(), 0);
        sendto(&socket, &reply, SendFlags::empty(), &to).unwrap();
    }

    /// Replies as the target does.
    pub(crate) fn reply(&self) {
        self.reply_from(self.to);
    }
}

/// Makes the system silent and sees every request from now on. Its thread ends with the test's
/// receiver.
pub(crate) fn requests(namespace: &Namespace) -> Receiver<Seen> {
    namespace.set("net.ipv4.icmp_echo_ignore_all=1");
    let socket = raw();
    let (seen, requests) = channel();
    thread::spawn(move || {
        let mut buffer = [0_u8; 2048];
        while let Ok((length, _, _)) = recvfrom(&socket, &mut buffer, RecvFlags::empty()) {
            let packet = &buffer[..length];
            let message = &packet[usize::from(packet[0] & 15) * 4..];
            let address = |at: usize| {
                Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3])
            };
            if message[0] != 8 {
                continue;
            }
            let request = Seen {
                from: address(12),
                to: address(16),
                ident: u16::from_be_bytes([message[4], message[5]]),
                message: message.to_vec(),
            };
            if seen.send(request).is_err() {
                return;
            }
        }
    });
    requests
}

fn raw() -> OwnedFd {
    socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)).unwrap()
}

fn checksum(message: &[u8]) -> u16 {
    let words = message
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}
