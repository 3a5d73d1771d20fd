//! Ten scrapers at once over real HTTP, each asking again as soon as it is answered, at 10,000
//! series: how long they wait and what a scrape costs. `cargo bench -p vcm-exporter --bench scrapers`
//!
//! Server and scrapers are one process, so that the CPU time per scrape holds both sides.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use vcm_exporter::http::{HttpState, router};
use vcm_exporter::reload::Reloader;
use vcm_web::WebConfig;

#[path = "../tests/reference/full.rs"]
mod full;

const SCRAPERS: usize = 10;
const SCRAPES: usize = 200;

/// As many modules as make 10,000 series.
const MODULES: u16 = 137;

/// What Prometheus 3 sends, without the protobuf part, and the text format of older scrapers.
const FORMATS: [(&str, &str); 2] = [
    (
        "OpenMetrics",
        "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
    ),
    ("text 0.0.4", "text/plain;version=0.0.4"),
];

fn main() -> io::Result<()> {
    let runtime = Runtime::new()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let web = WebConfig::load(None).map_err(io::Error::other)?;
    let reloader = Reloader::new(full::shared(MODULES), None, web);
    let state = Arc::new(HttpState::new(reloader, "/metrics".to_owned()));
    thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(axum::serve(listener, router(state)).into_future()));
        for (name, accept) in FORMATS {
            for coding in ["identity", "gzip"] {
                report(&format!("{name}, {coding}"), address, accept, coding)?;
            }
        }
        // The server serves for ever.
        std::process::exit(0)
    })
}

fn report(name: &str, address: SocketAddr, accept: &str, coding: &str) -> io::Result<()> {
    scrapes(address, accept, coding)?;
    let before = cpu_ticks()?;
    let waits: Vec<Vec<Duration>> = thread::scope(|scope| {
        let scrapers: Vec<_> = (0..SCRAPERS)
            .map(|_| scope.spawn(|| scrapes(address, accept, coding)))
            .collect();
        let waited = scrapers.into_iter().map(|scraper| match scraper.join() {
            Ok(waits) => waits,
            Err(_) => Err(io::Error::other("a scraper panicked")),
        });
        waited.collect::<io::Result<_>>()
    })?;
    let ticks = cpu_ticks()? - before;
    let mut waits = waits.concat();
    waits.sort_unstable();
    let at = |share: usize| {
        waits
            .get(waits.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    let cpu = ticks as f64 / rustix::param::clock_ticks_per_second() as f64 / waits.len() as f64;
    let mut out = io::stdout().lock();
    let (p50, p99, cpu) = (at(50), at(99), Duration::from_secs_f64(cpu));
    writeln!(
        out,
        "{name}: p50 {p50:.1?}, p99 {p99:.1?}, CPU {cpu:.1?} a scrape"
    )
}

/// Scrapes one after the other on one connection; returns how long each took.
fn scrapes(address: SocketAddr, accept: &str, coding: &str) -> io::Result<Vec<Duration>> {
    let mut connection = BufReader::new(TcpStream::connect(address)?);
    connection.get_ref().set_nodelay(true)?;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\
         Accept-Encoding: {coding}\r\n\r\n"
    );
    let mut waits = Vec::with_capacity(SCRAPES);
    for _ in 0..SCRAPES {
        let asked = Instant::now();
        connection.get_mut().write_all(request.as_bytes())?;
        answer(&mut connection)?;
        waits.push(asked.elapsed());
    }
    Ok(waits)
}

fn answer(connection: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut length = None;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        if line == "\r\n" {
            break;
        }
        let header = line.trim_end().to_ascii_lowercase();
        length = header
            .strip_prefix("content-length: ")
            .and_then(|length| length.parse().ok())
            .or(length);
    }
    let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
    io::copy(&mut connection.take(length), &mut io::sink())?;
    Ok(())
}

/// User and system time of this process in clock ticks.
fn cpu_ticks() -> io::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' '));
    let mut fields = fields.into_iter().flatten().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let sum = (|| Some(ticks()? + ticks()?))();
    sum.ok_or_else(|| io::Error::other("cannot read /proc/self/stat"))
}
