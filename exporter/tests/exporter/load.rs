//! The installed program under many scrapers, while its tools hang for ever.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::host::Host;
use crate::process::{Process, http_client};

/// Scrapers at once.
const SCRAPERS: usize = 50;

/// Rounds after warming up; in each, every scraper scrapes once. A kilobyte lost per scrape would be
/// ten megabytes. `tests/bench` does more of them, with the program as it is released.
const ROUNDS: usize = 200;

/// Rounds until buffers, threads and connections have their size.
const WARM_UP: usize = 50;

/// Prometheus' default scrape time-out.
const IN_TIME: Duration = Duration::from_secs(10);

/// What the process may have more at the end than after warming up: a page or two of fragments per
/// scraper, the pipes of a run of each tool, threads that read files.
const MARGIN: Usage = Usage {
    resident_kb: 4_096,
    descriptors: 12,
    threads: 4,
};

#[derive(Debug, Clone, Copy)]
struct Usage {
    resident_kb: u64,
    descriptors: u64,
    threads: u64,
}

impl Usage {
    fn of(pid: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.unwrap().trim().trim_end_matches(" kB");
            number.parse().unwrap()
        };
        Self {
            resident_kb: value("VmRSS:"),
            threads: value("Threads:"),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64,
        }
    }
}

/// How many children of a process run each command line.
fn children(parent: i32) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        if status.contains(&format!("\nPPid:\t{parent}\n")) {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            // One that has ended has no command line any more.
            if !line.is_empty() {
                *found.entry(line).or_default() += 1;
            }
        }
    }
    found
}

async fn round(http: &reqwest::Client, url: &str) {
    let mut scrapers = JoinSet::new();
    for _ in 0..SCRAPERS {
        let request = http.get(url).send();
        scrapers.spawn(timeout(IN_TIME, async move {
            let answer = request.await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        }));
    }
    while let Some(in_time) = scrapers.join_next().await {
        let (status, text) = in_time.unwrap().unwrap();
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("nshield_hardserver_state{"), "{text}");
    }
}

#[tokio::test]
async fn fifty_scrapers_and_hung_tools_leave_it_as_it_was() {
    let host = Host::printing(
        "enquiry-one-of-three-failed.txt",
        "stattree-one-of-three-failed.txt",
    );
    let flags = [
        format!("--nfast.root={}", host.root().display()),
        "--collector.interval=200ms".to_owned(),
        "--no-collector.icmp".to_owned(),
        format!("--web.max-requests={SCRAPERS}"),
    ];
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vcm-exporter"));
    let exporter = Process::start(program, &flags, "/-/ready").await;
    // They end with the exporter, should the test fail.
    let hang = "trap '' TERM; while kill -0 $PPID; do sleep 1; done";
    host.tool("enquiry", hang);
    host.tool("stattree", hang);

    let http = http_client();
    let url = exporter.url("/metrics");
    for _ in 0..WARM_UP {
        round(&http, &url).await;
    }
    let before = Usage::of(exporter.pid);
    let mut seen = BTreeMap::new();
    for _ in 0..ROUNDS {
        round(&http, &url).await;
        for (tool, count) in children(exporter.pid) {
            assert!(count <= 1, "{count} processes of {tool}");
            seen.insert(tool, count);
        }
    }
    let after = Usage::of(exporter.pid);
    assert!(seen.len() >= 2, "both tools hang: {seen:?}");
    for (name, before, after, margin) in [
        (
            "kB resident",
            before.resident_kb,
            after.resident_kb,
            MARGIN.resident_kb,
        ),
        (
            "descriptors",
            before.descriptors,
            after.descriptors,
            MARGIN.descriptors,
        ),
        ("threads", before.threads, after.threads, MARGIN.threads),
    ] {
        assert!(
            after <= before + margin,
            "{name}: {before} before, {after} after"
        );
    }
    exporter.stop().await;
}
