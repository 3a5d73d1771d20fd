//! What `nopclearfail` commands do to a module, including what they destroy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cure, Damage, EventKind, Fault, Link, Mode, Reset, World};
use crate::sim::{
    clock::{At, millis},
    knobs::RetryOnHealthy,
};

/// A command of `nopclearfail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// `-r`.
    Retry,
    /// `-c`.
    Clear,
    /// `-F`.
    Fail,
    /// `-n`.
    NoOp,
    /// `-O`.
    Operational,
    /// `-I`.
    Initialization,
    /// `-M`.
    Maintenance,
}

impl Command {
    /// The command's name as the tool prints it.
    #[must_use]
    pub fn core_name(self) -> &'static str {
        match self {
            Command::Retry => "RetryFailedModule",
            Command::Fail => "FailModule",
            Command::NoOp => "NoOp",
            Command::Clear
            | Command::Operational
            | Command::Initialization
            | Command::Maintenance => "ClearUnitEx",
        }
    }
}

/// A status as nCore names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Status(String);

impl Status {
    /// `OK`.
    #[must_use]
    pub fn ok() -> Self {
        Self("OK".to_owned())
    }

    /// Whether it is `OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.0 == "OK"
    }

    /// The status of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl World {
    /// Until when a command for this module, asked for at `asked_at`, is held; none: not at all.
    #[must_use]
    pub fn held_until(&self, number: u32, asked_at: At) -> Option<At> {
        if !self.knobs.modules.holds_tools {
            return None;
        }
        let block = self.knobs.scaled(self.knobs.timing.connect_command_block);
        let until = match self.module(number)?.link {
            Link::Silent { .. } => asked_at + block,
            Link::Failed { held_until, .. } => held_until,
            Link::None | Link::Connecting { .. } | Link::Up => return None,
        };
        (until > self.now).then_some(until)
    }

    /// Lets `command` take effect after a while, whatever its caller was told.
    pub fn command_later(&mut self, number: u32, command: Command, at: At) {
        if let Ok(index) = self.index_of(number)
            && let Some(module) = self.modules.get_mut(index)
        {
            module.device.late.push((at, command));
        }
    }

    /// Carries out a command and says how it went.
    pub fn command(&mut self, number: u32, command: Command) -> Status {
        let Ok(index) = self.index_of(number) else {
            return Status::named("InvalidModule");
        };
        let Some(module) = self.modules.get(index) else {
            return Status::named("InvalidModule");
        };
        if !self.hardserver_runs() {
            return Status::named("ServerConnectFailed");
        }
        let failed = matches!(module.link, Link::Failed { .. } | Link::Connecting { .. });
        let touches_module = command != Command::Retry || failed;
        if touches_module && !module.serves() {
            return Status::named("NetworkError");
        }
        match command {
            Command::Retry if failed => self.retry_failed(index),
            Command::Retry => self.retry_healthy(index),
            Command::NoOp => self.no_op(index),
            Command::Fail => self.fail_on_request(index),
            Command::Maintenance => self.change_mode(index, Mode::Maintenance),
            Command::Initialization => self.change_mode(index, Mode::Initialization),
            Command::Clear => self.clear(index),
            Command::Operational => self.begin_reset(index, Mode::Operational, true, "-O"),
        }
    }

    fn retry_failed(&mut self, index: usize) -> Status {
        let now = self.now;
        let default = self.knobs.timing.retry;
        let loses_keys = self.knobs.modules.retry_loses_keys;
        let Some(module) = self.modules.get_mut(index) else {
            return Status::ok();
        };
        match &mut module.fault {
            Some(fault) if fault.cure == Cure::Retry && fault.recovers_at.is_none() => {
                fault.retries = fault.retries.saturating_sub(1);
                if fault.retries == 0 {
                    let after = fault.heal_after.unwrap_or(default);
                    fault.recovers_at = Some(now + self.knobs.scaled(after));
                }
            }
            Some(_) => {}
            None => {
                module.device.session_alive &= !loses_keys;
                self.connect(index, "retry");
                return Status::ok();
            }
        }
        if loses_keys {
            self.lose_objects(index, "retry during resumption");
        }
        Status::ok()
    }

    fn retry_healthy(&mut self, index: usize) -> Status {
        match self.knobs.modules.retry_on_healthy {
            RetryOnHealthy::InvalidState => Status::named("InvalidState"),
            RetryOnHealthy::Ok => Status::ok(),
            RetryOnHealthy::LosesKeys => {
                self.lose_objects(index, "retry of a healthy module");
                self.want_keys(index);
                Status::ok()
            }
        }
    }

    fn no_op(&self, index: usize) -> Status {
        let healthy = self.modules.get(index).is_some_and(|module| {
            matches!(module.link, Link::Up) && module.device.usable && module.device.reset.is_none()
        });
        if healthy {
            Status::ok()
        } else {
            Status::named("HardwareFailed")
        }
    }

    fn fail_on_request(&mut self, index: usize) -> Status {
        self.note_disturbance(index, "-F");
        self.lose_objects(index, "-F");
        if let Some(module) = self.modules.get_mut(index) {
            module.fault = Some(Fault::plain(Cure::Clear));
        }
        self.fail_link(index, "-F");
        Status::ok()
    }

    fn change_mode(&mut self, index: usize, mode: Mode) -> Status {
        let now = self.now;
        let cause = if mode == Mode::Maintenance {
            "-M"
        } else {
            "-I"
        };
        let status = self.begin_reset(index, mode, false, cause);
        if mode == Mode::Maintenance
            && let Some(module) = self.modules.get_mut(index)
        {
            module.device.maintenance_at = Some(now);
        }
        status
    }

    fn clear(&mut self, index: usize) -> Status {
        let needed = self.knobs.scaled(self.knobs.timing.clear_wait);
        let now = self.now;
        let begun = self
            .modules
            .get(index)
            .and_then(|module| module.device.maintenance_at);
        let Some(begun) = begun else {
            return self.begin_reset(index, Mode::Operational, false, "-c");
        };
        let waited = now.since(begun);
        if waited < needed {
            let damage = Damage::ClearTooEarly {
                waited_ms: millis(waited),
                needed_ms: millis(needed),
            };
            self.record(Some(index), EventKind::Damage(damage));
            return Status::ok();
        }
        self.begin_reset(index, Mode::Operational, true, "-c")
    }

    fn begin_reset(&mut self, index: usize, mode: Mode, cures: bool, cause: &str) -> Status {
        let timing = &self.knobs.timing;
        let takes = if mode == Mode::Operational {
            timing.clear
        } else {
            timing.mode_change
        };
        let until = self.now + self.knobs.scaled(takes);
        self.note_disturbance(index, cause);
        self.lose_objects(index, cause);
        let now = self.now;
        if let Some(module) = self.modules.get_mut(index) {
            module.count(now);
            module.device.reset = Some(Reset { until, mode, cures });
        }
        Status::ok()
    }

    pub(super) fn note_disturbance(&mut self, index: usize, cause: &str) {
        if self.modules.get(index).is_some_and(super::Module::healthy) {
            let cause = cause.to_owned();
            self.record(
                Some(index),
                EventKind::Damage(Damage::HealthyModuleDisturbed { cause }),
            );
        }
    }
}
