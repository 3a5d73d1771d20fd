use std::collections::BTreeSet;
use std::time::Duration;

use super::base::{Base, PASS, every, row};
use crate::guard::Guard::OutsideWindow;
use crate::policy::Window;
use crate::time::{Time, Weekday};

const HOUR: i64 = 3_600_000;

/// Every rung may only start in the night to Saturday, from 22:00 for four hours; it is this many
/// hours after Friday began.
fn on_friday(hours: i64) -> Base {
    let mut base = Base::new();
    // The epoch was a Thursday.
    base.now = Time::from_millis((24 + hours) * HOUR);
    let window = Window {
        days: BTreeSet::from([Weekday::Friday]),
        from_minute: 22 * 60,
        length: Duration::from_secs(4 * 3_600),
    };
    for rung in [
        &mut base.policy.retry,
        &mut base.policy.restart,
        &mut base.policy.clear,
    ] {
        rung.windows = vec![window.clone()];
    }
    base
}

fn outside(seconds: i64) -> [String; 3] {
    ["retry", "restart", "clear"].map(|rung| {
        format!("refuse for {seconds} s: {rung} may not start at this time of the week")
    })
}

#[track_caller]
fn closed(base: &Base, seconds: i64) {
    let cells = outside(seconds);
    row(base, OutsideWindow, [&cells[0], &cells[1], &cells[2]]);
}

#[test]
fn without_windows_any_time_will_do() {
    row(
        &Base::new(),
        OutsideWindow,
        every("n/a: it may start at any time"),
    );
}

#[test]
fn a_window_reaches_into_the_next_day() {
    closed(&on_friday(0), 22 * 3_600);
    closed(&on_friday(21), 3_600);
    for hours in [22, 23, 24, 25] {
        row(&on_friday(hours), OutsideWindow, PASS);
    }
    let week = 7 * 24 * 3_600;
    closed(&on_friday(26), week - 4 * 3_600);
    closed(&on_friday(22 + 4 + 24), week - 28 * 3_600);
}

#[test]
fn the_next_of_several_windows_counts() {
    let mut base = on_friday(2);
    let window = Window {
        days: BTreeSet::from([Weekday::Friday]),
        from_minute: 3 * 60 + 30,
        length: Duration::from_secs(60),
    };
    base.policy.retry.windows.push(window);
    let cells = outside(20 * 3_600);
    let retry = "refuse for 5400 s: retry may not start at this time of the week";
    row(&base, OutsideWindow, [retry, &cells[1], &cells[2]]);
}

#[test]
fn a_window_without_length_never_opens_and_begins_again_in_a_week() {
    let mut base = on_friday(22);
    for rung in [
        &mut base.policy.retry,
        &mut base.policy.restart,
        &mut base.policy.clear,
    ] {
        rung.windows[0].length = Duration::ZERO;
    }
    closed(&base, 7 * 24 * 3_600);
}

#[test]
fn a_window_without_days_never_opens() {
    let mut base = on_friday(22);
    base.policy.clear.windows[0].days.clear();
    let never = "refuse: clear may not start at this time of the week";
    row(&base, OutsideWindow, ["pass", "pass", never]);
}

#[test]
fn refuses_while_the_wall_clock_and_the_time_it_goes_by_are_apart() {
    let apart = "refuse: the wall clock and the program's time are more than 60 s apart: \
                 whether a window is open is not known";
    for (ahead, cells) in [
        (60_000, PASS),
        (-60_000, PASS),
        (60_001, [apart; 3]),
        (-60_001, [apart; 3]),
        (i64::MIN, [apart; 3]),
    ] {
        let mut base = on_friday(23);
        base.fleet.wall_ahead = ahead;
        row(&base, OutsideWindow, cells);
    }
}
