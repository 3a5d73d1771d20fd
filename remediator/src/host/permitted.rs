//! Whether every command of a plan could be started: asked before the first one is, so that a clear
//! never stands between `-M` and a `-c` that is not permitted, and a restart never between the stop
//! of a hardserver and a start.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use nshield::runner::{self, Invocation};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use vcm_recovery::step::Step;

use super::after_restart::additional_start;
use super::config::HostConfig;
use super::journal::record::shown;

/// The reason why a command of the plan, or one that may have to follow it, cannot be started; `None`
/// if all can, as far as it can be told without starting them.
pub async fn hindrance(config: &HostConfig, plan: &[Step]) -> Option<String> {
    let stops = |step: &Step| matches!(step, Step::RestartHardserver | Step::StopService);
    let start = additional_start(config.platform);
    let additional = plan.iter().any(stops) && !plan.contains(&start);
    for step in plan.iter().copied().chain(additional.then_some(start)) {
        if let Some(hindrance) = of_step(config, step).await {
            return Some(hindrance);
        }
    }
    unseen(config).or(password(config).await)
}

/// The reason why a command of another user could not be seen to live: with a `/proc` that hides the
/// processes of others, sudo would look dead while its command runs, and another one could be started
/// beside it.
#[must_use]
pub fn unseen(config: &HostConfig) -> Option<String> {
    Sudo::of(config)?;
    // The first process is root's, as sudo's are.
    let hidden = fs::read_to_string("/proc/1/stat").is_err();
    hidden.then(|| {
        "/proc hides the processes of others, so that one that still runs looks dead".to_owned()
    })
}

/// The reason why the command of a step cannot be started, apart from a [`password`].
pub async fn of_step(config: &HostConfig, step: Step) -> Option<String> {
    let (program, arguments) = step.command()?;
    let program = config.tools.path(program);
    let Some(sudo) = Sudo::of(config) else {
        return not_executable(program);
    };
    if let Some(hindrance) = not_executable(sudo.program) {
        return Some(hindrance);
    }
    let command = [OsString::from("-l"), program.as_os_str().to_owned()];
    let words = command
        .into_iter()
        .chain(arguments.into_iter().map(Into::into));
    let permitted = sudo.says_yes(words).await;
    (!permitted).then(|| format!("{} does not permit {}", sudo.program.display(), shown(step)))
}

/// The reason why sudo may ask for a password, which nobody is there to type. That a command is
/// listed as permitted does not say whether one is asked for; that sudo validates the user without
/// one says that no rule of the user asks for it (`verifypw`, sudoers(5)).
pub async fn password(config: &HostConfig) -> Option<String> {
    let sudo = Sudo::of(config)?;
    let without = sudo.says_yes(["-v".into()]).await;
    (!without).then(|| {
        format!(
            "{} may ask for a password: every rule of this user must say NOPASSWD",
            sudo.program.display()
        )
    })
}

/// Why a program cannot be executed by this process; `None` if it can.
#[must_use]
pub fn not_executable(program: &Path) -> Option<String> {
    if !program.is_file() {
        return Some(format!("{} is not a file", program.display()));
    }
    accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS)
        .err()
        .map(|error| format!("{} may not be executed: {error}", program.display()))
}

/// The prefix of the commands that change something.
struct Sudo<'a> {
    config: &'a HostConfig,
    program: &'a Path,
    options: &'a [String],
}

impl<'a> Sudo<'a> {
    fn of(config: &'a HostConfig) -> Option<Self> {
        let (program, options) = config.tools.sudo_prefix.split_first()?;
        let program = Path::new(program);
        Some(Self {
            config,
            program,
            options,
        })
    }

    /// Asks a question that runs nothing.
    async fn says_yes(&self, question: impl IntoIterator<Item = OsString>) -> bool {
        let options = self.options.iter().map(OsString::from);
        let vector = options.chain(question);
        let deadline = self.config.deadlines.probe;
        runner::run(Invocation::new(self.program, vector, deadline))
            .await
            .is_ok_and(|run| run.succeeded())
    }
}
