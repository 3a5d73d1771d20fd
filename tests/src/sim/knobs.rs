//! Every property of the simulated estate that a test may turn.
//!
//! The same tree stands under `knobs:` in `estate.yaml`, in the state file, and behind
//! `nfast-sim ctl set PATH=VALUE` (`ctl set timing.hsm_boot=20s`, `ctl set lies.retry.hang=true`).
//! What nobody knows about the real tools is a knob here and never a constant elsewhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::span::Span;

mod lies;
mod text;

pub use lies::{Death, Lie, Lies};
pub use text::{FailedModuleStatistics, FailedText, HardwareStatus, TextKnobs};

/// The whole tree of knobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// How many times faster than the clock the model's times pass; divides every field of
    /// `timing`. Lies (which are about the caller's patience) are not scaled.
    pub time_scale: f64,
    /// The model's times.
    pub timing: Timing,
    /// How modules react.
    pub modules: ModuleKnobs,
    /// How the hardserver and its start script react.
    pub hardserver: HardserverKnobs,
    /// How the tools print what is true.
    pub text: TextKnobs,
    /// How each call misbehaves.
    pub lies: Lies,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            time_scale: 1.0,
            timing: Timing::default(),
            modules: ModuleKnobs::default(),
            hardserver: HardserverKnobs::default(),
            text: TextKnobs::default(),
            lies: Lies::default(),
        }
    }
}

/// The model's times, before division by `time_scale`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// Unresponsive time before a connection counts as broken (vendor default 90 s).
    pub connect_broken: Span,
    /// How long commands wait for a module that just failed (vendor default 35 s).
    pub connect_command_block: Span,
    /// Wait between the hardserver's own attempts to reconnect (vendor default 10 s).
    pub connect_retry: Span,
    /// How long a lost session can resume with its keys (vendor default 1,800 s).
    pub resumption_window: Span,
    /// From hardserver start until its modules are connected.
    pub connect: Span,
    /// From a reboot of the HSM until it runs again.
    pub hsm_boot: Span,
    /// From the HSM running until its VCM serves.
    pub vcm_boot: Span,
    /// From a successful `-r` until the module is operational.
    pub retry: Span,
    /// From `-M` until the module shows maintenance.
    pub mode_change: Span,
    /// The shortest time from `-M` to a `-c` that works (vendor page: 30 s).
    pub clear_wait: Span,
    /// From a `-c` that works until the module is operational.
    pub clear: Span,
    /// From the start of the hardserver's process until it listens.
    pub hardserver_start: Span,
    /// From a hardserver's start until applications are connected again.
    pub clients_reconnect: Span,
    /// From a module coming back without keys until applications have reloaded them; absent:
    /// never by themselves (`ctl reload-keys` does it).
    pub keys_reload: Option<Span>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect_broken: Span::seconds(90),
            connect_command_block: Span::seconds(35),
            connect_retry: Span::seconds(10),
            resumption_window: Span::seconds(1_800),
            connect: Span::seconds(2),
            hsm_boot: Span::seconds(180),
            vcm_boot: Span::seconds(60),
            retry: Span::seconds(3),
            mode_change: Span::seconds(2),
            clear_wait: Span::seconds(30),
            clear: Span::seconds(5),
            hardserver_start: Span::millis(200),
            clients_reconnect: Span::seconds(5),
            keys_reload: None,
        }
    }
}

/// How modules and the hardserver's connections to them react.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModuleKnobs {
    /// Whether the hardserver reconnects lost modules by itself.
    pub reconnects_by_itself: bool,
    /// Whether `-r` during resumption opens a new session and so loses the keys.
    pub retry_loses_keys: bool,
    /// What `-r` does to a module that is not failed.
    pub retry_on_healthy: RetryOnHealthy,
    /// What a module needs after its HSM rebooted.
    pub after_reboot: AfterReboot,
    /// Whether the VCM answers ping as soon as the HSM runs, before it serves.
    pub ping_during_boot: bool,
    /// Whether tools are held while the hardserver waits for a silent module.
    pub holds_tools: bool,
}

impl Default for ModuleKnobs {
    fn default() -> Self {
        Self {
            reconnects_by_itself: true,
            retry_loses_keys: false,
            retry_on_healthy: RetryOnHealthy::InvalidState,
            after_reboot: AfterReboot::Retry,
            ping_during_boot: false,
            holds_tools: true,
        }
    }
}

/// What `-r` does to a module that is not failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryOnHealthy {
    /// Nothing, and says `InvalidState`.
    InvalidState,
    /// Nothing, and says `OK`.
    Ok,
    /// Opens a new session: the loaded keys are lost.
    LosesKeys,
}

/// What a module needs after its HSM rebooted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterReboot {
    /// The hardserver's own reconnection is enough.
    Nothing,
    /// A retry.
    Retry,
    /// A restart of the hardserver.
    Restart,
    /// A clear.
    Clear,
}

/// How the hardserver and what starts it react.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HardserverKnobs {
    /// Whether the caller's connection is privileged, as group nfast or root would be.
    pub privileged: bool,
    /// Whether the sockets refuse ordinary users (and the tools print EACCES even for root).
    pub refuses_permission: bool,
    /// Whether a crash leaves no socket file behind, in place of a stale one.
    pub crash_removes_socket: bool,
    /// Whether `stop` leaves the socket file behind.
    pub stop_leaves_socket: bool,
    /// How many further starts end without a hardserver.
    pub failing_starts: u32,
    /// Whether a start that fails says so by its exit code.
    pub failing_start_exits_zero: bool,
    /// How many further restarts are cut off between stop and start.
    pub cut_restarts: u32,
    /// How many further starts permute the module numbers.
    pub permuting_starts: u32,
    /// How many further starts leave one healthy module failed (curable by retry).
    pub breaking_starts: u32,
    /// `bin/sudo` denies every command line that contains one of these.
    pub sudo_denies: Vec<String>,
    /// Whether `net stop` finds a dependent service and asks, as a Windows service manager does.
    pub windows_dependant: bool,
}

impl Default for HardserverKnobs {
    fn default() -> Self {
        Self {
            privileged: true,
            refuses_permission: false,
            crash_removes_socket: false,
            stop_leaves_socket: false,
            failing_starts: 0,
            failing_start_exits_zero: false,
            cut_restarts: 0,
            permuting_starts: 0,
            breaking_starts: 0,
            sudo_denies: Vec::new(),
            windows_dependant: false,
        }
    }
}

/// What simulator.md names and this simulator does not do. Asking for it is an error.
pub const NOT_SIMULATED: &[(&str, &str)] = &[
    (
        "owner",
        "a tool that runs as another user: start the lab's programs as a user other than root and the tools through sudo",
    ),
    (
        "icmp_loss",
        "partial loss and router answers are real packets: the lab's network namespaces make them",
    ),
    (
        "clock_step",
        "a step of the host's clock is the lab's; `text.module_clock_offset_s` shifts the module's",
    ),
    (
        "full_disk",
        "a full disk is the lab's: give the program under test a small tmpfs",
    ),
    (
        "systemd",
        "whether init.d-ncipher hands over to systemd: the script starts the process itself",
    ),
];

/// Why a knob could not be set.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// No `=`.
    #[error("`{0}` is not of the form PATH=VALUE")]
    Form(String),
    /// The path leads nowhere.
    #[error("no knob `{path}`: under `{parent}` there are {known}")]
    Unknown {
        /// The path that was asked for.
        path: String,
        /// The deepest part of it that exists.
        parent: String,
        /// What that part holds.
        known: String,
    },
    /// A knob that simulator.md names and that is not done here.
    #[error("`{0}` is not simulated: {1}")]
    NotSimulated(String, &'static str),
    /// The value is none that this knob takes.
    #[error("`{path}` does not take this value")]
    Value {
        /// The knob.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The value parses but makes no sense.
    #[error(transparent)]
    Range(#[from] RangeError),
}

/// A knob outside its range.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    /// No usable factor.
    #[error("time_scale is {0}, and must lie between 0.01 and 100000")]
    TimeScale(f64),
    /// A lie that this kind of call cannot play.
    #[error("this kind of call cannot play {}", .0.join(", "))]
    Unplayable(Vec<String>),
}

impl Knobs {
    /// `span` as the model spends it.
    #[must_use]
    pub fn scaled(&self, span: Span) -> Duration {
        Duration::try_from_secs_f64(span.0.as_secs_f64() / self.time_scale).unwrap_or(Duration::MAX)
    }

    /// The knobs with one of them turned, as `PATH=VALUE` says.
    ///
    /// # Errors
    /// If there is no such knob, or it does not take that value.
    pub fn with(&self, assignment: &str) -> Result<Self, SetError> {
        let (path, text) = assignment
            .split_once('=')
            .ok_or_else(|| SetError::Form(assignment.to_owned()))?;
        let wrong = |source| SetError::Value {
            path: path.to_owned(),
            source,
        };
        let mut tree = serde_json::to_value(self).map_err(wrong)?;
        *slot(&mut tree, path)? =
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let knobs: Self = serde_json::from_value(tree).map_err(wrong)?;
        knobs.check()?;
        Ok(knobs)
    }

    /// Refuses knobs outside their range.
    ///
    /// # Errors
    /// If `time_scale` is not a usable factor, or a lie is none that its call can tell.
    pub fn check(&self) -> Result<(), RangeError> {
        if !(0.01..=100_000.0).contains(&self.time_scale) {
            return Err(RangeError::TimeScale(self.time_scale));
        }
        let unplayable = self.lies.unplayable();
        if unplayable.is_empty() {
            Ok(())
        } else {
            Err(RangeError::Unplayable(unplayable))
        }
    }
}

fn slot<'t>(tree: &'t mut Value, path: &str) -> Result<&'t mut Value, SetError> {
    if let Some((name, reason)) = NOT_SIMULATED.iter().find(|(name, _)| *name == path) {
        return Err(SetError::NotSimulated((*name).to_owned(), reason));
    }
    let mut place = tree;
    let mut parent = String::from("knobs");
    for key in path.split('.') {
        let known = match place.as_object() {
            Some(fields) => fields.keys().cloned().collect::<Vec<_>>().join(", "),
            None => "no further knobs".to_owned(),
        };
        let missing = || SetError::Unknown {
            path: path.to_owned(),
            parent: parent.clone(),
            known: known.clone(),
        };
        place = place.get_mut(key).ok_or_else(missing)?;
        parent = key.to_owned();
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_one_knob_and_leaves_the_rest() {
        let knobs = Knobs::default().with("timing.hsm_boot=20s").unwrap();
        assert_eq!(knobs.timing.hsm_boot, Span::seconds(20));
        assert_eq!(knobs.timing.vcm_boot, Timing::default().vcm_boot);
        assert!(
            Knobs::default()
                .with("lies.retry.hang=true")
                .unwrap()
                .lies
                .retry
                .hang
        );
    }

    #[test]
    fn refuses_what_it_does_not_know_or_cannot_do() {
        let refusal = |text: &str| Knobs::default().with(text).unwrap_err().to_string();
        assert!(refusal("timing.hsm_bot=20s").contains("hsm_boot"));
        assert!(refusal("timing.hsm_boot=soon").contains("does not take"));
        assert!(refusal("icmp_loss=0.3").contains("not simulated"));
        assert!(refusal("time_scale=0").contains("between"));
        assert!(refusal("hang").contains("PATH=VALUE"));
        assert!(refusal("lies.enquiry.no_effect=true").contains("cannot play"));
        assert!(refusal("lies.start.effect_after=3s").contains("cannot play"));
    }

    #[test]
    fn divides_model_times_by_the_time_scale() {
        let knobs = Knobs::default().with("time_scale=60").unwrap();
        assert_eq!(
            knobs.scaled(knobs.timing.connect_broken),
            Duration::from_millis(1_500)
        );
    }
}
