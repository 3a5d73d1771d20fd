//! The hardserver's links to its modules: how they break, come back and lose or keep their keys.

use super::{Damage, EventKind, Link, Mode, Relapse, World};

impl World {
    /// Lets each link notice what became of its module at this moment.
    pub(super) fn settle_links(&mut self) {
        let now = self.now;
        for index in 0..self.modules.len() {
            let Some(module) = self.modules.get_mut(index) else {
                return;
            };
            match module.link {
                Link::Up if !module.serves() => {
                    module.count(now);
                    module.link = Link::Silent { since: now };
                }
                Link::Silent { .. } if module.serves() && module.device.session_alive => {
                    module.link = Link::Up;
                }
                Link::Silent { .. } if module.serves() => {
                    self.fail_link(index, "session gone");
                }
                Link::None
                | Link::Connecting { .. }
                | Link::Up
                | Link::Silent { .. }
                | Link::Failed { .. } => {}
            }
        }
    }

    pub(super) fn fail_link(&mut self, index: usize, cause: &str) {
        let block = self.knobs.scaled(self.knobs.timing.connect_command_block);
        let now = self.now;
        if !self.hardserver_runs() {
            return;
        }
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        module.count(now);
        let (lost_at, held_until, news) = match module.link {
            Link::Silent { since } => (since, now + block, true),
            Link::Failed {
                lost_at,
                held_until,
                ..
            } => (lost_at, held_until, false),
            Link::None | Link::Connecting { .. } | Link::Up => (now, now, true),
        };
        module.link = Link::Failed {
            since: now,
            lost_at,
            held_until,
        };
        if news {
            self.hardserver.device_fails += 1;
            self.record(
                Some(index),
                EventKind::ModuleFailed {
                    cause: cause.to_owned(),
                },
            );
        }
    }

    /// Sets up the link; the session resumes where it can.
    pub(super) fn connect(&mut self, index: usize, cause: &str) {
        let window = self.knobs.scaled(self.knobs.timing.resumption_window);
        let now = self.now;
        if !self.hardserver_runs() {
            return;
        }
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        let from = module.link;
        let expired = matches!(from, Link::Failed { lost_at, .. } if now.since(lost_at) > window);
        if expired || !module.device.session_alive {
            self.lose_objects(index, "session not resumable");
        }
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        module.count(now);
        module.device.session_alive = true;
        module.link = Link::Up;
        let operational = module.device.mode == Mode::Operational;
        if matches!(from, Link::Failed { .. }) {
            self.hardserver.device_restarts += 1;
        }
        if operational && !matches!(from, Link::Up | Link::Silent { .. }) {
            self.record(
                Some(index),
                EventKind::ModuleOperational {
                    cause: cause.to_owned(),
                },
            );
        }
        self.want_keys(index);
    }

    /// Sets up the link if the module answers.
    pub(super) fn connect_if_serving(&mut self, index: usize, cause: &str) {
        if self.modules.get(index).is_some_and(super::Module::serves) {
            self.connect(index, cause);
        }
    }

    /// Ends the fault of a module and connects it; a relapse begins its wait.
    pub(super) fn cure(&mut self, index: usize, cause: &str) {
        let now = self.now;
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        let Some(mut fault) = module.fault.take() else {
            return;
        };
        fault.recovers_at = None;
        if let Some(after) = fault.relapse_after.filter(|_| fault.relapses > 0) {
            fault.relapses -= 1;
            let at = now + self.knobs.scaled(after);
            module.relapse = Some(Relapse { at, fault });
        }
        if module.connects() {
            self.connect(index, cause);
        }
    }

    pub(super) fn lose_objects(&mut self, index: usize, cause: &str) {
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        let count = std::mem::take(&mut module.counters.objects);
        let module_was_healthy = module.healthy();
        module.counters.reload_at = None;
        if count > 0 {
            let cause = cause.to_owned();
            let damage = Damage::ObjectsLost {
                count,
                cause,
                module_was_healthy,
            };
            self.record(Some(index), EventKind::Damage(damage));
        }
    }

    /// Lets applications begin to reload their keys, if they do that by themselves.
    pub(super) fn want_keys(&mut self, index: usize) {
        let now = self.now;
        let reload = self
            .knobs
            .timing
            .keys_reload
            .map(|span| self.knobs.scaled(span));
        if let Some(module) = self.modules.get_mut(index)
            && module.counters.objects < module.counters.objects_wanted
        {
            module.counters.reload_at = reload.map(|span| now + span);
        }
    }
}
