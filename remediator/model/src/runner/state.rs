//! One host as the model sees it: what is on its disk, what runs on it, and what is known to have
//! happened.

use nshield::ModuleNumber;
use vcm_recovery::observation::HardserverLook;
use vcm_recovery::step::Step;
use vcm_remediator::host::fence::Fence;

use super::lines::{Line, Rec};

/// Everything. Numbers are as small as they can be, so that states that behave alike are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The fence as a reader sees it.
    pub fence: Option<Fence>,
    /// The fence as a power cut leaves it: a rename that was not synced may be undone.
    pub fence_on_disk: Option<Fence>,
    /// The attempts, by index.
    pub attempts: Vec<Attempt>,
    /// The process of `run` or `resume` that holds the host's lock. There is at most one: the lock
    /// is the kernel's.
    pub runner: Option<Runner>,
    /// Processes of `tombstone` that are about to write.
    pub tombstoners: Vec<Tombstoner>,
    /// Vendor commands that live. Those of a dead process live on.
    pub commands: Vec<Command>,
    /// The module that every attempt is about.
    pub module: Module,
    /// Whether the hardserver is up.
    pub hardserver: bool,
    /// What may still go wrong.
    pub left: Left,
    /// The highest epoch of our store that anything was done for. Not the host's knowledge: ours.
    pub heard: u64,
    /// The first thing that must never happen and did.
    pub wrong: Option<Wrong>,
}

/// How often each thing may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Left {
    /// A process is killed.
    pub kills: u8,
    /// The host loses power.
    pub reboots: u8,
    /// A record cannot be written, or a command cannot be started.
    pub failures: u8,
    /// A command outlives its deadline.
    pub hangs: u8,
    /// A human clears the module or starts the hardserver.
    pub humans: u8,
}

/// The module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Module {
    /// It works.
    Operational,
    /// It is failed.
    Failed,
    /// It is in maintenance mode.
    Maintenance,
}

/// One attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    /// Its journal, if there is one.
    pub journal: Option<Journal>,
    /// Its first command was started.
    pub started: bool,
    /// How many `-c` were started since.
    pub clears: u8,
    /// How many additional starts of the hardserver since.
    pub starts: u8,
    /// A caller was told that it did not start, and never will.
    pub told_never: bool,
}

/// A journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Journal {
    /// Its records, as a reader sees them.
    pub lines: Vec<Line>,
    /// The last one outlives a power cut. Those before it always do: a sync is of the whole file.
    pub synced: bool,
    /// Its name outlives a power cut: the directory was synced.
    pub named: bool,
    /// The last record is what an append left that failed after it wrote: its writer does not
    /// count it, and goes on in its place.
    pub uncounted: bool,
    /// Two processes wrote in the same place.
    pub broken: bool,
}

/// A process of `run` or `resume`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Runner {
    /// The attempt.
    pub attempt: usize,
    /// Its process id.
    pub pid: u8,
    /// Who asked.
    pub by: By,
    /// A command may have been started.
    pub begun: bool,
    /// The step at hand and its number.
    pub current: (u8, Step),
    /// Records that could not be written yet.
    pub unwritten: Vec<Rec>,
    /// What it does next.
    pub pc: Pc,
    /// Which section it is in, and how far it has come.
    pub program: Program,
}

/// Who asked for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum By {
    /// The remediator of this index.
    Caller(usize),
    /// The host itself, at boot.
    Boot,
}

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pc {
    /// Looks and asks the guards.
    Judge,
    /// Creates the journal: to accept and begin with this step, or to refuse.
    Create(Option<Step>),
    /// Writes this record, and what could not be written before it.
    Write(Rec),
    /// Starts the command whose record is written.
    Spawn,
    /// Waits for the command of this process id.
    Await(u8),
    /// Looks at the module or the hardserver.
    Look,
    /// Waits until none of its commands lives, then writes this.
    Gone(Rec),
}

/// The section that a process is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Program {
    /// None.
    Retry,
    /// As `clear::finish`.
    Clear {
        /// How many `-c` were issued, as far as it knows.
        clears: u8,
        /// It waited behind the last one.
        waited: bool,
        /// When its wait is over, the vendor's 30 s are, too: it began when `-M` had ended.
        enough: bool,
    },
    /// As `after_restart::ensure_up`.
    Restart {
        /// Additional starts, as far as it knows.
        starts: u8,
        /// What its looks showed.
        looks: Vec<HardserverLook>,
    },
}

/// A process of `tombstone` that is about to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tombstoner {
    /// The attempt.
    pub attempt: usize,
    /// How many records there were when it opened the journal.
    pub at: usize,
    /// It holds the host's lock.
    pub locked: bool,
}

/// A vendor command that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Command {
    /// The attempt.
    pub attempt: usize,
    /// The step.
    pub step: Step,
    /// Its process id.
    pub pid: u8,
    /// The session of the process that started it.
    pub session: u8,
    /// That it starts is on disk.
    pub recorded: bool,
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wrong {
    /// The first command of an attempt was started a second time.
    StartedTwice,
    /// More than three `-c`.
    TooManyClears,
    /// More than three additional starts.
    TooManyStarts,
    /// An order of a lower epoch or a foreign store was admitted.
    BehindFence,
    /// An attempt started after a caller was told that it never will.
    StartedThoughTold,
    /// An attempt started while the section of another one was open.
    OpenElsewhere,
    /// An attempt started while a command of another one lived.
    LivesElsewhere,
    /// `-c` came before the wait behind the end of `-M` was over.
    TooEarly,
    /// A command was started without its record on disk.
    NoRecord,
    /// A clear ended with the module in maintenance, and nobody was told that a person must look.
    LeftInMaintenance,
}

impl State {
    /// Remembers what must never happen; the first one counts.
    pub(super) fn wrong(&mut self, wrong: Wrong) {
        self.wrong.get_or_insert(wrong);
    }

    /// A process id that nothing alive and no record of this boot has, and that is not `own`.
    #[must_use]
    pub(super) fn fresh_pid(&self, own: u8) -> u8 {
        let lines = self.attempts.iter().flat_map(|attempt| &attempt.journal);
        let recorded = lines.flat_map(|journal| journal.lines.iter().filter_map(Line::pid_here));
        let commands = self
            .commands
            .iter()
            .flat_map(|command| [command.pid, command.session]);
        let taken: Vec<u8> = recorded.chain(commands).chain([own]).collect();
        (1..).find(|pid| !taken.contains(pid)).unwrap_or(u8::MAX)
    }

    /// Whether a process with this id lives.
    #[must_use]
    pub(super) fn alive(&self, pid: u8) -> bool {
        self.runner.as_ref().is_some_and(|runner| runner.pid == pid)
            || self.commands.iter().any(|command| command.pid == pid)
    }

    /// Whether the session that this process made has a member.
    #[must_use]
    pub(super) fn session_alive(&self, pid: u8) -> bool {
        self.alive(pid) || self.commands.iter().any(|command| command.session == pid)
    }

    /// Whether the host's lock is held.
    #[must_use]
    pub(super) fn locked(&self) -> bool {
        self.runner.is_some() || self.tombstoners.iter().any(|process| process.locked)
    }
}

impl Journal {
    /// A new one; `named` if the directory was synced behind it.
    #[must_use]
    pub(super) fn new(named: bool) -> Self {
        Self {
            lines: Vec::new(),
            synced: true,
            named,
            uncounted: false,
            broken: false,
        }
    }

    /// Whether its last record is one behind which nothing can follow.
    #[must_use]
    pub(super) fn ended(&self) -> bool {
        self.lines.last().is_some_and(|line| line.rec.is_end())
    }
}

impl Attempt {
    /// The records of its journal.
    #[must_use]
    pub(super) fn lines(&self) -> &[Line] {
        self.journal.as_ref().map_or(&[], |journal| &journal.lines)
    }

    /// Whether its journal has an end.
    #[must_use]
    pub(super) fn ended(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::ended)
    }

    /// Forgets everything but the end of a journal that can be read and has one on disk: a story
    /// with an end blocks nothing, has no section and cannot be added to, whatever was before it
    /// (`Story::blocks`, `open_section`, `add`).
    pub(super) fn fold_end(&mut self) {
        let Some(journal) = self.journal.as_mut() else {
            return;
        };
        if journal.ended() && journal.synced && journal.named {
            let accepted = Rec::Accepted(0, Step::Wait(0));
            let before = |line: &Line| Line {
                here: false,
                ..*line
            };
            let end = journal.lines.last().map(before);
            // An `ended` only follows an `accepted`.
            let first = end.filter(|line| line.rec == Rec::Ended);
            let first = first.map(|line| Line {
                rec: accepted,
                ..line
            });
            journal.lines = first.into_iter().chain(end).collect();
            (self.clears, self.starts) = (0, 0);
        }
    }
}

/// The number of the module that every attempt is about.
#[must_use]
pub(super) fn module() -> ModuleNumber {
    ModuleNumber::try_from(1).unwrap_or_else(|_| unreachable!("1 is a module number"))
}
