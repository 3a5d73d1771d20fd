//! Storms and flapping: when failures are no matter of one target any more.

use std::ops::RangeInclusive;
use std::time::Duration;

use vcm_recovery::policy::{Flapping, StormPolicy};

use super::checker::Checker;
use super::raw::{self, Text};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Windows and calm. Longer ones would make a storm of a bad day.
const SPANS: RangeInclusive<Duration> = SECOND..=HOUR;

/// First failures are remembered for a day.
const FLAPPING_WINDOW: RangeInclusive<Duration> = SECOND..=Duration::from_secs(24 * 3600);

/// One host alone is never a storm of its HSM.
const HSM_HOSTS: RangeInclusive<u32> = 2..=1000;

/// One or two hosts are never a storm of the fleet.
const FLEET_HOSTS: RangeInclusive<u32> = 3..=10_000;

const PERCENT: RangeInclusive<u32> = 1..=100;

const INCIDENTS: RangeInclusive<u32> = 2..=100;

/// Checks `policy.storm`.
pub(super) fn storm(checker: &mut Checker, raw: &raw::Storm, default: StormPolicy) -> StormPolicy {
    let mut span = |name: &str, text: &Option<Text>, range, default| {
        checker.duration(
            &format!("policy.storm.{name}"),
            text.as_ref(),
            range,
            default,
        )
    };
    let window = span("window", &raw.window, &SPANS, default.window);
    let calm = span("calm", &raw.calm, &SPANS, default.calm);
    let any = Duration::ZERO..=HOUR;
    let stagger = span("stagger", &raw.stagger, &any, default.stagger);
    let mut number = |name: &str, number: &Option<raw::Number>, range, default| {
        checker.number(
            &format!("policy.storm.{name}"),
            number.as_ref(),
            range,
            default,
        )
    };
    StormPolicy {
        window,
        calm,
        stagger,
        hsm_hosts: number("hsm_hosts", &raw.hsm_hosts, &HSM_HOSTS, default.hsm_hosts),
        fleet_hosts_min: number(
            "fleet_hosts_min",
            &raw.fleet_hosts_min,
            &FLEET_HOSTS,
            default.fleet_hosts_min,
        ),
        fleet_share_percent: number(
            "fleet_share_percent",
            &raw.fleet_share_percent,
            &PERCENT,
            default.fleet_share_percent,
        ),
    }
}

/// Checks `policy.flapping`.
pub(super) fn flapping(checker: &mut Checker, raw: &raw::Flapping, default: Flapping) -> Flapping {
    let window = raw.window.as_ref();
    Flapping {
        incidents: checker.number(
            "policy.flapping.incidents",
            raw.incidents.as_ref(),
            &INCIDENTS,
            default.incidents,
        ),
        window: checker.duration(
            "policy.flapping.window",
            window,
            &FLAPPING_WINDOW,
            default.window,
        ),
    }
}
