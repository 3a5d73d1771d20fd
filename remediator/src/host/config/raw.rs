//! `host.yaml` as it is written. Every value is optional and loose here, so that [`super::check`]
//! can report all problems together.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HostConfig {
    pub(super) state_dir: Option<String>,
    pub(super) nfast_root: Option<String>,
    pub(super) tools: Tools,
    pub(super) platform: Option<String>,
    pub(super) max_tier: Option<String>,
    pub(super) hold_file: Option<String>,
    pub(super) pause_file: Option<String>,
    pub(super) launcher: Option<String>,
    pub(super) clear_wait: Option<String>,
    pub(super) deadlines: Deadlines,
    pub(super) stopped_on_purpose: StoppedOnPurpose,
    pub(super) after_restart: AfterRestart,
    pub(super) hooks: Hooks,
    pub(super) service_check: Option<Vec<String>>,
    pub(super) modules: Vec<Module>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Hooks {
    pub(super) after_restart: Option<Vec<String>>,
    pub(super) after_clear: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tools {
    pub(super) enquiry: Option<String>,
    pub(super) stattree: Option<String>,
    pub(super) nopclearfail: Option<String>,
    pub(super) init_script: Option<String>,
    pub(super) net: Option<String>,
    pub(super) systemd_run: Option<String>,
    pub(super) systemctl: Option<String>,
    pub(super) sudo_prefix: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deadlines {
    pub(super) enquiry: Option<String>,
    pub(super) enquiry_server: Option<String>,
    pub(super) stattree: Option<String>,
    pub(super) ping: Option<String>,
    pub(super) probe: Option<String>,
    pub(super) step: Option<String>,
    pub(super) hook: Option<String>,
    pub(super) service_check: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoppedOnPurpose {
    pub(super) unit_state: Option<Vec<String>>,
    pub(super) stopped_words: Option<Vec<String>>,
    pub(super) died_words: Option<Vec<String>>,
    pub(super) package_manager_locks: Option<Vec<String>>,
    pub(super) host_up_min: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AfterRestart {
    pub(super) down_span: Option<String>,
    pub(super) start_spacing: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Module {
    pub(super) number: Option<u64>,
    pub(super) esn: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) address: Option<String>,
    pub(super) reachability: Option<String>,
}
