//! Climbing the ladder: which rung an incident stands at, and what every guard says about it.

use std::collections::BTreeSet;

use crate::approval::Request;
use crate::attempt::{Attempt, Outcome};
use crate::event::{Change, Ruling, RungVerdict};
use crate::guard::{Guard, Input};
use crate::incident::{Incident, Latch, Standing};
use crate::inventory::Target;
use crate::observation::Condition;
use crate::policy::Mode;
use crate::state::HostState;
use crate::tier::Rung;
use crate::time::Time;
use crate::verdict::{Verdict, times};

use super::{Action, Draft};

/// What the guards together say about a rung.
enum Rule {
    /// It may start.
    Ready,
    /// It is left out; the next rung is looked at.
    Skipped,
    /// Only a person may let it start.
    Asked,
    /// It must not start now; nor may any higher one.
    Refused,
}

impl Draft<'_> {
    /// Finds the rung the incident stands at, records the verdicts, and says what to do.
    pub(super) fn climb(&mut self, target: &Target) -> Action {
        let Some(incident) = self.state.incidents.get(target).cloned() else {
            return Action::Wait;
        };
        if self.between_looks(&incident) {
            return Action::Wait;
        }
        if incident.first_failed_at.is_none() && self.condition(target) == Condition::Healthy {
            self.record_ruling(target, Standing::Observing, Vec::new());
            return Action::Observe;
        }
        self.void_request(target);
        let Some(incident) = self.state.incidents.get(target).cloned() else {
            return Action::Wait;
        };
        let (standing, verdicts) = self.ladder(&incident);
        self.record_ruling(target, standing, verdicts);
        match standing {
            Standing::Ready(rung) => Action::Act(rung),
            Standing::Asking(rung) => {
                self.ask(target);
                Action::Ask(rung)
            }
            Standing::Waiting(rung) => {
                self.shadow(target, rung);
                Action::Wait
            }
            // What observe mode would have run has not failed: nothing was run.
            Standing::OutOfRungs if self.site.mode() == Mode::Observe => Action::Wait,
            Standing::OutOfRungs if self.agreed(target, Condition::Failed) => {
                let latch = Latch::Exhausted;
                let reason = exhausted(&self.state, target);
                self.push(target, Change::IncidentLatched { latch, reason });
                Action::Latch(latch)
            }
            Standing::Observing | Standing::Attempting(_) | Standing::OutOfRungs => Action::Wait,
        }
    }

    /// Goes up the rungs until one may start, or must not, or none is left.
    pub(super) fn ladder(&self, incident: &Incident) -> (Standing, Vec<RungVerdict>) {
        let mut verdicts = Vec::new();
        let request = incident.request.as_ref();
        let approved = request.and_then(Request::approved);
        for &rung in rungs_of(incident) {
            if self.used_up(incident, rung) {
                continue;
            }
            if let Some(by) = incident.denied.get(&rung) {
                verdicts.push(left_out(rung, by));
                continue;
            }
            let given = self.verdicts(incident, rung);
            let rule = match (rule(&given), approved) {
                (Rule::Asked | Rule::Skipped, Some(chosen)) if rung == chosen => {
                    granted(&given, request)
                }
                (Rule::Asked, Some(chosen)) if rung < chosen => {
                    let by = format!("a person chose {chosen} over it");
                    verdicts.push(left_out(rung, &by));
                    continue;
                }
                (rule, _) => rule,
            };
            verdicts.extend(
                given
                    .into_iter()
                    .filter(|given| given.verdict != Verdict::Pass),
            );
            match rule {
                Rule::Skipped => {}
                Rule::Ready => return (Standing::Ready(rung), verdicts),
                Rule::Asked => return (Standing::Asking(rung), verdicts),
                Rule::Refused => return (Standing::Waiting(rung), verdicts),
            }
        }
        (Standing::OutOfRungs, verdicts)
    }

    pub(super) fn verdicts(&self, incident: &Incident, rung: Rung) -> Vec<RungVerdict> {
        let input = Input {
            rung,
            incident,
            state: &self.state,
            evidence: self.evidence,
            fleet: self.fleet,
            site: self.site,
            now: self.now,
        };
        let verdict = |guard: Guard| RungVerdict {
            rung,
            guard,
            verdict: guard.verdict(&input),
        };
        Guard::ALL.into_iter().map(verdict).collect()
    }

    /// Whether this rung has failed as often as an incident allows. Only failures that were
    /// observed count: *refused*, *cancelled* and *unknown* never lead on.
    pub(super) fn used_up(&self, incident: &Incident, rung: Rung) -> bool {
        let own = |attempt: &Attempt| attempt.intent.incident == incident.id;
        // A restart made for another module of this host was made to this one too.
        let failed = |attempt: &&Attempt| match attempt.outcome {
            Some((Outcome::Failed | Outcome::MadeWorse, _)) => true,
            Some((Outcome::Succeeded, _)) => !own(attempt),
            Some((Outcome::Refused | Outcome::Unknown | Outcome::Cancelled, _)) | None => false,
        };
        let made = self
            .state
            .ladder_attempts(incident)
            .filter(|attempt| attempt.intent.rung == rung)
            .filter(failed)
            .count();
        let made = made + self.shadows_over(incident, rung);
        let limit = self.site.policy.rung(rung).attempts_per_incident;
        // With every module failed the cause is the host: one retry is enough to know.
        let limit = if rung == Rung::Retry && self.all_failed() {
            limit.min(1)
        } else {
            limit
        };
        u32::try_from(made).is_ok_and(|made| made >= limit)
    }

    fn all_failed(&self) -> bool {
        self.evidence.observation().is_some_and(|seen| {
            !seen.modules.is_empty()
                && seen
                    .modules
                    .keys()
                    .all(|&module| seen.module_condition(module) == Condition::Failed)
        })
    }

    /// Records a ruling that differs from the newest one.
    pub(super) fn record_ruling(
        &mut self,
        target: &Target,
        standing: Standing,
        verdicts: Vec<RungVerdict>,
    ) {
        let Some(incident) = self.state.incidents.get(target) else {
            return;
        };
        let same = incident
            .ruling
            .as_ref()
            .is_some_and(|ruling| ruling.standing == standing && ruling.verdicts == verdicts);
        if same {
            return;
        }
        let observation = self.evidence.observation().map(|seen| seen.observation_id);
        let ruling = Ruling {
            standing,
            observation,
            verdicts,
        };
        self.push(target, Change::Decided(ruling));
    }

    /// When what stands in the way of an incident ends by itself, if all of it does.
    pub(super) fn until(&self, incident: &Incident) -> Option<Time> {
        let Standing::Waiting(at) = incident.standing else {
            return None;
        };
        let verdicts = &incident.ruling.as_ref()?.verdicts;
        let refusals = verdicts.iter().filter(|given| given.rung == at);
        let untils: Vec<Option<Time>> = refusals
            .filter_map(|given| match given.verdict {
                Verdict::Refuse { until, .. } => Some(until),
                Verdict::Pass | Verdict::NotApplicable(_) | Verdict::Skip(_) | Verdict::Ask(_) => {
                    None
                }
            })
            .collect();
        let last = untils
            .into_iter()
            .collect::<Option<Vec<Time>>>()?
            .into_iter()
            .max()?;
        (last > self.now).then_some(last)
    }
}

/// A host is no module: all that can be done to it is a restart of its hardserver.
pub(super) const fn rungs_of(incident: &Incident) -> &'static [Rung] {
    match incident.target.module {
        Some(_) => &Rung::ALL,
        None => &[Rung::Restart],
    }
}

/// The verdict on a rung that a person has decided against.
fn left_out(rung: Rung, by: &str) -> RungVerdict {
    RungVerdict {
        rung,
        guard: Guard::ApprovalRequired,
        verdict: Verdict::Skip(by.to_owned()),
    }
}

/// What was tried and what was left out, for the operator who takes over.
fn exhausted(state: &HostState, target: &Target) -> String {
    let Some(incident) = state.incidents.get(target) else {
        return String::new();
    };
    let failed = Rung::ALL.into_iter().filter_map(|rung| {
        let attempts = state.attempts_of(incident);
        let made = attempts
            .filter(|a| a.intent.rung == rung && a.counts())
            .count();
        (made > 0).then(|| format!("{rung} was run {}", times(made)))
    });
    let verdicts = incident.ruling.iter().flat_map(|ruling| &ruling.verdicts);
    let skipped = verdicts.filter_map(|given| match &given.verdict {
        Verdict::Skip(reason) => Some(format!("{} was left out: {reason}", given.rung)),
        Verdict::Pass | Verdict::NotApplicable(_) | Verdict::Ask(_) | Verdict::Refuse { .. } => {
            None
        }
    });
    failed.chain(skipped).collect::<Vec<_>>().join("; ")
}

/// What the verdicts come to for a rung that a person has approved: what was asked is answered, and
/// that other modules work was known. Everything else still counts, also what nobody was asked about.
fn granted(given: &[RungVerdict], request: Option<&Request>) -> Rule {
    let rung = given.first().map(|given| given.rung);
    let shown = rung.and_then(|rung| request?.alternative(rung));
    let answered = shown.is_some_and(|shown| asked(given).is_subset(&shown.scope.asked));
    match answered && offered(given) {
        true => Rule::Ready,
        false => rule(given),
    }
}

/// The guards that ask for a person's word, or leave the rung out.
pub(super) fn asked(given: &[RungVerdict]) -> BTreeSet<Guard> {
    let asks = |given: &&RungVerdict| matches!(given.verdict, Verdict::Ask(_) | Verdict::Skip(_));
    given.iter().filter(asks).map(|given| given.guard).collect()
}

/// Whether the rung is refused because it is not known what it would act on.
pub(super) fn unknown_refuses(given: &[RungVerdict]) -> bool {
    given.iter().any(|given| {
        matches!(given.verdict, Verdict::Refuse { .. }) && given.guard.about_knowledge()
    })
}

/// Whether a person may choose this rung: nothing refuses it, and nothing leaves it out but that
/// other modules work.
pub(super) fn offered(given: &[RungVerdict]) -> bool {
    given.iter().all(|given| match given.verdict {
        Verdict::Pass | Verdict::NotApplicable(_) | Verdict::Ask(_) => true,
        Verdict::Skip(_) => given.guard == Guard::OthersHealthy,
        Verdict::Refuse { .. } => false,
    })
}

/// Puts the verdicts on one rung together. Nothing is skipped or asked on what is not known.
fn rule(given: &[RungVerdict]) -> Rule {
    let refuses = |given: &&RungVerdict| matches!(given.verdict, Verdict::Refuse { .. });
    if unknown_refuses(given) {
        return Rule::Refused;
    }
    if given
        .iter()
        .any(|given| matches!(given.verdict, Verdict::Skip(_)))
    {
        return Rule::Skipped;
    }
    if given.iter().any(|given| refuses(&given)) {
        return Rule::Refused;
    }
    if given
        .iter()
        .any(|given| matches!(given.verdict, Verdict::Ask(_)))
    {
        return Rule::Asked;
    }
    Rule::Ready
}
