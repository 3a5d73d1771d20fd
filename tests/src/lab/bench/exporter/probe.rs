//! Question `probe`: what one probe on request costs, beside blackbox_exporter's module `icmp`.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    Plan, chain, icmp,
    programs::{Host, Peer, Program, Setup},
    scraper::{Encoding, Scrapers},
    table::{Figure, Row, Unit, median},
};
use crate::lab::LabError;

/// What is probed.
const TARGET: &str = "127.0.0.1";

/// Probes before those that count.
const WARM_UP: u32 = 20;

pub(super) async fn rows(plan: &Plan) -> Result<Vec<Row>, LabError> {
    if let Some(why) = icmp::forbidden() {
        return Ok(vec![Row::impossible("one-off probe", &why)]);
    }
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..plan.runs {
        ours.push(our_run(plan).await.map_err(|error| chain(&error)));
        peers.push(peer_run(plan).await.map_err(|error| chain(&error)));
    }
    let how = format!(
        "`/probe` of {TARGET}, {} requests one after the other on one connection, median of {}",
        plan.probes, plan.runs
    );
    let row = |what, of: fn(&Run) -> f64, more: &str| {
        let peers = [("blackbox_exporter", figure(&peers, of))];
        Row::compared(what, Unit::Milliseconds, &figure(&ours, of), &peers, more)
    };
    Ok(vec![
        row(
            "one-off probe: processor time",
            |run| run.cpu,
            &format!("utime + stime per probe; {how}"),
        ),
        row(
            "… median answer time",
            |run| run.latency,
            "seen by the client, which shares the cores",
        ),
    ])
}

/// What one run showed, in seconds per probe.
struct Run {
    cpu: f64,
    latency: f64,
}

fn figure(runs: &[Result<Run, String>], of: fn(&Run) -> f64) -> Figure {
    median(runs.iter().flatten().map(of)).ok_or_else(|| {
        let reason = runs.iter().find_map(|run| run.as_ref().err());
        reason.cloned().unwrap_or_default()
    })
}

async fn our_run(plan: &Plan) -> Result<Run, LabError> {
    let setup = Setup {
        modules: 1,
        knobs: Vec::new(),
        config: our_config(),
        interval: "10m",
        ready: "/-/ready",
    };
    let mut host = Host::start(&setup).await?;
    let path = format!("/probe?target={TARGET}");
    measured(&mut host.exporter, &path, plan).await
}

/// Echoes to nobody but the target of the probes, and to that one hardly ever: a configured target
/// may be probed.
fn our_config() -> Value {
    json!({"icmp": {
        "interval": "60s", "discover": false, "targets": [{"name": "probed", "address": TARGET}],
    }})
}

async fn peer_run(plan: &Plan) -> Result<Run, LabError> {
    let config = json!({"modules": {"icmp": {
        "prober": "icmp", "timeout": "5s", "icmp": {"preferred_ip_protocol": "ip4"},
    }}});
    let mut peer = Peer::start("blackbox-exporter", Some(&config)).await?;
    let path = format!("/probe?module=icmp&target={TARGET}");
    measured(&mut peer.program, &path, plan).await
}

async fn measured(program: &mut Program, path: &str, plan: &Plan) -> Result<Run, LabError> {
    must_succeed(program, path).await?;
    let address: SocketAddr = program.client.address;
    let scraper = Scrapers::new(address, path, Encoding::Identity, 1);
    scraper.ask(WARM_UP).await?;
    let before = program.usage()?;
    let waits = scraper.ask(plan.probes).await?;
    let cpu = program.usage()?.cpu.saturating_sub(before.cpu);
    let seconds = waits.iter().map(std::time::Duration::as_secs_f64);
    Ok(Run {
        cpu: cpu.as_secs_f64() / f64::from(plan.probes),
        latency: median(seconds).unwrap_or(f64::NAN),
    })
}

/// One probe whose answer is read: a probe that fails must not count as a cheap one.
async fn must_succeed(program: &Program, path: &str) -> Result<(), LabError> {
    let answer = program.client.get(path, &[]).await?;
    let succeeded = answer.body.lines().any(|line| {
        line.split_once(' ')
            .is_some_and(|(name, value)| name.ends_with("probe_success") && value == "1")
    });
    if answer.status == 200 && succeeded {
        return Ok(());
    }
    let found = match answer.status {
        200 => "200, without a sample probe_success of 1".to_owned(),
        status => format!("{status}, not a probe"),
    };
    Err(LabError::Answer {
        asked: format!("GET {path}"),
        answer: found,
    })
}
