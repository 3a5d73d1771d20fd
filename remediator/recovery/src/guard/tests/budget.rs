use super::base::{Base, PASS, every, number, row};
use crate::attempt::Outcome;
use crate::guard::Guard::{BudgetFleet, BudgetHost, BudgetHsm};

const FOR_THE_FLEET: &str = "n/a: restart and clear count for the fleet";
const FOR_ITS_HSM: &str = "n/a: a retry counts for its HSM";

#[test]
fn one_attempt_at_a_time_on_a_host() {
    let full = every("refuse: open attempts on this host: 1 (at most 1)");
    for open in [None, Some(Outcome::Unknown)] {
        let mut base = Base::new();
        base.attempt(1, crate::tier::Rung::Retry, 100_000, open);
        row(&base, BudgetHost, full);
        base.policy.budgets.host = 2;
        row(&base, BudgetHost, PASS);
    }
    for settled in Outcome::ALL.into_iter().filter(|o| *o != Outcome::Unknown) {
        let mut base = Base::new();
        base.attempt(1, crate::tier::Rung::Retry, 0, Some(settled));
        row(&base, BudgetHost, PASS);
    }
}

#[test]
fn two_retries_at_a_time_on_an_hsm() {
    let passes = ["pass", FOR_THE_FLEET, FOR_THE_FLEET];
    row(&Base::new(), BudgetHsm, passes);
    let mut base = Base::new();
    base.fleet.retries.insert("hsm-a".parse().ok(), 1);
    base.fleet.retries.insert("hsm-b".parse().ok(), 7);
    base.fleet.retries.insert(None, 7);
    row(&base, BudgetHsm, passes);
    base.fleet.retries.insert("hsm-a".parse().ok(), 2);
    let full = "refuse: open retries on HSM hsm-a: 2 (at most 2)";
    row(&base, BudgetHsm, [full, FOR_THE_FLEET, FOR_THE_FLEET]);
}

#[test]
fn modules_of_unknown_hsm_share_one_budget() {
    let mut base = Base::new();
    base.host.modules.get_mut(&number(1)).unwrap().hsm = None;
    base.fleet.retries.insert(None, 2);
    let full = "refuse: open retries on HSM of unknown name: 2 (at most 2)";
    row(&base, BudgetHsm, [full, FOR_THE_FLEET, FOR_THE_FLEET]);
}

#[test]
fn one_restart_or_clear_at_a_time_in_the_fleet() {
    row(&Base::new(), BudgetFleet, [FOR_ITS_HSM, "pass", "pass"]);
    let mut base = Base::new();
    base.fleet.disruptive = 1;
    let full = "refuse: open restarts and clears in the fleet: 1 (at most 1)";
    row(&base, BudgetFleet, [FOR_ITS_HSM, full, full]);
    base.policy.budgets.fleet_disruptive = 2;
    row(&base, BudgetFleet, [FOR_ITS_HSM, "pass", "pass"]);
}
