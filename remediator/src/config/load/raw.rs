//! The section `load` as it is written.

use serde::Deserialize;

use crate::config::raw::{Number, Text};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Load {
    pub(super) threshold_percent: Option<Number>,
    pub(super) restore_below_percent: Option<Number>,
    pub(super) hold: Option<Text>,
    pub(super) max_shed: Option<Text>,
    pub(super) hook: Option<Hook>,
    pub(super) provider: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hook {
    pub(super) http: Option<Http>,
    pub(super) command: Option<Command>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    pub(super) url: Option<Text>,
    pub(super) shed_url: Option<Text>,
    pub(super) restore_url: Option<Text>,
    pub(super) method: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) attempts: Option<Number>,
    pub(super) backoff: Option<Text>,
    pub(super) deadline: Option<Text>,
    pub(super) bearer_token_file: Option<Text>,
    pub(super) ca_file: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    pub(super) shed: Vec<Text>,
    pub(super) restore: Vec<Text>,
    pub(super) timeout: Option<Text>,
}
