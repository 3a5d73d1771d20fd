//! Every rule is broken once, to see that its property notices.

use super::*;

/// A rule, where it is broken, and what is then violated.
type Row = (Broken, fn(u8) -> Estate, &'static str);

const TABLE: &[Row] = &[
    (Broken::NothingReturns, hook, "L5 load that is taken"),
    (Broken::NobodyIsPaged, hook, "L5 load that is taken"),
    (Broken::KeysAreNew, hook, "S2 no order acts twice"),
    (Broken::PauseIsIgnored, hook, "S1 load is taken"),
    (Broken::HookIsCalled, people, "S1 no hook is called"),
];

#[test]
fn every_broken_rule_violates_its_property() {
    for (broken, estate, property) in TABLE {
        let estate = Estate {
            broken: Some(*broken),
            ..estate(3)
        };
        let outcome = check::check(Size::Quick, "load", estate, 1);
        let violated = outcome.violated();
        let noticed = violated.iter().any(|name| name.starts_with(property));
        assert!(noticed, "{broken:?}: {violated:?}");
    }
}
