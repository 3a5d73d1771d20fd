//! Link-local targets and the interface they are on.

use crate::namespace::Namespace;
use crate::prober::{Running, config, replies};

fn connect(here: &Namespace, there: &Namespace) {
    here.ip(&[
        "link",
        "add",
        "vcm0",
        "type",
        "veth",
        "peer",
        "name",
        "hsm0",
        "netns",
        there.name(),
    ]);
    for (namespace, link, address) in [(here, "vcm0", "fe80::a/64"), (there, "hsm0", "fe80::b/64")]
    {
        namespace.ip(&["link", "set", link, "addrgenmode", "none"]);
        namespace.ip(&["addr", "add", address, "dev", link, "nodad"]);
        namespace.ip(&["link", "set", link, "up"]);
    }
}

/// The interface is made anew, with another index, while echoes go on.
#[test]
fn a_zone_is_followed_when_its_interface_comes_back() {
    let (Some(there), Some(here)) = (Namespace::create(), Namespace::enter_new()) else {
        return;
    };
    connect(&here, &there);
    let text = "{interval: 100ms, timeout: 500ms, targets: [{name: a, address: 'fe80::b%vcm0'}]}";
    let running = Running::start(config(text));
    let before = running.until_of("a", "replies", |sample| replies(sample) >= 3);
    assert_eq!(before.place.family(), "ipv6");
    here.ip(&["link", "del", "vcm0"]);
    running.until_of("a", "no interface", |sample| {
        sample.newest_replied == Some(false)
    });
    // Takes the index that the old interface had.
    here.add_link("other0", "other1");
    connect(&here, &there);
    running.until_of("a", "replies again", |sample| {
        replies(sample) >= replies(&before) + 3
    });
}
