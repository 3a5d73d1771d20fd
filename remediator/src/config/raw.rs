//! `remediator.yaml` as it is written. Values are loose here, so that all problems can be reported
//! together; unknown keys are refused by the parser, with their line.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::yaml::Spanned;

/// A value that is still text, and where it stands.
pub(super) type Text = Spanned<String>;

/// A number, and where it stands.
pub(super) type Number = Spanned<u32>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) mode: Option<Text>,
    #[serde(default)]
    pub(super) store: Store,
    #[serde(default)]
    pub(super) web: Web,
    pub(super) inventory: Inventory,
    pub(super) alerts: Option<BTreeMap<String, Alert>>,
    pub(super) watchdog_alert: Option<Text>,
    #[serde(default)]
    pub(super) policy: Policy,
    pub(super) load: Option<super::load::raw::Load>,
    pub(super) alertmanager: Option<super::alertmanager::raw::Alertmanager>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) path: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Web {
    pub(super) listen_address: Option<Text>,
    pub(super) bearer_token_file: Option<Text>,
    pub(super) max_body: Option<Text>,
    #[serde(default)]
    pub(super) operators: Vec<Operator>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operator {
    pub(super) name: Text,
    pub(super) token_file: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inventory {
    pub(super) hosts: Vec<Host>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    pub(super) name: Text,
    pub(super) instance: Option<Text>,
    pub(super) platform: Option<Text>,
    pub(super) mode: Option<Text>,
    pub(super) runner: Option<Runner>,
    #[serde(default)]
    pub(super) modules: Vec<Module>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Runner {
    pub(super) local: Option<Local>,
    pub(super) ssh: Option<Ssh>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ssh {
    pub(super) address: Text,
    pub(super) port: Option<Text>,
    pub(super) user: Option<Text>,
    pub(super) identity_file: Option<Text>,
    pub(super) known_hosts_file: Option<Text>,
    pub(super) program: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Local {
    pub(super) config_file: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Module {
    pub(super) number: Text,
    pub(super) esn: Option<Text>,
    pub(super) kind: Option<Text>,
    pub(super) hsm: Option<Text>,
    pub(super) name: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alert {
    pub(super) tier: Text,
    pub(super) scope: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) alert_ttl: Option<Text>,
    #[serde(default)]
    pub(super) retry: Rung,
    #[serde(default)]
    pub(super) restart: Rung,
    #[serde(default)]
    pub(super) clear: Clear,
    pub(super) hardserver_down_not_before: Option<Text>,
    pub(super) others_healthy: Option<Text>,
    pub(super) spacing: Option<Text>,
    pub(super) healthy_for: Option<Text>,
    pub(super) stale_alert_after: Option<Text>,
    pub(super) latch_release_after: Option<Text>,
    pub(super) network_settle: Option<Text>,
    pub(super) network_settle_restart: Option<Text>,
    pub(super) evidence_max_age: Option<Text>,
    pub(super) agreement_span: Option<Text>,
    pub(super) observe_interval: Option<Text>,
    pub(super) verify_poll: Option<Text>,
    pub(super) approval_ttl: Option<Text>,
    pub(super) watchdog_max_age: Option<Text>,
    pub(super) report_timeout: Option<Text>,
    pub(super) unknown_release: Option<Text>,
    pub(super) boot_window: Option<Text>,
    #[serde(default)]
    pub(super) storm: Storm,
    #[serde(default)]
    pub(super) flapping: Flapping,
    #[serde(default)]
    pub(super) budgets: Budgets,
    #[serde(default)]
    pub(super) page_after: PageAfter,
    pub(super) tool_runs_per_minute: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rung {
    pub(super) not_before: Option<Text>,
    pub(super) settle: Option<Text>,
    pub(super) verify: Option<Text>,
    pub(super) caps: Option<Vec<Cap>>,
    pub(super) attempts_per_incident: Option<Number>,
    pub(super) approval: Option<bool>,
    pub(super) windows: Option<Vec<Window>>,
}

/// A [`Rung`] with the wait between `-M` and `-c`. Written out, because a flattened struct loses
/// the lines of its values.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clear {
    pub(super) not_before: Option<Text>,
    pub(super) settle: Option<Text>,
    pub(super) verify: Option<Text>,
    pub(super) caps: Option<Vec<Cap>>,
    pub(super) attempts_per_incident: Option<Number>,
    pub(super) approval: Option<bool>,
    pub(super) windows: Option<Vec<Window>>,
    pub(super) wait: Option<Text>,
}

impl Clear {
    /// What it has in common with the other rungs, and the wait.
    pub(super) fn split(self) -> (Rung, Option<Text>) {
        let rung = Rung {
            not_before: self.not_before,
            settle: self.settle,
            verify: self.verify,
            caps: self.caps,
            attempts_per_incident: self.attempts_per_incident,
            approval: self.approval,
            windows: self.windows,
        };
        (rung, self.wait)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cap {
    pub(super) attempts: Number,
    pub(super) window: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    pub(super) days: Option<Vec<Text>>,
    pub(super) from: Text,
    pub(super) to: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Storm {
    pub(super) window: Option<Text>,
    pub(super) calm: Option<Text>,
    pub(super) hsm_hosts: Option<Number>,
    pub(super) fleet_hosts_min: Option<Number>,
    pub(super) fleet_share_percent: Option<Number>,
    pub(super) stagger: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flapping {
    pub(super) incidents: Option<Number>,
    pub(super) window: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Budgets {
    pub(super) host: Option<Number>,
    pub(super) hsm_retry: Option<Number>,
    pub(super) fleet_disruptive: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageAfter {
    pub(super) unknown: Option<Text>,
    pub(super) network: Option<Text>,
    pub(super) unresponsive: Option<Text>,
    pub(super) stuck: Option<Text>,
}
