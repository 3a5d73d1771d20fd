//! When the installed program ends, and when it does not.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nshield::runner::{self, Invocation};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::unix::pipe;
use tokio::time::{sleep, timeout};

use crate::host::Host;
use crate::process::{PATIENCE, Process, http_client};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-exporter");

async fn started(host: &Host, flags: &[&str]) -> Process {
    let root = format!("--nfast.root={}", host.root().display());
    let flags: Vec<String> = [root]
        .into_iter()
        .chain(flags.iter().map(ToString::to_string))
        .collect();
    Process::start(PathBuf::from(PROGRAM), &flags, "/-/ready").await
}

async fn make_pipe(path: &Path) {
    let mkfifo = Invocation::new("/usr/bin/mkfifo", [path], PATIENCE);
    assert!(runner::run(mkfifo).await.unwrap().succeeded());
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
    let metrics = http_client().get(exporter.url("/metrics"));
    let metrics = metrics.send().await.unwrap();
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
    make_pipe(&file).await;
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

/// A collector of logs that hangs: the pipe is full before the exporter writes its first line.
#[tokio::test]
async fn serves_and_ends_while_nobody_reads_its_log() {
    let host = Host::healthy("enquiry-healthy.txt");
    let log = host.file("log");
    make_pipe(&log).await;
    let full = full_pipe(&log);
    let script = format!(
        "exec {PROGRAM} --nfast.root={} --log.level=debug \"$@\" 2>{}",
        host.root().display(),
        log.display()
    );
    let flags = ["-c".to_owned(), script, "sh".to_owned()];
    let exporter = Process::start(PathBuf::from("/bin/sh"), &flags, "/-/ready").await;
    let pid = Pid::from_raw(exporter.pid).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    let metrics = http_client().get(exporter.url("/metrics"));
    let metrics = metrics.timeout(PATIENCE).send().await.unwrap();
    assert_eq!(metrics.status(), 200);
    assert!(is_full(&full), "somebody has read the log");
    exporter.stop().await;
}

/// Open for reading too, so that writing blocks and does not fail.
fn full_pipe(path: &Path) -> File {
    let full = File::options()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .unwrap();
    for piece in [&[b'\n'; 4096][..], b"\n"] {
        while (&full).write(piece).is_ok() {}
    }
    assert!(is_full(&full));
    full
}

fn is_full(mut pipe: &File) -> bool {
    let written = pipe.write(b"\n");
    written.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
