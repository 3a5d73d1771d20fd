//! The JSON documents that the host runner prints, one per line.

use std::error::Error;

use serde::{Deserialize, Serialize};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::AttemptId;
use vcm_recovery::step::Step;
pub(super) use vcm_telemetry::logging::chain;

use super::fence::Newest;
use super::journal::record::StepExit;
use super::snapshot::Snapshot;

/// What is said to `host run` and `host resume`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The attempt.
    pub attempt: AttemptId,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is journalled, and a detached process goes on alone.
    Accepted,
    /// Nothing was done.
    Refused(Refusal),
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The guard that refused, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// Why.
    pub reason: String,
}

/// What is said to `host result` and `host tombstone`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its status.
    #[serde(flatten)]
    pub status: Status,
    /// What worked before it, where that was written down: before a restart and a clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
}

/// What is said to `host newest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestTold {
    /// The attempt that was accepted last; null when none was.
    pub newest: Option<Newest>,
}

/// What is known of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It was never heard of.
    NotFound,
    /// Nothing was done, and nothing will be.
    Refused(Refusal),
    /// It never started and never will.
    Tombstoned,
    /// The process that runs it lives.
    Running,
    /// A command of it is still running although its time is over or the process that ran it is
    /// dead: what it does is not known until it is gone, and nothing else starts until then.
    StillRunning {
        /// Which, for people.
        detail: String,
    },
    /// Everything that was to be done was done or given up.
    Ended {
        /// What came of it, for people.
        detail: String,
        /// What was run.
        steps: Vec<StepReport>,
    },
    /// Its journal is not finished and nothing of it lives.
    Interrupted {
        /// Whether a critical section is to be finished by `host resume`.
        section_open: bool,
        /// How many steps may have begun; with none, nothing was done.
        steps_started: usize,
        /// How far it came, for people.
        detail: String,
    },
}

/// One step of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its number.
    pub index: u32,
    /// The step.
    pub step: Step,
    /// How it ended; absent while that is not known.
    pub exit: Option<StepExit>,
    /// What it printed, cut and redacted.
    pub output: String,
}

impl Reported {
    /// A status of which nothing else is known.
    #[must_use]
    pub fn new(attempt: AttemptId, status: Status) -> Self {
        Self {
            attempt,
            status,
            snapshot: None,
        }
    }
}

impl Refusal {
    /// A refusal that no guard spoke: fencing, a lock, a prerequisite.
    pub fn plain(reason: impl Into<String>) -> Self {
        Self {
            guard: None,
            reason: reason.into(),
        }
    }

    /// A refusal because something failed before anything was done.
    pub fn error(error: impl Error) -> Self {
        Self::plain(chain(&error))
    }

    /// A guard's refusal.
    pub fn of(guard: Guard, reason: impl Into<String>) -> Self {
        Self {
            guard: Some(guard),
            reason: reason.into(),
        }
    }
}
