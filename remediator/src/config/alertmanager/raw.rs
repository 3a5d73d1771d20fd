//! The section `alertmanager` as it is written.

use serde::Deserialize;

use crate::config::raw::Text;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Alertmanager {
    pub(super) urls: Vec<Text>,
    #[serde(default)]
    pub(super) matchers: Vec<Text>,
    pub(super) receiver: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) interval: Option<Text>,
    pub(super) bearer_token_file: Option<Text>,
    pub(super) basic_auth: Option<BasicAuth>,
    pub(super) ca_file: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicAuth {
    pub(super) username: Text,
    pub(super) password_file: Text,
}
