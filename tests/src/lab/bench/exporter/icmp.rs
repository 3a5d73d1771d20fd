//! Question `icmp`: what it costs to send 1,000 targets an echo a second each, and how many of the
//! replies, which loopback never loses, a program does not count.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::{Value, json};

use super::{
    Plan, chain,
    exposition::{Buckets, Exposition},
    programs::{Host, Peer, Program, Setup},
    table::{Figure, Row, Unit, median},
};
use crate::lab::{LabError, bench::progress};

/// How many targets are sent echoes.
const TARGETS: u16 = 1_000;

/// With how many targets smokeping_prober is tried on raw sockets, to see where they fail.
const RAW_TARGETS: [u16; 3] = [100, 200, 300];

const PEER: &str = "smokeping-prober";

pub(super) async fn rows(plan: &Plan) -> Result<Vec<Row>, LabError> {
    if let Some(why) = forbidden() {
        return Ok(vec![Row::impossible("1,000 ICMP targets at 1/s", &why)]);
    }
    let contestants = [
        Contestant::Ours,
        Contestant::Smokeping(Socket::Datagram),
        Contestant::Smokeping(Socket::Raw),
    ];
    let mut runs = contestants.map(|contestant| (contestant, Vec::new()));
    for number in 1..=plan.runs {
        for (contestant, results) in &mut runs {
            let result = contestant.run(plan, TARGETS).await;
            progress(&format!("run {number}, {}: {result:?}", contestant.name()));
            results.push(result.map_err(|error| chain(&error)));
        }
    }
    let mut rows = compared(plan, &runs);
    rows.push(raw_limit(plan).await);
    Ok(rows)
}

/// Why this process may send no echoes through a datagram socket; `None` if it may.
pub(super) fn forbidden() -> Option<String> {
    let path = "/proc/sys/net/ipv4/ping_group_range";
    let range = std::fs::read_to_string(path).unwrap_or_default();
    let mut bounds = range.split_whitespace().map(str::parse::<u32>);
    let group = rustix::process::getegid().as_raw();
    match (bounds.next(), bounds.next()) {
        (Some(Ok(first)), Some(Ok(last))) if (first..=last).contains(&group) => None,
        _ => Some(format!(
            "needs datagram ICMP sockets: run tests/bench as root, which gives it a network \
             namespace of its own, or let net.ipv4.ping_group_range cover group {group}"
        )),
    }
}

/// So many loopback addresses.
pub(super) fn addresses(count: u16) -> impl Iterator<Item = Ipv4Addr> {
    (0..count).map(|index| {
        let [high, low] = index.to_be_bytes();
        Ipv4Addr::new(127, 0, 16 + high, low)
    })
}

/// The part of vcm-exporter's configuration that names so many targets.
pub(super) fn our_targets(count: u16) -> Value {
    let target = |address: Ipv4Addr| json!({"name": format!("t{address}"), "address": address});
    addresses(count).map(target).collect()
}

/// smokeping_prober's configuration for so many targets.
pub(super) fn smokeping_config(count: u16, interval: &str, protocol: &str) -> Value {
    let hosts: Vec<Ipv4Addr> = addresses(count).collect();
    json!({"targets": [
        {"hosts": hosts, "interval": interval, "network": "ip4", "protocol": protocol, "size": 56},
    ]})
}

#[derive(Debug, Clone, Copy)]
enum Contestant {
    Ours,
    Smokeping(Socket),
}

#[derive(Debug, Clone, Copy)]
enum Socket {
    Datagram,
    Raw,
}

impl Contestant {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "vcm-exporter",
            Self::Smokeping(Socket::Datagram) => "smokeping_prober datagram",
            Self::Smokeping(Socket::Raw) => "smokeping_prober raw",
        }
    }

    async fn run(self, plan: &Plan, targets: u16) -> Result<Run, LabError> {
        let protocol = match self {
            Self::Ours => {
                let mut host = Host::start(&our_setup(targets)).await?;
                return measured(&mut host.exporter, plan, Counts::of_ours).await;
            }
            Self::Smokeping(Socket::Datagram) => "udp",
            Self::Smokeping(Socket::Raw) => "icmp",
        };
        let config = smokeping_config(targets, "1s", protocol);
        let mut peer = Peer::start(PEER, Some(&config)).await?;
        measured(&mut peer.program, plan, Counts::of_smokeping).await
    }
}

fn our_setup(targets: u16) -> Setup {
    Setup {
        modules: 1,
        knobs: Vec::new(),
        config: json!({"icmp": {
            "interval": "1s", "timeout": "1s", "discover": false, "targets": our_targets(targets),
        }}),
        // The tools are another question.
        interval: "10m",
        ready: "/-/ready",
    }
}

/// What one run showed.
#[derive(Debug, Clone, Copy)]
struct Run {
    cpu_percent: f64,
    resident: f64,
    peak: f64,
    sent: f64,
    lost: f64,
    lost_since_start: f64,
    rtt: Option<f64>,
}

/// Lets it warm up, and then watches it. The counters are read outside of the watched time, so
/// that their scrapes do not count.
async fn measured(
    program: &mut Program,
    plan: &Plan,
    counts: fn(Exposition<'_>) -> Counts,
) -> Result<Run, LabError> {
    let (warm_up, window) = plan.echoes;
    tokio::time::sleep(warm_up).await;
    let first = counts(Exposition(&program.metrics().await?));
    let (began, before) = (std::time::Instant::now(), program.usage()?);
    tokio::time::sleep(window).await;
    let (took, after) = (began.elapsed(), program.usage()?);
    let last = counts(Exposition(&program.metrics().await?));
    let cpu = after.cpu.saturating_sub(before.cpu);
    Ok(Run {
        cpu_percent: 100.0 * cpu.as_secs_f64() / took.as_secs_f64(),
        resident: precise(after.resident),
        peak: precise(after.peak),
        sent: last.sent - first.sent,
        lost: last.lost - first.lost,
        lost_since_start: last.lost,
        rtt: last.rtt.median_since(&first.rtt),
    })
}

/// A number of bytes as a figure.
#[expect(clippy::cast_precision_loss, reason = "a figure of three digits")]
pub(super) fn precise(bytes: u64) -> f64 {
    bytes as f64
}

/// A program's own counters, over all targets.
struct Counts {
    sent: f64,
    lost: f64,
    rtt: Buckets,
}

impl Counts {
    fn of_ours(text: Exposition<'_>) -> Self {
        Self {
            sent: text.sum("nshield_icmp_echo_requests_total"),
            lost: text.sum("nshield_icmp_timeouts_total") + text.sum("nshield_icmp_errors_total"),
            rtt: text.buckets("nshield_icmp_rtt_seconds"),
        }
    }

    /// It counts no losses: what has not come back is lost.
    fn of_smokeping(text: Exposition<'_>) -> Self {
        let sent = text.sum("smokeping_requests_total");
        Self {
            sent,
            lost: sent - text.sum("smokeping_response_duration_seconds_count"),
            rtt: text.buckets("smokeping_response_duration_seconds"),
        }
    }
}

type Results = [(Contestant, Vec<Result<Run, String>>)];

/// The rows about 1,000 targets: one for each figure.
fn compared(plan: &Plan, runs: &Results) -> Vec<Row> {
    let (warm_up, window) = plan.echoes;
    let how = format!(
        "{TARGETS} addresses of 127.0.16.0/21 in a network namespace, {} s after {} s of warm-up, \
         programs in turns, median of {}",
        window.as_secs(),
        warm_up.as_secs(),
        plan.runs,
    );
    let row = |what: &str, unit, of: fn(&Run) -> f64, more: &str| {
        let mut figures = runs
            .iter()
            .map(|(contestant, runs)| (contestant.name(), figure(runs, of)));
        let ours = figures.next().map(|(_, figure)| figure);
        let ours = ours.unwrap_or_else(|| Err("no run".to_owned()));
        let peers: Vec<(&str, Figure)> = figures.collect();
        Row::compared(what, unit, &ours, &peers, &format!("{more}; {how}"))
    };
    let expected = f64::from(TARGETS) * window.as_secs_f64();
    vec![
        row(
            "1,000 ICMP targets at 1/s: share of one core",
            Unit::Percent,
            |run| run.cpu_percent,
            "utime + stime of /proc/PID/stat",
        ),
        row(
            "… resident memory",
            Unit::Megabytes,
            |run| run.resident,
            "VmRSS at the end",
        ),
        row(
            "… peak of resident memory",
            Unit::Megabytes,
            |run| run.peak,
            "VmHWM",
        ),
        row(
            "… echoes sent",
            Unit::Count,
            |run| run.sent,
            &format!("the programs' own counters; {expected:.0} are due"),
        ),
        row(
            "… false losses",
            Unit::Count,
            |run| run.lost,
            "loopback loses nothing. Ours: time-outs + errors; smokeping_prober: requests - replies, \
             so up to a few may be in flight",
        ),
        row(
            "… false losses since the start",
            Unit::Count,
            |run| run.lost_since_start,
            "the same from start to end, warm-up included",
        ),
        row(
            "… median round trip",
            Unit::Milliseconds,
            |run| run.rtt.unwrap_or(f64::NAN),
            "each program's own histogram (buckets doubled from 50 µs), interpolated",
        ),
    ]
}

/// The median of a figure over the runs that gave one; the first reason if none did.
fn figure(runs: &[Result<Run, String>], of: fn(&Run) -> f64) -> Figure {
    let values = runs
        .iter()
        .flatten()
        .map(of)
        .filter(|value| value.is_finite());
    median(values).ok_or_else(|| {
        let reason = runs.iter().find_map(|run| run.as_ref().err());
        reason.map_or_else(|| "not shown".to_owned(), String::clone)
    })
}

/// How smokeping_prober on raw sockets does with fewer targets.
async fn raw_limit(plan: &Plan) -> Row {
    let mut cells = Vec::new();
    let window = plan.echoes.1.min(Duration::from_secs(20));
    let short = Plan {
        echoes: (plan.echoes.0, window),
        ..plan.clone()
    };
    for targets in RAW_TARGETS {
        let run = Contestant::Smokeping(Socket::Raw)
            .run(&short, targets)
            .await;
        progress(&format!("raw, {targets} targets: {run:?}"));
        cells.push(match run {
            Ok(run) => format!(
                "{targets} targets: {:.0} %, {:.0} of {:.0} lost",
                run.cpu_percent, run.lost, run.sent
            ),
            Err(error) => format!("{targets} targets: {}", chain(&error)),
        });
    }
    let how = format!(
        "each raw socket of the peer gets every reply: one run each, {} s",
        window.as_secs()
    );
    Row::peer_alone(
        "where raw sockets fail (smokeping_prober)",
        cells.join("; "),
        &how,
    )
}
