//! The clock of the models of the remediator: whole ticks from the first alert on.
//!
//! Every time of a model's policy is a whole number of ticks, except the age up to which evidence is
//! acted on, which is below one. Everything happens at a tick and in some order, so that between two
//! ticks nothing can change any verdict, and nothing is lost by leaving them out.

use std::time::Duration;

use vcm_recovery::time::Time;

/// One tick, in seconds. Two of them are no more than the gap that breaks a run of looks (120 s), and
/// one is twice the vendor's wait between `-M` and `-c`.
const SECONDS: u32 = 60;

/// When the model begins. Nothing depends on it.
const START: Time = Time::from_millis(1_000_000_000);

/// A number of ticks since the first alert.
pub(crate) type Tick = u8;

/// So many ticks.
pub(crate) const fn ticks(count: u32) -> Duration {
    Duration::from_secs((count * SECONDS) as u64)
}

/// The instant of a tick.
pub(crate) fn at(tick: Tick) -> Time {
    START.after(ticks(tick.into()))
}

/// How many whole ticks ago an instant was at `now`.
pub(crate) fn ago(now: Tick, instant: Time) -> u32 {
    u32::try_from(at(now).since(instant).as_secs()).map_or(u32::MAX, |seconds| seconds / SECONDS)
}

/// The host's own clock at a tick, in milliseconds since it booted.
pub(crate) fn boottime(tick: Tick) -> u64 {
    u64::from(tick) * u64::from(SECONDS) * 1000
}
