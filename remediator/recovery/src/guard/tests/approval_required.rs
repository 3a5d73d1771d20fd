use super::base::{Base, PASS, row};
use crate::guard::Guard::ApprovalRequired;
use crate::policy::Mode;

const RETRY: &str = "ask: a retry is to be approved by a person";
const RESTART: &str = "ask: a restart cuts every client of every module of this host";
const CLEAR: &str = "ask: a clear drops every key loaded in this module";

#[test]
fn policy_of_the_rung_asks_for_that_rung() {
    row(&Base::new(), ApprovalRequired, PASS);
    let mut base = Base::new();
    base.policy.retry.approval = true;
    row(&base, ApprovalRequired, [RETRY, "pass", "pass"]);
    base.policy.restart.approval = true;
    row(&base, ApprovalRequired, [RETRY, RESTART, "pass"]);
    base.policy.clear.approval = true;
    row(&base, ApprovalRequired, [RETRY, RESTART, CLEAR]);
}

#[test]
fn mode_approve_asks_for_every_rung() {
    let mut fleet = Base::new();
    fleet.policy.mode = Mode::Approve;
    row(&fleet, ApprovalRequired, [RETRY, RESTART, CLEAR]);
    let mut host = Base::new();
    host.host.mode = Some(Mode::Approve);
    row(&host, ApprovalRequired, [RETRY, RESTART, CLEAR]);
    let mut observing = Base::new();
    observing.policy.mode = Mode::Observe;
    observing.host.mode = Some(Mode::Approve);
    row(&observing, ApprovalRequired, PASS);
}
