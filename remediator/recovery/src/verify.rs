//! Verification: what an attempt achieved, by observation alone. The exit of a command is never
//! its outcome.

use std::collections::BTreeSet;

use nshield::ModuleNumber;

use crate::attempt::{Attempt, Outcome};
use crate::evidence::Evidence;
use crate::observation::{Condition, Subject};
use crate::policy::Policy;
use crate::tier::Rung;
use crate::time::Time;

/// How often a window may be extended while the target is on its way.
const EXTENSIONS_MAX: u32 = 2;

/// Failed looks after settling that make an attempt failed.
const FAILED_LOOKS_MIN: usize = 2;

/// What is known of an attempt's effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Nothing can be concluded yet.
    Pending,
    /// It is concluded.
    Settled(Outcome, String),
}

/// Judges `attempt`, whose steps ended at `ended_at`, on the looks made since.
///
/// Also judges an attempt whose outcome was unknown, as soon as the looks allow it.
#[must_use]
pub fn verify(
    attempt: &Attempt,
    ended_at: Time,
    evidence: &Evidence,
    policy: &Policy,
) -> Verification {
    let judged = Judged {
        attempt,
        ended_at,
        evidence,
        policy,
    };
    judged.verdict()
}

/// The time of the next look while an attempt is verified: soon at first, then at ever longer
/// intervals, because each look logs a line on the host; and when the window ends.
#[must_use]
pub fn next_look(attempt: &Attempt, ended_at: Time, newest: Time, policy: &Policy) -> Time {
    let elapsed = newest.since(ended_at);
    let regular = newest.after((elapsed + policy.verify_poll).min(policy.observe_interval));
    let rung = policy.rung(attempt.intent.rung);
    let window_end = ended_at.after(rung.settle + rung.verify);
    if newest < window_end {
        regular.min(window_end)
    } else {
        regular
    }
}

struct Judged<'a> {
    attempt: &'a Attempt,
    ended_at: Time,
    evidence: &'a Evidence,
    policy: &'a Policy,
}

impl Judged<'_> {
    /// Only a look made when the window is over concludes anything but health.
    fn verdict(&self) -> Verification {
        let rung = self.policy.rung(self.attempt.intent.rung);
        let settled_at = self.ended_at.after(rung.settle);
        let window_end = settled_at.after(rung.verify);
        let last_end = window_end.after(rung.verify * EXTENSIONS_MAX);
        let lost = self.lost_modules();
        // A look that failed is a look too: without any since the steps ended, nobody has looked.
        let Some((looked_at, condition)) = self.newest() else {
            return Verification::Pending;
        };
        let may_return = !lost.is_empty() && looked_at < last_end && self.all_on_their_way(&lost);
        match condition {
            Condition::Healthy => self.healthy(looked_at >= window_end && !may_return, &lost),
            _ if looked_at < window_end || may_return => Verification::Pending,
            Condition::Recovering | Condition::InService if looked_at < last_end => {
                Verification::Pending
            }
            Condition::Failed if self.failed_looks(settled_at) >= FAILED_LOOKS_MIN => {
                self.failed(&lost)
            }
            Condition::Failed => Verification::Pending,
            Condition::Recovering
            | Condition::InService
            | Condition::HardwareFault
            | Condition::Unknown => Verification::Settled(
                Outcome::Unknown,
                "the target could not be observed clearly when its time was over".to_owned(),
            ),
        }
    }

    /// The newest look after the steps and what it shows of the target; `None` without such a look.
    fn newest(&self) -> Option<(Time, Condition)> {
        let newest = self
            .evidence
            .newest()
            .filter(|look| look.at >= self.ended_at)?;
        let restarted_down = self.attempt.intent.rung == Rung::Restart
            && self.evidence.hardserver_down(self.policy.agreement_span);
        let condition = if restarted_down {
            Condition::Failed
        } else {
            self.evidence.condition(self.subject())
        };
        Some((newest.at, condition))
    }

    fn healthy(&self, window_over: bool, lost: &BTreeSet<ModuleNumber>) -> Verification {
        let held = self.evidence.held_since(self.subject(), Condition::Healthy);
        let newest = self.evidence.newest().map(|look| look.at);
        let long_enough = held.zip(newest).is_some_and(|(held, newest)| {
            newest.since(held.max(self.ended_at)) >= self.policy.healthy_for
        });
        match (long_enough, lost.is_empty()) {
            (true, true) => Verification::Settled(
                Outcome::Succeeded,
                format!("healthy for {} s on end", self.policy.healthy_for.as_secs()),
            ),
            (true, false) if window_over => self.made_worse(lost),
            _ => Verification::Pending,
        }
    }

    fn failed(&self, lost: &BTreeSet<ModuleNumber>) -> Verification {
        if lost.is_empty() {
            Verification::Settled(Outcome::Failed, "still failed after its time".to_owned())
        } else {
            self.made_worse(lost)
        }
    }

    fn made_worse(&self, lost: &BTreeSet<ModuleNumber>) -> Verification {
        let lost = crate::approval::listed(lost);
        Verification::Settled(
            Outcome::MadeWorse,
            format!("healthy before and not any more: {lost}"),
        )
    }

    /// The modules that a restart or clear has taken away. A retry touches no other module.
    fn lost_modules(&self) -> BTreeSet<ModuleNumber> {
        if !self.attempt.intent.rung.disruptive() {
            return BTreeSet::new();
        }
        let healthy = self
            .evidence
            .observation()
            .map(|seen| seen.healthy_modules());
        let before = self.attempt.intent.healthy_before.iter().copied();
        before
            .filter(|module| Some(*module) != self.module())
            .filter(|module| {
                !healthy
                    .as_ref()
                    .is_some_and(|healthy| healthy.contains(module))
            })
            .collect()
    }

    /// Whether every module that is not healthy any more may still come back by itself.
    fn all_on_their_way(&self, lost: &BTreeSet<ModuleNumber>) -> bool {
        lost.iter().all(|&module| {
            let condition = self.evidence.condition(Some(module));
            [
                Condition::Recovering,
                Condition::InService,
                Condition::Unknown,
            ]
            .contains(&condition)
        })
    }

    fn failed_looks(&self, from: Time) -> usize {
        let failed = |condition| condition == Condition::Failed;
        let down = self.attempt.intent.rung == Rung::Restart;
        self.evidence
            .looks_from(from)
            .filter(|look| {
                failed(look.condition(self.subject())) || (down && failed(look.condition(None)))
            })
            .count()
    }

    /// The module that the attempt was made on. Another one under its number is somebody else.
    fn subject(&self) -> Subject<'_> {
        Subject {
            module: self.module(),
            esn: self.attempt.intent.esn.as_ref(),
        }
    }

    fn module(&self) -> Option<ModuleNumber> {
        self.attempt.intent.target.module
    }
}
