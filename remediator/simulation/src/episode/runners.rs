//! What the episode hands to the host runners, and what comes of it.

use nshield::ModuleNumber;
use vcm_recovery::ids::{AttemptId, Epoch};
use vcm_recovery::time::Time;

use super::{Episode, Happening};
use crate::runner::{Answer, Bench, ORDER_DEADLINE, Order, Output, Phase};
use crate::site::Site;
use crate::world::World;

impl Episode {
    /// The runner of a host takes an order in.
    pub(crate) fn run_order(&mut self, host: usize, order: Order) {
        let attempt = order.attempt;
        self.note(|| format!("order to host {host}: {} of attempt {attempt}", order.rung));
        let bench = bench(&mut self.world, &self.site, self.queue.now(), self.denied);
        let mut outputs = self.runners[host].run(order, &bench);
        // Whatever happens to the host meanwhile: nobody waits longer.
        outputs.push(Output::Answer(bench.now.after(ORDER_DEADLINE), None));
        self.outputs(host, attempt, outputs);
    }

    pub(super) fn runner_turn(&mut self, host: usize, attempt: AttemptId, phase: Phase) {
        let before = self
            .checker
            .truth_before(&self.world, host, self.queue.now());
        let mut bench = bench(&mut self.world, &self.site, self.queue.now(), self.denied);
        let outputs = self.runners[host].turn(attempt, phase, &mut bench);
        self.checker.set_truth(before);
        self.outputs(host, attempt, outputs);
    }

    /// Finishes an open section.
    pub(crate) fn resume_section(
        &mut self,
        host: usize,
        attempt: AttemptId,
        epoch: Option<Epoch>,
    ) -> Answer {
        let bench = bench(&mut self.world, &self.site, self.queue.now(), self.denied);
        let (answer, outputs) = self.runners[host].resume(attempt, epoch, &bench);
        self.note(|| format!("host {host} is asked to resume {attempt}: {answer:?}"));
        self.outputs(host, attempt, outputs);
        answer
    }

    pub(super) fn boot_resume(&mut self, host: usize) {
        if !self.world.hosts[host].up {
            return;
        }
        for attempt in self.runners[host].left_open() {
            self.resume_section(host, attempt, None);
        }
    }

    fn outputs(&mut self, host: usize, attempt: AttemptId, outputs: Vec<Output>) {
        let now = self.now();
        let run = self.store.epoch();
        for output in outputs {
            match output {
                Output::Answer(at, answer) => {
                    if answer.is_some() {
                        self.note(|| format!("host {host} answers {attempt}: {answer:?}"));
                    }
                    self.queue.at(
                        at,
                        Happening::Answered {
                            run,
                            host,
                            attempt,
                            answer,
                        },
                    );
                }
                Output::Next(at, phase) => {
                    self.queue.at(
                        at,
                        Happening::Runner {
                            host,
                            attempt,
                            phase,
                        },
                    );
                }
                Output::Effect(step, number) => {
                    self.note(|| format!("COMMAND on host {host}: {step:?} of {attempt}"));
                    let place =
                        number.and_then(|number: ModuleNumber| self.world.numbered(host, number));
                    self.checker.effect((host, attempt), step, place, now);
                }
                Output::AcceptedOn(seen) => self.checker.accepted_on(attempt, &seen, now),
            }
        }
    }
}

const fn bench<'a>(world: &'a mut World, site: &Site, now: Time, denied: bool) -> Bench<'a> {
    Bench {
        world,
        now,
        denied,
        clear_wait: site.policy.clear_wait,
    }
}
