//! Addresses with an optional zone, and which interface a zone is now.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use nshield::icmp::Family;
use rustix::io;
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketType, socket};

/// An IP address; a link-local one names its interface, as in `fe80::1%eth0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    ip: IpAddr,
    zone: Option<String>,
}

/// A text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an IP address at all, so that it may be a host name.
    #[error("not an IPv4 or IPv6 address")]
    NotAnAddress,
    /// A zone where none can be.
    #[error("only an IPv6 link-local address has a zone")]
    NeedlessZone,
    /// A link-local address alone does not say on which link.
    #[error("a link-local address needs a zone, such as fe80::1%eth0")]
    MissingZone,
}

impl Address {
    /// Returns the address without its zone.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Returns its family.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.ip)
    }

    /// Returns where to send to now. An interface that comes back may have another index, so that
    /// it is asked for each time.
    ///
    /// # Errors
    ///
    /// If there is no such interface.
    pub fn socket_address(&self) -> io::Result<SocketAddr> {
        let (IpAddr::V6(ip), Some(zone)) = (self.ip, &self.zone) else {
            return Ok(SocketAddr::new(self.ip, 0));
        };
        let index = zone.parse().map_or_else(|_| interface_index(zone), Ok)?;
        Ok(SocketAddrV6::new(ip, 0, 0, index).into())
    }
}

/// Any socket does for the question; `/sys` would show another network namespace.
fn interface_index(name: &str) -> io::Result<u32> {
    let any = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    name_to_index(any, name)
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self { ip, zone: None }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (ip, zone) = match text.split_once('%') {
            Some((ip, zone)) => (ip, Some(zone)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| AddressError::NotAnAddress)?;
        match (link_local(ip), zone) {
            (true, None | Some("")) => Err(AddressError::MissingZone),
            (false, Some(_)) => Err(AddressError::NeedlessZone),
            (_, zone) => Ok(Self {
                ip,
                zone: zone.map(str::to_owned),
            }),
        }
    }
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        self.zone.iter().try_for_each(|zone| write!(f, "%{zone}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows_zones() {
        for text in ["192.0.2.1", "2001:db8::1", "fe80::1%eth0", "fe80::1%2"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for (text, error) in [
            ("", AddressError::NotAnAddress),
            ("vcm.example", AddressError::NotAnAddress),
            ("vcm.example%eth0", AddressError::NotAnAddress),
            ("fe80::1", AddressError::MissingZone),
            ("fe80::1%", AddressError::MissingZone),
            ("2001:db8::1%eth0", AddressError::NeedlessZone),
            ("192.0.2.1%eth0", AddressError::NeedlessZone),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_zone_is_an_interface_or_its_number() {
        let scope = |text: &str| match text.parse::<Address>().unwrap().socket_address() {
            Ok(SocketAddr::V6(address)) => Ok(address.scope_id()),
            Ok(SocketAddr::V4(_)) => panic!("{text:?} is no IPv4 address"),
            Err(error) => Err(error),
        };
        assert_eq!(scope("fe80::1%7"), Ok(7));
        assert_eq!(scope("fe80::1%lo"), Ok(1));
        assert_eq!(scope("2001:db8::1"), Ok(0));
        assert_eq!(scope("fe80::1%nowhere0"), Err(io::Errno::NODEV));
    }
}
