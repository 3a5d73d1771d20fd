//! Values that cannot have the effect that they seem to have: no error, but worth a line.

use std::time::Duration;

use vcm_recovery::policy::Policy;

/// Tool runs of one look: `enquiry` and `stattree`.
const RUNS_PER_LOOK: u32 = 2;

const MINUTE: Duration = Duration::from_secs(60);

/// Looks that are wanted more often than the limit of tool runs allows. The pace holds them back,
/// so that the host is safe, but the times are not those that were written.
pub(super) fn list(policy: &Policy) -> Vec<String> {
    // While an attempt is verified, `observe_interval` is the longest: where it alone is too short,
    // the poll is not to blame.
    let steady = beyond(policy, "observe_interval", policy.observe_interval, regular);
    steady
        .or_else(|| beyond(policy, "verify_poll", policy.verify_poll, while_verified))
        .into_iter()
        .collect()
}

fn beyond(
    policy: &Policy,
    name: &str,
    time: Duration,
    looks: fn(&Policy) -> u32,
) -> Option<String> {
    let runs = looks(policy).saturating_mul(RUNS_PER_LOOK);
    let allowed = policy.tool_runs_per_minute;
    let time = humantime::format_duration(time);
    (runs > allowed).then(|| {
        format!(
            "policy.{name}: {time} needs {runs} tool runs a minute, \
             policy.tool_runs_per_minute allows {allowed}"
        )
    })
}

/// Looks in a minute at a host with an open incident.
fn regular(policy: &Policy) -> u32 {
    looks(Duration::ZERO, |_| policy.observe_interval)
}

/// Looks in the first minute after an attempt: the interval grows by the time that has passed, as in
/// [`vcm_recovery::verify::next_look`].
fn while_verified(policy: &Policy) -> u32 {
    let interval = |elapsed: Duration| (elapsed + policy.verify_poll).min(policy.observe_interval);
    looks(interval(Duration::ZERO), interval)
}

/// How many looks fit a minute when one is made at `first`, and `interval` follows one made after so
/// long. The end of the minute belongs to the next one.
fn looks(first: Duration, interval: impl Fn(Duration) -> Duration) -> u32 {
    let made = std::iter::successors(Some(first), |at| Some(*at + interval(*at)));
    let count = made.take_while(|at| *at < MINUTE).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
