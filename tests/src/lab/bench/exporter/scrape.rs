//! Question `scrape`: what a scrape costs, of 8 modules beside node_exporter's whole one, and of
//! 10,000 series beside as many of smokeping_prober.

use std::time::Duration;

use serde_json::json;

use super::{
    Plan, chain, icmp,
    programs::{Host, Peer, Program, Setup},
    scraper::{Encoding, Scrapers},
    table::{Figure, Row, Unit, median},
};
use crate::lab::LabError;

/// How many modules the small host has.
const MODULES: u32 = 8;

/// How many series the large exposition is to have.
const SERIES: usize = 10_000;

/// With how many targets the number of series of one is found out.
const SAMPLE_TARGETS: u16 = 100;

/// Targets that give smokeping_prober about as many series: 26 each, once each has replied.
const SMOKEPING_TARGETS: u16 = 385;

/// Scrapes before those that count.
const WARM_UP: u32 = 20;

pub(super) async fn rows(plan: &Plan) -> Result<Vec<Row>, LabError> {
    let mut rows = small(plan).await?;
    rows.extend(large(plan).await?);
    Ok(rows)
}

/// A host whose tools hardly run and whose targets are hardly sent echoes, so that only scrapes
/// cost anything.
fn setup(modules: u32, targets: u16) -> Setup {
    Setup {
        modules,
        knobs: Vec::new(),
        config: json!({"icmp": {"interval": "60s", "targets": icmp::our_targets(targets)}}),
        interval: "10m",
        ready: "/-/ready",
    }
}

/// What the scrapes of one run cost, in seconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu: f64,
    median: f64,
    p99: f64,
}

/// A way to scrape.
#[derive(Debug, Clone, Copy)]
struct Way {
    encoding: Encoding,
    scrapers: u32,
    total: u32,
}

async fn cost(program: &mut Program, way: Way) -> Result<Cost, LabError> {
    let scrapers = Scrapers::new(
        program.client.address,
        "/metrics",
        way.encoding,
        way.scrapers,
    );
    scrapers.ask(WARM_UP).await?;
    let before = program.usage()?;
    let mut waits = scrapers.ask(way.total).await?;
    let cpu = program.usage()?.cpu.saturating_sub(before.cpu);
    waits.sort_unstable();
    let at = |percent: usize| {
        let rank = (waits.len() * percent).div_ceil(100).saturating_sub(1);
        waits.get(rank).map_or(f64::NAN, Duration::as_secs_f64)
    };
    let answers = u32::try_from(waits.len()).unwrap_or(u32::MAX);
    Ok(Cost {
        cpu: cpu.as_secs_f64() / f64::from(answers),
        median: at(50),
        p99: at(99),
    })
}

/// Costs of several runs, and of how many series.
struct Costs {
    series: usize,
    costs: Vec<Cost>,
}

impl Costs {
    async fn of(program: &mut Program, plan: &Plan, way: Way) -> Result<Self, LabError> {
        let series = program.series().await?;
        let mut costs = Vec::new();
        for _ in 0..plan.runs {
            costs.push(cost(program, way).await?);
        }
        Ok(Self { series, costs })
    }

    fn figure(&self, of: fn(&Cost) -> f64) -> Figure {
        median(self.costs.iter().map(of)).ok_or_else(|| "no run".to_owned())
    }
}

/// A peer's figure, or why it has none.
fn peer_figure(costs: &Result<Costs, LabError>, of: fn(&Cost) -> f64) -> Figure {
    match costs {
        Ok(costs) => costs.figure(of),
        Err(error) => Err(chain(error)),
    }
}

fn peer_name(name: &str, costs: &Result<Costs, LabError>) -> String {
    match costs {
        Ok(costs) => format!("{name}, {} series", costs.series),
        Err(_) => name.to_owned(),
    }
}

/// The three figures of a way to scrape, beside the peer's.
fn three_rows(
    what: &str,
    ours: &Costs,
    peer: (&str, &Result<Costs, LabError>),
    how: &str,
) -> Vec<Row> {
    let name = peer_name(peer.0, peer.1);
    let row = |figure: &str, of: fn(&Cost) -> f64, more: &str| {
        let peers = [(name.as_str(), peer_figure(peer.1, of))];
        let what = format!("{what}: {figure}");
        Row::compared(&what, Unit::Milliseconds, &ours.figure(of), &peers, more)
    };
    vec![
        row(
            "processor time",
            |cost| cost.cpu,
            &format!("utime + stime per scrape; {how}"),
        ),
        row(
            "median answer time",
            |cost| cost.median,
            "seen by the client, which shares the cores",
        ),
        row("p99 answer time", |cost| cost.p99, "the same"),
    ]
}

async fn small(plan: &Plan) -> Result<Vec<Row>, LabError> {
    let way = |total| Way {
        encoding: Encoding::Gzip,
        scrapers: 1,
        total,
    };
    let mut host = Host::start(&setup(MODULES, 0)).await?;
    let ours = Costs::of(&mut host.exporter, plan, way(plan.scrapes)).await?;
    drop(host);
    // It is an order of magnitude slower, and needs fewer scrapes for the same precision.
    let peer = node_exporter(plan, way(plan.scrapes.div_ceil(5))).await;
    let how = format!(
        "{MODULES} modules, {} series, beside node_exporter's default scrape; one scraper, Accept of \
         Prometheus, gzip, kept alive, {} scrapes ({} of the peer), median of {}",
        ours.series,
        plan.scrapes,
        plan.scrapes.div_ceil(5),
        plan.runs
    );
    Ok(three_rows(
        "scrape of 8 modules",
        &ours,
        ("node_exporter", &peer),
        &how,
    ))
}

async fn node_exporter(plan: &Plan, way: Way) -> Result<Costs, LabError> {
    let mut peer = Peer::start("node-exporter", None).await?;
    Costs::of(&mut peer.program, plan, way).await
}

async fn smokeping(plan: &Plan, way: Way) -> Result<Costs, LabError> {
    let config = icmp::smokeping_config(SMOKEPING_TARGETS, "1h", "udp");
    let mut peer = Peer::start("smokeping-prober", Some(&config)).await?;
    Costs::of(&mut peer.program, plan, way).await
}

async fn large(plan: &Plan) -> Result<Vec<Row>, LabError> {
    let targets = targets_for_series().await?;
    let ways = [
        (Encoding::Gzip, 1, "gzip, 1 scraper"),
        (Encoding::Gzip, 10, "gzip, 10 scrapers"),
        (Encoding::Identity, 1, "not compressed, 1 scraper"),
    ];
    let mut rows = Vec::new();
    for (encoding, scrapers, name) in ways {
        let way = Way {
            encoding,
            scrapers,
            total: plan.large_scrapes,
        };
        let mut host = Host::start(&setup(1, targets)).await?;
        let ours = Costs::of(&mut host.exporter, plan, way).await?;
        drop(host);
        let peer = smokeping(plan, way).await;
        let how = format!(
            "{} series of {targets} ICMP targets that are at rest; each scraper asks again as soon \
             as it has its answer, Accept of Prometheus, kept alive, {} scrapes in all, median of {}",
            ours.series, plan.large_scrapes, plan.runs
        );
        let what = format!("scrape of 10,000 series, {name}");
        rows.extend(three_rows(&what, &ours, ("smokeping_prober", &peer), &how));
    }
    Ok(rows)
}

/// How many targets give the exposition [`SERIES`] series: found out, not known.
async fn targets_for_series() -> Result<u16, LabError> {
    let series = async |targets| {
        let host = Host::start(&setup(1, targets)).await?;
        host.exporter.series().await
    };
    let (few, many) = (series(1).await?, series(SAMPLE_TARGETS + 1).await?);
    let each = (many.saturating_sub(few) / usize::from(SAMPLE_TARGETS)).max(1);
    let more = SERIES.saturating_sub(few).div_ceil(each);
    Ok(u16::try_from(more + 1).unwrap_or(u16::MAX))
}
