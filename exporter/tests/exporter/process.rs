//! A server as a process of its own: Prometheus, or the exporter as it is installed.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nshield::runner::{self, Invocation, Run};
use rustix::process::{Pid, Signal, kill_process};
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long it may live: a guard against what a failing test leaves behind.
const LIFE: Duration = Duration::from_secs(600);

/// How long starting and stopping may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    pub(crate) pid: i32,
    running: JoinSet<Run>,
}

impl Process {
    /// Starts a server that is told its address by a flag, and waits until a path answers 200.
    pub(crate) async fn start(program: PathBuf, flags: &[String], ready: &str) -> Self {
        let address = free_address();
        let flags = flags
            .iter()
            .cloned()
            .chain([format!("--web.listen-address={address}")]);
        let child = runner::start(Invocation::new(&program, flags, LIFE)).unwrap();
        let pid = child.identity().unwrap().pid;
        let mut running = JoinSet::new();
        running.spawn(child.finish());
        let mut process = Self {
            address,
            pid,
            running,
        };
        let started = timeout(PATIENCE, process.answers(ready)).await;
        assert!(started.is_ok(), "{program:?} does not become ready");
        process
    }

    async fn answers(&mut self, path: &str) {
        let http = http_client();
        loop {
            let answer = http.get(self.url(path)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            if let Some(ended) = self.running.try_join_next() {
                let log = String::from_utf8_lossy(&ended.unwrap().stderr).into_owned();
                panic!("it ended early: {log}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks it to end and returns what it logged.
    pub(crate) async fn stop(mut self) -> String {
        kill_process(Pid::from_raw(self.pid).unwrap(), Signal::TERM).unwrap();
        let ended = timeout(PATIENCE, self.running.join_next()).await.unwrap();
        let run = ended.unwrap().unwrap();
        assert!(run.succeeded(), "{:?}", run.ending);
        String::from_utf8_lossy(&run.stderr).into_owned()
    }
}

/// A client for servers of this machine, which do without TLS. `reqwest::Client::new()` sets TLS up
/// all the same: it panics without a provider, and fails where the machine has no authorities.
pub(crate) fn http_client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls);
    client.build().unwrap()
}

/// An address that nobody listens on now.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
