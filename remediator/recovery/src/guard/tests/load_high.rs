use super::base::{Base, PASS, every, number, on_host_target, row};
use crate::event::LoadClass;
use crate::fleet::load::Load;
use crate::guard::Guard::LoadHigh;
use crate::policy::LoadPolicy;

fn gate_on(mut base: Base) -> Base {
    base.policy.load = Some(LoadPolicy {
        threshold_percent: 90,
        restore_below_percent: 70,
        hold: std::time::Duration::from_secs(600),
        max_shed: std::time::Duration::from_secs(7_200),
        hook: true,
    });
    base
}

fn loaded(class: LoadClass, shed: bool) -> Base {
    let mut base = gate_on(Base::new());
    let load = Load {
        class,
        seen: "tenant-2/1 shows it".to_owned(),
        shed_since: shed.then_some(base.now),
    };
    let hsm = "hsm-a".parse().unwrap();
    base.fleet.loads.hsms.insert(hsm, load);
    base
}

#[test]
fn nothing_starts_on_an_overloaded_hsm() {
    let first = "refuse: HSM hsm-a is loaded at 90 % or more (tenant-2/1 shows it): load is to be \
                 taken from it first";
    row(&loaded(LoadClass::High, false), LoadHigh, every(first));
    let shed = "refuse: HSM hsm-a is loaded at 90 % or more (tenant-2/1 shows it): load is being \
                taken from it";
    row(&loaded(LoadClass::High, true), LoadHigh, every(shed));
    row(&loaded(LoadClass::Middle, true), LoadHigh, PASS);
    row(&loaded(LoadClass::Low, false), LoadHigh, PASS);
}

#[test]
fn without_a_figure_the_gate_does_not_apply() {
    let off = every("n/a: the load gate is off");
    row(&Base::new(), LoadHigh, off);
    let mut turned_off = loaded(LoadClass::High, true);
    turned_off.policy.load = None;
    row(&turned_off, LoadHigh, off);
    let none = every("n/a: there is no figure of its load");
    row(&gate_on(Base::new()), LoadHigh, none);
    let mut unknown = loaded(LoadClass::High, false);
    unknown.host.modules.get_mut(&number(1)).unwrap().hsm = None;
    row(
        &unknown,
        LoadHigh,
        every("n/a: the HSM of this module is not known"),
    );
    let host = gate_on(on_host_target(|_| {}));
    row(
        &host,
        LoadHigh,
        every("n/a: the host itself has no load of an HSM"),
    );
}

#[test]
fn after_an_unknown_time_away_any_hsm_may_be_overloaded_until_it_is_told_again() {
    let untold = |mut base: Base| {
        let until = base.now.after(std::time::Duration::from_secs(60));
        base.fleet.loads.untold_until = Some(until);
        base
    };
    let shut = every(
        "refuse for 60 s: how long the program was away is not known: an alert about the load of HSM hsm-a may not \
         have been told again yet",
    );
    row(&untold(gate_on(Base::new())), LoadHigh, shut);
    row(&untold(loaded(LoadClass::Low, false)), LoadHigh, shut);
    row(&untold(loaded(LoadClass::Middle, true)), LoadHigh, shut);
    let high = every(
        "refuse: HSM hsm-a is loaded at 90 % or more (tenant-2/1 shows it): load is to be taken from \
         it first",
    );
    row(&untold(loaded(LoadClass::High, false)), LoadHigh, high);
    let off = every("n/a: the load gate is off");
    row(&untold(Base::new()), LoadHigh, off);
}
