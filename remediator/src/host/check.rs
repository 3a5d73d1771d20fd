//! `host check`: every prerequisite of the host runner, one by one, with what to do about each one
//! that is not there. It changes nothing: nothing is kept, and no step is run.

mod kept;
mod launcher;
mod seen;
mod started;

use std::fmt;

use serde::Serialize;
use vcm_recovery::observation::Observation;

use super::config::HostConfig;
use super::document::chain;
use super::observe::{Depth, observe};

/// How a prerequisite fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is there.
    Ok,
    /// It is not.
    NotOk,
    /// That could not be told.
    Unknown,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::NotOk => "not ok",
            Self::Unknown => "unknown",
        })
    }
}

/// One prerequisite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which: a key of `host.yaml` where it is about one.
    pub name: String,
    /// How it fares.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What to do about it; absent when there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_do: Option<String>,
}

impl Finding {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: State::Ok,
            detail: detail.into(),
            to_do: None,
        }
    }

    fn not_ok(
        name: impl Into<String>,
        detail: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        Self {
            state: State::NotOk,
            to_do: Some(to_do.into()),
            ..Self::ok(name, detail)
        }
    }

    fn unknown(
        name: impl Into<String>,
        detail: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Unknown,
            ..Self::not_ok(name, detail, to_do)
        }
    }

    /// Not there for this reason, or there.
    fn of(
        name: impl Into<String>,
        hindrance: Option<String>,
        found: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        match hindrance {
            Some(hindrance) => Self::not_ok(name, hindrance, to_do),
            None => Self::ok(name, found),
        }
    }
}

/// One line, as people read it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8}{}: {}", self.state, self.name, self.detail)?;
        match &self.to_do {
            Some(to_do) => write!(f, " -> {to_do}"),
            None => Ok(()),
        }
    }
}

/// Every prerequisite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Whether all of them are there.
    pub ok: bool,
    /// Each of them.
    pub findings: Vec<Finding>,
}

impl Checked {
    fn of(findings: Vec<Finding>) -> Self {
        Self {
            ok: findings.iter().all(|finding| finding.state == State::Ok),
            findings,
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let wrong = |finding: &&Finding| finding.state != State::Ok;
        let wrong = self.findings.iter().filter(wrong).count();
        write!(f, "{} checked, {wrong} not ok", self.findings.len())
    }
}

/// Checks everything.
pub async fn check(config: &HostConfig) -> Checked {
    let mut findings = kept::findings(config);
    findings.extend(launcher::findings(config));
    findings.extend(started::findings(config).await);
    let look: Result<Observation, _> = observe(config, Depth::Full).await;
    match look {
        Ok(look) => findings.extend(seen::findings(config, &look).await),
        Err(error) => findings.push(Finding::not_ok(
            "clock",
            chain(&error),
            "mount /proc: without the boot id nothing can be dated",
        )),
    }
    Checked::of(findings)
}
