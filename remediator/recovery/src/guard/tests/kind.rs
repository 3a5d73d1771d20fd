use super::base::{Base, PASS, every, module, number, on_host_target, row, with};
use crate::guard::Guard;
use crate::inventory::Kind;

#[test]
fn only_a_vcm_is_cleared() {
    row(&Base::new(), Guard::Kind, PASS);
    for kind in [Kind::Nethsm, Kind::Pcie] {
        let base = with(|seen| module(seen, 1).kind = Some(kind));
        let skip = format!("skip: module 1 is of kind {}, not vcm", kind.as_str());
        row(&base, Guard::Kind, ["pass", "pass", &skip]);
    }
}

#[test]
fn a_module_that_the_host_does_not_list_is_not_touched() {
    let refuse = every("refuse: the host's own inventory does not list module 1");
    let not_listed = with(|seen| module(seen, 1).kind = None);
    row(&not_listed, Guard::Kind, refuse);
    let not_seen = with(|seen| drop(seen.modules.remove(&number(1))));
    row(&not_seen, Guard::Kind, refuse);
}

#[test]
fn a_host_is_neither_retried_nor_cleared() {
    let skip = "skip: the host itself is no module";
    row(&on_host_target(|_| {}), Guard::Kind, [skip, "pass", skip]);
}
