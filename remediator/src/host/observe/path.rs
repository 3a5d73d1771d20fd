//! How this host would reach a module: route, interface and neighbour, as the kernel lists them.
//!
//! For people, who are shown it beside a lost network: "no route" after a reboot means settings
//! that did not survive it. Only the main routing table is listed there; a host that routes by
//! policy shows less than it has, and no decision rests on it.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use vcm_recovery::observation::PathLook;

mod neighbours_v6;

use neighbours_v6::Neighbour;

use crate::host::config::Reachability;

/// The loopback interface, which the lists leave out.
const LOOPBACK: &str = "lo";

/// Flags of a route, from `linux/route.h`.
const ROUTE_UP: u32 = 0x1;
const ROUTE_REJECTS: u32 = 0x200;

/// Flag of a neighbour whose link address is known, from `linux/if_arp.h`.
const NEIGHBOUR_COMPLETE: u32 = 0x2;

/// What the kernel lists, read once for all modules.
#[derive(Debug)]
pub(super) struct Lists {
    routes: io::Result<String>,
    routes_v6: io::Result<String>,
    neighbours: io::Result<String>,
    neighbours_v6: io::Result<Vec<Neighbour>>,
}

/// What is known of the host's interfaces.
struct Interfaces<U, N> {
    /// Whether one is up.
    up: U,
    /// Its number.
    number: N,
}

impl Lists {
    pub(super) fn read() -> Self {
        Self {
            routes: fs::read_to_string("/proc/net/route"),
            routes_v6: fs::read_to_string("/proc/net/ipv6_route"),
            neighbours: fs::read_to_string("/proc/net/arp"),
            neighbours_v6: neighbours_v6::read(),
        }
    }

    /// The path to a module; `None` where no address is configured.
    pub(super) fn look(&self, reachability: Reachability) -> Option<PathLook> {
        match reachability {
            Reachability::Icmp(address) | Reachability::Tcp(address, _) => {
                let up = interface_up;
                let number = interface_number;
                Some(self.to(address, &Interfaces { up, number }))
            }
            Reachability::None | Reachability::NoAddress => None,
        }
    }

    fn to<U, N>(&self, address: IpAddr, interfaces: &Interfaces<U, N>) -> PathLook
    where
        U: Fn(&str) -> Option<bool>,
        N: Fn(&str) -> Option<u32>,
    {
        let Interfaces { up, number } = interfaces;
        if address.is_loopback() {
            return PathLook {
                interface: Some(LOOPBACK.to_owned()),
                interface_up: up(LOOPBACK),
                ..PathLook::default()
            };
        }
        let (list, find): (_, fn(&str, IpAddr) -> Option<Route>) = match address {
            IpAddr::V4(_) => (&self.routes, route_v4),
            IpAddr::V6(_) => (&self.routes_v6, route_v6),
        };
        let found = match list {
            Ok(text) => find(text, address),
            Err(error) => {
                return PathLook {
                    problem: Some(format!("the routes cannot be read: {error}")),
                    ..PathLook::default()
                };
            }
        };
        let Some(route) = found else {
            return PathLook::default();
        };
        let next_hop = route.gateway.unwrap_or(address);
        PathLook {
            interface_up: up(&route.interface),
            neighbour: self.neighbour(next_hop, &route.interface, number),
            gateway: route.gateway.map(|gateway| gateway.to_string()),
            interface: Some(route.interface),
            problem: None,
        }
    }

    /// Whether the link address of a next hop is known.
    fn neighbour(
        &self,
        next_hop: IpAddr,
        interface: &str,
        number: impl Fn(&str) -> Option<u32>,
    ) -> Option<bool> {
        let address = match next_hop {
            IpAddr::V4(_) => {
                let listed = self.neighbours.as_deref().unwrap_or_default();
                return neighbour(listed, next_hop, interface);
            }
            IpAddr::V6(address) => address,
        };
        let number = number(interface)?;
        let mut listed = self.neighbours_v6.as_deref().unwrap_or_default().iter();
        listed
            .find(|entry| entry.interface == number && entry.address == address)
            .map(|entry| entry.complete)
    }
}

/// One line of a list of routes.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    interface: String,
    gateway: Option<IpAddr>,
    /// Length of the destination's prefix, in bits.
    prefix: u32,
    metric: u32,
    rejects: bool,
}

/// The route that the kernel takes: the longest prefix, then the lowest metric. One that rejects
/// is none.
fn best(routes: impl Iterator<Item = Route>) -> Option<Route> {
    let order = |route: &Route| (route.prefix, std::cmp::Reverse(route.metric));
    routes.max_by_key(order).filter(|route| !route.rejects)
}

/// Lines read `eth0 00000000 0100A8C0 0003 0 0 100 00000000 0 0 0`: interface, destination,
/// gateway, flags, two counters, metric, mask; addresses as the machine would print them as
/// numbers.
fn route_v4(text: &str, to: IpAddr) -> Option<Route> {
    let IpAddr::V4(to) = to else { return None };
    let number = |word: &str| u32::from_str_radix(word, 16).ok();
    let address = |word: &str| number(word).map(|raw| Ipv4Addr::from(raw.to_ne_bytes()));
    let route = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (destination, mask) = (address(words.get(1)?)?, address(words.get(7)?)?);
        let flags = number(words.get(3)?)?;
        let matches = to.to_bits() & mask.to_bits() == destination.to_bits();
        let gateway = address(words.get(2)?)?;
        (matches && flags & ROUTE_UP != 0).then_some(Route {
            interface: (*words.first()?).to_owned(),
            gateway: (!gateway.is_unspecified()).then_some(gateway.into()),
            prefix: mask.to_bits().count_ones(),
            metric: words.get(6)?.parse().ok()?,
            rejects: flags & ROUTE_REJECTS != 0,
        })
    };
    best(text.lines().skip(1).filter_map(route))
}

/// Lines read `<destination> <prefix> <source> <prefix> <gateway> <metric> <references> <uses>
/// <flags> eth0`, all of it hexadecimal.
fn route_v6(text: &str, to: IpAddr) -> Option<Route> {
    let IpAddr::V6(to) = to else { return None };
    let number = |word: &str| u32::from_str_radix(word, 16).ok();
    let address = |word: &str| u128::from_str_radix(word, 16).ok().map(Ipv6Addr::from_bits);
    let route = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (destination, prefix) = (address(words.first()?)?, number(words.get(1)?)?);
        let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
        let flags = number(words.get(8)?)?;
        let matches = to.to_bits() & mask == destination.to_bits();
        let gateway = address(words.get(4)?)?;
        (matches && flags & ROUTE_UP != 0).then_some(Route {
            interface: (*words.get(9)?).to_owned(),
            gateway: (!gateway.is_unspecified()).then_some(gateway.into()),
            prefix,
            metric: number(words.get(5)?)?,
            rejects: flags & ROUTE_REJECTS != 0,
        })
    };
    best(text.lines().filter_map(route))
}

/// Lines read `192.0.2.1 0x1 0x2 00:11:22:33:44:55 * eth0`: address, kind, flags, link address,
/// mask, interface.
fn neighbour(text: &str, address: IpAddr, interface: &str) -> Option<bool> {
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let found: IpAddr = words.first()?.parse().ok()?;
        let flags = words.get(2)?.strip_prefix("0x")?;
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let ours = found == address && words.get(5) == Some(&interface);
        ours.then_some(flags & NEIGHBOUR_COMPLETE != 0)
    };
    text.lines().find_map(entry)
}

/// The number of an interface.
fn interface_number(name: &str) -> Option<u32> {
    let file = Path::new("/sys/class/net").join(name).join("ifindex");
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Whether an interface is up. Some kinds never say so themselves: then their carrier decides.
fn interface_up(name: &str) -> Option<bool> {
    let directory = Path::new("/sys/class/net").join(name);
    let word = |file: &str| fs::read_to_string(directory.join(file)).ok();
    match word("operstate")?.trim() {
        "up" => Some(true),
        "unknown" => Some(word("carrier")?.trim() == "1"),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
        eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
        eth1\t000200C0\t00000000\t0001\t0\t0\t50\t00FFFFFF\t0\t0\t0\n\
        eth2\t006433C6\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        *\t007100CB\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    const NEIGHBOURS: &str = "IP address       HW type     Flags       HW address            Mask     Device\n\
        192.0.2.1        0x1         0x2         02:00:00:00:00:01     *        eth0\n\
        192.0.2.11       0x1         0x0         00:00:00:00:00:00     *        eth1\n\
        192.0.2.12       0x1         0x2         02:00:00:00:00:02     *        eth9\n";
    const ROUTES_V6: &str = "\
        20010db8000000000000000000000000 20 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n";

    fn lists(routes: &str) -> Lists {
        Lists {
            routes: Ok(routes.to_owned()),
            routes_v6: Ok(ROUTES_V6.to_owned()),
            neighbours: Ok(NEIGHBOURS.to_owned()),
            neighbours_v6: Ok(neighbours_v6::tests::captured()),
        }
    }

    fn told(lists: &Lists, address: &str) -> String {
        let look = lists.to(
            address.parse().unwrap(),
            &Interfaces {
                up: |name: &str| Some(name != "eth1"),
                number: |name: &str| (name == "eth0").then_some(3),
            },
        );
        let (none, unknown) = ("-".to_owned(), || "?".to_owned());
        format!(
            "{} via {} up {} neighbour {}",
            look.interface.unwrap_or(none.clone()),
            look.gateway.unwrap_or(none),
            look.interface_up.map_or_else(unknown, |up| up.to_string()),
            look.neighbour
                .map_or_else(unknown, |known| known.to_string()),
        )
    }

    /// Addresses stand in the kernel's list as this machine reads them.
    #[cfg(target_endian = "little")]
    #[test]
    fn finds_the_route_the_interface_and_the_neighbour() {
        for (address, expected) in [
            ("198.51.99.1", "eth0 via 192.0.2.1 up true neighbour true"),
            ("192.0.2.11", "eth1 via - up false neighbour false"),
            ("192.0.2.12", "eth1 via - up false neighbour ?"),
            // A route that is not up, and one that rejects.
            ("198.51.100.1", "eth0 via 192.0.2.1 up true neighbour true"),
            ("203.0.113.1", "- via - up ? neighbour ?"),
            ("127.0.0.1", "lo via - up true neighbour ?"),
            ("::1", "lo via - up true neighbour ?"),
            ("2001:db8::1", "eth0 via - up true neighbour true"),
            ("2001:db8::7", "eth0 via - up true neighbour false"),
            // It is one on another interface.
            ("2001:db8::8", "eth0 via - up true neighbour ?"),
            ("2001:db8::9", "eth0 via - up true neighbour ?"),
            ("2001:db9::7", "eth0 via fe80::1 up true neighbour true"),
        ] {
            assert_eq!(told(&lists(ROUTES), address), expected, "{address}");
        }
        let header = ROUTES.lines().next().unwrap();
        assert_eq!(
            told(&lists(header), "192.0.2.11"),
            "- via - up ? neighbour ?"
        );
        assert_eq!(
            told(&lists("nonsense\nmore of it\n"), "192.0.2.11"),
            "- via - up ? neighbour ?"
        );
    }

    #[test]
    fn a_list_that_cannot_be_read_is_a_problem_and_not_a_missing_route() {
        let lists = Lists {
            routes: Err(io::ErrorKind::PermissionDenied.into()),
            ..lists(ROUTES)
        };
        let unseen = Interfaces {
            up: |_: &str| None,
            number: |_: &str| None,
        };
        let look = lists.to("192.0.2.11".parse().unwrap(), &unseen);
        assert!(look.problem.unwrap().contains("cannot be read"));
        assert_eq!(lists.look(Reachability::None), None);
    }

    #[test]
    fn reads_the_loopback_interface_of_this_machine() {
        assert_eq!(interface_up("lo"), Some(true));
        assert_eq!(interface_up("no-such-interface"), None);
        assert!(interface_number("lo").is_some());
        assert_eq!(interface_number("no-such-interface"), None);
    }
}
