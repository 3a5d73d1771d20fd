use super::base::{Base, PASS, every, module, number, on_host_target, row, with};
use crate::guard::Guard::NetworkBad;
use crate::observation::{HardserverLook, NetworkLook, Observation};

const SIGNED_OFF: [&str; 3] = [
    "n/a: reachability is signed off as not checked",
    "ask: reachability is signed off as not checked, so the network may be the cause",
    "ask: reachability is signed off as not checked, so the network may be the cause",
];

fn echo(sent: u8, replies: u8) -> NetworkLook {
    NetworkLook::Echo { sent, replies }
}

fn seeing(network: &NetworkLook) -> Base {
    with(|seen| module(seen, 1).network = network.clone())
}

#[test]
fn nothing_starts_while_the_module_does_not_answer() {
    row(&seeing(&echo(5, 5)), NetworkBad, PASS);
    row(&seeing(&echo(5, 4)), NetworkBad, PASS);
    row(
        &seeing(&NetworkLook::Tcp { connected: true }),
        NetworkBad,
        PASS,
    );
    for replies in 1..=3 {
        let few = format!("refuse: {replies} of 5 echo requests were answered by the target");
        row(&seeing(&echo(5, replies)), NetworkBad, ["pass", &few, &few]);
    }
    let none = every("refuse: 0 of 5 echo requests were answered by the target");
    row(&seeing(&echo(5, 0)), NetworkBad, none);
    let tcp = every("refuse: the TCP connection was not accepted");
    row(
        &seeing(&NetworkLook::Tcp { connected: false }),
        NetworkBad,
        tcp,
    );
    row(&seeing(&NetworkLook::NotApplicable), NetworkBad, SIGNED_OFF);
}

#[test]
fn what_is_not_known_is_for_network_unknown_to_refuse() {
    let unknown = every("n/a: whether it answers is not known");
    row(&seeing(&echo(3, 3)), NetworkBad, unknown);
    let no_permission = NetworkLook::Unknown("no permission".to_owned());
    row(&seeing(&no_permission), NetworkBad, unknown);
    let not_seen = with(|seen| drop(seen.modules.remove(&number(1))));
    row(&not_seen, NetworkBad, unknown);
    let other = with(|seen| module(seen, 2).network = echo(5, 0));
    row(&other, NetworkBad, PASS);
}

#[test]
fn after_it_is_back_the_hardserver_gets_time_to_reconnect() {
    let back = |seconds| {
        let mut base = Base::new();
        base.incident.network_bad_since = Some(base.ago(7_200));
        base.incident.network_back_at = Some(base.ago(seconds));
        base
    };
    let minute = "refuse for 1 s: the network has been back for less than 60 s";
    let long = "refuse for 541 s: the network has been back for less than 600 s";
    row(&back(59), NetworkBad, [minute, long, minute]);
    let long = "refuse for 540 s: the network has been back for less than 600 s";
    row(&back(60), NetworkBad, ["pass", long, "pass"]);
    let long = "refuse for 1 s: the network has been back for less than 600 s";
    row(&back(599), NetworkBad, ["pass", long, "pass"]);
    row(&back(600), NetworkBad, PASS);
    let mut still_bad = back(7_000);
    still_bad.incident.network_back_at = None;
    row(&still_bad, NetworkBad, PASS);
}

#[test]
fn a_host_that_is_not_down_is_gated_by_its_modules() {
    let all = |network: NetworkLook| {
        on_host_target(move |seen: &mut Observation| {
            seen.hardserver = HardserverLook::Unresponsive;
            let looks = seen.modules.values_mut();
            looks.for_each(|look| look.network = network.clone());
        })
    };
    row(&all(echo(5, 5)), NetworkBad, PASS);
    row(&all(NetworkLook::NotApplicable), NetworkBad, SIGNED_OFF);
    let none = every("refuse: no module of this host answers well");
    for network in [echo(5, 0), echo(5, 3)] {
        row(&all(network), NetworkBad, none);
    }
    let unknown = every("n/a: whether it answers is not known");
    row(&all(echo(3, 3)), NetworkBad, unknown);
    let one = on_host_target(|seen| {
        seen.hardserver = HardserverLook::Unresponsive;
        module(seen, 1).network = echo(5, 0);
        module(seen, 2).network = NetworkLook::NotApplicable;
    });
    row(&one, NetworkBad, PASS);
    let bare = on_host_target(|seen| seen.modules.clear());
    row(&bare, NetworkBad, none);
    let down = on_host_target(|seen| {
        seen.hardserver = HardserverLook::SuspectedDown;
        module(seen, 1).network = echo(5, 0);
    });
    row(&down, NetworkBad, every("n/a: the hardserver looks down"));
}
