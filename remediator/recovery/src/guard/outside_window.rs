//! `outside_window`: the policy may say at which times a rung can start.
//!
//! | windows of the rung | retry | restart | clear |
//! |---|---|---|---|
//! | some, while the wall clock and the program's time are more than 60 s apart | refuse | refuse | refuse |
//! | none | n/a | n/a | n/a |
//! | inside one | pass | pass | pass |
//! | outside all | refuse until the next begins | same | same |

use super::Input;
use crate::policy::Window;
use crate::time::{Time, Weekday};
use crate::verdict::Verdict;
use std::time::Duration;

/// How far the wall clock and the program's time may be apart, in milliseconds, for a window of the
/// week to be known. NTP slews less; people set windows by the wall clock.
const WALL_APART_MAX: u64 = 60_000;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the time of the week allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let windows = &input.site.policy.rung(input.rung).windows;
    if windows.is_empty() {
        return Verdict::NotApplicable("it may start at any time".to_owned());
    }
    if input.fleet.wall_ahead.unsigned_abs() > WALL_APART_MAX {
        return Verdict::refuse(
            "the wall clock and the program's time are more than 60 s apart: \
             whether a window is open is not known",
        );
    }
    if windows.iter().any(|window| open(window, input.now)) {
        return Verdict::Pass;
    }
    Verdict::Refuse {
        reason: format!("{} may not start at this time of the week", input.rung),
        until: windows
            .iter()
            .filter_map(|window| next_begin(window, input.now))
            .min(),
    }
}

/// Whether `now` lies in the window that began today or yesterday.
fn open(window: &Window, now: Time) -> bool {
    let today = now.day_began();
    [today, today.before(DAY)].into_iter().any(|day| {
        let begin = begin_on(window, day);
        begin.is_some_and(|begin| begin <= now && now < begin.after(window.length))
    })
}

/// When the window begins next after `now`; `None` when it has no days.
fn next_begin(window: &Window, now: Time) -> Option<Time> {
    let today = now.day_began();
    let days = (0..=Weekday::ALL.len()).filter_map(|n| u32::try_from(n).ok());
    days.filter_map(|n| begin_on(window, today.after(DAY * n)))
        .find(|&begin| begin > now)
}

/// When the window begins on the UTC day that began at `day`, if it does.
fn begin_on(window: &Window, day: Time) -> Option<Time> {
    let (weekday, _) = day.of_week();
    let minutes = Duration::from_secs(u64::from(window.from_minute) * 60);
    window.days.contains(&weekday).then(|| day.after(minutes))
}
