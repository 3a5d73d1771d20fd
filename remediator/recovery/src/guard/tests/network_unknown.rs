use super::base::{Base, PASS, every, module, number, on_host_target, row, with};
use crate::guard::Guard::NetworkUnknown;
use crate::observation::{HardserverLook, NetworkLook};

fn echo(sent: u8, replies: u8) -> NetworkLook {
    NetworkLook::Echo { sent, replies }
}

fn unknown() -> NetworkLook {
    NetworkLook::Unknown("no permission".to_owned())
}

fn seeing(network: NetworkLook) -> Base {
    with(|seen| module(seen, 1).network = network)
}

#[test]
fn what_could_not_be_found_out_refuses() {
    let reason = "refuse: whether module 1 answers is not known: no permission";
    row(&seeing(unknown()), NetworkUnknown, every(reason));
    let few = every("refuse: too few echo requests were sent to module 1");
    row(&seeing(echo(4, 4)), NetworkUnknown, few);
    let not_seen = with(|seen| drop(seen.modules.remove(&number(1))));
    row(
        &not_seen,
        NetworkUnknown,
        every("refuse: module 1 was not seen"),
    );
}

#[test]
fn what_is_known_passes() {
    for network in [
        echo(5, 5),
        echo(5, 1),
        echo(5, 0),
        NetworkLook::Tcp { connected: true },
        NetworkLook::Tcp { connected: false },
        NetworkLook::NotApplicable,
    ] {
        row(&seeing(network), NetworkUnknown, PASS);
    }
}

#[test]
fn a_host_that_is_not_down_is_gated_by_its_modules() {
    let host = |one: NetworkLook, others: NetworkLook| {
        on_host_target(move |seen| {
            seen.hardserver = HardserverLook::Unresponsive;
            let looks = seen.modules.values_mut();
            looks.for_each(|look| look.network = others.clone());
            module(seen, 1).network = one;
        })
    };
    row(&host(echo(5, 5), unknown()), NetworkUnknown, PASS);
    row(&host(echo(5, 0), echo(5, 0)), NetworkUnknown, PASS);
    let not_known = every("refuse: whether any module of this host answers is not known");
    row(&host(unknown(), echo(5, 0)), NetworkUnknown, not_known);
    row(&host(unknown(), echo(5, 2)), NetworkUnknown, not_known);
    let down = on_host_target(|seen| {
        seen.hardserver = HardserverLook::SuspectedDown;
        module(seen, 1).network = unknown();
    });
    row(
        &down,
        NetworkUnknown,
        every("n/a: the hardserver looks down"),
    );
}
