//! Attempts as the engine carries them: reserve, decide once more, order, ask, resume.

use vcm_recovery::attempt::{Attempt, Intent, Outcome, Report};
use vcm_recovery::decide::Proposal;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::AttemptId;
use vcm_recovery::inventory::Target;
use vcm_telemetry::logging::chain;

use super::actor::Actor;
use crate::host::document::{Answer, Refusal, Status};
use crate::host::fence::{COPY, Caller, Newest};
use crate::host_client::Order;
use crate::store::{Reservation, StoreError};

impl Actor {
    /// Reserves budgets and intent, decides once more with the budget held, and orders the
    /// attempt.
    pub(super) async fn attempt(&mut self, proposal: &Proposal) -> Result<(), StoreError> {
        let attempt = AttemptId::from_bits(uuid::Uuid::now_v7().as_u128());
        let intent = self.intent(attempt, proposal);
        let entry = self.entry(&proposal.target, Change::IntentReserved(intent));
        // The evidence behind an intent is on disk before the intent is.
        if let Some(seen) = self.evidence.observation() {
            self.parts
                .store
                .keep_observation(&self.host.entry.name, seen)
                .await?;
        }
        let budgets = self.parts.policy.budgets;
        let reserved = match self.parts.store.reserve(entry, budgets).await? {
            Reservation::Reserved(events) => events,
            Reservation::Refused(guard, reason) => {
                tracing::info!(%guard, reason, rung = %proposal.rung, "no budget; will look again");
                return Ok(());
            }
        };
        // What was delivered while the disk was written counts too.
        self.take_in_facts();
        // Both views are without this attempt, or it would stand in its own way.
        let again = self.decide(&self.fleet());
        for event in &reserved {
            self.apply(event);
        }
        if again.proposal.as_ref() != Some(proposal) {
            let reason = "the decision did not stand with the budget held".to_owned();
            return self
                .settle(attempt, proposal, Outcome::Cancelled, reason)
                .await;
        }
        self.order(attempt, proposal).await
    }

    fn intent(&self, attempt: AttemptId, proposal: &Proposal) -> Intent {
        Intent {
            attempt,
            incident: proposal.incident.clone(),
            target: proposal.target.clone(),
            rung: proposal.rung,
            epoch: self.parts.store.identity().epoch,
            observation: proposal.observation,
            ceiling: proposal.ceiling,
            esn: proposal.esn.clone(),
            hsms: proposal.hsms.clone(),
            steps: proposal.steps.clone(),
            healthy_before: proposal.healthy_before.clone(),
            approval: proposal.approval,
            asked: proposal.asked.clone(),
        }
    }

    async fn order(&mut self, attempt: AttemptId, proposal: &Proposal) -> Result<(), StoreError> {
        let newest = match self.newest_accounted_for().await? {
            Ok(newest) => newest,
            Err(reason) => {
                return self
                    .settle(attempt, proposal, Outcome::Refused, reason)
                    .await;
            }
        };
        let identity = self.parts.store.identity();
        let order = Order {
            attempt,
            epoch: identity.epoch,
            store: identity.store_id,
            rung: proposal.rung,
            module: proposal.target.module,
            esn: proposal.esn.clone(),
            observation: proposal.observation,
            max_age: self.parts.policy.evidence_max_age,
            newest,
            approval: proposal.approval,
            asked: proposal.asked.clone(),
        };
        match self.host.runner.run(order).await {
            Ok(Answer::Accepted) => {
                self.accepted.insert(attempt);
                self.report(attempt, &proposal.target, Report::Accepted)
                    .await
            }
            Ok(Answer::Refused(refusal)) => {
                let reason = reason_of(refusal);
                self.settle(attempt, proposal, Outcome::Refused, reason)
                    .await
            }
            // Nobody knows whether it started: the journal on the host will tell.
            Err(error) => {
                tracing::warn!(%attempt, error = chain(&error), "the host runner did not answer");
                Ok(())
            }
        }
    }

    /// The attempt that the host has accepted last, if the store accounts for it; or why nothing
    /// is ordered. Caps, holds and pauses of a copy of the store are those of when it was made.
    async fn newest_accounted_for(&self) -> Result<Result<Option<AttemptId>, String>, StoreError> {
        let newest = match self.host.runner.newest().await {
            Ok(newest) => newest,
            Err(error) => {
                let why = chain(&error);
                return Ok(Err(format!(
                    "not ordered: what the host accepted last is not known: {why}"
                )));
            }
        };
        let Some(Newest { attempt, epoch }) = newest else {
            return Ok(Ok(None));
        };
        if self.parts.store.accounts_for(attempt, epoch).await? {
            return Ok(Ok(Some(attempt)));
        }
        let guard = Guard::NotOwner;
        let reason = format!(
            "{guard}: the host accepted attempt {attempt} at epoch {epoch}, which is not in the \
             store: {COPY}"
        );
        tracing::error!(%attempt, %epoch, reason, "nothing is ordered");
        Ok(Err(reason))
    }

    async fn settle(
        &mut self,
        attempt: AttemptId,
        proposal: &Proposal,
        outcome: Outcome,
        reason: String,
    ) -> Result<(), StoreError> {
        self.report(
            attempt,
            &proposal.target,
            Report::Settled { outcome, reason },
        )
        .await
    }

    /// Asks the host runner about every attempt whose steps may still run.
    pub(super) async fn poll_attempts(&mut self) -> Result<(), StoreError> {
        let open = &self.state.attempts;
        self.accepted
            .retain(|id| open.get(id).is_some_and(Attempt::unsettled));
        let running: Vec<(Intent, bool)> = self
            .state
            .unsettled()
            .filter(|attempt| attempt.unreported() && !attempt.interrupted)
            .map(|attempt| {
                let id = attempt.intent.attempt;
                let accepted = attempt.accepted || self.accepted.contains(&id);
                (attempt.intent.clone(), accepted)
            })
            .collect();
        for (intent, accepted) in running {
            let attempt = intent.attempt;
            let runner = &self.host.runner;
            let status = match runner.result(attempt).await {
                Ok(Status::NotFound) if !accepted => {
                    runner
                        .tombstone(attempt, intent.observation, self.caller())
                        .await
                }
                status => status,
            };
            match status {
                Ok(status) => {
                    for report in reports_of(status) {
                        self.report(attempt, &intent.target, report).await?;
                    }
                }
                Err(error) => {
                    tracing::warn!(%attempt, error = chain(&error), "the attempt cannot be asked after");
                }
            }
        }
        Ok(())
    }

    fn caller(&self) -> Caller {
        let identity = self.parts.store.identity();
        Caller {
            epoch: identity.epoch,
            store: identity.store_id,
        }
    }

    /// Has an open critical section finished on the host.
    pub(super) async fn resume(&mut self, attempt: AttemptId) -> Result<(), StoreError> {
        let Some(target) = self
            .state
            .attempts
            .get(&attempt)
            .map(|a| a.intent.target.clone())
        else {
            return Ok(());
        };
        match self.host.runner.resume(attempt, self.caller()).await {
            Ok(Answer::Accepted) => self.report(attempt, &target, Report::Accepted).await,
            // Somebody else may have finished it, as the host does at boot: the journal will tell.
            Ok(Answer::Refused(refusal)) => {
                let reason = reason_of(refusal);
                tracing::warn!(%attempt, reason, "the critical section was not resumed");
                let status = self
                    .host
                    .runner
                    .result(attempt)
                    .await
                    .unwrap_or(Status::Running);
                if matches!(status, Status::Interrupted { .. }) {
                    return Ok(());
                }
                for report in reports_of(status) {
                    self.report(attempt, &target, report).await?;
                }
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%attempt, error = chain(&error), "the host runner did not answer");
                Ok(())
            }
        }
    }

    async fn report(
        &mut self,
        attempt: AttemptId,
        target: &Target,
        report: Report,
    ) -> Result<(), StoreError> {
        let entry = self.entry(target, Change::AttemptReported { attempt, report });
        self.record(vec![entry]).await.map(drop)
    }

    fn entry(&self, target: &Target, change: Change) -> Entry {
        Entry {
            host: Some(self.host.entry.name.clone()),
            target: Some(target.clone()),
            incident: self
                .state
                .incidents
                .get(target)
                .map(|incident| incident.id.clone()),
            change,
        }
    }
}

/// What a status means for the record; nothing while nothing has changed.
///
/// An attempt that was cut short without an open section goes on to be verified by observation, if
/// a step may have begun: nothing of it lives, and what it did shows on the host. Without a step it
/// was never run, and counts for nothing. One that the host has lost is unknown at once: whether
/// anything of it lives, nobody can say.
fn reports_of(status: Status) -> Vec<Report> {
    let settled = |outcome, reason| Report::Settled { outcome, reason };
    match status {
        Status::Running | Status::StillRunning { .. } => Vec::new(),
        Status::Refused(refusal) => vec![settled(Outcome::Refused, reason_of(refusal))],
        Status::Tombstoned => {
            vec![settled(
                Outcome::Cancelled,
                "it never started on the host".to_owned(),
            )]
        }
        Status::Ended { detail, .. } => vec![Report::Ended { detail }],
        Status::Interrupted {
            section_open: true,
            detail,
            ..
        } => {
            vec![Report::Interrupted { detail }]
        }
        Status::Interrupted {
            steps_started: 0,
            detail,
            ..
        } => {
            vec![settled(Outcome::Cancelled, detail)]
        }
        Status::Interrupted { detail, .. } => {
            vec![Report::Ended {
                detail: format!("cut short: {detail}"),
            }]
        }
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

fn reason_of(refusal: Refusal) -> String {
    match refusal.guard {
        Some(guard) => format!("{guard}: {}", refusal.reason),
        None => refusal.reason,
    }
}
