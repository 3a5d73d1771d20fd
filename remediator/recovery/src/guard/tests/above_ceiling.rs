use std::time::Duration;

use super::base::{Base, PASS, every, on_host_target, row};
use crate::guard::Guard::AboveCeiling;
use crate::policy::Scope;
use crate::tier::Tier;

const RETRY: &str = "refuse: the firing alerts permit no more than retry";

/// The alert of the target permits this tier, and another one permits more.
fn permitting(tier: Tier) -> Base {
    let mut base = Base::new();
    base.policy.alerts.get_mut("VcmFailed").unwrap().tier = tier;
    base
}

#[test]
fn a_rung_needs_an_alert_that_permits_it() {
    let network = every("refuse: the firing alerts permit no more than network");
    row(&permitting(Tier::Network), AboveCeiling, network);
    let load = every("refuse: the firing alerts permit no more than load");
    row(&permitting(Tier::Load), AboveCeiling, load);
    row(
        &permitting(Tier::Retry),
        AboveCeiling,
        ["pass", RETRY, RETRY],
    );
    let restart = "refuse: the firing alerts permit no more than restart";
    row(
        &permitting(Tier::Restart),
        AboveCeiling,
        ["pass", "pass", restart],
    );
    row(&permitting(Tier::Clear), AboveCeiling, PASS);
}

#[test]
fn without_a_valid_alert_nothing_starts() {
    let none = every("refuse: no firing alert was delivered lately");
    let mut not_listed = Base::new();
    not_listed.policy.alerts.remove("VcmFailed");
    row(&not_listed, AboveCeiling, none);
    let mut no_fact = Base::new();
    no_fact.state.facts.clear();
    row(&no_fact, AboveCeiling, none);
    let mut ended = Base::new();
    let now = ended.now;
    let facts = ended.state.facts.values_mut();
    facts.for_each(|fact| fact.newest_end = Some(now));
    row(&ended, AboveCeiling, none);
    let mut at_ttl = Base::new();
    at_ttl.now = at_ttl.now.after(Duration::from_secs(15 * 60));
    row(&at_ttl, AboveCeiling, PASS);
    let mut expired = at_ttl;
    expired.now = expired.now.after(Duration::from_millis(1));
    row(&expired, AboveCeiling, none);
}

#[test]
fn the_label_of_an_alert_and_its_scope_count() {
    let mut lowered = Base::new();
    let facts = lowered.state.facts.values_mut();
    facts.for_each(|fact| fact.lowered = Some(Tier::Retry));
    row(&lowered, AboveCeiling, ["pass", RETRY, RETRY]);
    let mut other_scope = Base::new();
    let rule = other_scope.policy.alerts.get_mut("VcmFailed").unwrap();
    rule.scope = Scope::Host;
    let none = every("refuse: no firing alert was delivered lately");
    row(&other_scope, AboveCeiling, none);
}

#[test]
fn a_tier_that_no_alert_ever_permits_is_left_out() {
    let mut never = Base::new();
    for rule in never.policy.alerts.values_mut() {
        rule.tier = Tier::Restart;
    }
    let clear = "skip: no alert of the policy ever permits clear";
    row(&never, AboveCeiling, ["pass", "pass", clear]);
    never.state.facts.clear();
    let none = "refuse: no firing alert was delivered lately";
    row(&never, AboveCeiling, [none, none, clear]);
    let mut host = on_host_target(|_| {});
    for rule in host.policy.alerts.values_mut() {
        rule.scope = Scope::Module;
    }
    row(
        &host,
        AboveCeiling,
        [
            "skip: no alert of the policy ever permits retry",
            "skip: no alert of the policy ever permits restart",
            clear,
        ],
    );
}
