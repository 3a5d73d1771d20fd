use super::base::{Base, PASS, every, row};
use crate::guard::Guard::ObserveOnly;
use crate::policy::Mode;

#[test]
fn the_lower_of_both_modes_counts() {
    let observe = every("refuse: mode is observe: nothing is run");
    for policy in Mode::ALL {
        for host in [
            None,
            Some(Mode::Observe),
            Some(Mode::Approve),
            Some(Mode::Act),
        ] {
            let mut base = Base::new();
            base.policy.mode = policy;
            base.host.mode = host;
            let observing = policy == Mode::Observe || host == Some(Mode::Observe);
            row(&base, ObserveOnly, if observing { observe } else { PASS });
        }
    }
}
