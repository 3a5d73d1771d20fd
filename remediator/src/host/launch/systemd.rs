//! The launcher that has the system's service manager start the detached process.
//!
//! A transient unit has a control group of its own, and nothing of the caller's sandbox. What the
//! process leaves behind, which is the hardserver where the vendor's script starts it itself, stays
//! in that unit and is not ended with it.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::time::Duration;

use nshield::runner::{self, Ending, Exit, Invocation};
use tokio::time::sleep;
use vcm_recovery::ids::AttemptId;

use super::{Launch, LaunchError, Purpose};
use crate::host::config::HostConfig;
use crate::host::kernel;

/// There while the system's service manager is systemd: `sd_booted(3)`.
pub const MANAGER_DIRECTORY: &str = "/run/systemd/system";

/// How long the service manager may take to start a process.
const START_DEADLINE: Duration = Duration::from_secs(15);

/// How often the service manager is asked whether the process still runs, until it has connected to
/// the socket for its answer. That is the first thing it does, so that mostly nobody is asked; from
/// then on its end shows there.
const GONE_POLL: Duration = Duration::from_secs(3);

/// What `systemctl is-active` prints of a unit without a process, also of one that is forgotten.
/// A unit that is being stopped may still have its process.
const GONE_WORDS: [&str; 2] = ["inactive", "failed"];

/// The most that `systemd-run` may print, in bytes.
const SAID_MAX: usize = 16 << 10;

/// The most of it that is shown, in characters.
const SAID_SHOWN: usize = 300;

/// How long a shutdown waits for an attempt: a whole clear takes the 30 s between its commands and
/// two of them, a restart up to three starts. What is cut all the same is finished at boot.
const STOP_TIME: Duration = Duration::from_secs(300);

/// A unit that was started.
pub(super) struct Unit<'a> {
    config: &'a HostConfig,
    name: String,
}

impl Unit<'_> {
    /// Comes back when its process has ended, and not at all where that cannot be asked: that
    /// nobody answers proves nothing by itself.
    pub(super) async fn gone(&self) {
        loop {
            sleep(GONE_POLL).await;
            if self.is_gone().await {
                return;
            }
        }
    }

    async fn is_gone(&self) -> bool {
        let arguments = ["is-active", self.name.as_str()];
        let deadline = self.config.deadlines.probe;
        let invocation = Invocation::new(&self.config.tools.systemctl, arguments, deadline)
            .with_output_limit(SAID_MAX);
        match runner::run(invocation).await {
            Ok(run) => match run.ending {
                Ending::Exited(Exit::Code(_)) => says_gone(&run.stdout),
                Ending::Exited(_) | Ending::TimedOut(_) | Ending::OutputLimit(_) => false,
            },
            Err(error) => {
                tracing::warn!(%error, "cannot ask whether the unit still runs");
                false
            }
        }
    }
}

fn says_gone(said: &[u8]) -> bool {
    let said = String::from_utf8_lossy(said);
    GONE_WORDS.contains(&said.trim())
}

/// Has the process started.
pub(super) async fn start<'a>(
    config: &'a HostConfig,
    launch: Launch,
    answer_to: &Path,
    log: &Path,
) -> Result<Unit<'a>, LaunchError> {
    let name = unit_name(launch.purpose, launch.attempt, kernel::boottime_ms());
    let program = std::env::current_exe().map_err(LaunchError::Start)?;
    let mut command = vec![program.into_os_string(), "host".into()];
    command.extend(launch.arguments);
    command.extend(["--answer-to".into(), answer_to.into()]);
    let vector = vector(&name, log, command).map_err(LaunchError::Start)?;
    let invocation = Invocation::new(&config.tools.systemd_run, vector, START_DEADLINE)
        .with_output_limit(SAID_MAX);
    let run = runner::run(invocation)
        .await
        .map_err(LaunchError::SystemdRun)?;
    if run.succeeded() {
        return Ok(Unit { config, name });
    }
    let text = String::from_utf8_lossy(&run.stderr);
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let text: String = visible.take(SAID_SHOWN).collect();
    let said = format!("{:?}: {}", run.ending, text.trim());
    Err(LaunchError::Manager { said })
}

/// The name of the unit. An attempt runs once, and its unit has one name; what finishes its section
/// may be started again and again, while a hardserver that was started by an earlier one still
/// lives in that one's unit.
#[must_use]
pub fn unit_name(purpose: Purpose, attempt: AttemptId, boottime_ms: u64) -> String {
    match purpose {
        Purpose::Run => format!("vcm-attempt-{attempt}"),
        Purpose::Resume => format!("vcm-resume-{attempt}-{boottime_ms}"),
    }
}

/// The arguments of `systemd-run`.
fn vector(unit: &str, log: &Path, command: Vec<OsString>) -> io::Result<Vec<OsString>> {
    let log = log
        .to_str()
        .ok_or_else(|| io::Error::other("the path of the log is not UTF-8"))?;
    let options = [
        // Forgotten when it has ended, also when it failed.
        "--collect".to_owned(),
        "--quiet".to_owned(),
        "--no-ask-password".to_owned(),
        format!("--unit={unit}"),
        "--description=Recovery of an nShield module".to_owned(),
        // Started means that the program runs, not only that a process was forked for it.
        "--service-type=exec".to_owned(),
        // A hardserver that was started by it lives on.
        "--property=KillMode=process".to_owned(),
        format!("--property=TimeoutStopSec={}", STOP_TIME.as_secs()),
        // A command that is ended for want of memory does not end what has to follow it.
        "--property=OOMPolicy=continue".to_owned(),
        "--property=StandardInput=null".to_owned(),
        "--property=StandardOutput=null".to_owned(),
        format!("--property=StandardError=append:{log}"),
        "--setenv=LC_ALL=C".to_owned(),
        "--".to_owned(),
    ];
    let options = options.into_iter().map(OsString::from);
    let mut command = command.into_iter();
    let program = command.next();
    Ok(options.chain(program).chain(command.map(escaped)).collect())
}

/// The service manager expands variables in arguments, but not in the path of the program.
fn escaped(word: OsString) -> OsString {
    let bytes = word.as_bytes().iter();
    let doubled = bytes.flat_map(|&byte| std::iter::repeat_n(byte, 1 + usize::from(byte == b'$')));
    OsString::from_vec(doubled.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_these() {
        let words = [
            "/usr/bin/vcm-remediator",
            "host",
            "run-detached",
            "--config.file",
            "/etc/$a",
        ];
        let command = words.map(OsString::from).to_vec();
        let unit = unit_name(Purpose::Run, AttemptId::from_bits(42), 7);
        let found = vector(&unit, Path::new("/var/lib/x/a.log"), command).unwrap();
        let expected = [
            "--collect",
            "--quiet",
            "--no-ask-password",
            "--unit=vcm-attempt-00000000-0000-0000-0000-00000000002a",
            "--description=Recovery of an nShield module",
            "--service-type=exec",
            "--property=KillMode=process",
            "--property=TimeoutStopSec=300",
            "--property=OOMPolicy=continue",
            "--property=StandardInput=null",
            "--property=StandardOutput=null",
            "--property=StandardError=append:/var/lib/x/a.log",
            "--setenv=LC_ALL=C",
            "--",
            "/usr/bin/vcm-remediator",
            "host",
            "run-detached",
            "--config.file",
            "/etc/$$a",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_a_unit_without_a_process_is_gone() {
        for (said, gone) in [
            ("inactive\n", true),
            ("failed\n", true),
            ("active\n", false),
            ("activating\n", false),
            ("deactivating\n", false),
            ("unknown\n", false),
            ("", false),
        ] {
            assert_eq!(says_gone(said.as_bytes()), gone, "{said:?}");
        }
    }

    #[test]
    fn an_attempt_has_one_unit_and_every_resume_another() {
        let attempt = AttemptId::from_bits(42);
        let name = |purpose, at| unit_name(purpose, attempt, at);
        assert_eq!(name(Purpose::Run, 1), name(Purpose::Run, 2));
        assert_ne!(name(Purpose::Resume, 1), name(Purpose::Resume, 2));
    }
}
