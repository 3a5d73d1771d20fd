//! Question `hanging`: what 50 scrapers see, and what the exporter holds, while `enquiry` never ends.

use std::time::Duration;

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Plan,
    programs::{Host, Setup},
    scraper::{Encoding, Scrapers},
    table::Row,
    usage::{Usage, children},
};
use crate::lab::LabError;

/// How many ask at the same time.
const SCRAPERS: u32 = 50;

/// The time between two rounds: 1,000 of them see the tool killed and started again.
const PACE: Duration = Duration::from_millis(100);

/// Rounds after which memory, threads and descriptors are taken for the first time.
const WARM_UP: u32 = 20;

/// How often the children are counted.
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn rows(plan: &Plan) -> Result<Vec<Row>, LabError> {
    let setup = Setup {
        modules: 3,
        knobs: vec!["lies.enquiry.hang=true"],
        config: json!({}),
        interval: "15s",
        // It is not ready before the first run has ended, and that one waits for its deadline.
        ready: "/-/healthy",
    };
    let mut host = Host::start(&setup).await?;
    let address = host.exporter.client.address;
    let scrapers = Scrapers::new(address, "/metrics", Encoding::Gzip, SCRAPERS);
    let mut alive = Alive::default();
    let pid = host.exporter.id();
    let warm_up = tokio::select! {
        result = rounds(&scrapers, WARM_UP) => result?,
        never = watch(pid, &mut alive) => match never {},
    };
    let before = host.exporter.usage()?;
    let slowest = tokio::select! {
        result = rounds(&scrapers, plan.rounds) => result?,
        never = watch(pid, &mut alive) => match never {},
    };
    let after = host.exporter.usage()?;
    let calls = host.estate.calls()?;
    let starts = calls.iter().filter(|call| call.line() == "enquiry").count();
    Ok(table(
        plan,
        &alive,
        slowest.max(warm_up),
        (before, after),
        starts,
    ))
}

/// Lets all scrapers ask at once, so many times; returns the longest wait.
async fn rounds(scrapers: &Scrapers, count: u32) -> Result<Duration, LabError> {
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut slowest = Duration::ZERO;
    for _ in 0..count {
        ticks.tick().await;
        slowest = scrapers
            .round()
            .await?
            .into_iter()
            .fold(slowest, Duration::max);
    }
    Ok(slowest)
}

/// The most children that were alive at the same time.
#[derive(Debug, Default)]
struct Alive {
    hanging: usize,
    all: usize,
}

async fn watch(pid: u32, alive: &mut Alive) -> std::convert::Infallible {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let children = children(pid);
        let hanging = children.iter().filter(|words| is_full_enquiry(words));
        alive.hanging = alive.hanging.max(hanging.count());
        alive.all = alive.all.max(children.len());
    }
}

/// `enquiry` without arguments, which hangs here; `enquiry -m0` answers.
fn is_full_enquiry(words: &[String]) -> bool {
    matches!(words, [program] if program.ends_with("/enquiry"))
}

fn table(
    plan: &Plan,
    alive: &Alive,
    slowest: Duration,
    (before, after): (Usage, Usage),
    starts: usize,
) -> Vec<Row> {
    let how = format!(
        "`enquiry` never ends (simulated) and was started {starts} times; {} rounds of {SCRAPERS} \
         scrapers at once, {} ms apart, kept alive",
        plan.rounds,
        PACE.as_millis()
    );
    let megabytes = |usage: Usage| super::icmp::precise(usage.resident) / 1e6;
    vec![
        Row::alone(
            "a tool that hangs: most children alive",
            format!("{} hanging, {} in all", alive.hanging, alive.all),
            &format!(
                "looked at every {} ms; the others are `stattree` and `enquiry -m0`; {how}",
                LOOK.as_millis()
            ),
        ),
        Row::alone(
            "… longest answer",
            format!("{:.1} ms", slowest.as_secs_f64() * 1e3),
            "seen by the clients, which share the cores",
        ),
        Row::alone(
            "… resident memory",
            format!("{:.1} → {:.1} MB", megabytes(before), megabytes(after)),
            &format!("VmRSS after {WARM_UP} rounds and at the end"),
        ),
        Row::alone(
            "… threads, descriptors",
            format!(
                "{} → {}, {} → {}",
                before.threads, after.threads, before.descriptors, after.descriptors
            ),
            "the same",
        ),
    ]
}
