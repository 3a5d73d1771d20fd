//! The hardserver's instance: what begins with its process and ends with it.

use serde::{Deserialize, Serialize};

use super::{Cure, Damage, EventKind, Fault, Link, World};
use crate::sim::clock::At;

/// The hardserver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardserver {
    /// Whether it runs.
    pub run: Run,
    /// Whether it accepts connections and answers nothing.
    pub hung: bool,
    /// Whether one has ever run: the first one finds its keys loaded.
    pub ever_ran: bool,
    /// `DeviceFails` of this instance.
    pub device_fails: u64,
    /// `DeviceRestarts` of this instance.
    pub device_restarts: u64,
    /// Tools that connected to this instance.
    pub tool_connections: u64,
}

/// Whether the hardserver runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// It runs.
    Up(Instance),
    /// It does not.
    Down(Down),
}

/// A running hardserver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its process.
    pub pid: u32,
    /// When that process was started, in the kernel's ticks: pids are used again.
    pub process_start: u64,
    /// Since when it serves.
    pub since: At,
    /// From when on applications are connected again.
    pub clients_back_at: At,
}

/// Why there is no hardserver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Down {
    /// None was ever started, or it was stopped on purpose.
    Stopped,
    /// It died.
    Died,
    /// A start of it failed.
    StartFailed,
}

impl Hardserver {
    pub(super) fn never_started() -> Self {
        Self {
            run: Run::Down(Down::Stopped),
            hung: false,
            ever_ran: false,
            device_fails: 0,
            device_restarts: 0,
            tool_connections: 0,
        }
    }
}

impl World {
    /// Takes note that a hardserver serves from now on.
    pub fn hardserver_started(&mut self, pid: u32, process_start: u64) {
        if self.hardserver_runs() {
            self.hardserver_ended(Down::Died);
        }
        let first = !self.hardserver.ever_ran;
        let timing = &self.knobs.timing;
        let connected_at = self.now + self.knobs.scaled(timing.connect);
        let clients_back_at = self.now + self.knobs.scaled(timing.clients_reconnect);
        self.hardserver = Hardserver {
            run: Run::Up(Instance {
                pid,
                process_start,
                since: self.now,
                clients_back_at: if first { self.now } else { clients_back_at },
            }),
            ever_ran: true,
            ..Hardserver::never_started()
        };
        self.record(None, EventKind::HardserverStarted { pid });
        if first {
            self.connect_all_with_keys();
        } else {
            for module in &mut self.modules {
                module.link = Link::Connecting {
                    until: connected_at,
                };
            }
            self.play_start_tricks();
        }
    }

    /// Takes note that the hardserver is gone: every client is cut and every key lost.
    pub fn hardserver_ended(&mut self, how: Down) {
        if !self.hardserver_runs() {
            return;
        }
        let count = self.connected_clients();
        let clean = how == Down::Stopped;
        self.record(None, EventKind::HardserverEnded { clean });
        if count > 0 {
            self.record(None, EventKind::Damage(Damage::ClientsCut { count }));
        }
        let now = self.now;
        for index in 0..self.modules.len() {
            self.lose_objects(index, "hardserver ended");
            if let Some(module) = self.modules.get_mut(index) {
                module.count(now);
                module.link = Link::None;
                module.device.session_alive = true;
            }
        }
        self.hardserver.run = Run::Down(how);
        self.hardserver.hung = false;
    }

    /// Takes note that a start failed.
    pub fn hardserver_start_failed(&mut self) {
        self.hardserver.run = Run::Down(Down::StartFailed);
        self.record(None, EventKind::HardserverStartFailed);
    }

    /// Lets the hardserver accept and never answer, until its process ends.
    pub fn hang_hardserver(&mut self) {
        self.hardserver.hung = true;
        self.record(None, EventKind::HardserverHung);
    }

    fn connect_all_with_keys(&mut self) {
        for index in 0..self.modules.len() {
            self.connect(index, "started");
            if let Some(module) = self.modules.get_mut(index) {
                module.counters.objects = module.counters.objects_wanted;
                module.counters.objects_created = module.counters.objects_wanted;
            }
        }
        self.settle_links();
    }

    fn play_start_tricks(&mut self) {
        if self.knobs.hardserver.permuting_starts > 0 {
            self.knobs.hardserver.permuting_starts -= 1;
            self.rotate_numbers();
        }
        if self.knobs.hardserver.breaking_starts > 0 {
            self.knobs.hardserver.breaking_starts -= 1;
            self.break_one_healthy_module();
        }
    }

    fn rotate_numbers(&mut self) {
        let mut numbers: Vec<u32> = self.modules.iter().map(|module| module.number).collect();
        numbers.rotate_left(1);
        for (module, number) in self.modules.iter_mut().zip(numbers) {
            module.number = number;
        }
        self.sort_modules();
        self.record(None, EventKind::ModulesRenumbered);
    }

    /// Lets one module that had no fault come back failed.
    fn break_one_healthy_module(&mut self) {
        let victim = self
            .modules
            .iter()
            .position(|module| module.fault.is_none());
        let Some(index) = victim else { return };
        if let Some(module) = self.modules.get_mut(index) {
            module.fault = Some(Fault::plain(Cure::Retry));
        }
        self.fail_link(index, "left behind by the restart");
        let cause = "left failed by a restart".to_owned();
        self.record(
            Some(index),
            EventKind::Damage(Damage::HealthyModuleDisturbed { cause }),
        );
    }
}
