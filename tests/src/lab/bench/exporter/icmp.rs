//! Question `icmp`: what it costs to send 1,000 targets an echo a second each, and how many of the
//! replies, which loopback never loses, a program does not count.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

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
            let words = result.as_ref().map_or_else(chain, Run::in_words);
            progress(&format!("run {number}, {}: {words}", contestant.name()));
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
#[derive(Debug, Clone)]
struct Run {
    cpu_percent: f64,
    resident: f64,
    peak: f64,
    /// What its own counters say, or why they could not be asked for.
    counted: Result<Counted, String>,
}

impl Run {
    fn in_words(&self) -> String {
        let percent = self.cpu_percent;
        match &self.counted {
            Ok(counted) => format!(
                "{percent:.0} %, {:.0} of {:.0} lost",
                counted.lost, counted.sent
            ),
            Err(why) => format!("{percent:.0} %, {why}"),
        }
    }
}

/// What a program counted while it was watched.
#[derive(Debug, Clone, Copy)]
struct Counted {
    sent: f64,
    lost: f64,
    lost_since_start: f64,
    rtt: Option<f64>,
}

/// Lets it warm up, and then watches it. The counters are read outside of the watched time, so
/// that their scrapes do not count; a program too busy to answer still shows what it uses.
async fn measured(
    program: &mut Program,
    plan: &Plan,
    counts: fn(Exposition<'_>) -> Counts,
) -> Result<Run, LabError> {
    let (warm_up, window) = plan.echoes;
    tokio::time::sleep(warm_up).await;
    let first = program.metrics().await;
    let (began, before) = (Instant::now(), program.usage()?);
    tokio::time::sleep(window).await;
    let (took, after) = (began.elapsed(), program.usage()?);
    let last = program.metrics().await;
    let counted = first.and_then(|first| Ok((first, last?)));
    let cpu = after.cpu.saturating_sub(before.cpu);
    Ok(Run {
        cpu_percent: 100.0 * cpu.as_secs_f64() / took.as_secs_f64(),
        resident: precise(after.resident),
        peak: precise(after.peak),
        counted: counted
            .map(|(first, last)| counts(Exposition(&last)).since(&counts(Exposition(&first))))
            .map_err(|error| chain(&error)),
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
    fn since(&self, first: &Self) -> Counted {
        Counted {
            sent: self.sent - first.sent,
            lost: self.lost - first.lost,
            lost_since_start: self.lost,
            rtt: self.rtt.median_since(&first.rtt),
        }
    }

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
    let row = |what: &str, unit, of: fn(&Run) -> Figure, how: &str| {
        let mut figures = runs
            .iter()
            .map(|(contestant, runs)| (contestant.name(), figure(runs, of)));
        let ours = figures.next().map(|(_, figure)| figure);
        let ours = ours.unwrap_or_else(|| Err("no run".to_owned()));
        let peers: Vec<(&str, Figure)> = figures.collect();
        Row::compared(what, unit, &ours, &peers, how)
    };
    let expected = f64::from(TARGETS) * window.as_secs_f64();
    let how = format!(
        "utime + stime of /proc/PID/stat; {TARGETS} addresses of 127.0.16.0/21 in a network \
         namespace, {} s after {} s of warm-up, programs in turns, median of {}",
        window.as_secs(),
        warm_up.as_secs(),
        plan.runs,
    );
    vec![
        row(
            "1,000 ICMP targets at 1/s: share of one core",
            Unit::Percent,
            |run| Ok(run.cpu_percent),
            &how,
        ),
        row(
            "… resident memory",
            Unit::Megabytes,
            |run| Ok(run.resident),
            "VmRSS at the end of the same runs",
        ),
        row(
            "… peak of resident memory",
            Unit::Megabytes,
            |run| Ok(run.peak),
            "VmHWM of the same runs",
        ),
        row(
            "… echoes sent",
            Unit::Count,
            |run| counted(run, |counted| Some(counted.sent)),
            &format!("the programs' own counters; {expected:.0} are due"),
        ),
        row(
            "… false losses",
            Unit::Count,
            |run| counted(run, |counted| Some(counted.lost)),
            "loopback loses nothing. Ours: time-outs + errors; smokeping_prober: requests - \
             replies, of which a few may be in flight",
        ),
        row(
            "… false losses since the start",
            Unit::Count,
            |run| counted(run, |counted| Some(counted.lost_since_start)),
            "the same, warm-up included",
        ),
        row(
            "… median round trip",
            Unit::Milliseconds,
            |run| counted(run, |counted| counted.rtt),
            "each program's own histogram (bounds doubled from 50 µs), interpolated",
        ),
    ]
}

fn counted(run: &Run, of: fn(&Counted) -> Option<f64>) -> Figure {
    let counted = run.counted.as_ref().map_err(String::clone)?;
    of(counted).ok_or_else(|| "not shown".to_owned())
}

/// The median of a figure over the runs that gave one; the first reason if none did.
fn figure(runs: &[Result<Run, String>], of: fn(&Run) -> Figure) -> Figure {
    let mut reason = "no run".to_owned();
    let mut values = Vec::new();
    for run in runs.iter().rev() {
        match run.as_ref().map_err(String::clone).and_then(of) {
            Ok(value) => values.push(value),
            Err(why) => reason = why,
        }
    }
    median(values).ok_or(reason)
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
        cells.push(match run {
            Ok(run) => format!("{targets} targets: {}", run.in_words()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_was_lost_while_watched_and_since_the_start() {
        let text = |sent, replies| {
            format!(
                "smokeping_requests_total{{host=\"a\"}} {sent}\n\
                 smokeping_response_duration_seconds_count{{host=\"a\"}} {replies}\n"
            )
        };
        let (first, last) = (text(10, 7), text(30, 26));
        let counts = |text| Counts::of_smokeping(Exposition(text));
        let counted = counts(&last).since(&counts(&first));
        let figures = [counted.sent, counted.lost, counted.lost_since_start];
        assert_eq!(figures.map(|figure| figure.round()), [20.0, 1.0, 4.0]);
    }

    #[test]
    fn a_run_without_counters_still_shows_what_it_used() {
        let run = Run {
            cpu_percent: 180.0,
            resident: 1.0,
            peak: 1.0,
            counted: Err("no answer".to_owned()),
        };
        let runs = [Err("ended".to_owned()), Ok(run)];
        assert_eq!(figure(&runs, |run| Ok(run.cpu_percent)), Ok(180.0));
        let sent = figure(&runs, |run| counted(run, |counted| Some(counted.sent)));
        assert_eq!(sent, Err("ended".to_owned()), "the first reason");
        assert_eq!(figure(&[], |run| Ok(run.peak)), Err("no run".to_owned()));
    }
}
