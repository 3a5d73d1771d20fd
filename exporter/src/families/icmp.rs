//! Echoes.

use std::fmt;

use crate::icmp::{EchoEnd, TargetKey, TargetRecord};
use crate::state::State;
use vcm_telemetry::families::{Families, Labels};

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    write_counters(state, families)?;
    families.histogram(
        "nshield_icmp_rtt_seconds",
        "Round-trip time of echoes that were replied to by the target itself",
        rows(state, |record| Some(&record.rtt)),
    )?;
    families.gauge(
        "nshield_icmp_last_probe_success",
        "Whether the target itself replied to the newest finished echo",
        rows(state, |record| {
            Some(f64::from(u8::from(matches!(
                record.newest()?,
                EchoEnd::Reply(_)
            ))))
        }),
    )?;
    families.gauge(
        "nshield_icmp_last_reply_timestamp_seconds",
        "When the target last replied, since 1970; 0 is never",
        rows(state, |record| {
            Some(record.last_reply.map_or(0.0, |at| at.0))
        }),
    )?;
    families.info(
        "nshield_icmp_target",
        "Where echoes go and through which kind of socket",
        state.icmp.records().map(|(key, record)| {
            let mut labels = target_labels(key);
            let family = if record.address.is_ipv4() {
                "ipv4"
            } else {
                "ipv6"
            };
            let socket = record.socket.map_or("none", |socket| socket.as_str());
            labels.push(("address", record.address.to_string()));
            labels.push(("family", family.to_owned()));
            labels.push(("socket", socket.to_owned()));
            labels
        }),
    )
}

fn write_counters(state: &State, families: &mut Families<'_>) -> fmt::Result {
    families.counter(
        "nshield_icmp_echo_requests",
        "Echoes started; each ends in exactly one of reply, time-out and error",
        rows(state, |record| Some(record.requests)),
    )?;
    families.counter(
        "nshield_icmp_echo_replies",
        "Echoes that the target itself replied to in time",
        rows(state, |record| Some(record.rtt.count())),
    )?;
    families.counter(
        "nshield_icmp_timeouts",
        "Echoes that nothing came back for in time",
        rows(state, |record| Some(record.timeouts)),
    )?;
    families.counter(
        "nshield_icmp_errors",
        "Echoes that could not be sent or that somebody else answered; unreachable and \
         time_exceeded need a raw socket, on a datagram socket they look like time-outs",
        state.icmp.records().flat_map(|(key, record)| {
            record.errors.iter().map(|(reason, count)| {
                let mut labels = target_labels(key);
                labels.push(("reason", reason.as_str().to_owned()));
                (labels, *count)
            })
        }),
    )?;
    families.counter(
        "nshield_icmp_late_replies",
        "Replies to echoes that had been counted as time-outs",
        rows(state, |record| Some(record.late_replies)),
    )
}

fn rows<'a, V: 'a>(
    state: &'a State,
    value: impl Fn(&'a TargetRecord) -> Option<V> + 'a,
) -> impl Iterator<Item = (Labels, V)> {
    state
        .icmp
        .records()
        .filter_map(move |(key, record)| Some((target_labels(key), value(record)?)))
}

fn target_labels((name, module): &TargetKey) -> Labels {
    let mut labels = vec![("target", name.clone())];
    labels.extend(module.map(|module| ("module", module.to_string())));
    labels
}
