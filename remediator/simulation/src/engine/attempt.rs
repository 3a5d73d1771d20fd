//! Attempts as an actor carries them: reserve, decide once more, order, ask, resume.

use std::collections::BTreeSet;

use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::decide::{Decision, Proposal};
use vcm_recovery::event::Change;
use vcm_recovery::ids::AttemptId;
use vcm_recovery::inventory::Target;

use super::{Stage, Stop};
use crate::episode::Episode;
use crate::recovery;
use crate::runner::{Answer, Order, Status};
use crate::store::Reservation;

impl Episode {
    /// Reserves budgets and intent, decides once more with the budget held, and orders the attempt.
    pub(super) fn attempt(
        &mut self,
        host: usize,
        proposal: &Proposal,
        decision: Decision,
    ) -> Result<(), Stop> {
        let attempt = AttemptId::from_bits(self.ids.bits());
        let intent = recovery::intent(attempt, self.store.epoch(), proposal);
        let change = Change::IntentReserved(intent.clone());
        let entry = recovery::entry(self.state(host)?, &proposal.target, change);
        let (budgets, now) = (self.site.policy.budgets, self.time());
        let seq = self.store.events().len();
        let reserved = self.store.reserve(entry, &intent, budgets, now);
        self.check_stored(seq);
        let events = match reserved? {
            Reservation::Reserved(events) => events,
            Reservation::Refused(_) => return self.plan_next(host, &decision),
        };
        // What was delivered while the disk was written counts too.
        self.take_in_facts(host)?;
        let again = self.decide(host)?;
        let Some(running) = &mut self.running else {
            return Err(Stop::Died);
        };
        for event in &events {
            running.states[host].apply(event);
        }
        self.wake_fleet(false);
        if again.proposal.as_ref() != Some(proposal) {
            let reason = "the decision did not stand with the budget held".to_owned();
            let outcome = Outcome::Cancelled;
            self.report(
                host,
                attempt,
                &proposal.target,
                Report::Settled { outcome, reason },
            )?;
            return self.plan_next(host, &decision);
        }
        self.may_crash()?;
        self.order(host, attempt, proposal, decision)
    }

    fn order(
        &mut self,
        host: usize,
        attempt: AttemptId,
        proposal: &Proposal,
        decision: Decision,
    ) -> Result<(), Stop> {
        let Some(decided) = self.actor(host)?.evidence.observation().cloned() else {
            return self.plan_next(host, &decision);
        };
        let order = Order {
            attempt,
            epoch: self.store.epoch(),
            rung: proposal.rung,
            module: proposal.target.module,
            esn: proposal.esn.clone(),
            decided,
            max_age: self.site.policy.evidence_max_age,
            answered: match proposal.approval {
                Some(_) => proposal.asked.clone(),
                None => BTreeSet::new(),
            },
        };
        self.actor(host)?.stage = Stage::Ordering {
            attempt,
            target: proposal.target.clone(),
            decision: Box::new(decision),
        };
        self.run_order(host, order);
        Ok(())
    }

    /// The runner has answered an order, or never will.
    pub(crate) fn answered(&mut self, host: usize, attempt: AttemptId, answer: Option<Answer>) {
        let Ok(actor) = self.actor(host) else { return };
        let stage = std::mem::replace(&mut actor.stage, Stage::Waiting);
        let Stage::Ordering {
            attempt: ordered,
            target,
            decision,
        } = stage
        else {
            actor.stage = stage;
            return;
        };
        if ordered != attempt {
            actor.stage = Stage::Ordering {
                attempt: ordered,
                target,
                decision,
            };
            return;
        }
        let turn = self
            .take_answer(host, attempt, &target, answer)
            .and_then(|()| self.plan_next(host, &decision));
        self.after_turn(host, turn);
    }

    fn take_answer(
        &mut self,
        host: usize,
        attempt: AttemptId,
        target: &Target,
        answer: Option<Answer>,
    ) -> Result<(), Stop> {
        match answer {
            Some(Answer::Accepted) => {
                self.actor(host)?.accepted.insert(attempt);
                self.report(host, attempt, target, Report::Accepted)
            }
            Some(Answer::Refused(reason)) => {
                let outcome = Outcome::Refused;
                self.report(host, attempt, target, Report::Settled { outcome, reason })
            }
            // Nobody knows whether it started: the journal on the host will tell.
            None => Ok(()),
        }
    }

    /// Asks the host runner about every attempt whose steps may still run.
    pub(super) fn poll_attempts(&mut self, host: usize) -> Result<(), Stop> {
        let open: BTreeSet<AttemptId> = self
            .state(host)?
            .unsettled()
            .map(|attempt| attempt.intent.attempt)
            .collect();
        self.actor(host)?.accepted.retain(|id| open.contains(id));
        let known = self.actor(host)?.accepted.clone();
        let running: Vec<(Intent, bool)> = self
            .state(host)?
            .unsettled()
            .filter(|attempt| attempt.unreported() && !attempt.interrupted)
            .map(|attempt| {
                let accepted = attempt.accepted || known.contains(&attempt.intent.attempt);
                (attempt.intent.clone(), accepted)
            })
            .collect();
        for (intent, accepted) in running {
            let Some(status) = self.status(host, &intent, accepted) else {
                continue;
            };
            for report in reports_of(status) {
                self.report(host, intent.attempt, &intent.target, report)?;
            }
        }
        Ok(())
    }

    fn status(&mut self, host: usize, intent: &Intent, accepted: bool) -> Option<Status> {
        if !self.runners[host].reachable(&self.world, self.now()) {
            return None;
        }
        let status = self.runners[host].result(intent.attempt);
        if status == Status::NotFound && !accepted {
            let epoch = self.store.epoch();
            return self.runners[host].tombstone(intent.attempt, intent.observation, epoch);
        }
        Some(status)
    }

    /// Has an open critical section finished on the host.
    pub(super) fn resume(&mut self, host: usize, attempt: AttemptId) -> Result<(), Stop> {
        let Some(target) = self
            .state(host)?
            .attempts
            .get(&attempt)
            .map(|known| known.intent.target.clone())
        else {
            return Ok(());
        };
        if !self.runners[host].reachable(&self.world, self.now()) {
            return Ok(());
        }
        let epoch = self.store.epoch();
        match self.resume_section(host, attempt, Some(epoch)) {
            Answer::Accepted => self.report(host, attempt, &target, Report::Accepted),
            Answer::Refused(_) => {
                let status = self.runners[host].result(attempt);
                if matches!(status, Status::Interrupted { .. }) {
                    return Ok(());
                }
                for report in reports_of(status) {
                    self.report(host, attempt, &target, report)?;
                }
                Ok(())
            }
        }
    }
}

/// What a status means for the record; nothing while nothing has changed.
fn reports_of(status: Status) -> Vec<Report> {
    let settled = |outcome, reason: String| Report::Settled { outcome, reason };
    match status {
        Status::Running => Vec::new(),
        Status::Refused(reason) => vec![settled(Outcome::Refused, reason)],
        Status::Tombstoned => vec![settled(
            Outcome::Cancelled,
            "it never started on the host".to_owned(),
        )],
        Status::Ended(detail) => vec![Report::Ended { detail }],
        Status::Interrupted {
            section_open: true, ..
        } => {
            vec![Report::Interrupted {
                detail: "cut short in its section".to_owned(),
            }]
        }
        Status::Interrupted {
            steps_started: 0, ..
        } => {
            vec![settled(
                Outcome::Cancelled,
                "it died before its first step".to_owned(),
            )]
        }
        Status::Interrupted { .. } => vec![Report::Ended {
            detail: "cut short".to_owned(),
        }],
        Status::NotFound => {
            let detail =
                "the host has lost its record, and whether it ran nobody can say".to_owned();
            vec![
                Report::Ended {
                    detail: detail.clone(),
                },
                settled(Outcome::Unknown, detail),
            ]
        }
    }
}
