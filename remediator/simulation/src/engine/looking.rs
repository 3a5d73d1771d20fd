//! Looks at a host as an actor has them made: when one is due, how many are under way at once, and
//! what follows one that has come in.

use std::time::Duration;

use vcm_recovery::decide::Decision;
use vcm_recovery::evidence::Look;
use vcm_recovery::observation::Observation;
use vcm_recovery::time::Time;

use super::{LOOK_IS_NEW, Stage, Stop, Then};
use crate::episode::{Episode, Happening};
use crate::look;

/// Looks at hosts that may be under way at once.
const LOOKS_AT_ONCE: usize = 32;

impl Episode {
    pub(super) fn may_look(&mut self, host: usize) -> Result<bool, Stop> {
        let now = self.time();
        Ok(self.actor(host)?.pace.allowed_at(now) <= now)
    }

    /// Whether nothing can be decided before the host is looked at: after a start or a standstill, or
    /// when the last look is of an incident long ago. Ruling on that would page for want of a look
    /// that is about to be made.
    pub(super) fn looks_first(&mut self, host: usize) -> Result<bool, Stop> {
        let now = self.time();
        let limit = self.site.policy.evidence_max_age;
        let state = self.state(host)?;
        let steps_run = state.unsettled().any(|attempt| attempt.running());
        let open = !state.incidents.is_empty();
        let actor = self.actor(host)?;
        let newest = actor.evidence.newest().map(|look| look.at);
        let fresh = newest.is_some_and(|at| now.since(at) <= limit);
        Ok(!steps_run && !fresh && (open || actor.look_wanted))
    }

    pub(super) fn look_is_due(&mut self, host: usize, decision: &Decision) -> Result<bool, Stop> {
        let now = self.time();
        let steps_run = self
            .state(host)?
            .unsettled()
            .any(|attempt| attempt.running());
        let actor = self.actor(host)?;
        let due = decision.next_wake.is_some_and(|at| at <= now);
        let newest = actor.evidence.newest().map(|look| look.at);
        let is_new = newest.is_some_and(|at| now.since(at) < LOOK_IS_NEW);
        let wanted = actor.look_wanted || decision.proposal.is_some();
        Ok(!steps_run && (due || (wanted && !is_new)))
    }

    pub(super) fn queue_look(&mut self, host: usize, then: Then) -> Result<(), Stop> {
        self.actor(host)?.stage = Stage::Looking(then);
        let Some(running) = &mut self.running else {
            return Err(Stop::Died);
        };
        if running.looking < LOOKS_AT_ONCE {
            running.looking += 1;
            self.begin_look(host);
        } else {
            running.waiting_to_look.push_back(host);
        }
        Ok(())
    }

    /// The host is looked at; what is seen may be what it looked like at the beginning or the end.
    fn begin_look(&mut self, host: usize) {
        let now = self.now();
        let takes = if self.runners[host].reachable(&self.world, now) {
            look::duration(&self.world, host, &mut self.looks)
        } else {
            Duration::from_secs(10)
        };
        let finished = now.after(takes);
        let early = self
            .looks
            .per_cent(50)
            .then(|| self.observe(host, now, finished));
        let run = self.store.epoch();
        self.queue.at(
            finished,
            Happening::Looked {
                run,
                host,
                began: now,
                early,
            },
        );
    }

    pub(crate) fn observe(
        &mut self,
        host: usize,
        began: Time,
        finished: Time,
    ) -> Box<Result<Observation, String>> {
        let denied = self.denied();
        if !self.runners[host].reachable(&self.world, self.now()) {
            return Box::new(Err("the host cannot be reached".to_owned()));
        }
        let at = (began, finished);
        let seen = look::observe(&self.world, host, &mut self.looks, at, denied);
        if let Ok(seen) = &seen {
            self.runners[host].keep(seen.observation_id);
        }
        Box::new(seen)
    }

    /// A look has come in.
    pub(crate) fn looked(
        &mut self,
        host: usize,
        began: Time,
        early: Option<Box<Result<Observation, String>>>,
    ) {
        if self.running.is_none() {
            return;
        }
        let now = self.now();
        let seen = early.unwrap_or_else(|| self.observe(host, began, now));
        let look = Look {
            at: self.time(),
            seen: *seen,
        };
        self.checker.looked(host, &look);
        self.note(|| format!("looked at host {host}: {}", crate::history::look(&look)));
        let Some(running) = &mut self.running else {
            return;
        };
        running.looking -= 1;
        let next = running.waiting_to_look.pop_front();
        running.looking += usize::from(next.is_some());
        let actor = &mut running.actors[host];
        actor.pace.looked(look.at);
        actor.look_wanted = false;
        actor.evidence.push(look);
        let stage = std::mem::replace(&mut actor.stage, Stage::Waiting);
        if let Some(next) = next {
            self.begin_look(next);
        }
        // What was delivered meanwhile counts for what is decided now.
        let turn = self.absorb(host).and_then(|()| match stage {
            Stage::Looking(Then::Decide) => self.decide_and_look(host),
            Stage::Looking(Then::Act) | Stage::Waiting | Stage::Ordering { .. } => {
                let decision = self.decide_and_record(host)?;
                self.act(host, decision)
            }
        });
        self.after_turn(host, turn);
    }
}
