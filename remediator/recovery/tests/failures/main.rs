//! How automation like this has caused outages elsewhere: one test for each row of that list which
//! the core alone can break and no other test covers, named after the row. All rows, with the tests of
//! the others, stand in `docs/safety-case.md`; [`document`] keeps that page honest.

#![expect(
    clippy::unwrap_used,
    reason = "a test's script is fixed, and it fails by a panic"
)]

mod attempts;
mod document;
#[path = "../ladder/lab.rs"]
#[expect(
    dead_code,
    clippy::wildcard_enum_match_arm,
    reason = "shared with the tests of the ladder, which use all of it"
)]
mod lab;
mod load;
mod looks;
mod memory;

use vcm_recovery::alert::Fact;
use vcm_recovery::tier::Tier;

use lab::{Cure, Lab};

/// Module 1 of one has failed for good, and every rung is permitted.
fn failing() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.permit_clear();
    lab.policy.retry.attempts_per_incident = 1;
    lab.policy.flapping.incidents = 1_000;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab
}

/// Alertmanager says that every alert is over.
fn resolve_all(lab: &mut Lab) {
    lab.alerts.clear();
    let now = lab.now;
    let over = |(fingerprint, record): (&_, &vcm_recovery::alert::FactRecord)| Fact {
        fingerprint: *fingerprint,
        name: record.name.clone(),
        target: record.target.clone(),
        tier: None,
        lowered: record.lowered,
        firing: false,
        starts_at: record.newest_start.unwrap(),
        ends_at: Some(now),
        delivered_at: now,
    };
    let facts: Vec<Fact> = lab.state.facts.iter().map(over).collect();
    for fact in &facts {
        lab.state.deliver(fact);
    }
}
