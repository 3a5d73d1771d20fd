//! What is scraped: golden files behind a server, and a running exporter.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use vcm_telemetry::exposition::Format;

use crate::estate;
use crate::process::{Process, http_client};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
const FAKE_TOOL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../nshield/tests/fixtures/fake-tool"
);

/// One target of Prometheus.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    text: String,
}

impl Target {
    /// How many samples the golden file has.
    pub(crate) fn samples(&self) -> f64 {
        let samples = self.text.lines().filter(|line| !line.starts_with('#'));
        samples.count() as f64
    }
}

/// The targets and the server behind them.
pub(crate) struct Targets {
    pub(crate) all: Vec<Target>,
    _server: JoinSet<()>,
}

impl Targets {
    /// Every golden file, served with the exact type of its format.
    pub(crate) async fn goldens() -> Self {
        let (listener, address) = listen().await;
        let mut all = Vec::new();
        let mut router = Router::new();
        for file in std::fs::read_dir(GOLDEN).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let format = if name.ends_with(".openmetrics") {
                Format::OpenMetrics
            } else {
                Format::Text
            };
            let text = scrapable(&file);
            let path = format!("/{name}");
            let body = text.clone();
            let answer = move || async move { ([(CONTENT_TYPE, format.content_type())], body) };
            router = router.route(&path, get(answer));
            all.push(Target {
                name,
                address,
                path,
                text,
            });
        }
        assert!(all.len() >= 40 && all.len() % 2 == 0, "{} files", all.len());
        Self {
            all,
            _server: serving(listener, router),
        }
    }

    /// A running exporter: once as it is, once asked for the text format.
    pub(crate) async fn of(exporter: &Process) -> Self {
        let (listener, address) = listen().await;
        let url = exporter.url("/metrics");
        let http = http_client();
        let ask = move || async move {
            let request = http.get(url).header(ACCEPT, "text/plain;version=0.0.4");
            let answer = request.send().await.unwrap();
            let kind = answer.headers()[CONTENT_TYPE].clone();
            assert_eq!(kind, Format::Text.content_type());
            ([(CONTENT_TYPE, kind)], answer.text().await.unwrap())
        };
        let router = Router::new().route("/metrics", get(ask));
        let target = |name: &str, address| Target {
            name: name.to_owned(),
            address,
            path: "/metrics".to_owned(),
            text: String::new(),
        };
        let all = vec![
            target("negotiated", exporter.address),
            target("text", address),
        ];
        Self {
            all,
            _server: serving(listener, router),
        }
    }

    /// A value for each target.
    pub(crate) fn each(&self, value: impl Fn(&Target) -> f64) -> BTreeMap<String, f64> {
        let targets = self.all.iter();
        targets
            .map(|target| (target.name.clone(), value(target)))
            .collect()
    }
}

/// Starts the exporter as it is installed, on a host with so many modules.
pub(crate) async fn exporter(modules: u16) -> (Process, tempfile::TempDir) {
    let host = tempfile::tempdir().unwrap();
    let bin = host.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for (tool, text) in [
        ("enquiry", estate::enquiry(modules)),
        ("stattree", estate::stattree(modules)),
    ] {
        let output = bin.join(tool).with_extension("txt");
        std::fs::write(&output, text).unwrap();
        let script = format!("exec cat {}", output.display());
        std::fs::write(bin.join(tool).with_extension("script"), script).unwrap();
        std::os::unix::fs::symlink(FAKE_TOOL, bin.join(tool)).unwrap();
    }
    let flags = [
        format!("--nfast.root={}", host.path().display()),
        "--collector.interval=1s".to_owned(),
        "--no-collector.icmp".to_owned(),
    ];
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vcm-exporter"));
    (Process::start(program, &flags, "/-/ready").await, host)
}

/// What varies from run to run is a star in the file; any number stands for it.
fn scrapable(file: &Path) -> String {
    std::fs::read_to_string(file)
        .unwrap()
        .replace(" *\n", " 1\n")
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn serving(listener: TcpListener, router: Router) -> JoinSet<()> {
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    server
}
