use std::collections::BTreeMap;

use super::base::{Base, PASS, every, number, row};
use crate::fleet::Silences;
use crate::guard::Guard::Silenced;

/// The alert of the target is silenced, or another one is.
fn silenced(fingerprint: &str) -> Base {
    let mut base = Base::new();
    let by = BTreeMap::from([(
        fingerprint.parse().unwrap(),
        "ada: at work on it".to_owned(),
    )]);
    base.fleet.silences = Silences::Known(by);
    base
}

#[test]
fn a_silenced_alert_is_left_to_who_silenced_it() {
    let reason = every("refuse: alert VcmFailed is silenced by ada: at work on it");
    row(&silenced("00000000000000aa"), Silenced, reason);
    row(&silenced("00000000000000bb"), Silenced, PASS);
    let mut over = silenced("00000000000000aa");
    let now = over.now;
    let facts = over.state.facts.values_mut();
    facts.for_each(|fact| fact.newest_end = Some(now));
    row(&over, Silenced, PASS);
    let mut elsewhere = silenced("00000000000000aa");
    elsewhere.incident.target.module = Some(number(2));
    row(&elsewhere, Silenced, PASS);
}

#[test]
fn what_alertmanager_does_not_say_refuses_where_it_is_asked() {
    row(
        &Base::new(),
        Silenced,
        every("n/a: no Alertmanager is asked for silences"),
    );
    let mut unknown = Base::new();
    unknown.fleet.silences = Silences::Unknown("connection refused".to_owned());
    let reason = every("refuse: whether its alerts are silenced is not known: connection refused");
    row(&unknown, Silenced, reason);
}
