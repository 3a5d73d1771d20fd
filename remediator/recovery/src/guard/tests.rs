//! The tables of the guards, cell by cell, with the words that an operator reads.

use super::*;
use base::{Base, every, row};

mod above_ceiling;
mod approval_required;
mod base;
mod boot_window;
mod budget;
mod cap;
mod decision_stale;
mod esn_mismatch;
mod flapping;
mod hardserver_unresponsive;
mod hardware_fault;
mod hold;
mod host_policy;
mod kind;
mod load_high;
mod module_healthy;
mod module_in_service_mode;
mod network_bad;
mod network_unknown;
mod not_before;
mod not_owner;
mod observation_incomplete;
mod observation_unknown;
mod observe_only;
mod others_healthy;
mod outside_window;
mod paused;
mod silenced;
mod spacing;
mod stopped_on_purpose;
mod storm;
mod unknown_target;
mod watchdog_silent;

#[test]
fn every_guard_passes_or_does_not_apply_on_the_base() {
    let base = Base::new();
    for guard in Guard::ALL {
        for rung in Rung::ALL {
            let verdict = base.verdict(guard, rung);
            assert!(verdict.passes(), "{guard} {rung}: {verdict:?}");
        }
    }
}

#[test]
fn every_guard_that_looks_at_the_host_refuses_without_an_observation() {
    let base = Base::new().blind();
    for guard in Guard::ON_HOST
        .into_iter()
        .chain([Guard::DecisionStale, Guard::OthersHealthy])
    {
        let missing = every("refuse: there is no observation of the host");
        row(&base, guard, missing);
    }
}

#[test]
fn names_are_unique_and_read_back() {
    for guard in Guard::ALL {
        let text = serde_json::to_string(&guard).unwrap();
        assert_eq!(text, format!("\"{guard}\""));
        assert_eq!(serde_json::from_str::<Guard>(&text).unwrap(), guard);
    }
}

#[test]
fn each_guard_stands_once_in_the_list_and_the_host_answers_for_its_own() {
    let all: std::collections::BTreeSet<Guard> = Guard::ALL.into_iter().collect();
    assert_eq!(all.len(), Guard::ALL.len());
    let base = Base::new();
    let seen = base.evidence.observation().unwrap();
    let view = HostView {
        rung: Rung::Retry,
        module: base.incident.target.module,
        expected_esn: None,
        seen,
    };
    for guard in Guard::ALL {
        let answers = guard.on_host(&view).is_some();
        assert_eq!(answers, Guard::ON_HOST.contains(&guard), "{guard}");
    }
}
