//! Every rule is broken once, to see that its property notices.

use super::*;

/// A rule, where it is broken, and what is then violated.
type Row = (Broken, fn() -> Estate, &'static str);

const TABLE: &[Row] = &[
    (
        Broken::HostIsNotCounted,
        || retries(0),
        "S4 no more attempts",
    ),
    (Broken::HsmIsNotCounted, || retries(0), "S4 no more retries"),
    (
        Broken::FleetIsNotCounted,
        || disruptive(0),
        "S4 no more restarts and clears in",
    ),
    (
        Broken::UnknownHoldsNothing,
        || unknown(1),
        "S4 no more restarts and clears",
    ),
    (
        Broken::HarmIsIgnored,
        || disruptive(0),
        "S12 no restart or clear",
    ),
    (
        Broken::StormIsIgnored,
        || disruptive(0),
        "S14 no restart or clear starts while its HSM fails",
    ),
    (
        Broken::BootIsIgnored,
        || disruptive(0),
        "S14 no restart or clear starts while its HSM may",
    ),
    (Broken::BootIsIgnored, || retries(0), "S14 in a storm"),
    (Broken::NobodyIsPaged, || retries(1), "L2 every attempt"),
    (Broken::ShareIsKept, || unknown(1), "L3 the fleet's share"),
    (
        Broken::NothingIsReserved,
        || retries(0),
        "L6 what is failed",
    ),
];

fn outcome(estate: Estate, broken: Broken) -> Outcome {
    let broken = Estate {
        broken: Some(broken),
        ..estate
    };
    check::check(Size::Quick, "budgets", broken, 1)
}

#[test]
fn every_broken_rule_violates_its_property() {
    let mut unnoticed = Vec::new();
    for (rule, estate, expected) in TABLE {
        let violated = outcome(estate(), *rule).violated();
        if !violated.iter().any(|name| name.starts_with(expected)) {
            unnoticed.push(format!("{rule:?} for {expected}: {violated:?}"));
        }
    }
    assert_eq!(unnoticed, [""; 0]);
}

#[test]
fn every_property_is_violated_by_a_broken_rule() {
    for (name, _) in properties::ALWAYS {
        let noticed = TABLE
            .iter()
            .any(|(.., expected)| name.starts_with(expected));
        assert!(noticed, "{name}");
    }
}

#[test]
fn every_possibility_is_asked_in_some_estate() {
    let estates = estates(Size::Quick);
    let asked = |name: &str| {
        estates
            .iter()
            .any(|(_, estate)| estate.possible.contains(&name))
    };
    let names = properties::SOMETIMES.iter().map(|(name, _)| *name);
    let never: Vec<&str> = names.filter(|name| !asked(name)).collect();
    assert_eq!(never, [""; 0]);
    let possible = estates.iter().flat_map(|(_, estate)| &estate.possible);
    for name in possible {
        let known = properties::SOMETIMES.iter().any(|(known, _)| known == name);
        assert!(known, "{name}");
    }
}
