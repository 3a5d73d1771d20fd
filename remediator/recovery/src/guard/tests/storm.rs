use super::base::{Base, PASS, number, on_host_target, row};
use crate::guard::Guard::Storm;
use crate::observation::HardserverLook;

const OF_HSM: &str = "several hosts of HSM hsm-a are failing at once";
const OF_FLEET: &str = "many hosts of the fleet are failing at once";

fn hsm_storm(mut base: Base, hsm: Option<&str>) -> Base {
    let now = base.now;
    let hsm = hsm.map(|name| name.parse().unwrap());
    base.fleet.storms.hsms.insert(hsm, now);
    base
}

fn fleet_storm(mut base: Base) -> Base {
    base.fleet.storms.fleet = Some(base.now);
    base
}

#[track_caller]
fn storm(base: &Base, why: &str) {
    let (restart, clear) = (format!("refuse: {why}"), format!("ask: {why}"));
    row(base, Storm, ["pass", &restart, &clear]);
}

#[test]
fn a_storm_stops_restarts_and_makes_clears_ask() {
    row(&Base::new(), Storm, PASS);
    storm(&hsm_storm(Base::new(), Some("hsm-a")), OF_HSM);
    storm(&fleet_storm(Base::new()), OF_FLEET);
    row(&hsm_storm(Base::new(), Some("hsm-b")), Storm, PASS);
}

#[test]
fn a_restart_is_about_every_hsm_of_the_host() {
    let mut base = hsm_storm(Base::new(), None);
    base.host.modules.get_mut(&number(2)).unwrap().hsm = None;
    let refuse = "refuse: several hosts of HSM of unknown name are failing at once";
    row(&base, Storm, ["pass", refuse, "pass"]);
}

#[test]
fn a_hardserver_that_is_down_is_started_in_the_storm_of_an_hsm_but_not_of_the_fleet() {
    let down = || on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    let ask = format!("ask: {OF_HSM}");
    row(
        &hsm_storm(down(), Some("hsm-a")),
        Storm,
        ["pass", "pass", &ask],
    );
    storm(&fleet_storm(hsm_storm(down(), Some("hsm-a"))), OF_FLEET);
    let hung = on_host_target(|seen| seen.hardserver = HardserverLook::Unresponsive);
    storm(&hsm_storm(hung, Some("hsm-a")), OF_HSM);
    storm(
        &hsm_storm(on_host_target(|_| {}), Some("hsm-a")).blind(),
        OF_HSM,
    );
}
