//! The program as a process: started on a configuration of many hosts, and looked at from outside.

#![expect(
    clippy::disallowed_methods,
    reason = "the program that is measured is started here"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::alertmanager::{MODULES, esn};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-remediator");

/// A running `serve`.
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From the start of the process until it accepted alerts.
    pub(crate) until_ready: Duration,
}

/// Writes a configuration in mode observe of `hosts` hosts that cannot be looked at.
pub(crate) fn configure(directory: &Path, hosts: u32) {
    let mut yaml = format!(
        "store: {{path: {}}}\nmode: observe\ninventory:\n  hosts:\n",
        directory.join("store.sqlite").display()
    );
    for host in 0..hosts {
        let nowhere = directory.join(format!("no-host-{host}.yaml"));
        writeln!(
            yaml,
            "    - name: tenant-{host}\n      instance: tenant-{host}.tenants.example:9808\n      runner: {{local: {{config_file: {}}}}}\n      modules:",
            nowhere.display()
        )
        .unwrap();
        for module in 0..MODULES {
            let number = host * MODULES + module;
            let (esn, hsm) = (esn(number), number % 40);
            let module = module + 1;
            writeln!(
                yaml,
                "        - {{number: {module}, esn: {esn}, kind: vcm, hsm: hsm-{hsm}}}"
            )
            .unwrap();
        }
    }
    fs::write(directory.join("remediator.yaml"), yaml).unwrap();
}

impl Program {
    /// Starts it and waits until it accepts alerts.
    pub(crate) fn start(directory: &Path) -> Self {
        let begun = Instant::now();
        let mut child = Command::new(PROGRAM)
            .args([
                "serve",
                "--web.listen-address",
                "127.0.0.1:0",
                "--config.file",
            ])
            .arg(directory.join("remediator.yaml"))
            .args(["--log.level", "info"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("msg=ready") {
            let read = log.read_line(&mut lines).unwrap();
            assert_ne!(read, 0, "it ended before it was ready:\n{lines}");
        }
        let until_ready = begun.elapsed();
        // Nobody reads its log from here on; whoever has asked for it must still take it away.
        std::thread::spawn(move || drop(std::io::copy(&mut log.by_ref(), &mut std::io::sink())));
        let address = listening(child.id());
        Self {
            child,
            address,
            until_ready,
        }
    }

    /// A line of /proc/PID/status in MB, `VmRSS` or `VmHWM`.
    pub(crate) fn megabytes(&self, what: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1024.0
    }

    /// From now on `VmHWM` is the peak since now.
    pub(crate) fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// Ends it in order.
    pub(crate) fn end(mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

/// The port that the kernel gave it: the one listening socket of the process.
fn listening(pid: u32) -> SocketAddr {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            link.to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')
                .map(str::to_owned)
        })
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let listener = table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ours = fields[3] == "0A" && sockets.iter().any(|inode| inode == fields[9]);
        let port = fields[1].split_once(':')?.1;
        ours.then(|| u16::from_str_radix(port, 16).ok()).flatten()
    });
    SocketAddr::from(([127, 0, 0, 1], listener.unwrap()))
}
