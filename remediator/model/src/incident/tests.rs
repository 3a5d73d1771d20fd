//! Every rule is broken once, to see that its property notices.

use super::*;
use crate::ticks::ticks;
use vcm_recovery::policy::{Mode, OthersHealthy};

/// A rule, where it is broken, and what is then violated.
type Row = (Broken, fn() -> Estate, &'static str);

const TABLE: &[Row] = &[
    (
        Broken::Policy(permit_everything),
        || estates::alerts(0),
        "S1 nothing starts above",
    ),
    (
        Broken::Policy(|policy| policy.evidence_max_age = ticks(5)),
        || estates::ladder(1),
        "S1 nothing starts on evidence",
    ),
    (
        Broken::HostDoesNotJudge,
        || estates::ladder(1),
        "S1 nothing starts on a target",
    ),
    (
        Broken::StartOrdersAgain,
        || estates::ladder(1),
        "S2 an attempt starts",
    ),
    (
        Broken::KnownStartsAgain,
        || estates::ladder(1),
        "S2 an attempt starts",
    ),
    (Broken::KnownStartsAgain, late_only, "S2 what was given up"),
    (
        Broken::Policy(|policy| {
            policy.retry.caps.clear();
            policy.retry.attempts_per_incident = 9;
        }),
        || estates::beside(0),
        "S2 no cap",
    ),
    (
        Broken::OthersInFlightAreIgnored,
        lost_only,
        "S2 nothing starts while",
    ),
    (Broken::FenceAdmitsAll, || estates::ladder(1), "S3 no order"),
    (
        Broken::HostDoesNotJudge,
        endless_and_resolved,
        "S4 one attempt",
    ),
    (
        Broken::Policy(|policy| policy.retry.attempts_per_incident = 0),
        || estates::ladder(0),
        "S5 every lower rung",
    ),
    (
        Broken::EverythingFailed,
        || estates::ladder(1),
        "S5 failed means",
    ),
    (
        Broken::OtherTarget,
        || with_unjudging(estates::beside(0)),
        "S6 nothing runs",
    ),
    (
        Broken::HostDoesNotJudge,
        || only_network(estates::beside(1)),
        "S7 nothing starts",
    ),
    (
        Broken::LastFactCounts,
        || estates::alerts(2),
        "S10 what is known",
    ),
    (
        Broken::IntentIsLost,
        || estates::ladder(0),
        "S11 nothing starts",
    ),
    (
        Broken::PauseIsIgnored,
        || estates::stops(0, 1),
        "S12 nothing starts",
    ),
    (
        Broken::HoldIsIgnored,
        || estates::stops(0, 1),
        "S12 nothing starts",
    ),
    (
        Broken::NotDecidedAgain,
        || estates::stops(0, 1),
        "S12 nothing starts",
    ),
    (
        Broken::Policy(|policy| policy.clear.approval = false),
        || estates::approvals(0, 1),
        "S13 what needs",
    ),
    (Broken::AnswerStays, each_retry_approved, "S13 what needs"),
    (
        Broken::Policy(|policy| policy.others_healthy = OthersHealthy::Allow),
        || estates::approvals(0, 0),
        "S14 no healthy module",
    ),
    (Broken::NobodyIsPaged, to_the_end, "L1 when nothing happens"),
    (
        Broken::Policy(|policy| policy.report_timeout = ticks(200)),
        || estates::ladder(1),
        "L2 every attempt",
    ),
    (
        Broken::Policy(|policy| policy.unknown_release = ticks(200)),
        endless_restart,
        "L3 the fleet's share",
    ),
    (
        Broken::SectionIsForgotten,
        cut_short_only,
        "L4 an open section",
    ),
    (
        Broken::NothingIsReserved,
        || estates::ladder(0),
        "L6 what is failed",
    ),
];

fn permit_everything(policy: &mut Policy) {
    for rule in policy.alerts.values_mut() {
        rule.tier = vcm_recovery::tier::Tier::Clear;
    }
}

fn only(trouble: Trouble) -> Estate {
    Estate {
        troubles: vec![trouble],
        ..estates::ladder(1)
    }
}

/// Beyond the end of the ladder.
fn to_the_end() -> Estate {
    Estate {
        horizon: 20,
        ..estates::ladder(0)
    }
}

fn late_only() -> Estate {
    only(Trouble::Order(troubles::OnTheWay::Late))
}

fn lost_only() -> Estate {
    only(Trouble::Steps(troubles::Steps::RecordLost))
}

fn endless_restart() -> Estate {
    let mut estate = only(Trouble::Steps(troubles::Steps::Endless));
    estate
        .begin
        .retain(|(_, cure, _)| *cure == Some(Rung::Clear));
    estate
}

fn endless_and_resolved() -> Estate {
    Estate {
        left: Left {
            troubles: 1,
            acts: 1,
        },
        ..only(Trouble::Steps(troubles::Steps::Endless))
    }
}

fn cut_short_only() -> Estate {
    only(Trouble::Steps(troubles::Steps::CutShort))
}

fn only_network(estate: Estate) -> Estate {
    let bad = troubles::World::Network(scene::Ping::Bad);
    Estate {
        troubles: vec![Trouble::World(bad)],
        ..estate
    }
}

/// Both modules are failed, so that the host itself sees nothing wrong with the other one.
fn with_unjudging(mut estate: Estate) -> Estate {
    for (view, ..) in &mut estate.begin {
        view.modules[1] = scene::Module::Failed;
    }
    estate
}

fn each_retry_approved() -> Estate {
    let mut estate = estates::approvals(0, 1);
    for policy in [&mut estate.rules, &mut estate.policy] {
        policy.mode = Mode::Approve;
        policy.retry.attempts_per_incident = 2;
        policy.approval_ttl = ticks(9);
    }
    estate
}

fn outcome(estate: Estate, broken: Option<Broken>) -> Outcome {
    let mut estate = Estate { broken, ..estate };
    if let Some(Broken::Policy(breaks)) = broken {
        breaks(&mut estate.policy);
    }
    check::check(Size::Quick, "incident", estate, 1)
}

#[test]
fn every_broken_rule_violates_its_property() {
    let mut unnoticed = Vec::new();
    for (rule, estate, expected) in TABLE {
        let violated = outcome(estate(), Some(*rule)).violated();
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
    let estates = estates::of(Size::Quick);
    let asked = |name: &str| {
        estates
            .iter()
            .any(|(_, estate)| estate.possible.contains(&name))
    };
    let names = properties::SOMETIMES.iter().map(|(name, _)| *name);
    let never: Vec<&str> = names.filter(|name| !asked(name)).collect();
    assert_eq!(never, [""; 0]);
    for (_, estate) in &estates {
        for name in &estate.possible {
            let known = properties::SOMETIMES.iter().any(|(known, _)| known == name);
            assert!(known, "{name}");
        }
    }
}
