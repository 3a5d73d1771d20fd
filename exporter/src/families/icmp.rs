//! Echoes.

use std::fmt;

use vcm_telemetry::families::{Families, Value};
use vcm_telemetry::metric::{Counter, Described, Gauge, Histogram, Info};

use super::module_value;
use crate::icmp::{Sample, TargetKey};

const ECHO_REQUESTS: Counter<2> = Counter::new(
    "nshield_icmp_echo_requests_total",
    &["target", "module"],
    "Echoes started; each ends in exactly one of reply, time-out and error",
);
const ECHO_REPLIES: Counter<2> = Counter::new(
    "nshield_icmp_echo_replies_total",
    &["target", "module"],
    "Echoes that the target itself replied to in time",
);
const TIMEOUTS: Counter<2> = Counter::new(
    "nshield_icmp_timeouts_total",
    &["target", "module"],
    "Echoes that nothing came back for in time",
);
const ERRORS: Counter<3> = Counter::new(
    "nshield_icmp_errors_total",
    &["target", "module", "reason"],
    "Echoes that could not be sent or that somebody else answered; unreachable and time_exceeded \
     need a raw socket, on a datagram socket they look like time-outs",
);
const LATE_REPLIES: Counter<2> = Counter::new(
    "nshield_icmp_late_replies_total",
    &["target", "module"],
    "Replies to echoes that had been counted as time-outs",
);
const RTT: Histogram<2> = Histogram::new(
    "nshield_icmp_rtt_seconds",
    &["target", "module"],
    "Round-trip time of echoes that were replied to by the target itself",
);
const LAST_PROBE_SUCCESS: Gauge<2> = Gauge::new(
    "nshield_icmp_last_probe_success",
    &["target", "module"],
    "Whether the target itself replied to the newest finished echo; left out where that one could \
     not be sent for want of a permission or an address",
);
const LAST_REPLY: Gauge<2> = Gauge::new(
    "nshield_icmp_last_reply_timestamp_seconds",
    &["target", "module"],
    "When the target last replied, since 1970; 0 is never",
);
const TARGET_INFO: Info<5> = Info::new(
    "nshield_icmp_target_info",
    &["target", "module", "address", "family", "socket"],
    "Where echoes go and through which kind of socket",
);

/// Every metric here, in the order written.
pub(super) const METRICS: &[&dyn Described] = &[
    &ECHO_REQUESTS,
    &ECHO_REPLIES,
    &TIMEOUTS,
    &ERRORS,
    &LATE_REPLIES,
    &RTT,
    &LAST_PROBE_SUCCESS,
    &LAST_REPLY,
    &TARGET_INFO,
];

pub(super) fn write(samples: &[Sample], families: &mut Families<'_>) -> fmt::Result {
    write_counters(samples, families)?;
    families.histogram(&RTT, rows(samples, |sample| Some(&sample.rtt)))?;
    families.gauge(
        &LAST_PROBE_SUCCESS,
        rows(samples, |sample| {
            Some(f64::from(u8::from(sample.newest_replied?)))
        }),
    )?;
    families.gauge(
        &LAST_REPLY,
        rows(samples, |sample| {
            Some(sample.last_reply.map_or(0.0, |at| at.0))
        }),
    )?;
    families.info(&TARGET_INFO, samples.iter().map(target_info))
}

fn write_counters(samples: &[Sample], families: &mut Families<'_>) -> fmt::Result {
    families.counter(
        &ECHO_REQUESTS,
        rows(samples, |sample| Some(sample.requests)),
    )?;
    families.counter(
        &ECHO_REPLIES,
        rows(samples, |sample| Some(sample.rtt.count())),
    )?;
    families.counter(&TIMEOUTS, rows(samples, |sample| Some(sample.timeouts)))?;
    families.counter(
        &ERRORS,
        samples.iter().flat_map(|sample| {
            let [target, module] = target_values(sample.key());
            let errors = sample.errors();
            errors.map(move |(reason, count)| ([target, module, reason.as_str().into()], count))
        }),
    )?;
    families.counter(
        &LATE_REPLIES,
        rows(samples, |sample| Some(sample.late_replies)),
    )
}

fn rows<'a, V: 'a>(
    samples: &'a [Sample],
    value: impl Fn(&'a Sample) -> Option<V> + 'a,
) -> impl Iterator<Item = ([Value<'a>; 2], V)> {
    let samples = samples.iter();
    samples.filter_map(move |sample| Some((target_values(sample.key()), value(sample)?)))
}

fn target_values((name, module): &TargetKey) -> [Value<'_>; 2] {
    [name.into(), module.map(module_value).into()]
}

fn target_info(sample: &Sample) -> [Value<'_>; 5] {
    let [target, module] = target_values(sample.key());
    let place = &sample.place;
    let socket = place.socket.map_or("none", |socket| socket.as_str());
    let address = Value::shown(place.address.as_ref());
    [
        target,
        module,
        address,
        place.family().into(),
        socket.into(),
    ]
}
