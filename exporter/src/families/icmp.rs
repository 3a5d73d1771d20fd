//! Echoes.

use std::fmt;

use vcm_telemetry::families::{Families, Value};
use vcm_telemetry::metric::{Counter, Described, Gauge, Histogram, Info};

use super::module_value;
use crate::icmp::{EchoEnd, TargetKey, TargetRecord};
use crate::state::State;

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
    "Whether the target itself replied to the newest finished echo",
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

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    write_counters(state, families)?;
    families.histogram(&RTT, rows(state, |record| Some(&record.rtt)))?;
    families.gauge(
        &LAST_PROBE_SUCCESS,
        rows(state, |record| {
            let replied = matches!(record.newest()?, EchoEnd::Reply(_));
            Some(f64::from(u8::from(replied)))
        }),
    )?;
    families.gauge(
        &LAST_REPLY,
        rows(state, |record| {
            Some(record.last_reply.map_or(0.0, |at| at.0))
        }),
    )?;
    let targets = state.icmp.records();
    families.info(
        &TARGET_INFO,
        targets.map(|(key, record)| target_info(key, record)),
    )
}

fn write_counters(state: &State, families: &mut Families<'_>) -> fmt::Result {
    families.counter(&ECHO_REQUESTS, rows(state, |record| Some(record.requests)))?;
    families.counter(
        &ECHO_REPLIES,
        rows(state, |record| Some(record.rtt.count())),
    )?;
    families.counter(&TIMEOUTS, rows(state, |record| Some(record.timeouts)))?;
    families.counter(
        &ERRORS,
        state.icmp.records().flat_map(|(key, record)| {
            let [target, module] = target_values(key);
            let errors = record.errors.iter();
            errors.map(move |(reason, count)| ([target, module, reason.as_str().into()], *count))
        }),
    )?;
    families.counter(
        &LATE_REPLIES,
        rows(state, |record| Some(record.late_replies)),
    )
}

fn rows<'a, V: 'a>(
    state: &'a State,
    value: impl Fn(&'a TargetRecord) -> Option<V> + 'a,
) -> impl Iterator<Item = ([Value<'a>; 2], V)> {
    let records = state.icmp.records();
    records.filter_map(move |(key, record)| Some((target_values(key), value(record)?)))
}

fn target_values((name, module): &TargetKey) -> [Value<'_>; 2] {
    [name.into(), module.map(module_value).into()]
}

fn target_info<'a>(key: &'a TargetKey, record: &'a TargetRecord) -> [Value<'a>; 5] {
    let [target, module] = target_values(key);
    let family = if record.address.is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    let socket = record.socket.map_or("none", |socket| socket.as_str());
    let address = Value::Shown(&record.address);
    [target, module, address, family.into(), socket.into()]
}
