//! When the installed program ends, and when it does not.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nshield::runner::{self, Invocation};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::unix::pipe;
use tokio::time::{sleep, timeout};

use crate::host::Host;
use crate::process::{PATIENCE, Process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-exporter");

async fn started(host: &Host, flags: &[&str]) -> Process {
    let root = format!("--nfast.root={}", host.root().display());
    let flags: Vec<String> = [root]
        .into_iter()
        .chain(flags.iter().map(ToString::to_string))
        .collect();
    Process::start(PathBuf::from(PROGRAM), &flags, "/-/ready").await
}

/// Nothing to observe is no failure.
#[tokio::test]
async fn serves_with_every_collector_switched_off() {
    let host = Host::healthy("enquiry-healthy.txt");
    let off = [
        "--no-collector.enquiry",
        "--no-collector.icmp",
        "--no-collector.stattree",
    ];
    let exporter = started(&host, &off).await;
    let metrics = reqwest::get(exporter.url("/metrics")).await.unwrap();
    assert_eq!(metrics.status(), 200);
    exporter.stop().await;
}

/// A pipe that is open and silent is like a file on a file system that hangs.
#[tokio::test]
async fn ends_while_a_configuration_file_that_hangs_is_read() {
    let host = Host::healthy("enquiry-healthy.txt");
    let file = host.file("exporter.yml");
    fs::write(&file, "icmp: {discover: false}").unwrap();
    let flag = format!("--config.file={}", file.display());
    let exporter = started(&host, &[&flag]).await;
    fs::remove_file(&file).unwrap();
    let mkfifo = Invocation::new("/usr/bin/mkfifo", [&file], PATIENCE);
    assert!(runner::run(mkfifo).await.unwrap().succeeded());
    let pid = Pid::from_raw(exporter.pid).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    let read = async {
        loop {
            match pipe::OpenOptions::new().open_sender(&file) {
                Ok(silent) => return silent,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let _silent = timeout(PATIENCE, read).await.unwrap();
    exporter.stop().await;
}
