//! Whether every command of a plan could be started: asked before the first one is, so that a clear
//! never stands between `-M` and a `-c` that is not permitted.

use std::ffi::OsString;
use std::path::Path;

use nshield::runner::{self, Invocation};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use vcm_recovery::step::Step;

use super::config::HostConfig;

/// The reason why a command of the plan cannot be started; `None` if all can, as far as it can be
/// told without starting them.
pub async fn hindrance(config: &HostConfig, plan: &[Step]) -> Option<String> {
    for (program, arguments) in plan.iter().filter_map(|step| step.command()) {
        let program = config.tools.path(program);
        let hindrance = match config.tools.sudo_prefix.split_first() {
            None => not_executable(program),
            Some((sudo, options)) => match not_executable(Path::new(sudo)) {
                None => denied(config, sudo, options, program, &arguments).await,
                hindrance => hindrance,
            },
        };
        if hindrance.is_some() {
            return hindrance;
        }
    }
    None
}

fn not_executable(program: &Path) -> Option<String> {
    if !program.is_file() {
        return Some(format!("{} is not a file", program.display()));
    }
    accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS)
        .err()
        .map(|error| format!("{} may not be executed: {error}", program.display()))
}

/// `sudo -n -l <command>` succeeds if that very command is permitted, and runs nothing.
async fn denied(
    config: &HostConfig,
    sudo: &str,
    options: &[String],
    program: &Path,
    arguments: &[String],
) -> Option<String> {
    let list = [OsString::from("-l"), program.as_os_str().to_owned()];
    let vector = options
        .iter()
        .map(OsString::from)
        .chain(list)
        .chain(arguments.iter().map(OsString::from));
    let permitted = runner::run(Invocation::new(sudo, vector, config.deadlines.probe))
        .await
        .is_ok_and(|run| run.succeeded());
    (!permitted).then(|| {
        format!(
            "{sudo} does not permit {} {}",
            program.display(),
            arguments.join(" ")
        )
    })
}
