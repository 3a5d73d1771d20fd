//! The passing of time: every transition that is due, in its order, each at its own moment.

use std::time::Duration;

use super::{Cure, EventKind, Link, Mode, Module, Relapse, Run, World};
use crate::sim::clock::{At, millis};

/// What becomes due by the passing of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    NetworkReturns,
    BootEnds,
    ResetEnds,
    FaultEnds,
    RelapseComes,
    LateCommand,
    LinkBreaks,
    Reconnects,
    LinkDecides,
    KeysReload,
}

impl World {
    /// Brings the world to the moment `now`.
    pub fn advance(&mut self, now: At) {
        self.settle_links();
        while let Some((at, index, due)) = self.next_due().filter(|(at, ..)| *at <= now) {
            self.now = self.now.max(at);
            self.count_all();
            self.happen(index, due);
            self.settle_links();
        }
        self.now = self.now.max(now);
        self.count_all();
    }

    /// When the next thing will happen if nobody interferes.
    #[must_use]
    pub fn next_moment(&self) -> Option<At> {
        self.next_due().map(|(at, ..)| at)
    }

    fn next_due(&self) -> Option<(At, usize, Due)> {
        let per_module = self.modules.iter().enumerate();
        per_module
            .filter_map(|(index, module)| {
                let (at, due) = self.next_due_of(module)?;
                Some((at, index, due))
            })
            .min_by_key(|(at, index, _)| (*at, *index))
    }

    fn next_due_of(&self, module: &Module) -> Option<(At, Due)> {
        let device = &module.device;
        let mut dues = vec![
            (module.network.until, Due::NetworkReturns),
            (device.boot.map(|boot| boot.serves_at), Due::BootEnds),
            (device.reset.map(|reset| reset.until), Due::ResetEnds),
            (
                module.fault.as_ref().and_then(|fault| fault.recovers_at),
                Due::FaultEnds,
            ),
            (
                module.relapse.as_ref().map(|relapse| relapse.at),
                Due::RelapseComes,
            ),
            (
                device.late.iter().map(|(at, _)| *at).min(),
                Due::LateCommand,
            ),
            (module.counters.reload_at, Due::KeysReload),
        ];
        dues.push(self.link_due(module));
        dues.into_iter()
            .filter_map(|(at, due)| Some((at?, due)))
            .min_by_key(|(at, _)| *at)
    }

    fn link_due(&self, module: &Module) -> (Option<At>, Due) {
        let timing = &self.knobs.timing;
        match module.link {
            Link::None | Link::Up => (None, Due::LinkDecides),
            Link::Connecting { until } => (Some(until), Due::LinkDecides),
            Link::Silent { since } => (
                Some(since + self.knobs.scaled(timing.connect_broken)),
                Due::LinkBreaks,
            ),
            Link::Failed { since, .. } => {
                let tries = module.connects() && self.knobs.modules.reconnects_by_itself;
                let retry = self.knobs.scaled(timing.connect_retry);
                (
                    tries.then(|| next_tick(since, retry, self.now)),
                    Due::Reconnects,
                )
            }
        }
    }

    fn happen(&mut self, index: usize, due: Due) {
        match due {
            Due::NetworkReturns => self.network_returns(index),
            Due::BootEnds => self.boot_ends(index),
            Due::ResetEnds => self.reset_ends(index),
            Due::FaultEnds => self.cure(index, "retry"),
            Due::RelapseComes => self.relapse_comes(index),
            Due::LateCommand => self.late_command(index),
            Due::LinkBreaks => self.fail_link(index, "connection broken"),
            Due::Reconnects => self.connect(index, "reconnected"),
            Due::LinkDecides => self.decide_link(index),
            Due::KeysReload => self.reload_keys_of(index),
        }
    }

    fn network_returns(&mut self, index: usize) {
        if let Some(module) = self.modules.get_mut(index) {
            module.network.until = None;
            module.network.lost_at = None;
        }
        self.record(Some(index), EventKind::NetworkRestored);
    }

    fn boot_ends(&mut self, index: usize) {
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        let Some(boot) = module.device.boot.take() else {
            return;
        };
        module.device.up_since = boot.serves_at;
        if module.device.autostart {
            self.record(Some(index), EventKind::HsmServes);
        } else {
            module.device.inactive = true;
        }
    }

    fn reset_ends(&mut self, index: usize) {
        let now = self.now;
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        let Some(reset) = module.device.reset.take() else {
            return;
        };
        module.device.mode = reset.mode;
        module.device.up_since = now;
        module.device.maintenance_at = module
            .device
            .maintenance_at
            .filter(|_| reset.mode == Mode::Maintenance);
        module.counters.millicommands = 0;
        if matches!(module.link, Link::Up) {
            // A module that was reset is set up anew.
            module.link = Link::Connecting { until: now };
        }
        let curable = module
            .fault
            .as_ref()
            .is_some_and(|fault| matches!(fault.cure, Cure::Clear | Cure::Retry));
        if reset.mode != Mode::Operational {
            self.record(Some(index), EventKind::ModuleMode { mode: reset.mode });
            self.connect_if_serving(index, "mode changed");
        } else if curable && reset.cures {
            self.cure(index, "clear");
        } else if module.fault.is_some() {
            self.fail_link(index, "still faulty after a clear");
        } else {
            self.connect_if_serving(index, "clear");
            self.want_keys(index);
        }
    }

    fn relapse_comes(&mut self, index: usize) {
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        if let Some(Relapse { fault, .. }) = module.relapse.take() {
            module.fault = Some(fault);
            self.fail_link(index, "relapse");
        }
    }

    fn late_command(&mut self, index: usize) {
        let now = self.now;
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        let number = module.number;
        let place = module.device.late.iter().position(|(at, _)| *at <= now);
        if let Some((_, command)) = place.map(|place| module.device.late.remove(place)) {
            self.command(number, command);
        }
    }

    fn decide_link(&mut self, index: usize) {
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        if module.serves() {
            let cured_by_restart = module
                .fault
                .as_ref()
                .is_some_and(|fault| matches!(fault.cure, Cure::Restart | Cure::Retry));
            if cured_by_restart && module.device.mode == Mode::Operational {
                return self.cure(index, "restart");
            }
            if module.connects() {
                return self.connect(index, "started");
            }
        }
        self.fail_link(index, "no connection at start");
    }

    fn reload_keys_of(&mut self, index: usize) {
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        module.counters.reload_at = None;
        if !module.healthy() || module.counters.objects >= module.counters.objects_wanted {
            return;
        }
        let missing = module.counters.objects_wanted - module.counters.objects;
        module.counters.objects += missing;
        module.counters.objects_created += missing;
        let objects = module.counters.objects;
        self.record(Some(index), EventKind::KeysReloaded { objects });
    }

    fn count_all(&mut self) {
        let now = self.now;
        self.modules.iter_mut().for_each(|module| module.count(now));
    }

    /// Whether there is a hardserver to hold links.
    pub(super) fn hardserver_runs(&self) -> bool {
        matches!(self.hardserver.run, Run::Up(_))
    }
}

/// The first moment after `now` that lies a whole number of `interval`s after `start`.
fn next_tick(start: At, interval: Duration, now: At) -> At {
    let step = millis(interval).max(1);
    let elapsed = now.0.saturating_sub(start.0);
    At(start.0 + (elapsed / step + 1) * step)
}
