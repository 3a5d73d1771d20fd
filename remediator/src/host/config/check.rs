//! From [`raw`] to checked: every value, and all problems together.

mod modules;
mod values;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nshield::tools::{
    DEFAULT_ROOT, ENQUIRY_DEADLINE, ENQUIRY_SERVER_DEADLINE, Installation, STATTREE_DEADLINE,
};
use vcm_recovery::step::{CLEAR_WAIT_MIN, Platform};

use super::raw;
use super::{
    AfterRestart, Deadlines, Hooks, HostConfig, Launcher, Problem, StoppedOnPurpose, Tools,
};
use values::Check;

/// Default of `hold_file`.
const HOLD_FILE: &str = "/etc/vcm-remediator/hold";

/// Default of `pause_file`.
const PAUSE_FILE: &str = "/etc/vcm-remediator/pause";

/// Default of `tools.systemd_run`.
const SYSTEMD_RUN: &str = "/usr/bin/systemd-run";

/// Default of `tools.systemctl`.
const SYSTEMCTL: &str = "/usr/bin/systemctl";

/// Default of `tools.net` on the simulator and on Windows.
const NET: &str = "bin/net";

/// Default of `deadlines.ping`.
const PING_DEADLINE: Duration = Duration::from_secs(5);

/// Default of `deadlines.probe`.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// Default of `deadlines.step`.
const STEP_DEADLINE: Duration = Duration::from_secs(120);

/// Default of `deadlines.hook`.
const HOOK_DEADLINE: Duration = Duration::from_secs(60);

/// Default of `deadlines.service_check`.
const SERVICE_CHECK_DEADLINE: Duration = Duration::from_secs(10);

/// Default of `stopped_on_purpose.host_up_min`.
const HOST_UP_MIN: Duration = Duration::from_secs(600);

/// Default of `after_restart.down_span`.
const DOWN_SPAN: Duration = Duration::from_secs(10);

/// Default of `after_restart.start_spacing`.
const START_SPACING: Duration = Duration::from_secs(30);

/// A deadline below makes every tool late; a step or a hook that takes longer than the upper one has
/// been paged for long since.
const DEADLINE_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// What is part of every observation. The remediator ends one that takes 60 s, and what that one has
/// started lives on: each is ended here before that.
const LOOK_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(50);

/// It follows `enquiry` in an observation of a hardserver that is down, and is asked of sudo for each
/// command while evidence grows old.
const PROBE_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(20);

/// The five echoes alone take 0.8 s.
const PING_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);

/// Longer than this between `-M` and `-c` and a person would rather do it.
const CLEAR_WAIT_RANGE: RangeInclusive<Duration> = CLEAR_WAIT_MIN..=Duration::from_secs(600);

/// Below the defaults is for test estates.
const AFTER_RESTART_RANGE: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(600);

/// Zero switches the sign off.
const HOST_UP_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

const STOPPED_WORDS: [&str; 1] = ["inactive"];
const DIED_WORDS: [&str; 2] = ["failed", "active"];
const PACKAGE_MANAGER_LOCKS: [&str; 5] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/usr/lib/sysimage/rpm/.rpm.lock",
    "/var/lib/rpm/.rpm.lock",
];

/// Checks everything.
pub(super) fn checked(raw: raw::HostConfig) -> Result<HostConfig, Vec<Problem>> {
    let mut check = Check::default();
    let root = check.path("nfast_root", raw.nfast_root, || PathBuf::from(DEFAULT_ROOT));
    let state_dir = match raw.state_dir {
        Some(text) => check.path("state_dir", Some(text), PathBuf::new),
        None => check.missing("state_dir"),
    };
    let config = HostConfig {
        state_dir,
        tools: check.tools(raw.tools, &root),
        nfast_root: root,
        platform: check.word("platform", raw.platform, &PLATFORMS, Platform::Linux),
        max_tier: check.tier("max_tier", raw.max_tier),
        hold_file: check.path("hold_file", raw.hold_file, || PathBuf::from(HOLD_FILE)),
        pause_file: check.path("pause_file", raw.pause_file, || PathBuf::from(PAUSE_FILE)),
        launcher: check.word("launcher", raw.launcher, &LAUNCHERS, Launcher::Direct),
        clear_wait: check.duration(
            "clear_wait",
            raw.clear_wait,
            CLEAR_WAIT_MIN,
            CLEAR_WAIT_RANGE,
        ),
        deadlines: check.deadlines(raw.deadlines),
        stopped_on_purpose: check.stopped_on_purpose(raw.stopped_on_purpose),
        after_restart: check.after_restart(raw.after_restart),
        hooks: Hooks {
            after_restart: check.command("hooks.after_restart", raw.hooks.after_restart),
            after_clear: check.command("hooks.after_clear", raw.hooks.after_clear),
        },
        service_check: check.command("service_check", raw.service_check),
        modules: check.modules(raw.modules),
    };
    if check.problems.is_empty() {
        Ok(config)
    } else {
        Err(check.problems)
    }
}

const LAUNCHERS: [(&str, Launcher); 2] =
    [("direct", Launcher::Direct), ("systemd", Launcher::Systemd)];
const PLATFORMS: [(&str, Platform); 2] =
    [("linux", Platform::Linux), ("windows", Platform::Windows)];

impl Check {
    fn tools(&mut self, raw: raw::Tools, root: &Path) -> Tools {
        let there = Installation::at(root);
        if let Some(program) = raw.sudo_prefix.first()
            && !Path::new(program).is_absolute()
        {
            self.problem(
                "tools.sudo_prefix[0]",
                format!("{program:?} is not an absolute path"),
            );
        }
        Tools {
            enquiry: self.path("tools.enquiry", raw.enquiry, || there.enquiry_path()),
            stattree: self.path("tools.stattree", raw.stattree, || there.stattree_path()),
            nopclearfail: self.path("tools.nopclearfail", raw.nopclearfail, || {
                there.nopclearfail_path()
            }),
            init_script: self.path("tools.init_script", raw.init_script, || {
                there.init_script_path()
            }),
            net: self.path("tools.net", raw.net, || root.join(NET)),
            systemd_run: self.path("tools.systemd_run", raw.systemd_run, || {
                PathBuf::from(SYSTEMD_RUN)
            }),
            systemctl: self.path("tools.systemctl", raw.systemctl, || {
                PathBuf::from(SYSTEMCTL)
            }),
            sudo_prefix: raw.sudo_prefix,
        }
    }

    fn deadlines(&mut self, raw: raw::Deadlines) -> Deadlines {
        let mut deadline = |key, text, default, range| self.duration(key, text, default, range);
        Deadlines {
            enquiry: deadline(
                "deadlines.enquiry",
                raw.enquiry,
                ENQUIRY_DEADLINE,
                LOOK_RANGE,
            ),
            enquiry_server: deadline(
                "deadlines.enquiry_server",
                raw.enquiry_server,
                ENQUIRY_SERVER_DEADLINE,
                LOOK_RANGE,
            ),
            stattree: deadline(
                "deadlines.stattree",
                raw.stattree,
                STATTREE_DEADLINE,
                LOOK_RANGE,
            ),
            probe: deadline("deadlines.probe", raw.probe, PROBE_DEADLINE, PROBE_RANGE),
            step: deadline("deadlines.step", raw.step, STEP_DEADLINE, DEADLINE_RANGE),
            hook: deadline("deadlines.hook", raw.hook, HOOK_DEADLINE, DEADLINE_RANGE),
            ping: deadline("deadlines.ping", raw.ping, PING_DEADLINE, PING_RANGE),
            service_check: deadline(
                "deadlines.service_check",
                raw.service_check,
                SERVICE_CHECK_DEADLINE,
                LOOK_RANGE,
            ),
        }
    }

    fn stopped_on_purpose(&mut self, raw: raw::StoppedOnPurpose) -> StoppedOnPurpose {
        let words = |given: Option<Vec<String>>, default: &[&str]| {
            given.unwrap_or_else(|| default.iter().map(|&word| word.to_owned()).collect())
        };
        let locks = words(raw.package_manager_locks, &PACKAGE_MANAGER_LOCKS);
        for (index, path) in locks.iter().enumerate() {
            if !Path::new(path).is_absolute() {
                let key = format!("stopped_on_purpose.package_manager_locks[{index}]");
                self.problem(key, format!("{path:?} is not an absolute path"));
            }
        }
        let stopped_words = words(raw.stopped_words, &STOPPED_WORDS);
        let died_words = words(raw.died_words, &DIED_WORDS);
        for word in stopped_words
            .iter()
            .filter(|word| died_words.contains(word))
        {
            let message = format!("{word:?} stands in stopped_words too");
            self.problem("stopped_on_purpose.died_words", message);
        }
        StoppedOnPurpose {
            unit_state: self.command("stopped_on_purpose.unit_state", raw.unit_state),
            stopped_words,
            died_words,
            package_manager_locks: locks.into_iter().map(PathBuf::from).collect(),
            host_up_min: self.duration(
                "stopped_on_purpose.host_up_min",
                raw.host_up_min,
                HOST_UP_MIN,
                HOST_UP_RANGE,
            ),
        }
    }

    fn after_restart(&mut self, raw: raw::AfterRestart) -> AfterRestart {
        let mut span = |key, text, default| self.duration(key, text, default, AFTER_RESTART_RANGE);
        AfterRestart {
            down_span: span("after_restart.down_span", raw.down_span, DOWN_SPAN),
            start_spacing: span(
                "after_restart.start_spacing",
                raw.start_spacing,
                START_SPACING,
            ),
        }
    }
}
