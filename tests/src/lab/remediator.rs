//! vcm-remediator under test: its two configuration files, and what it says of itself.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    LabError,
    estate::{Estate, Vcm},
    http::Client,
    process::Process,
    workspace::Workspace,
};
use crate::arguments;

/// How long it may take to start.
const START: Duration = Duration::from_secs(30);

/// The name of the lab's only host, in the inventory and in the label `host`.
pub const HOST: &str = "tenant-1";

/// The lab's only exporter, in the inventory. No shipped alert carries the label `instance`.
pub const INSTANCE: &str = "tenant-1:9808";

/// What a test may decide about the remediator and the host runner.
#[derive(Debug, Clone)]
pub struct Permissions {
    /// `mode` of remediator.yaml.
    pub mode: &'static str,
    /// `max_tier` of host.yaml.
    pub max_tier: &'static str,
    /// Laid over the lab's policy, key by key.
    pub policy: Value,
    /// Laid over the shipped mapping of alert names, name by name.
    pub alerts: Value,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            mode: "act",
            max_tier: "clear",
            policy: json!({}),
            alerts: json!({}),
        }
    }
}

/// The shipped policy's times, shortened so that a recovery takes seconds. The one time that is
/// not shortened is the wait between the two commands of a clear: the product has a floor there.
#[must_use]
pub fn fast_policy() -> Value {
    json!({
        "retry": {"not_before": "2s", "settle": "1s", "verify": "12s", "attempts_per_incident": 1},
        "restart": {"not_before": "4s", "settle": "2s", "verify": "15s"},
        "clear": {"not_before": "6s", "settle": "2s", "verify": "20s", "approval": false},
        "hardserver_down_not_before": "3s",
        "spacing": "1s",
        "healthy_for": "4s",
        "stale_alert_after": "10s",
        "latch_release_after": "10s",
        "network_settle": "3s",
        "network_settle_restart": "5s",
        "agreement_span": "1s",
        "boot_window": "1s",
        "observe_interval": "2s",
        "verify_poll": "1s",
        "page_after": {"unknown": "10s", "network": "10s", "unresponsive": "10s", "stuck": "60s"},
        "tool_runs_per_minute": 120,
    })
}

/// One event of the remediator's own record.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// Its place in the record.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    #[serde(rename = "time")]
    pub time_ms: u64,
    /// The host; none where it is about the whole fleet.
    pub host: Option<String>,
    /// The target, where it is about one.
    pub target: Option<Value>,
    /// The incident, where it is about one.
    pub incident: Option<Value>,
    /// Its kind: `Observed`, `Decided`, `IntentReserved` ...
    pub kind: String,
    /// What it says.
    #[serde(default)]
    pub body: Value,
}

/// A running remediator.
#[derive(Debug)]
pub struct Remediator {
    /// Where it listens.
    pub client: Client,
    /// Its process.
    pub process: Process,
    config: PathBuf,
}

impl Remediator {
    /// Writes both configuration files.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn configure(
        workspace: &Workspace,
        estate: &Estate,
        permissions: &Permissions,
    ) -> Result<PathBuf, LabError> {
        let host = host_config(workspace, estate, permissions)?;
        let host = workspace.write("host.yaml", &host.to_string())?;
        let config = config(workspace, estate, permissions, &host)?;
        workspace.write("remediator.yaml", &config.to_string())
    }

    /// Starts it with these files and waits until it is ready.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn start(
        workspace: &mut Workspace,
        config: PathBuf,
        address: SocketAddr,
    ) -> Result<Self, LabError> {
        let program = workspace.binaries().vcm_remediator.clone();
        let mut remediator = Self::spawn(workspace, &[], &program, config, address)?;
        remediator.ready().await?;
        Ok(remediator)
    }

    /// Starts `program`, which is it or stands for it, behind another command (`strace -f`), and
    /// does not wait for anything.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(
        workspace: &mut Workspace,
        before: &[OsString],
        program: &Path,
        config: PathBuf,
        address: SocketAddr,
    ) -> Result<Self, LabError> {
        let flags = arguments![
            "serve",
            "--config.file",
            &config,
            "--web.listen-address",
            address.to_string(),
            "--log.level",
            "info",
        ];
        let mut line = before.to_vec();
        line.push(program.into());
        line.extend(flags);
        let first = PathBuf::from(line.remove(0));
        let process = workspace.start("vcm-remediator", &first, &line)?;
        Ok(Self {
            client: Client::new(address),
            process,
            config,
        })
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        self.client
            .ready("/-/ready", &mut self.process, START)
            .await
    }

    /// Starts it again after it was killed, with the same files and at the same address.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn start_again(&mut self, workspace: &mut Workspace) -> Result<(), LabError> {
        let again = Self::start(workspace, self.config.clone(), self.client.address).await?;
        *self = again;
        Ok(())
    }

    /// Its record after `seq`.
    ///
    /// # Errors
    /// If it does not answer, or with something else.
    pub async fn events(&self, seq: u64) -> Result<Vec<Event>, LabError> {
        let after = seq.to_string();
        let answer = self
            .client
            .json("/api/v1/events", &[("after", &after)])
            .await?;
        serde_json::from_value(answer["events"].clone()).map_err(|error| LabError::Answer {
            asked: "/api/v1/events".to_owned(),
            answer: format!("{answer}: {error}"),
        })
    }

    /// The sum of all its series of this name, as `/metrics` shows them now; 0 without any.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn sum(&self, name: &str) -> Result<f64, LabError> {
        let text = self.client.get("/metrics", &[]).await?.body;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' ']).then_some(())?;
            rest.rsplit(' ').next()?.parse::<f64>().ok()
        });
        Ok(values.sum())
    }

    /// The value of one of its series, as `/metrics` shows it now: a name with labels, exactly.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn metric(&self, series: &str) -> Result<Option<f64>, LabError> {
        let text = self.client.get("/metrics", &[]).await?.body;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(line.and_then(|rest| rest.split(' ').next()?.parse().ok()))
    }
}

fn config(
    workspace: &Workspace,
    estate: &Estate,
    permissions: &Permissions,
    host: &Path,
) -> Result<Value, LabError> {
    let mut policy = fast_policy();
    lay_over(&mut policy, &permissions.policy);
    let mut alerts = json!({
        "VcmFailed": {"tier": "retry", "scope": "module"},
        "VcmFailedLong": {"tier": "restart", "scope": "module"},
        "HardserverDown": {"tier": "restart", "scope": "host"},
        "VcmUnreachable": {"tier": "network", "scope": "module"},
    });
    lay_over(&mut alerts, &permissions.alerts);
    let modules: Vec<Value> = estate
        .vcms
        .iter()
        .map(|vcm| {
            json!({
                "number": vcm.module, "esn": vcm.esn, "kind": "vcm",
                "hsm": vcm.hsm, "name": format!("vcm{}", vcm.module),
            })
        })
        .collect();
    Ok(json!({
        "mode": permissions.mode,
        "store": {"path": workspace.directory("remediator")?.join("remediator.sqlite")},
        "inventory": {"hosts": [{
            "name": HOST,
            "instance": INSTANCE,
            "platform": "linux",
            "runner": {"local": {"config_file": host}},
            "modules": modules,
        }]},
        "alerts": alerts,
        "watchdog_alert": "VcmRemediatorWatchdog",
        "policy": policy,
    }))
}

fn host_config(
    workspace: &Workspace,
    estate: &Estate,
    permissions: &Permissions,
) -> Result<Value, LabError> {
    let modules: Vec<Value> = estate.vcms.iter().map(host_module).collect();
    Ok(json!({
        "state_dir": workspace.directory("host")?,
        "nfast_root": estate.root(),
        "max_tier": permissions.max_tier,
        "hold_file": workspace.path().join("hold"),
        "stopped_on_purpose": {
            "unit_state": [estate.root().join("sbin/unit-state")],
            "stopped_words": ["inactive", "inactive-clean"],
            // This machine may have been started a minute ago, and its packages are not the
            // estate's.
            "host_up_min": "0s",
            "package_manager_locks": [],
        },
        "after_restart": {"down_span": "1s", "start_spacing": "2s"},
        "modules": modules,
    }))
}

fn host_module(vcm: &Vcm) -> Value {
    json!({
        "number": vcm.module, "esn": vcm.esn, "kind": "vcm",
        "address": vcm.address, "reachability": "icmp",
    })
}

/// Lays `over` over `base`: objects key by key, anything else as a whole.
fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_changes_single_keys_of_the_policy() {
        let mut policy = fast_policy();
        lay_over(
            &mut policy,
            &json!({"clear": {"approval": true}, "spacing": "9s"}),
        );
        assert_eq!(policy["clear"]["approval"], true);
        assert_eq!(policy["clear"]["settle"], "2s");
        assert_eq!(policy["spacing"], "9s");
    }
}
