//! The steps of a rung as the host runner carries them out, with its critical sections.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::ids::AttemptId;
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;

use super::{Bench, Fate, Journal, Output, Phase, Runner, Stage};
use crate::knobs::{Clear, Looks};
use crate::world::{Hardserver, Place};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Additional starts after a restart that left the hardserver down, and `-c` for one `-M`.
const TIMES_MAX: u32 = 3;

/// Time between two of them.
const SPACING: Duration = seconds(30);

/// What a look shows of the module of an open section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Operational,
    Maintenance,
    Unknown,
    /// Its number belongs to another module now.
    Renumbered,
    /// Failed, or in a mode that only people select.
    Other,
}

impl Runner {
    pub(super) fn step(
        &mut self,
        attempt: AttemptId,
        phase: Phase,
        bench: &mut Bench<'_>,
    ) -> Vec<Output> {
        let Some(mut journal) = self.journals.remove(&attempt) else {
            return Vec::new();
        };
        let outputs = match phase {
            Phase::Judge => Vec::new(),
            Phase::Begin => self.begin(&mut journal, bench),
            Phase::RetryOver => end(&mut journal, "-r was run"),
            Phase::StartHalf => {
                bench.world.start_again(self.host, true, bench.now);
                vec![Output::Next(bench.now.after(seconds(5)), Phase::Prove(0))]
            }
            Phase::EnterLate => {
                self.enter(&journal, bench);
                let at = bench.now.after(seconds(60) + bench.clear_wait);
                vec![Output::Next(at, Phase::SectionLook(true))]
            }
            Phase::Prove(starts) => self.prove(&mut journal, starts, bench),
            Phase::StartMore(starts) => {
                bench
                    .world
                    .start_again(self.host, journal.restarts, bench.now);
                vec![
                    Output::Effect(Step::StartHardserver, None),
                    Output::Next(bench.now.after(SPACING), Phase::Prove(starts + 1)),
                ]
            }
            Phase::SectionLook(waited) => self.section(&mut journal, waited, bench),
        };
        let dies = journal.stage == Stage::Working
            && journal.steps_started > 0
            && journal.fate == Fate::DiesBefore(1);
        if dies {
            journal.stage = Stage::Dead;
            journal.fate = Fate::Well;
        }
        journal.next = outputs.iter().find_map(|output| match output {
            Output::Next(at, phase) => Some((*at, *phase)),
            Output::Answer(..) | Output::Effect(..) | Output::AcceptedOn(_) => None,
        });
        if journal.stage != Stage::Working {
            self.lock = None;
        }
        let forgotten = journal.fate == Fate::Forgets && matches!(journal.stage, Stage::Ended(_));
        if forgotten {
            self.forget();
        } else {
            self.journals.insert(attempt, journal);
        }
        outputs
    }

    fn begin(&self, journal: &mut Journal, bench: &mut Bench<'_>) -> Vec<Output> {
        let now = bench.now;
        journal.steps_started = 1;
        journal.last_command = now;
        let number = journal.module;
        let place = number.and_then(|number| bench.world.numbered(self.host, number));
        match (journal.rung, number, place) {
            (Rung::Retry, Some(number), Some(place)) => {
                let takes = if bench.world.reachable(place) {
                    seconds(2)
                } else {
                    seconds(35)
                };
                bench.world.retry(place, now);
                vec![
                    Output::Effect(Step::RetryModule(number), Some(number)),
                    Output::Next(now.after(takes), Phase::RetryOver),
                ]
            }
            (Rung::Clear, Some(number), Some(_)) => {
                journal.section_open = true;
                let next = if bench.world.knobs.clear == Clear::Hangs {
                    Output::Next(now.after(seconds(60)), Phase::EnterLate)
                } else {
                    self.enter(journal, bench);
                    Output::Next(
                        now.after(seconds(1) + bench.clear_wait),
                        Phase::SectionLook(true),
                    )
                };
                vec![
                    Output::Effect(Step::EnterMaintenance(number), Some(number)),
                    next,
                ]
            }
            (Rung::Restart, ..) => self.restart(journal, bench),
            (Rung::Retry | Rung::Clear, ..) => end(journal, "there is no such module"),
        }
    }

    fn restart(&self, journal: &mut Journal, bench: &mut Bench<'_>) -> Vec<Output> {
        let now = bench.now;
        journal.section_open = true;
        // One that hangs is restarted, too: a person has approved that.
        journal.restarts = match bench.world.hosts[self.host].hardserver {
            Hardserver::Running | Hardserver::Hung => true,
            Hardserver::Down { .. } => false,
        };
        if journal.restarts {
            bench.world.stop_hardserver(self.host, false);
            return vec![
                Output::Effect(Step::RestartHardserver, None),
                Output::Next(now.after(seconds(5)), Phase::StartHalf),
            ];
        }
        bench.world.start_again(self.host, false, now);
        vec![
            Output::Effect(Step::StartHardserver, None),
            Output::Next(now.after(seconds(3)), Phase::Prove(0)),
        ]
    }

    fn prove(&self, journal: &mut Journal, starts: u32, bench: &Bench<'_>) -> Vec<Output> {
        match bench.world.hosts[self.host].hardserver {
            Hardserver::Running => end(journal, "the hardserver answers"),
            Hardserver::Hung => end(journal, "the hardserver cannot be told up or down"),
            Hardserver::Down { .. } if starts == TIMES_MAX => {
                end(journal, "the hardserver is down")
            }
            Hardserver::Down { .. } => {
                vec![Output::Next(
                    bench.now.after(seconds(10)),
                    Phase::StartMore(starts),
                )]
            }
        }
    }

    fn enter(&self, journal: &Journal, bench: &mut Bench<'_>) {
        if let Some(place) = self.place(journal, bench) {
            bench.world.enter_maintenance(place);
        }
    }

    fn place(&self, journal: &Journal, bench: &Bench<'_>) -> Option<Place> {
        journal
            .module
            .and_then(|number| bench.world.numbered(self.host, number))
    }

    /// The resume table of a clear.
    fn section(
        &mut self,
        journal: &mut Journal,
        waited: bool,
        bench: &mut Bench<'_>,
    ) -> Vec<Output> {
        let Some((number, place)) = journal.module.zip(self.place(journal, bench)) else {
            return end(journal, "there is no such module");
        };
        match (self.seen(journal, place, bench), journal.clears) {
            (Seen::Operational, _) => end(journal, "the module is operational"),
            (Seen::Renumbered, _) => end(journal, "the number belongs to another module now"),
            (Seen::Other, 1..) => end(journal, "the module does not work after -c"),
            (Seen::Maintenance | Seen::Unknown, 1..) if !waited => {
                vec![Output::Next(
                    bench.now.after(SPACING),
                    Phase::SectionLook(true),
                )]
            }
            (Seen::Maintenance | Seen::Unknown | Seen::Other, clears) if clears < TIMES_MAX => {
                journal.clears += 1;
                journal.steps_started += 1;
                journal.last_command = bench.now;
                bench.world.clear_module(place, bench.now);
                vec![
                    Output::Effect(Step::ClearModule(number), Some(number)),
                    Output::Next(bench.now.after(seconds(2)), Phase::SectionLook(false)),
                ]
            }
            (Seen::Maintenance | Seen::Unknown | Seen::Other, _) => end(
                journal,
                "still in maintenance after three times -c: a person must look",
            ),
        }
    }

    fn seen(&mut self, journal: &Journal, place: Place, bench: &Bench<'_>) -> Seen {
        let module = bench.world.module(place);
        let lies = bench.world.knobs.look == Looks::Missing && self.dice.per_cent(20);
        if lies || bench.denied || bench.world.hosts[self.host].hardserver != Hardserver::Running {
            return Seen::Unknown;
        }
        if journal.esn.as_ref().is_some_and(|esn| *esn != module.esn) {
            return Seen::Renumbered;
        }
        match module.view {
            ModuleState::Operational => Seen::Operational,
            ModuleState::Maintenance | ModuleState::PreMaintenance => Seen::Maintenance,
            ModuleState::Unknown => Seen::Unknown,
            ModuleState::Failed
            | ModuleState::Offline
            | ModuleState::Error
            | ModuleState::Initialization
            | ModuleState::PreInitialization
            | ModuleState::Uninitialized => Seen::Other,
        }
    }
}

fn end(journal: &mut Journal, detail: &str) -> Vec<Output> {
    journal.section_open = false;
    journal.stage = Stage::Ended(detail.to_owned());
    Vec::new()
}
