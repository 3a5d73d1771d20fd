//! When a rung may start: times of the week, in UTC.

use std::collections::BTreeSet;
use std::time::Duration;

use vcm_recovery::policy::Window;
use vcm_recovery::time::Weekday;

use super::checker::Checker;
use super::raw::{self, Text};

const MINUTES_PER_DAY: u16 = 24 * 60;

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// Checks the windows of one rung. A list that is there and empty would forbid the rung for ever:
/// that is what `max_tier` and the modes are for.
pub(super) fn checked(
    checker: &mut Checker,
    key: &str,
    raw: Option<Vec<raw::Window>>,
) -> Vec<Window> {
    let Some(raw) = raw else {
        return Vec::new();
    };
    if raw.is_empty() {
        let message = "there is no window, so the rung could never start; leave the key out to \
                       let it start at any time";
        checker.problem(key, message);
    }
    let windows = raw.into_iter().enumerate();
    windows
        .filter_map(|(index, raw)| window(checker, &format!("{key}[{index}]"), &raw))
        .collect()
}

fn window(checker: &mut Checker, key: &str, raw: &raw::Window) -> Option<Window> {
    let days = match &raw.days {
        None => Weekday::ALL.into(),
        Some(names) => days(checker, &format!("{key}.days"), names),
    };
    let from = minute(checker, &format!("{key}.from"), &raw.from);
    let to = minute(checker, &format!("{key}.to"), &raw.to);
    let (from, to) = (from?, to?);
    // An end that is not behind the begin is one of the next day.
    let minutes = if to > from {
        to - from
    } else {
        MINUTES_PER_DAY - from + to
    };
    Some(Window {
        days,
        from_minute: from,
        length: Duration::from_secs(u64::from(minutes) * 60),
    })
}

fn days(checker: &mut Checker, key: &str, names: &[Text]) -> BTreeSet<Weekday> {
    if names.is_empty() {
        checker.problem(key, "there is no day");
    }
    let days = names.iter().enumerate();
    days.filter_map(|(index, name)| checker.word(&format!("{key}[{index}]"), name, &DAYS))
        .collect()
}

/// The minute of the day of a time such as `08:30`; `24:00` is the end of a day.
fn minute(checker: &mut Checker, key: &str, text: &Text) -> Option<u16> {
    let minute = text.value.split_once(':').and_then(|(hours, minutes)| {
        let two = |digits: &str| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        let number = |digits: &str| two(digits).then(|| digits.parse::<u16>().ok()).flatten();
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let minute = hours * 60 + minutes;
        (minutes < 60 && minute <= MINUTES_PER_DAY).then_some(minute)
    });
    if minute.is_none() {
        let message = format!("{:?} is no time of day such as 08:30", text.value);
        checker.problem_at(key, text, message);
    }
    minute
}
