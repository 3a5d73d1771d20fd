//! A host whose vendor tools are scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nshield::tools::{Deadlines, Installation};
use vcm_exporter::collect::{Schedule, Shared, enquiry, stattree};
use vcm_exporter::config::Config;
use vcm_exporter::families::Exposition;
use vcm_exporter::http::HttpState;
use vcm_exporter::reload::Reloader;
use vcm_telemetry::exposition::Format;
use vcm_web::WebConfig;

pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../nshield/tests/fixtures");

/// Time between two runs of a tool in these tests: the default of the command line.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15);

pub(crate) struct Host {
    directory: tempfile::TempDir,
    listener: Option<UnixListener>,
}

impl Host {
    /// A host whose hardserver listens and whose tools print these fixtures.
    pub(crate) fn printing(enquiry: &str, stattree: &str) -> Self {
        let mut host = Self {
            directory: tempfile::tempdir().unwrap(),
            listener: None,
        };
        for part in ["bin", "sockets", "kmdata/config"] {
            fs::create_dir_all(host.root().join(part)).unwrap();
        }
        host.listener = Some(UnixListener::bind(host.root().join("sockets/nserver")).unwrap());
        host.prints("enquiry", enquiry);
        host.prints("stattree", stattree);
        host
    }

    /// The same with statistics of one module.
    pub(crate) fn healthy(enquiry: &str) -> Self {
        Self::printing(enquiry, "stattree-one-module.txt")
    }

    /// Lets a tool print a fixture.
    pub(crate) fn prints(&self, tool: &str, fixture: &str) {
        self.prints_through(tool, fixture, "cat");
    }

    /// Lets a tool print what a filter such as `sed` makes of a fixture.
    pub(crate) fn prints_through(&self, tool: &str, fixture: &str, filter: &str) {
        self.tool(tool, &format!("exec {filter} <{FIXTURES}/{fixture}"));
    }

    /// Lets a tool do what a script says.
    pub(crate) fn tool(&self, name: &str, script: &str) {
        let path = self.root().join("bin").join(name);
        let _ = std::os::unix::fs::symlink(format!("{FIXTURES}/fake-tool"), &path);
        fs::write(path.with_extension("script"), script).unwrap();
    }

    /// Nobody listens any more; the socket file stays behind.
    pub(crate) fn kill_hardserver(&mut self) {
        self.listener = None;
        for tool in ["enquiry", "stattree"] {
            self.tool(tool, "echo cannot connect >&2; exit 1");
        }
    }

    /// The tools are there and may not be executed.
    pub(crate) fn forbid_tools(&self) {
        for tool in ["enquiry", "stattree"] {
            let path = self.root().join("bin").join(tool);
            fs::remove_file(&path).unwrap();
            fs::write(&path, "not executable").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// A starting exporter on this host. What it knows about modules it keeps in a file, so that
    /// the next one on the same host begins with that.
    pub(crate) fn shared(&self, interval: Duration, deadlines: Deadlines) -> Arc<Shared> {
        self.scheduled(Schedule::Every(interval), deadlines)
    }

    pub(crate) fn scheduled(&self, schedule: Schedule, deadlines: Deadlines) -> Arc<Shared> {
        let installation = Installation::at(self.root()).with_deadlines(deadlines);
        let config = Config::parse("icmp: {discover: false}").unwrap();
        let shared = Shared::new(installation, config, schedule);
        Arc::new(shared.remembering(self.file("modules.json")))
    }

    /// A starting exporter with the defaults.
    pub(crate) fn exporter(&self) -> Arc<Shared> {
        self.shared(INTERVAL, Deadlines::default())
    }
}

/// Runs every tool once.
pub(crate) async fn look(shared: &Arc<Shared>) {
    enquiry::once(shared).await;
    stattree::once(shared).await;
}

/// The exposition as it is.
pub(crate) fn exposition(shared: &Arc<Shared>, format: Format) -> String {
    Exposition::new(Arc::clone(shared)).encode(format).unwrap()
}

pub(crate) fn http(shared: &Arc<Shared>) -> Arc<HttpState> {
    let web = WebConfig::load(None).unwrap();
    let reloader = Reloader::new(Arc::clone(shared), None, web);
    Arc::new(HttpState::new(reloader, "/metrics".to_owned()))
}
