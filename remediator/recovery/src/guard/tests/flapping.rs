use super::base::{Base, PASS, every, number, row};
use crate::guard::Guard::Flapping;
use crate::inventory::Target;

const HOUR: u64 = 3_600;

fn failed(seconds_ago: &[u64]) -> Base {
    let mut base = Base::new();
    let times = seconds_ago.iter().map(|&seconds| base.ago(seconds));
    let times = times.collect();
    base.state
        .failures
        .insert(base.incident.target.clone(), times);
    base
}

#[test]
fn the_third_failure_within_six_hours_is_left_to_people() {
    row(&failed(&[]), Flapping, PASS);
    row(&failed(&[2 * HOUR, 0]), Flapping, PASS);
    let three = "refuse for 7200 s: it has failed 3 times in 21600 s: the cause has to be found";
    row(&failed(&[4 * HOUR, 2 * HOUR, 0]), Flapping, every(three));
    let four = "refuse for 7200 s: it has failed 4 times in 21600 s: the cause has to be found";
    row(
        &failed(&[5 * HOUR, 4 * HOUR, 2 * HOUR, 0]),
        Flapping,
        every(four),
    );
    let first_has_left = failed(&[6 * HOUR, 2 * HOUR, 0]);
    row(&first_has_left, Flapping, PASS);
}

#[test]
fn failures_of_another_target_do_not_count() {
    let mut base = failed(&[2 * HOUR, 0]);
    let other = Target::module(base.incident.target.host.clone(), number(2));
    let times = base.state.failures[&base.incident.target].clone();
    base.state.failures.insert(other, times);
    row(&base, Flapping, PASS);
}
