//! What the site runs after a rung, to load keys again for example: `hooks` in `host.yaml`.
//!
//! A hook is started once the rung has worked, and at most once for an attempt. How it ends is
//! journalled and reported, and changes nothing about the attempt.

use nshield::runner::Invocation;

use super::config::{Hooks, HostConfig};
use super::journal::record::{Accepted, Hook, StepExit};
use super::journal::story::{HookStory, Section};
use super::section::SectionEnd;
use super::steps::Steps;

/// Names the attempt to a hook.
const ATTEMPT: &str = "VCM_ATTEMPT";

/// Names the module that was cleared to a hook.
const MODULE: &str = "VCM_MODULE";

/// Names the module's serial number to a hook, where it is known.
const ESN: &str = "VCM_ESN";

/// What is to be done about a hook. Pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// None is configured.
    Nothing,
    /// The rung did not work: there is nothing to run it for.
    Pointless,
    /// It was started before, and nobody saw its end.
    Interrupted,
    /// It was started before, and ended.
    Done,
    /// It is to be started.
    Start,
}

fn next(configured: bool, before: Option<&HookStory>, works: bool) -> Next {
    match before {
        Some(before) if before.finished.is_none() => Next::Interrupted,
        Some(_) => Next::Done,
        None if !configured => Next::Nothing,
        None if !works => Next::Pointless,
        None => Next::Start,
    }
}

/// Runs the hook that belongs behind a section, unless it was started `before`. Returns what came
/// of the section and of it, for people.
pub async fn after(
    config: &HostConfig,
    steps: &mut Steps<'_>,
    section: Section,
    accepted: &Accepted,
    before: Option<&HookStory>,
    end: SectionEnd,
) -> String {
    let (hook, command) = of(section, &config.hooks);
    let detail = end.detail;
    match (next(command.is_some(), before, end.works), command) {
        (Next::Start, Some(command)) => {
            let invocation = named(command.invocation(config.deadlines.hook), section, accepted);
            match steps.hook(hook, invocation).await {
                Ok(StepExit::Code(0)) => format!("{detail}; {hook} succeeded"),
                Ok(exit) => format!("{detail}; {hook} failed: {exit}"),
                Err(_) => format!("{detail}; {hook} was not run: it could not be journalled"),
            }
        }
        (Next::Pointless, _) => format!("{detail}; {hook} was not run"),
        (Next::Interrupted, _) => {
            format!("{detail}; {hook} was interrupted, and is not repeated")
        }
        (Next::Done | Next::Nothing | Next::Start, _) => detail,
    }
}

fn of(section: Section, hooks: &Hooks) -> (Hook, Option<&super::config::FixedCommand>) {
    match section {
        Section::Restart => (Hook::AfterRestart, hooks.after_restart.as_ref()),
        Section::Clear(_) => (Hook::AfterClear, hooks.after_clear.as_ref()),
    }
}

/// A restart is about every module, so that none is named: their numbers may just have changed.
fn named(invocation: Invocation, section: Section, accepted: &Accepted) -> Invocation {
    let invocation = invocation.with_env(ATTEMPT, accepted.attempt.to_string());
    let Section::Clear(module) = section else {
        return invocation;
    };
    let invocation = invocation.with_env(MODULE, module.to_string());
    match &accepted.esn {
        Some(esn) => invocation.with_env(ESN, esn.to_string()),
        None => invocation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::journal::story::Finished;
    use crate::host::kernel::Moment;

    #[test]
    fn is_started_once_and_only_behind_what_worked() {
        let at = || Moment {
            wall_ms: 0,
            boottime_ms: 0,
            boot_id: String::new(),
        };
        let before = |finished: bool| HookStory {
            hook: Hook::AfterClear,
            steps_before: 3,
            started: at(),
            process: None,
            finished: finished.then(|| Finished {
                at: at(),
                exit: StepExit::Code(1),
                output: String::new(),
            }),
        };
        let (open, ended) = (before(false), before(true));
        for (configured, before, works, expected) in [
            (false, None, true, Next::Nothing),
            (false, None, false, Next::Nothing),
            (true, None, false, Next::Pointless),
            (true, None, true, Next::Start),
            (true, Some(&open), true, Next::Interrupted),
            (true, Some(&open), false, Next::Interrupted),
            (true, Some(&ended), true, Next::Done),
            (true, Some(&ended), false, Next::Done),
            (false, Some(&ended), true, Next::Done),
        ] {
            assert_eq!(next(configured, before, works), expected);
        }
    }
}
