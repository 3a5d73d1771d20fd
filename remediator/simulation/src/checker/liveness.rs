//! L1 to L6, as bounded properties: a deadline that has passed, and neither an end nor a page. Time
//! counts while the program could work: nobody is paged by a program that does not run, which is
//! what `VcmRemediatorDown` is for.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::inventory::Target;
use vcm_recovery::time::Time;

use super::Checker;
use crate::alerting::{About, Rule};
use crate::knobs::Looks;
use crate::runner::{Runner, Status};
use crate::site::attempt_time_max;
use crate::world::{Hardserver, Place, World};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// How much later than its deadline anything may be noticed: the longest look and the interval of
/// looks, twice.
const SLACK: Duration = seconds(180);

/// Nothing could be done for so long: a page.
const STUCK: Duration = seconds(1_800);

/// A target that works is closed after this time: `latch_release_after`, and looks.
const WELL: Duration = seconds(900);

/// A rung that may start is started within this time.
const READY: Duration = seconds(300);

/// The fleet's share of an unknown outcome is released so long after its page.
const RELEASE: Duration = seconds(3_600);

/// A delivered alert about a failed module has an incident within this time, of which so long ago at
/// most it was delivered: twice the repeat interval.
const HEARD: Duration = seconds(900);
const TOLD_LATELY: Duration = seconds(600);

/// After `-M`, `-c` or a page follows within the wait and 60 s; the program asks every 10 s at most.
const SECTION: Duration = seconds(30 + 60 + 30);

impl Checker {
    /// Looks for what should have happened by now. Returns whether there is anything to look for.
    pub(crate) fn judge(&mut self, world: &World, runners: &[Runner]) -> bool {
        self.judge_sections(runners);
        self.judge_attempts();
        self.judge_unheard(world);
        let targets: Vec<Target> = self.open.keys().cloned().collect();
        for target in &targets {
            self.judge_incident(target, world, runners);
        }
        let shed = self.judge_load_returns(world);
        !targets.is_empty() || !self.sections.is_empty() || shed
    }

    fn paged(&self, target: &Target) -> bool {
        self.pages.keys().any(|(about, _)| about == target)
    }

    fn judge_sections(&mut self, runners: &[Runner]) {
        let over = |host: usize, attempt| {
            matches!(
                runners[host].result(attempt),
                Status::Ended(_) | Status::NotFound | Status::Refused(_) | Status::Tombstoned
            )
        };
        self.sections
            .retain(|host, section| !over(*host, section.attempt));
        let late: Vec<Target> = self
            .sections
            .values()
            .filter(|section| {
                !section.cleared && self.worked.saturating_sub(section.worked) > SECTION
            })
            .filter_map(|section| self.attempts.get(&section.attempt))
            .map(|followed| followed.intent.target.clone())
            .collect();
        for target in late {
            let paged = self.paged(&target);
            self.require(paged, "L4", || {
                format!("{target}: -M was issued, and neither -c nor a page followed")
            });
        }
    }

    fn judge_attempts(&mut self) {
        let mut late = Vec::new();
        let mut kept = Vec::new();
        for followed in self.attempts.values() {
            let limit = match followed.outcome {
                None => attempt_time_max(&self.site.policy, followed.intent.rung) + SLACK,
                // Paged as soon as it is known not to be known.
                Some(Outcome::Unknown) => {
                    attempt_time_max(&self.site.policy, followed.intent.rung) + SLACK * 2
                }
                Some(_) => continue,
            };
            let since = followed.ended_worked.unwrap_or(followed.reserved_worked);
            let age = self.worked.saturating_sub(since);
            let (rung, id) = (followed.intent.rung, followed.intent.attempt);
            let keeps_fleet = rung.disruptive() && !self.released.contains(&id);
            if keeps_fleet && age > limit + RELEASE + SLACK {
                kept.push(id);
            }
            if age > limit {
                late.push((
                    followed.intent.target.clone(),
                    followed.intent.attempt,
                    followed.outcome,
                ));
            }
        }
        for attempt in kept {
            self.require(false, "L3", || {
                format!("{attempt} keeps the fleet from restarts and clears for too long")
            });
        }
        for (target, attempt, outcome) in late {
            // Another page of the same incident says as much: people are there.
            let paged = self.paged(&target);
            self.require(paged, "L2", || {
                format!("{attempt} of {target} is {outcome:?} for long, and nobody is paged")
            });
        }
    }

    /// What is failed and of which an alert is delivered has an incident.
    fn judge_unheard(&mut self, world: &World) {
        let (now, worked) = (self.now, self.worked);
        let mut unheard = Vec::new();
        for ((about, rule), known) in &mut self.facts {
            let target = Target {
                host: self.site.names[about.0].clone(),
                module: about.1,
            };
            let fires = known.start.is_some() && known.start > known.end;
            let told = |at: Time| now.since(at) <= TOLD_LATELY;
            let tells = *rule == Rule::VcmFailed
                && fires
                && known.delivered_truly.is_some_and(told)
                && shown_failed(world, *about)
                && !self.open.contains_key(&target);
            known.unheard_since = tells.then(|| known.unheard_since.unwrap_or(worked));
            let since = known.unheard_since.unwrap_or(worked);
            if worked.saturating_sub(since) > HEARD {
                unheard.push(target);
            }
        }
        for target in unheard {
            self.require(false, "L6", || {
                format!("{target} is failed, its alert is delivered, and it has no incident")
            });
        }
    }

    fn judge_incident(&mut self, target: &Target, world: &World, runners: &[Runner]) {
        let paged = self.paged(target);
        let worked = self.worked;
        let Some(host) = self.site.index(&target.host) else {
            return;
        };
        let unsettled = self.attempts.values().any(|followed| {
            followed.host == host && matches!(followed.outcome, None | Some(Outcome::Unknown))
        });
        let well = everything_works(world, host) && runners[host].reachable(world, self.now);
        let looks_tell = matches!(self.knobs.look, Looks::Prompt | Looks::Slow);
        let Some(open) = self.open.get_mut(target) else {
            return;
        };
        open.well_since = well.then(|| open.well_since.unwrap_or(worked));
        let well_for = open.well_since.map(|since| worked.saturating_sub(since));
        let quiet_for = worked.saturating_sub(open.quiet_since);
        let ready_for = open.ready_since.map(|since| worked.saturating_sub(since));
        self.require(
            paged || unsettled || quiet_for <= STUCK + SLACK,
            "L1",
            || {
                format!(
                    "{target}: nothing for {} s, and nobody is paged",
                    quiet_for.as_secs()
                )
            },
        );
        self.require(
            unsettled || !looks_tell || well_for.is_none_or(|span| span <= WELL),
            "L1",
            || {
                format!(
                    "{target} works for {:?} and its incident is open",
                    well_for.unwrap_or_default()
                )
            },
        );
        self.require(
            unsettled || ready_for.is_none_or(|span| span <= READY),
            "L6",
            || {
                format!(
                    "{target}: a rung may start for {:?} and is not started",
                    ready_for.unwrap_or_default()
                )
            },
        );
    }
}

/// Whether the exporter shows the module failed.
fn shown_failed(world: &World, (host, number): About) -> bool {
    let entry = &world.hosts[host];
    let place = number.and_then(|number| world.numbered(host, number));
    let failed = place.is_some_and(|place| world.module(place).view == ModuleState::Failed);
    entry.up && entry.hardserver == Hardserver::Running && failed
}

/// Under another's number a module that works is one that the inventory does not know there: that is
/// for people.
fn everything_works(world: &World, host: usize) -> bool {
    let entry = &world.hosts[host];
    let in_place = |slot: usize| usize::from(u16::from(entry.modules[slot].number)) == slot + 1;
    entry.up
        && entry.hardserver == Hardserver::Running
        && (0..entry.modules.len()).all(|slot| in_place(slot) && world.works(Place { host, slot }))
}
