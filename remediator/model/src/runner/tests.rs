//! Every rule is broken once, to see that its property notices.

use super::*;

/// Kills, reboots, failures, hangs, humans.
type Budget = [u8; 5];

const NOTHING: Budget = [0; 5];
const KILL: Budget = [1, 0, 0, 0, 0];
const KILL_AND_REBOOT: Budget = [1, 1, 0, 0, 0];
const FAILURE: Budget = [0, 0, 1, 0, 0];
const HANG: Budget = [0, 0, 0, 1, 0];
const HANG_AND_HUMAN: Budget = [0, 0, 0, 1, 1];

/// A rule, where it is broken, and what is then violated.
const TABLE: &[(Broken, &[Rung], Budget, &str)] = &[
    (
        Broken::FenceAdmitsAll,
        &[Rung::Retry],
        NOTHING,
        "S3 no order behind the fence",
    ),
    (
        Broken::FenceNotSynced,
        &[Rung::Retry],
        KILL_AND_REBOOT,
        "S3 no order behind the fence",
    ),
    (
        Broken::StoreNotNamed,
        &[Rung::Retry],
        NOTHING,
        "L2 the newest remediator is listened to",
    ),
    (
        Broken::KnownStartsAgain,
        &[Rung::Retry],
        NOTHING,
        "S2 the first command",
    ),
    (
        Broken::KnownStartsAgain,
        &[Rung::Retry],
        NOTHING,
        "S3 what a caller was told",
    ),
    (
        Broken::NameNotSynced,
        &[Rung::Retry],
        KILL_AND_REBOOT,
        "S3 what a caller was told",
    ),
    (
        Broken::TombstonesTogether,
        &[Rung::Retry],
        NOTHING,
        "L2 every journal can be read",
    ),
    (
        Broken::TombstoneAlways,
        &[Rung::Retry],
        KILL,
        "L2 every journal can be read",
    ),
    (
        Broken::SectionDoesNotBlock,
        &[Rung::Clear, Rung::Retry],
        KILL,
        "S8 nothing starts while a section",
    ),
    (
        Broken::LivingDoesNotBlock,
        &[Rung::Retry, Rung::Retry],
        KILL,
        "S8 nothing starts while a recorded",
    ),
    (
        Broken::ClearsForgotten,
        &[Rung::Clear],
        KILL,
        "S2 -c at most three times",
    ),
    (
        Broken::StartsForgotten,
        &[Rung::Restart],
        KILL,
        "S2 three additional starts",
    ),
    (
        Broken::WaitForgotten,
        &[Rung::Clear],
        KILL,
        "S8 no -c before",
    ),
    (
        Broken::LateCommandForgotten,
        &[Rung::Clear],
        HANG,
        "S8 no -c before",
    ),
    (
        Broken::LateCommandForgotten,
        &[Rung::Clear],
        HANG_AND_HUMAN,
        "S8 no clear ends",
    ),
    (
        Broken::UnwrittenForgotten,
        &[Rung::Clear],
        FAILURE,
        "L2 every journal can be read",
    ),
    (
        Broken::RecordLeftOut,
        &[Rung::Retry],
        NOTHING,
        "S11 no command starts",
    ),
    (
        Broken::NoResume,
        &[Rung::Clear],
        KILL,
        "L2 when nothing runs",
    ),
    (
        Broken::NoResumeAtBoot,
        &[Rung::Clear],
        KILL,
        "L4 when nothing runs",
    ),
];

fn outcome(rungs: &[Rung], budget: Budget, broken: Option<Broken>, threads: usize) -> Outcome {
    let broken = Host {
        broken,
        ..host(rungs, budget)
    };
    check::check(Size::Quick, "runner", broken, threads)
}

#[test]
fn every_broken_rule_violates_its_property() {
    for &(rule, rungs, budget, expected) in TABLE {
        let outcome = outcome(rungs, budget, Some(rule), 1);
        let violated = outcome.violated();
        assert!(
            violated.iter().any(|name| name.starts_with(expected)),
            "{rule:?}: {violated:?}"
        );
    }
}

#[test]
fn every_property_is_violated_by_a_broken_rule() {
    let always = properties::properties(&host(&[Rung::Clear], NOTHING));
    let always = always
        .iter()
        .filter(|property| property.expectation.discovery_is_failure());
    for property in always {
        let noticed = TABLE
            .iter()
            .any(|(.., expected)| property.name.starts_with(expected));
        assert!(noticed, "{}", property.name);
    }
}

#[test]
fn the_same_states_are_visited_by_one_thread_and_by_two() {
    let unique = |threads| outcome(&[Rung::Retry], KILL_AND_REBOOT, None, threads).unique;
    assert_eq!(unique(1), unique(2));
}
