//! Where a vendor's command is started: what the host itself saw, what was true of it right before, and
//! whether that command may run at all.

use vcm_recovery::ids::AttemptId;
use vcm_recovery::observation::Observation;
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;

use super::shown::Shown;
use super::{Checker, EVIDENCE, Followed, Section};
use crate::knobs::Permitted;
use crate::world::{Place, World};

/// What was true of a host right before a command was started on it.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    host: usize,
    works: Vec<bool>,
    /// Whether what is done to the module itself cuts off another host for which it works.
    works_elsewhere: Vec<bool>,
    heals_at: Vec<Option<Time>>,
}

impl Checker {
    /// The host has accepted an attempt on a look of its own.
    pub(crate) fn accepted_on(&mut self, attempt: AttemptId, seen: &Observation, now: Time) {
        let held = seen.hold.is_some() || seen.pause.is_some();
        if let Some(followed) = self.attempts.get_mut(&attempt) {
            followed.accepted_on = Some((now, Shown::of(seen), held));
        }
    }

    pub(crate) fn truth_before(&self, world: &World, host: usize, _now: Time) -> Truth {
        let places = (0..world.hosts[host].modules.len()).map(|slot| Place { host, slot });
        Truth {
            host,
            works: places.clone().map(|place| world.works(place)).collect(),
            works_elsewhere: places
                .clone()
                .map(|place| world.felt_at(place).is_some_and(|twin| world.works(twin)))
                .collect(),
            heals_at: places.map(|place| world.module(place).heals_at).collect(),
        }
    }

    pub(crate) fn set_truth(&mut self, truth: Truth) {
        self.truth = Some(truth);
    }

    /// A vendor's command was started.
    pub(crate) fn effect(
        &mut self,
        (host, attempt): (usize, AttemptId),
        step: Step,
        place: Option<Place>,
        now: Time,
    ) {
        self.judge_effect(host, attempt, step, now);
        let truth = self.truth.take().filter(|truth| truth.host == host);
        let Some(followed) = self.attempts.get_mut(&attempt) else {
            return;
        };
        if followed.first_step_at.is_some() {
            return;
        }
        followed.first_step_at = Some(now);
        let cuts = truth
            .as_ref()
            .zip(place)
            .is_some_and(|(truth, place)| truth.works_elsewhere[place.slot]);
        self.judge_other_host(attempt, step, cuts);
        let Some(followed) = self.attempts.get(&attempt) else {
            return;
        };
        let rung = followed.intent.rung;
        let incident = followed.intent.incident.clone();
        let times = self.site.policy.rung(rung);
        let within = now.after(times.settle + times.verify);
        let unnecessary = truth.zip(place).is_some_and(|(truth, place)| {
            truth.works[place.slot] || truth.heals_at[place.slot].is_some_and(|at| at <= within)
        });
        let of_incident = self.open.values_mut().find(|open| open.id == incident);
        let result = match of_incident {
            Some(open) => Some(&mut open.result),
            None => self
                .results
                .iter_mut()
                .rev()
                .find(|result| result.id == incident),
        };
        if let Some(result) = result {
            result.acts.push((rung, unnecessary));
        }
    }

    pub(super) fn judge_effect(&mut self, host: usize, attempt: AttemptId, step: Step, now: Time) {
        let Some(followed) = self.attempts.get(&attempt).cloned() else {
            self.require(false, "S11", || {
                format!("{step:?} of {attempt}, which has no intent")
            });
            return;
        };
        let first = followed.first_step_at.is_none();
        if first {
            self.judge_first_step(&followed, now);
        } else {
            let again = matches!(
                step,
                Step::RetryModule(_) | Step::EnterMaintenance(_) | Step::RestartHardserver
            );
            self.require(!again, "S2", || {
                format!("{step:?} of {attempt} a second time")
            });
        }
        let epoch = followed.intent.epoch;
        let highest = self.epochs[host];
        self.require(!first || epoch >= highest, "S3", || {
            format!("epoch {epoch} after {highest}")
        });
        self.epochs[host] = highest.max(epoch);
        let numbers_fit = match step {
            Step::RetryModule(n) | Step::EnterMaintenance(n) | Step::ClearModule(n) => {
                followed.intent.target.module == Some(n)
            }
            Step::Wait(_)
            | Step::RestartHardserver
            | Step::StartHardserver
            | Step::StopService
            | Step::StartService => followed.intent.rung == Rung::Restart,
        };
        self.require(numbers_fit, "S6", || {
            format!("{step:?} of an attempt on {}", followed.intent.target)
        });
        self.judge_section(host, attempt, step);
    }

    fn judge_first_step(&mut self, followed: &Followed, now: Time) {
        let intent = &followed.intent;
        let open = followed.outcome.is_none();
        self.require(open, "S2", || {
            format!(
                "{} starts after it was settled as {:?}",
                intent.attempt, followed.outcome
            )
        });
        let Some((at, shown, held)) = &followed.accepted_on else {
            self.require(false, "S1", || {
                "a first step without a look of the host's own".to_owned()
            });
            return;
        };
        self.require(now.since(*at) <= EVIDENCE, "S1", || {
            "the host's own look is too old".to_owned()
        });
        self.require(!held, "S12", || {
            format!("{} starts on a held host", intent.attempt)
        });
        self.judge_shown(intent, shown, "the host's own look");
    }

    /// A clear that takes a module away from another host for which it works: what a clear takes away
    /// nobody can see from one host, so that a person's word or the site's covers it.
    fn judge_other_host(&mut self, attempt: AttemptId, step: Step, cuts: bool) {
        let permitted = matches!(
            self.knobs.policy,
            Permitted::Everything | Permitted::OthersToo
        );
        let asked = |followed: &Followed| followed.intent.approval.is_some();
        let covered = permitted || self.attempts.get(&attempt).is_some_and(asked);
        let clears = matches!(step, Step::EnterMaintenance(_));
        self.require(!(clears && cuts) || covered, "S14", || {
            format!("{step:?} of {attempt} cuts off another host, and nobody has permitted that")
        });
    }

    /// From `-M` on only `-c` of the same attempt runs on that host, until it is done.
    fn judge_section(&mut self, host: usize, attempt: AttemptId, step: Step) {
        let section = self.sections.get(&host).copied();
        let foreign = section.is_some_and(|section| section.attempt != attempt);
        self.require(!foreign, "S8", || {
            format!("{step:?} of {attempt} inside another section")
        });
        match step {
            Step::EnterMaintenance(_) => {
                let worked = self.worked;
                self.sections.insert(
                    host,
                    Section {
                        attempt,
                        worked,
                        cleared: false,
                    },
                );
            }
            Step::ClearModule(_) => {
                if let Some(section) = self.sections.get_mut(&host) {
                    section.cleared = true;
                }
            }
            Step::RetryModule(_)
            | Step::Wait(_)
            | Step::RestartHardserver
            | Step::StartHardserver
            | Step::StopService
            | Step::StartService => {}
        }
    }
}
