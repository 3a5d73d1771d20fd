//! What continuous echoes cost: `cargo bench -p vcm-exporter --bench icmp -- [WHAT] [TARGETS] [SECONDS]`.
//!
//! Every program sends one echo a second to each of so many loopback addresses, in slots of 100 ms,
//! and prints what it took. `floor` is the least that the system allows: plain sockets, one thread,
//! no table. `client` is surge-ping's own `Client` and `Pinger`, a task for each echo. `prober` is
//! what the exporter runs, `lost` the same with addresses that nobody answers for, `probe` one-off
//! echoes through it. Without WHAT, all of them one after the other.
//!
//! `client-lost` waits for late replies as long as the exporter does, with a task for each echo; it
//! is why the prober has a table of its own instead: measured with 1,000 silent targets, 21 MB
//! resident where the prober has 5 to 7 MB.
//!
//! CPU is the process' own time, so that other load does not count. Raw sockets on loopback see
//! each request a second time, which costs one more `recvfrom` per echo than a network does.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use nshield::icmp::SocketKind;
use surge_ping::{Client, Config, PingIdentifier, PingSequence};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use vcm_exporter::config::IcmpConfig;
use vcm_exporter::icmp::{Board, Destination, EchoEnd, Lookup, Prober, SLOT, Start, Target};

type Outcome = Result<Counts, Box<dyn Error>>;

/// What a program counted.
#[derive(Default)]
struct Counts {
    sent: u64,
    replies: u64,
    rtt: Vec<(f64, u64)>,
    rtt_sum: f64,
}

impl Counts {
    fn reply(&mut self, rtt: Duration) {
        self.replies += 1;
        self.rtt_sum += rtt.as_secs_f64();
        self.rtt.push((rtt.as_secs_f64() * 1e6, 1));
    }

    /// Returns an upper bound of a quantile of the round-trip times, in microseconds.
    fn quantile(&mut self, quantile: f64) -> f64 {
        self.rtt.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted = (self.replies as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        let reached = self.rtt.iter().find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        reached.map_or(f64::NAN, |(bound, _)| *bound)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let number = |index: usize, default| words.get(index).map_or(Ok(default), |word| word.parse());
    let (targets, seconds) = (number(1, 1000)?, number(2, 5)?);
    let chosen = words.first().map_or("all", String::as_str);
    println!("{targets} targets, {seconds} s");
    println!(
        "program      CPU of one core   per echo   resident    sent   lost   RTT mean  median<=   p99<="
    );
    let run = Duration::from_secs(u64::from(seconds));
    for (name, program) in [
        ("floor", floor as fn(u32, Duration) -> Outcome),
        ("client", client),
        ("client-lost", client_lost),
        ("prober", prober),
        ("lost", lost),
        ("probe", probe),
    ] {
        if chosen == "all" || chosen == name {
            measure(name, run, || program(targets, run))?;
        }
    }
    Ok(())
}

fn measure(
    name: &str,
    run: Duration,
    program: impl FnOnce() -> Outcome,
) -> Result<(), Box<dyn Error>> {
    let before = cpu();
    let mut counts = program()?;
    let took = cpu() - before;
    let [median, most] = [0.5, 0.99].map(|quantile| counts.quantile(quantile));
    println!(
        "{name:<11}  {:>13.2} %  {:>7.1} us  {:>6.1} MB  {:>6}  {:>5}  {:>6.0} us  {:>5.0} us  {:>5.0} us",
        took.as_secs_f64() / run.as_secs_f64() * 100.0,
        took.as_secs_f64() * 1e6 / counts.sent as f64,
        resident()?,
        counts.sent,
        counts.sent - counts.replies,
        counts.rtt_sum * 1e6 / counts.replies.max(1) as f64,
        median,
        most,
    );
    Ok(())
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn resident() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no VmRSS")?;
    Ok(kilobytes.parse::<f64>()? / 1000.0)
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number).into()
}

fn silent(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(Ipv4Addr::new(192, 0, 2, 0).to_bits() + number).into()
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Every tenth target in each slot: send one, take in what has arrived.
fn floor(targets: u32, run: Duration) -> Outcome {
    use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};
    let (socket, kind) = plain_socket()?;
    let mut sent_at = BTreeMap::new();
    let mut counts = Counts::default();
    let started = Instant::now();
    let mut packet = [0_u8; 64];
    let mut buffer = [0_u8; 128];
    let skip = if kind == SocketKind::Raw { 20 } else { 0 };
    for slot in 0.. {
        let begins = started + SLOT * slot;
        if begins > started + run {
            break;
        }
        runtime_free_sleep(begins);
        for number in (slot % 10..targets).step_by(10) {
            packet[0] = 8;
            packet[4..8].copy_from_slice(&[0x7e, 0x57, (number >> 8) as u8, number as u8]);
            packet[2..4].fill(0);
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
            sent_at.insert(number as u16, Instant::now());
            sendto(
                &socket,
                &packet,
                SendFlags::empty(),
                &SocketAddr::new(address(number), 0),
            )?;
            counts.sent += 1;
            while let Ok((length, _, _)) = recvfrom(&socket, &mut buffer, RecvFlags::DONTWAIT) {
                let message = &buffer[skip..length];
                if message[0] == 0 {
                    let number = u16::from_be_bytes([message[6], message[7]]);
                    if let Some(at) = sent_at.remove(&number) {
                        counts.reply(at.elapsed());
                    }
                }
            }
        }
    }
    Ok(counts)
}

fn checksum(packet: &[u8]) -> u16 {
    let words = packet.as_chunks::<2>().0;
    let sum: u32 = words
        .iter()
        .map(|word| u32::from(u16::from_be_bytes(*word)))
        .sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}

fn runtime_free_sleep(until: Instant) {
    use rustix::event::{Timespec, poll};
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    // A wait for nothing: cut short by a signal it only ends early.
    let _ = poll(&mut [], Some(&left));
}

fn plain_socket() -> Result<(rustix::fd::OwnedFd, SocketKind), Box<dyn Error>> {
    use rustix::net::{AddressFamily, SocketType, ipproto, socket};
    let open = |kind| socket(AddressFamily::INET, kind, Some(ipproto::ICMP));
    match open(SocketType::DGRAM) {
        Ok(socket) => Ok((socket, SocketKind::Datagram)),
        Err(_) => Ok((open(SocketType::RAW)?, SocketKind::Raw)),
    }
}

/// surge-ping as its examples use it, in slots.
fn client(targets: u32, run: Duration) -> Outcome {
    slotted(targets, run, address, Duration::from_secs(1))
}

/// The same with nobody who answers, waiting for late replies as long as the exporter does.
fn client_lost(targets: u32, run: Duration) -> Outcome {
    let late = Duration::from_secs(11).min(run);
    slotted(targets, run, silent, late)
}

fn slotted(targets: u32, run: Duration, address: fn(u32) -> IpAddr, timeout: Duration) -> Outcome {
    runtime()?.block_on(async {
        let client = Client::new(&Config::default())?;
        let mut counts = Counts::default();
        let mut echoes = JoinSet::new();
        let mut slots = interval(SLOT);
        slots.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let started = Instant::now();
        let mut slot = 0;
        while started.elapsed() < run {
            tokio::select! {
                _ = slots.tick() => {
                    let due: Vec<u32> = (slot % 10..targets).step_by(10).collect();
                    for chunk in due.chunks(8) {
                        for number in chunk {
                            let client = client.clone();
                            let (host, sequence) = (address(*number), PingSequence((slot / 10) as u16));
                            counts.sent += 1;
                            echoes.spawn(async move {
                                let mut pinger = client.pinger(host, PingIdentifier(0x7e57)).await;
                                pinger.timeout(timeout).ping(sequence, &[0; 56]).await
                            });
                        }
                        tokio::task::yield_now().await;
                    }
                    slot += 1;
                }
                Some(Ok(Ok((_, rtt)))) = echoes.join_next() => counts.reply(rtt),
            }
        }
        while let Some(ended) = echoes.join_next().await {
            if let Ok(Ok((_, rtt))) = ended {
                counts.reply(rtt);
            }
        }
        Ok(counts)
    })
}

fn config(targets: u32, address: impl Fn(u32) -> IpAddr) -> IcmpConfig {
    let default = IcmpConfig::default();
    let target = |number| Target {
        name: format!("target-{number}"),
        module: None,
        destination: Destination::Address(address(number).into()),
        echo: default.echo.clone(),
    };
    IcmpConfig {
        targets: (0..targets).map(target).collect(),
        ..default
    }
}

fn started(config: IcmpConfig) -> Result<(Board, Prober), Box<dyn Error>> {
    let board = Board::new(&config);
    let start = Start {
        board: board.clone(),
        config,
        modules: BTreeMap::new(),
        lookup: Lookup::default(),
    };
    Ok((board, Prober::start(start)?))
}

fn counted(board: &Board) -> Counts {
    let mut buckets = BTreeMap::<u64, u64>::new();
    let mut counts = Counts::default();
    for sample in board.samples() {
        counts.sent += sample.ended();
        counts.replies += sample.rtt.count();
        counts.rtt_sum += sample.rtt.sum();
        for (bound, count) in sample.rtt.buckets() {
            *buckets.entry((bound * 1e6) as u64).or_default() += count;
        }
    }
    counts.rtt = buckets
        .into_iter()
        .map(|(bound, count)| (bound as f64, count))
        .collect();
    counts
}

fn prober(targets: u32, run: Duration) -> Outcome {
    let (board, prober) = started(config(targets, address))?;
    runtime()?.block_on(async { sleep(run).await });
    drop(prober);
    Ok(counted(&board))
}

/// 192.0.2.0/24 and what follows is for documentation: nobody answers, or there is no route.
fn lost(targets: u32, run: Duration) -> Outcome {
    let silent =
        |number| Ipv4Addr::from_bits(Ipv4Addr::new(192, 0, 2, 0).to_bits() + number).into();
    let (board, prober) = started(config(targets, silent))?;
    runtime()?.block_on(async { sleep(run).await });
    drop(prober);
    Ok(counted(&board))
}

/// As many one-off echoes a second as there are targets, one after the other.
fn probe(targets: u32, run: Duration) -> Outcome {
    let config = config(0, address);
    let how = config.echo.clone();
    let (board, prober) = started(config)?;
    let counts = runtime()?.block_on(async {
        let mut counts = Counts::default();
        let mut turns = interval(Duration::from_secs(1) / targets.max(1));
        let begun = Instant::now();
        while begun.elapsed() < run {
            turns.tick().await;
            counts.sent += 1;
            let end = board.echo(address(0).into(), how.clone(), 1).await?;
            if let EchoEnd::Reply(rtt) = end.end {
                counts.reply(rtt);
            }
        }
        Ok::<_, Box<dyn Error>>(counts)
    })?;
    drop(prober);
    Ok(counts)
}
