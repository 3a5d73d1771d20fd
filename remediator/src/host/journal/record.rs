//! What a journal says, record by record. Names and meaning are a file format: they are read by
//! later versions.

use std::fmt;

use nshield::runner::ProcessIdentity;
use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::step::{Program, Step};
use vcm_recovery::tier::Rung;

use crate::host::approval::ApprovalName;
use crate::host::kernel::Moment;
use crate::host::snapshot::Snapshot;

/// The version of the records that this build writes and reads.
pub const SCHEMA: u32 = 1;

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Counts from 0 without a gap.
    pub seq: u64,
    /// When, in milliseconds since the Unix epoch. For people.
    pub wall_ms: i64,
    /// When, in milliseconds of the boot time clock.
    pub boottime_ms: u64,
    /// In which boot.
    pub boot_id: String,
    /// What.
    pub record: Record,
}

impl Entry {
    /// When it was written.
    #[must_use]
    pub fn at(&self) -> Moment {
        Moment {
            wall_ms: self.wall_ms,
            boottime_ms: self.boottime_ms,
            boot_id: self.boot_id.clone(),
        }
    }
}

/// What happened, or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The attempt will be run.
    Accepted(Box<Accepted>),
    /// Nothing was or will be done.
    Refused {
        /// The guard that refused, where it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guard: Option<Guard>,
        /// Why.
        reason: String,
    },
    /// The step is about to start; from here on it may have had its effect.
    StepStarted {
        /// Counts the steps of this attempt from 0. Repetitions go on counting behind the plan.
        index: u32,
        /// The step.
        step: Step,
    },
    /// The process of the step or the hook that started last.
    Process(ProcessIdentity),
    /// The step is over, as far as it can be told.
    StepFinished {
        /// Which step.
        index: u32,
        /// How it ended.
        exit: StepExit,
        /// What it printed, cut and redacted.
        output: String,
    },
    /// The time of what was started last is over, and it lives on: nothing else is done until it is
    /// gone, and what it does is not known until then.
    StillRunning {
        /// Which command.
        command: String,
    },
    /// What the site runs after the steps is about to start.
    HookStarted {
        /// Which.
        hook: Hook,
    },
    /// It is over, as far as it can be told.
    HookFinished {
        /// How it ended.
        exit: StepExit,
        /// What it printed, cut and redacted.
        output: String,
    },
    /// Nothing more will be done.
    Ended {
        /// What came of it, for people.
        detail: String,
    },
    /// Another process goes on with the critical section.
    Resumed {
        /// The start of the remediator that asked for it.
        epoch: Epoch,
        /// The process.
        runner: ProcessIdentity,
    },
    /// The attempt never started and never will.
    Tombstoned {
        /// The start of the remediator that asked for it.
        epoch: Epoch,
    },
}

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The attempt.
    pub attempt: AttemptId,
    /// The start of the remediator that asked for it.
    pub epoch: Epoch,
    /// Its store.
    pub store: StoreId,
    /// What is run.
    pub tier: Rung,
    /// The module it is about; absent when it is about the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleNumber>,
    /// The serial number of the module, where the inventories know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub esn: Option<Esn>,
    /// The observation that was decided on.
    pub observation: ObservationId,
    /// The observation that the host runner made under its lock.
    pub fresh: ObservationId,
    /// The request by which a person approved it; absent when nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalName>,
    /// What worked before; absent for a retry, which takes nothing from anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The plan.
    pub plan: Vec<Step>,
    /// The process that runs it.
    pub runner: ProcessIdentity,
}

/// What the site runs after the steps of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// `hooks.after_restart`
    AfterRestart,
    /// `hooks.after_clear`
    AfterClear,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AfterRestart => "after_restart",
            Self::AfterClear => "after_clear",
        })
    }
}

/// How a step ended. What it achieved is for an observation to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepExit {
    /// With an exit status.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It ended and nobody saw how.
    Unseen,
    /// Its time was over, and it was ended.
    TimedOut,
    /// It printed too much, and was ended.
    TooMuchOutput,
    /// Its time was over, and it lives on: what it does is not known until it is gone. So ends a hook;
    /// a step has ended when it is gone. Earlier versions wrote it for the steps of a clear too.
    StillRunning,
    /// It certainly never ran: why.
    NeverStarted(String),
    /// A wait is over.
    Waited,
}

impl fmt::Display for StepExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::Unseen => f.write_str("ended unseen"),
            Self::TimedOut => f.write_str("ended at its deadline"),
            Self::TooMuchOutput => f.write_str("ended because it printed too much"),
            Self::StillRunning => f.write_str("still running at its deadline"),
            Self::NeverStarted(reason) => write!(f, "never started: {reason}"),
            Self::Waited => f.write_str("waited"),
        }
    }
}

/// A step as people know it: the command line without paths.
#[must_use]
pub fn shown(step: Step) -> String {
    let Some((program, arguments)) = step.command() else {
        return "wait".to_owned();
    };
    let program = match program {
        Program::Nopclearfail => "nopclearfail",
        Program::InitScript => "init.d-ncipher",
        Program::Net => "net",
    };
    format!("{program} {}", arguments.join(" "))
}
