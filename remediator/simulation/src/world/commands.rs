//! What the vendor's commands do to the estate, whoever issues them.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::time::Time;

use super::{Cure, Hardserver, Place, Turn, World};
use crate::knobs::{Clear, Restart, Retry};

/// How long after an error a late retry succeeds.
const LATE: Duration = Duration::from_secs(90);

/// An HSM with at least this load, in per cent, lets administrative actions time out.
const OVERLOADED: u8 = 95;

impl World {
    /// `nopclearfail -m<N> -r`
    pub(crate) fn retry(&mut self, place: Place, now: Time) {
        let knob = self.knobs.retry;
        if self.hosts[place.host].hardserver != Hardserver::Running {
            return;
        }
        if self.module(place).view == ModuleState::Operational && knob == Retry::LosesKeys {
            self.module_mut(place).objects = 0;
        }
        let module = self.module(place);
        let helps = matches!(module.stuck, None | Some(Cure::Retry));
        let overloaded = self.hsms[module.hsm].load() >= OVERLOADED;
        if module.view != ModuleState::Failed || !helps || !self.reachable(place) || overloaded {
            return;
        }
        match knob {
            Retry::Works => self.turn_well(place, true, now),
            Retry::LosesKeys => self.turn_well(place, false, now),
            Retry::Late => {
                let generation = self.overtake(place);
                let at = now.after(LATE);
                self.module_mut(place).heals_at = Some(at);
                self.later(at, Turn::TurnsWell(place, generation));
            }
            Retry::Nothing => {}
        }
    }

    /// The first half of `init.d-ncipher restart`: every client is cut.
    pub(crate) fn stop_hardserver(&mut self, host: usize, on_purpose: bool) {
        let starts_needed = match self.knobs.restart {
            Restart::NeedsTwoStarts => 2,
            Restart::StaysDown => u32::MAX,
            Restart::Works | Restart::Permutes | Restart::LeavesOneFailed => 1,
        };
        self.hosts[host].hardserver = Hardserver::Down {
            on_purpose,
            starts_needed,
        };
        self.touched.push(host);
        for module in &mut self.hosts[host].modules {
            module.objects = 0;
        }
    }

    /// Its second half, or `init.d-ncipher start`. `restarts`: it ran before, so that what a restart
    /// does to the modules happens too.
    pub(crate) fn start_again(&mut self, host: usize, restarts: bool, now: Time) {
        match &mut self.hosts[host].hardserver {
            Hardserver::Running | Hardserver::Hung => return,
            Hardserver::Down { starts_needed, .. } if *starts_needed > 1 => {
                *starts_needed -= 1;
                return;
            }
            Hardserver::Down { .. } => {}
        }
        let worked: Vec<usize> = (0..self.hosts[host].modules.len())
            .filter(|&slot| self.hosts[host].modules[slot].view == ModuleState::Operational)
            .collect();
        self.start_hardserver(host, now);
        if !restarts {
            return;
        }
        match self.knobs.restart {
            Restart::Permutes => self.permute(host),
            Restart::LeavesOneFailed => {
                if let Some(&slot) = worked.first() {
                    let heals = self.dice.per_cent(50).then(|| self.dice.seconds(60..=600));
                    self.fail(Place { host, slot }, Some(Cure::Retry), heals, now);
                }
            }
            Restart::Works | Restart::NeedsTwoStarts | Restart::StaysDown => {}
        }
    }

    fn permute(&mut self, host: usize) {
        let numbers: Vec<_> = self.hosts[host]
            .modules
            .iter()
            .map(|module| module.number)
            .collect();
        let modules = &mut self.hosts[host].modules;
        let rotated = numbers.iter().cycle().skip(1);
        for (module, number) in modules.iter_mut().zip(rotated) {
            module.number = *number;
        }
    }

    /// `nopclearfail -m<N> -M`
    pub(crate) fn enter_maintenance(&mut self, place: Place) {
        let running = self.hosts[place.host].hardserver == Hardserver::Running;
        if !running || self.knobs.clear == Clear::Denied || !self.reachable(place) {
            return;
        }
        let fails = match self.knobs.clear {
            Clear::FailsTwice => 2,
            Clear::FailsAlways => u32::MAX,
            Clear::Works | Clear::Hangs | Clear::Denied => 0,
        };
        self.overtake(place);
        let module = self.module_mut(place);
        module.view = ModuleState::Maintenance;
        module.heals_at = None;
        module.objects = 0;
        module.clears_that_fail = fails;
        self.twin_enters(place);
    }

    /// `nopclearfail -m<N> -c`
    pub(crate) fn clear_module(&mut self, place: Place, now: Time) {
        if self.hosts[place.host].hardserver != Hardserver::Running || !self.reachable(place) {
            return;
        }
        let module = self.module_mut(place);
        if module.view != ModuleState::Maintenance {
            return;
        }
        if module.clears_that_fail > 0 {
            module.clears_that_fail -= 1;
            return;
        }
        if module.stuck == Some(Cure::People) {
            module.view = ModuleState::Failed;
            self.twin_leaves(place, now);
            return;
        }
        module.started_at = now;
        self.turn_well(place, false, now);
        self.twin_leaves(place, now);
    }

    /// People repair everything about this host that can be repaired, and number its modules as the
    /// inventory has them.
    pub(crate) fn repair(&mut self, host: usize, now: Time) {
        self.touched.push(host);
        self.hosts[host].held = false;
        for slot in 0..self.hosts[host].modules.len() {
            let place = Place { host, slot };
            let module = self.module_mut(place);
            module.worked_on = false;
            module.hardware_ok = true;
            module.clears_that_fail = 0;
            if let Some(number) = u16::try_from(slot + 1).ok().and_then(|n| n.try_into().ok()) {
                module.number = number;
            }
        }
        if !self.hosts[host].up {
            return;
        }
        if self.hosts[host].hardserver != Hardserver::Running {
            self.start_hardserver(host, now);
        }
        for slot in 0..self.hosts[host].modules.len() {
            let place = Place { host, slot };
            let works = self.module(place).view == ModuleState::Operational;
            if !works && self.reachable(place) {
                self.turn_well(place, false, now);
            } else if !works {
                self.overtake(place);
                let module = self.module_mut(place);
                module.view = ModuleState::Failed;
                module.stuck = None;
            }
            self.twin_leaves(place, now);
        }
    }
}
