use super::base::{Base, PASS, every, number, on_host_target, row};
use crate::guard::Guard::UnknownTarget;
use crate::inventory::Target;

#[test]
fn only_what_the_inventory_lists_is_touched() {
    row(&Base::new(), UnknownTarget, PASS);
    row(&on_host_target(|_| {}), UnknownTarget, PASS);
    let mut removed = Base::new();
    removed.host.modules.remove(&number(1));
    let reason = every("refuse: the inventory does not list module 1");
    row(&removed, UnknownTarget, reason);
    for module in [None, Some(number(1))] {
        let mut elsewhere = Base::new();
        elsewhere.incident.target = Target {
            host: "tenant-2".parse().unwrap(),
            module,
        };
        let reason = format!("refuse: {} is not of this host", elsewhere.incident.target);
        row(&elsewhere, UnknownTarget, every(&reason));
    }
}
