//! From the receipt of a body to its durable answer, at a fixed rate and at the ceiling, and what
//! many open incidents cost.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{Instant as At, sleep_until};
use vcm_remediator::clock::SystemClock;
use vcm_remediator::store::Store as _;
use vcm_remediator::store::open::open;
use vcm_remediator::store::sqlite::SqliteStore;

use crate::alertmanager::{Connection, MODULES, body};
use crate::disk::Disk;
use crate::program::{Program, configure};
use crate::{Extent, row};

/// The estate: 10,000 modules.
const HOSTS: u32 = 1000;

/// Alerts in one body.
const BODY: u32 = 100;

/// Bodies a second: 500 alerts/s, what 1,000 hosts of 10 modules deliver again each minute through
/// three Alertmanagers.
const BODIES_A_SECOND: u32 = 5;

/// Connections that deliver at once at the ceiling.
const CONNECTIONS: u32 = 8;

const FIRST: &str = "2026-11-22T10:00:00.000Z";

/// Measures and prints.
pub(crate) async fn measure(extent: Extent) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    configure(directory.path(), HOSTS);
    let program = Program::start(directory.path());
    eprintln!("empty: {:.1} MB resident", program.megabytes("VmRSS"));
    paced(program.address, extent.paced, directory.path()).await;
    let program = many_incidents(program, directory.path()).await;
    unpaced(program.address, extent.unpaced).await;
    large(&program).await;
    shown(&program).await;
    program.end();
    loaded("after all of the above", directory.path()).await;
}

async fn paced(address: SocketAddr, span: Duration, directory: &Path) {
    let disk = Disk::watch(directory);
    let mut connection = Connection::open(address).await;
    let gap = Duration::from_secs(1) / BODIES_A_SECOND;
    let begun = At::now();
    let mut took = Vec::new();
    let mut next = 0;
    while begun.elapsed() < span {
        let due = begun + gap * u32::try_from(took.len()).unwrap();
        let text = body(
            (0..BODY).map(|number| (next + number) % (HOSTS * MODULES)),
            FIRST,
        );
        next += BODY;
        sleep_until(due).await;
        connection.post(&text).await;
        // From when it was due: a body that waits for the one before has waited all the same.
        took.push(due.elapsed());
    }
    let bodies = took.len();
    let (median, p99) = percentiles(took);
    let (disk_median, disk_p99) = percentiles(disk.took());
    row(
        "durable answer to 100 alerts, at 500 alerts/s",
        &format!("{median:.1} ms (p99 {p99:.1} ms)"),
        &format!(
            "median and 99th percentile of {bodies} bodies over one connection, from when each was \
             due; 10,000 modules, the first delivery of each opens its incident; beside it, on the same \
             disk, 4 KiB and fdatasync took {disk_median:.1} ms (p99 {disk_p99:.1} ms)"
        ),
    );
}

/// Median and 99th percentile in milliseconds.
fn percentiles(mut took: Vec<Duration>) -> (f64, f64) {
    took.sort();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    (at(50).as_secs_f64() * 1e3, at(99).as_secs_f64() * 1e3)
}

async fn unpaced(address: SocketAddr, span: Duration) {
    let again = deliver(address, span, |_| FIRST.to_owned()).await;
    row(
        "alerts accepted each second, delivered again",
        &again,
        &format!("as fast as answers come, {CONNECTIONS} connections, bodies of {BODY}"),
    );
    let news = deliver(address, span, |round| {
        let (minute, second) = (round / 60 % 60, round % 60);
        format!("2026-11-22T11:{minute:02}:{second:02}.000Z")
    });
    row(
        "alerts accepted each second, each one news",
        &news.await,
        "the same with a later `startsAt` in each round: an event in the chain for every alert",
    );
}

/// Delivers about all modules again and again; `starts_at` says when the alerts of a round begin.
async fn deliver(
    address: SocketAddr,
    span: Duration,
    starts_at: impl Fn(u32) -> String + Send + Sync + 'static,
) -> String {
    let firsts = (0..HOSTS * MODULES).step_by(BODY as usize);
    let bodies: Vec<String> = firsts
        .map(|first| String::from_utf8(body(first..first + BODY, FIRST)).unwrap())
        .collect();
    let (bodies, starts_at) = (Arc::new(bodies), Arc::new(starts_at));
    let sent = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (bodies, starts_at) = (Arc::clone(&bodies), Arc::clone(&starts_at));
        let sent = Arc::clone(&sent);
        senders.spawn(async move {
            let mut connection = Connection::open(address).await;
            while begun.elapsed() < span {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                let round = u32::try_from(number / bodies.len()).unwrap();
                let text = bodies[number % bodies.len()].replace(FIRST, &starts_at(round));
                connection.post(text.as_bytes()).await;
            }
        });
    }
    senders.join_all().await;
    let alerts = (sent.load(Ordering::Relaxed) * BODY as usize) as f64;
    format!("{:.0}", alerts / begun.elapsed().as_secs_f64())
}

async fn large(program: &Program) {
    let mut connection = Connection::open(program.address).await;
    let mut took = Vec::new();
    let mut size = 0;
    for round in 0..5 {
        let text = body(0..5000, &format!("2026-11-22T12:00:0{round}.000Z"));
        size = text.len();
        let begun = Instant::now();
        connection.post(&text).await;
        took.push(begun.elapsed());
    }
    took.sort();
    row(
        "durable answer to 5,000 alerts in one body",
        &format!("{:.0} ms", took[2].as_secs_f64() * 1e3),
        &format!(
            "median of 5, {:.1} MB each, every alert an event; the program's peak since its \
             start on 10,000 open incidents is {:.0} MB resident",
            size as f64 / 1e6,
            program.megabytes("VmHWM")
        ),
    );
}

/// What was delivered has opened an incident for every module. The program as it has opened, looked
/// at and ruled on them all, and started again on them.
async fn many_incidents(program: Program, directory: &Path) -> Program {
    let opened = program.megabytes("VmRSS");
    program.end();
    let open = loaded("all incidents open", directory).await;
    let again = Program::start(directory);
    row(
        &format!("{open} open incidents, resident memory"),
        &format!("{opened:.1} MB"),
        &format!(
            "when all have been opened, looked at and ruled on; {:.1} MB once it is ready after a \
             start, {:.2} s from the start of the process",
            again.megabytes("VmRSS"),
            again.until_ready.as_secs_f64()
        ),
    );
    again
}

/// What it takes to show them.
async fn shown(program: &Program) {
    let worked = program.megabytes("VmRSS");
    let mut connection = Connection::open(program.address).await;
    program.forget_peak();
    let listed = connection.get("/api/v1/incidents").await;
    let listing = program.megabytes("VmHWM");
    let page = connection.get("/").await;
    let showing = program.megabytes("VmHWM");
    let sizes = (listed.len() as f64 / 1e6, page.len() as f64 / 1e6);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let open = listed["incidents"].as_array().map_or(0, Vec::len);
    row(
        &format!("{open} open incidents asked for as JSON; then the page"),
        &format!("peak {listing:.0} MB; {showing:.0} MB resident"),
        &format!(
            "{:.0} MB and {:.0} MB of text, sent while they are made; {worked:.0} MB before, after \
             all of the above",
            sizes.0, sizes.1
        ),
    );
}

/// How long the store in this directory takes to load, as a start of the program does it; how many
/// incidents it has open.
async fn loaded(when: &str, directory: &Path) -> usize {
    let begun = Instant::now();
    let opened = open_store(&directory.join("store.sqlite"));
    let checked = begun.elapsed();
    let begun = Instant::now();
    let loaded = opened.load().await.unwrap();
    let folded = begun.elapsed();
    let open: usize = loaded.hosts.values().map(|host| host.incidents.len()).sum();
    let events = opened.head().await.unwrap().seq;
    row(
        &format!("loaded and folded, {when}"),
        &format!("{:.2} s", folded.as_secs_f64()),
        &format!(
            "{open} open incidents, {events} events; before that {:.2} s to check pages and chain",
            checked.as_secs_f64()
        ),
    );
    open
}

fn open_store(file: &Path) -> SqliteStore {
    let opened = open(file).unwrap();
    let clock = SystemClock::resume(opened.last_time, opened.last_boot.as_ref());
    SqliteStore::start(opened, Arc::new(clock)).unwrap()
}
