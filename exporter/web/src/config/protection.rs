//! What one state of the web configuration file says, ready for use.

use std::sync::Arc;

use axum::http::HeaderMap;
use rustls::ServerConfig;

use super::tls::Tls;
use crate::auth::Users;
use crate::request::RateLimit;

/// The protection of the listeners; by default there is none.
#[derive(Debug, Default)]
pub(crate) struct Protection {
    pub(super) tls: Option<Tls>,
    pub(super) users: Option<Users>,
    pub(super) headers: HeaderMap,
    pub(super) rate_limit: Option<RateLimit>,
    /// What is accepted and should be known, each with its key.
    pub(super) remarks: Vec<String>,
}

impl Protection {
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.server))
    }

    pub(crate) fn users(&self) -> Option<&Users> {
        self.users.as_ref()
    }

    pub(crate) fn rate_limit(&self) -> Option<&RateLimit> {
        self.rate_limit.as_ref()
    }

    /// Adds the configured headers to an answer; those that the program itself set stay.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }

    /// Returns which protection would be lost with `new`.
    pub(super) fn lost_in(&self, new: &Self) -> Option<&'static str> {
        if self.users.is_some() && new.users.is_none() {
            return Some("basic_auth_users");
        }
        match (&self.tls, &new.tls) {
            (Some(_), None) => Some("tls_server_config"),
            (Some(old), Some(new)) => old.clients.lost_in(new.clients),
            (None, _) => None,
        }
    }

    pub(super) fn log_remarks(&self) {
        for remark in &self.remarks {
            tracing::warn!(remark, "web configuration");
        }
    }
}
