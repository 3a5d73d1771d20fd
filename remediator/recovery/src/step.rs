//! Steps as data: the plan that is shown, journalled and run is one value.
//!
//! `--all`, `-F`, `-I`, several modules and free text have no form in [`Step`], so they can never
//! reach a command line.

use std::time::Duration;

use nshield::ModuleNumber;
use serde::{Deserialize, Serialize};

use crate::tier::Rung;

/// The vendor's wait between `-M` and `-c` (recovery page, "WAIT for 30 seconds"). Configuration
/// can raise it, never lower it.
pub const CLEAR_WAIT_MIN: Duration = Duration::from_secs(30);

/// The operating system of a host: decides how the hardserver is restarted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// `init.d-ncipher`.
    #[default]
    Linux,
    /// `net stop|start "nfast server"`. Never run on a real Windows host.
    Windows,
}

/// What a rung acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hardserver {
    /// It answers: a restart is `restart`.
    Running,
    /// It is proven down: a restart is `start`.
    Down,
}

/// One step of a rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// `nopclearfail -m<N> -r`
    RetryModule(ModuleNumber),
    /// `nopclearfail -m<N> -M`: the point of no return of a clear.
    EnterMaintenance(ModuleNumber),
    /// Waits this many milliseconds.
    Wait(u64),
    /// `nopclearfail -m<N> -c`
    ClearModule(ModuleNumber),
    /// `init.d-ncipher restart`
    RestartHardserver,
    /// `init.d-ncipher start`
    StartHardserver,
    /// `net stop "nfast server"`
    StopService,
    /// `net start "nfast server"`
    StartService,
}

/// A program of the vendor's that a step runs; where it lies is the host's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// `bin/nopclearfail`
    Nopclearfail,
    /// `sbin/init.d-ncipher`
    InitScript,
    /// Windows' `net`
    Net,
}

impl Step {
    /// The program and its arguments; `None` for a wait.
    #[must_use]
    pub fn command(self) -> Option<(Program, Vec<String>)> {
        let module = |n: ModuleNumber, flag: &str| {
            Some((
                Program::Nopclearfail,
                vec![format!("-m{n}"), flag.to_owned()],
            ))
        };
        let service = |verb: &str| {
            Some((
                Program::Net,
                vec![verb.to_owned(), "nfast server".to_owned()],
            ))
        };
        match self {
            Self::RetryModule(n) => module(n, "-r"),
            Self::EnterMaintenance(n) => module(n, "-M"),
            Self::ClearModule(n) => module(n, "-c"),
            Self::RestartHardserver => Some((Program::InitScript, vec!["restart".to_owned()])),
            Self::StartHardserver => Some((Program::InitScript, vec!["start".to_owned()])),
            Self::StopService => service("stop"),
            Self::StartService => service("start"),
            Self::Wait(_) => None,
        }
    }
}

impl Rung {
    /// The steps of this rung, in order.
    ///
    /// `module` is the failed module (a restart does not use it); `clear_wait` below
    /// [`CLEAR_WAIT_MIN`] counts as that. Returns nothing when a module rung is given no module.
    #[must_use]
    pub fn steps(
        self,
        platform: Platform,
        module: Option<ModuleNumber>,
        hardserver: Hardserver,
        clear_wait: Duration,
    ) -> Vec<Step> {
        match (self, module) {
            (Self::Retry, Some(n)) => vec![Step::RetryModule(n)],
            (Self::Clear, Some(n)) => {
                let wait = clear_wait.max(CLEAR_WAIT_MIN).as_millis();
                vec![
                    Step::EnterMaintenance(n),
                    Step::Wait(u64::try_from(wait).unwrap_or(u64::MAX)),
                    Step::ClearModule(n),
                ]
            }
            (Self::Restart, _) => match (platform, hardserver) {
                (Platform::Linux, Hardserver::Running) => vec![Step::RestartHardserver],
                (Platform::Linux, Hardserver::Down) => vec![Step::StartHardserver],
                (Platform::Windows, Hardserver::Running) => {
                    vec![Step::StopService, Step::StartService]
                }
                (Platform::Windows, Hardserver::Down) => vec![Step::StartService],
            },
            (Self::Retry | Self::Clear, None) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rung: Rung, platform: Platform, hardserver: Hardserver) -> Vec<String> {
        let module = ModuleNumber::try_from(1).ok();
        rung.steps(platform, module, hardserver, Duration::ZERO)
            .into_iter()
            .map(|step| match step.command() {
                Some((program, arguments)) => format!("{program:?} {}", arguments.join(" ")),
                None => format!("{step:?}"),
            })
            .collect()
    }

    #[test]
    fn plans_are_the_vendors_commands_and_nothing_else() {
        use Hardserver::{Down, Running};
        use Platform::{Linux, Windows};
        let table: [(Rung, Platform, Hardserver, &[&str]); 6] = [
            (Rung::Retry, Linux, Running, &["Nopclearfail -m1 -r"]),
            (Rung::Restart, Linux, Running, &["InitScript restart"]),
            (Rung::Restart, Linux, Down, &["InitScript start"]),
            (
                Rung::Restart,
                Windows,
                Running,
                &["Net stop nfast server", "Net start nfast server"],
            ),
            (Rung::Restart, Windows, Down, &["Net start nfast server"]),
            (
                Rung::Clear,
                Linux,
                Running,
                &["Nopclearfail -m1 -M", "Wait(30000)", "Nopclearfail -m1 -c"],
            ),
        ];
        for (rung, platform, hardserver, expected) in table {
            assert_eq!(
                lines(rung, platform, hardserver),
                expected,
                "{rung} {platform:?}"
            );
        }
    }

    #[test]
    fn clear_wait_can_only_be_raised() {
        let module = ModuleNumber::try_from(7).ok();
        for (configured, waited) in [(0, 30_000), (29_999, 30_000), (45_000, 45_000)] {
            let steps = Rung::Clear.steps(
                Platform::Linux,
                module,
                Hardserver::Running,
                Duration::from_millis(configured),
            );
            assert_eq!(steps[1], Step::Wait(waited));
        }
    }

    #[test]
    fn module_rungs_without_a_module_have_no_steps() {
        for rung in [Rung::Retry, Rung::Clear] {
            assert!(
                rung.steps(Platform::Linux, None, Hardserver::Running, CLEAR_WAIT_MIN)
                    .is_empty()
            );
        }
    }
}
