//! Journal records, small, and as the program reads them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use nshield::runner::ProcessIdentity;
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;
use vcm_remediator::host::journal::record::{Accepted, Entry, Record, SCHEMA, StepExit};
use vcm_remediator::host::journal::story::{OutOfOrder, Story, fold};
use vcm_remediator::host::kernel::Moment;

use super::state::module;

/// The boot id of this boot and of any earlier one: rules only ask whether it is this one.
pub(super) const HERE: &str = "here";
const BEFORE: &str = "before";

/// When every record was written, in milliseconds of the boot time clock. Only the time from the
/// last command to a resume is ever read, and that is chosen where it is read.
pub(super) const WRITTEN: u64 = 1_000_000;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    /// It was written in this boot.
    pub here: bool,
    /// What it says.
    pub rec: Rec,
}

/// What a record says, without what no rule reads: epochs, stores, times, reasons and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rec {
    /// By the process of this id, to begin with this step.
    Accepted(u8, Step),
    /// Nothing was or will be done.
    Refused,
    /// The step of this number is about to start.
    StepStarted(u8, Step),
    /// Its process.
    Process(u8),
    /// The process of this id outlives its deadline.
    StillRunning(u8),
    /// It is over.
    StepFinished(u8, Exit),
    /// Nothing more will be done.
    Ended,
    /// The process of this id goes on.
    Resumed(u8),
    /// It never starts.
    Tombstoned,
}

/// How a step ended, as far as rules tell it apart: every exit status, signal and deadline is
/// `Ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Exit {
    /// It is gone.
    Ended,
    /// It certainly never ran.
    NeverStarted,
    /// It lives on. Only what breaks a rule writes that.
    StillRunning,
    /// A wait is over.
    Waited,
}

impl Rec {
    /// Whether nothing can follow.
    #[must_use]
    pub(super) fn is_end(self) -> bool {
        matches!(self, Self::Refused | Self::Ended | Self::Tombstoned)
    }

    fn record(self, attempt: usize, rung: Rung) -> Record {
        match self {
            Self::Accepted(pid, first) => {
                Record::Accepted(Box::new(accepted(attempt, rung, pid, first)))
            }
            Self::Refused => Record::Refused {
                guard: None,
                reason: String::new(),
            },
            Self::StepStarted(index, step) => Record::StepStarted {
                index: index.into(),
                step,
            },
            Self::Process(pid) => Record::Process(identity(pid)),
            Self::StillRunning(_) => Record::StillRunning {
                command: String::new(),
            },
            Self::StepFinished(index, exit) => Record::StepFinished {
                index: index.into(),
                exit: match exit {
                    Exit::Ended => StepExit::Code(0),
                    Exit::NeverStarted => StepExit::NeverStarted(String::new()),
                    Exit::StillRunning => StepExit::StillRunning,
                    Exit::Waited => StepExit::Waited,
                },
                output: String::new(),
            },
            Self::Ended => Record::Ended {
                detail: String::new(),
            },
            Self::Resumed(pid) => Record::Resumed {
                epoch: Epoch(0),
                runner: identity(pid),
            },
            Self::Tombstoned => Record::Tombstoned { epoch: Epoch(0) },
        }
    }
}

impl Line {
    /// The process id that it names, if that is one of this boot.
    #[must_use]
    pub(super) fn pid_here(&self) -> Option<u8> {
        match self.rec {
            Rec::Accepted(pid, _) | Rec::Process(pid) | Rec::Resumed(pid) => Some(pid),
            Rec::Refused
            | Rec::StepStarted(..)
            | Rec::StillRunning(_)
            | Rec::StepFinished(..)
            | Rec::Ended
            | Rec::Tombstoned => None,
        }
        .filter(|_| self.here)
    }
}

fn accepted(attempt: usize, rung: Rung, pid: u8, first: Step) -> Accepted {
    Accepted {
        attempt: AttemptId::from_bits(attempt as u128 + 1),
        epoch: Epoch(0),
        store: StoreId::from_bits(1),
        tier: rung,
        module: Some(module()),
        esn: None,
        observation: ObservationId::from_bits(1),
        fresh: ObservationId::from_bits(2),
        approval: None,
        snapshot: None,
        plan: vec![first],
        runner: identity(pid),
    }
}

/// A process as it is recorded. The model never gives an id twice within a boot.
fn identity(pid: u8) -> ProcessIdentity {
    ProcessIdentity {
        pid: pid.into(),
        start_ticks: pid.into(),
    }
}

/// Now, `after` milliseconds behind every record of this boot.
#[must_use]
pub(super) fn moment(after: u64) -> Moment {
    Moment {
        wall_ms: 0,
        boottime_ms: WRITTEN + after,
        boot_id: HERE.to_owned(),
    }
}

fn entry(seq: u64, line: Line, attempt: usize, rung: Rung) -> Entry {
    Entry {
        schema: SCHEMA,
        seq,
        wall_ms: 0,
        boottime_ms: WRITTEN,
        boot_id: if line.here { HERE } else { BEFORE }.to_owned(),
        record: line.rec.record(attempt, rung),
    }
}

type Read = Rc<Result<Story, OutOfOrder>>;

thread_local! {
    /// The same few thousand journals are read in millions of states.
    static READ: RefCell<HashMap<(usize, Vec<Line>), Read>> = RefCell::default();
}

/// What the program's own [`fold`] makes of these records.
#[must_use]
pub(super) fn read(lines: &[Line], attempt: usize, rung: Rung) -> Read {
    let key = (attempt, lines.to_vec());
    READ.with_borrow_mut(|read| {
        let fold = || {
            let lines = (0..).zip(lines);
            let entries: Vec<_> = lines
                .map(|(seq, &line)| entry(seq, line, attempt, rung))
                .collect();
            Rc::new(fold(&entries))
        };
        Rc::clone(read.entry(key).or_insert_with(fold))
    })
}
