use super::base::{Base, PASS, every, row};
use crate::fleet::Ownership;
use crate::guard::Guard::NotOwner;

#[test]
fn only_the_owner_of_the_store_acts() {
    row(&Base::new(), NotOwner, PASS);
    let mut base = Base::new();
    base.fleet.ownership = Ownership::Lost("its store was replaced".to_owned());
    let lost = every("refuse: this remediator must not act: its store was replaced");
    row(&base, NotOwner, lost);
}
