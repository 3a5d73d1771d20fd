use std::time::Duration;

use super::base::{Base, PASS, every, row, with};
use crate::control::Pause;
use crate::guard::Guard::Paused;

fn paused(seconds: Option<u64>) -> Base {
    let mut base = Base::new();
    base.fleet.pause = Some(Pause {
        until: seconds.map(|seconds| base.now.after(Duration::from_secs(seconds))),
        reason: "change freeze".to_owned(),
        by: "ada".parse().unwrap(),
    });
    base
}

#[test]
fn a_pause_stops_everything_until_it_is_over() {
    row(&Base::new(), Paused, PASS);
    let reason = every("refuse: paused by ada: change freeze");
    row(&paused(None), Paused, reason);
    let reason = every("refuse for 60 s: paused by ada: change freeze");
    row(&paused(Some(60)), Paused, reason);
    row(&paused(Some(0)), Paused, PASS);
}

#[test]
fn a_file_on_the_host_pauses_it_without_the_remediator() {
    let file = with(|seen| seen.pause = Some("cannot be read".to_owned()));
    row(
        &file,
        Paused,
        every("refuse: paused on this host: cannot be read"),
    );
    let none = every("refuse: there is no observation of the host");
    row(&paused(None).blind(), Paused, none);
}

#[test]
fn what_was_made_worse_stops_restart_and_clear_everywhere() {
    let mut base = Base::new();
    base.fleet.made_worse = true;
    let reason = "refuse: a rung has made something worse: restart and clear are paused";
    row(&base, Paused, ["pass", reason, reason]);
}
