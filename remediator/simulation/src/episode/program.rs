//! The program starts and dies. Everything that it knows afterwards comes from the store.

use std::time::Duration;

use super::{Episode, Happening, Outside};
use crate::engine::Running;
use crate::knobs::Remediator;
use crate::recovery;

/// How often, in per cent, a program that crashes now and then dies after something was stored.
const CRASHES: u32 = 1;

/// How often, in per cent, its machine is booted before it starts again.
const BOOTS: u32 = 20;

impl Episode {
    /// The program starts: a new epoch, everything folded, every actor wakes up.
    pub(super) fn start(&mut self) {
        if self.running.is_some() {
            return;
        }
        self.store.open();
        let last = self.store.last();
        let last_boot = self.store.last_boot();
        let start = self.clock.resume(last, last_boot, self.now());
        let (states, _) = self.store.load(&self.site.names);
        let entries = start.entries(states.iter(), self.time());
        if self.record_fleet(entries).is_err() {
            self.note(|| "the program ends: its start could not be recorded".to_owned());
            return self.starts_again();
        }
        let (states, fleet) = self.store.load(&self.site.names);
        let now = self.time();
        let policy = recovery::policy_entries(&fleet, &self.site.policy);
        self.checker.folded(&states);
        self.checker.started(now);
        let hosts = states.len();
        self.running = Some(Running::start(
            states,
            fleet,
            self.site.policy.tool_runs_per_minute,
        ));
        self.note(|| "the program starts".to_owned());
        if self.record_fleet(policy).is_err() {
            return self.crash("its start could not be recorded in a transaction");
        }
        self.wake_fleet(false);
        for host in 0..hosts {
            self.plan(host, Some(now));
        }
    }

    /// The program dies, and is started again.
    pub(crate) fn crash(&mut self, why: &str) {
        let Some(running) = self.running.take() else {
            return;
        };
        self.note(|| format!("the program dies: {why}"));
        if self.stands_still_until.take().is_none() {
            let now = self.time();
            self.store.ran_until(now);
        }
        if running.absorbed() && !why.contains("transaction") {
            let (folded, _) = self.store.load(&self.site.names);
            self.checker.replays(&running.states, &folded);
        }
        self.starts_again();
    }

    fn starts_again(&mut self) {
        if self.clock_dice.per_cent(BOOTS) {
            self.note(|| "its machine is booted".to_owned());
            self.clock.boot();
            if self.store.last().is_some() {
                self.checker.booted();
            }
        }
        let away = match self.knobs.remediator {
            Remediator::Away if !self.peace => self.fate.seconds(1_800..=18_000),
            Remediator::Runs | Remediator::Crashes | Remediator::Stalls | Remediator::Away => {
                self.fate.seconds(1..=60)
            }
        };
        self.queue.after(away, Happening::Outside(Outside::Starts));
    }

    /// Whether the program dies now, right after something was stored.
    pub(crate) fn crashes_now(&mut self) -> bool {
        self.knobs.remediator == Remediator::Crashes && !self.peace && self.fate.per_cent(CRASHES)
    }

    /// Lets everything happen, up to the end of the episode or `limit` after its peace.
    pub fn run(&mut self, limit: Duration) {
        let last = self.peace_at.after(limit);
        while !self.is_over() && self.now() <= last && self.step() {}
        let over = self.is_over();
        self.checker.end(over, &self.world);
    }
}
