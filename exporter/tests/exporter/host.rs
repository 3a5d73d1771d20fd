//! A host whose vendor tools are scripts.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nshield::tools::{Deadlines, Installation};
use vcm_exporter::collect::{Shared, enquiry, stattree};
use vcm_exporter::config::Config;
use vcm_exporter::families::Exposition;
use vcm_exporter::http::HttpState;
use vcm_telemetry::exposition::Format;

pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../nshield/tests/fixtures");

pub(crate) struct Host {
    directory: tempfile::TempDir,
    listener: Option<UnixListener>,
}

impl Host {
    /// A host whose hardserver listens and whose tools print these fixtures.
    pub(crate) fn healthy(enquiry: &str) -> Self {
        let host = Self {
            directory: tempfile::tempdir().unwrap(),
            listener: None,
        };
        for part in ["bin", "sockets", "kmdata/config"] {
            fs::create_dir_all(host.root().join(part)).unwrap();
        }
        let mut host = host;
        host.listener = Some(UnixListener::bind(host.root().join("sockets/nserver")).unwrap());
        host.tool("enquiry", &format!("exec /bin/cat {FIXTURES}/{enquiry}"));
        host.tool(
            "stattree",
            &format!("exec /bin/cat {FIXTURES}/stattree-one-module.txt"),
        );
        host
    }

    /// Nobody listens any more; the socket file stays behind.
    pub(crate) fn kill_hardserver(&mut self) {
        self.listener = None;
        for tool in ["enquiry", "stattree"] {
            self.tool(tool, "echo cannot connect >&2; exit 1");
        }
    }

    /// Lets a tool do what a script says.
    pub(crate) fn tool(&self, name: &str, script: &str) {
        let path = self.root().join("bin").join(name);
        let _ = std::os::unix::fs::symlink(format!("{FIXTURES}/fake-tool"), &path);
        fs::write(path.with_extension("script"), script).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn shared(&self, interval: Duration, deadlines: Deadlines) -> Arc<Shared> {
        let installation = Installation::at(self.root()).with_deadlines(deadlines);
        let config = Config::parse("icmp: {discover: false}").unwrap();
        let shared = Shared::new(installation, config, interval);
        Arc::new(shared.remembering(self.file("modules.json")))
    }

    /// Runs every tool once and returns the exposition without what differs from run to run.
    pub(crate) async fn observe(&self, format: Format) -> String {
        let shared = self.shared(Duration::from_secs(15), Deadlines::default());
        enquiry::once(&shared).await;
        stattree::once(&shared).await;
        stable(&Exposition::new(shared).encode(format).unwrap())
    }
}

pub(crate) fn http(shared: &Arc<Shared>) -> Arc<HttpState> {
    Arc::new(HttpState {
        shared: Arc::clone(shared),
        exposition: Exposition::new(Arc::clone(shared)),
        telemetry_path: "/metrics".to_owned(),
    })
}

/// Replaces the values of times, durations and the process by a star.
fn stable(text: &str) -> String {
    const VARYING: [&str; 7] = [
        "_start_time_seconds",
        "_timestamp_seconds",
        "_duration_seconds",
        "_clock_offset_seconds",
        "nshield_exporter_build_info",
        "process_",
        "_rtt_seconds",
    ];
    const BUILD: &str = "nshield_exporter_build_info{version=\"*\",revision=\"*\",rustc=\"*\"}";
    let mut lines = String::new();
    for line in text.lines() {
        let varies = !line.starts_with('#') && VARYING.iter().any(|part| line.contains(part));
        match line.rsplit_once(' ').filter(|_| varies) {
            None => lines.push_str(line),
            Some((series, _)) if series.contains("_build_info{") => {
                lines.push_str(&format!("{BUILD} *"));
            }
            Some((series, _)) => lines.push_str(&format!("{series} *")),
        }
        lines.push('\n');
    }
    lines
}
