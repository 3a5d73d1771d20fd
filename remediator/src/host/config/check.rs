//! From [`raw`] to checked: every value, and all problems together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use nshield::tools::{
    DEFAULT_ROOT, ENQUIRY_DEADLINE, ENQUIRY_SERVER_DEADLINE, Installation, STATTREE_DEADLINE,
};
use nshield::{Esn, ModuleNumber};
use vcm_recovery::inventory::Kind;
use vcm_recovery::step::{CLEAR_WAIT_MIN, Platform};
use vcm_recovery::tier::Tier;

use super::raw;
use super::{
    AfterRestart, Deadlines, HostConfig, HostModule, Problem, Reachability, StoppedOnPurpose, Tools,
};

/// Default of `hold_file`.
const HOLD_FILE: &str = "/etc/vcm-remediator/hold";

/// Default of `tools.net` on the simulator and on Windows.
const NET: &str = "bin/net";

/// Default of `deadlines.ping`.
const PING_DEADLINE: Duration = Duration::from_secs(5);

/// Default of `deadlines.probe`.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// Default of `deadlines.step`.
const STEP_DEADLINE: Duration = Duration::from_secs(120);

/// Default of `stopped_on_purpose.host_up_min`.
const HOST_UP_MIN: Duration = Duration::from_secs(600);

/// Default of `after_restart.down_span`.
const DOWN_SPAN: Duration = Duration::from_secs(10);

/// Default of `after_restart.start_spacing`.
const START_SPACING: Duration = Duration::from_secs(30);

/// A deadline below makes every tool late, one above makes every observation stale.
const DEADLINE_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

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
        clear_wait: check.duration(
            "clear_wait",
            raw.clear_wait,
            CLEAR_WAIT_MIN,
            CLEAR_WAIT_RANGE,
        ),
        deadlines: check.deadlines(raw.deadlines),
        stopped_on_purpose: check.stopped_on_purpose(raw.stopped_on_purpose),
        after_restart: check.after_restart(raw.after_restart),
        modules: check.modules(raw.modules),
    };
    if check.problems.is_empty() {
        Ok(config)
    } else {
        Err(check.problems)
    }
}

const PLATFORMS: [(&str, Platform); 2] =
    [("linux", Platform::Linux), ("windows", Platform::Windows)];
const KINDS: [(&str, Kind); 3] = [
    ("vcm", Kind::Vcm),
    ("nethsm", Kind::Nethsm),
    ("pcie", Kind::Pcie),
];

/// Collects problems; a value that is wrong is replaced by its default and never used.
#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn problem(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            key: key.into(),
            message: message.into(),
        });
    }

    fn missing<T: Default>(&mut self, key: impl Into<String>) -> T {
        self.problem(key, "is missing");
        T::default()
    }

    fn path(
        &mut self,
        key: &str,
        text: Option<String>,
        default: impl FnOnce() -> PathBuf,
    ) -> PathBuf {
        let path = text.map_or_else(default, PathBuf::from);
        if !path.is_absolute() && !path.as_os_str().is_empty() {
            self.problem(key, format!("{path:?} is not an absolute path"));
        }
        if path.as_os_str().is_empty() {
            self.problem(key, "is empty");
        }
        path
    }

    fn word<T: Copy>(
        &mut self,
        key: &str,
        text: Option<String>,
        words: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(text) = text else { return default };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => *value,
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.problem(key, format!("{text:?} is none of {}", words.join(", ")));
                default
            }
        }
    }

    fn tier(&mut self, key: &str, text: Option<String>) -> Tier {
        let allowed = [Tier::Network, Tier::Retry, Tier::Restart, Tier::Clear];
        self.word(
            key,
            text,
            &allowed.map(|tier| (tier.as_str(), tier)),
            Tier::Retry,
        )
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, key: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    fn duration(
        &mut self,
        key: &str,
        text: Option<String>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = text else { return default };
        match humantime::parse_duration(&text) {
            Ok(value) if range.contains(&value) => return value,
            Ok(_) => {
                let (low, high) = (*range.start(), *range.end());
                let (low, high) = (
                    humantime::format_duration(low),
                    humantime::format_duration(high),
                );
                self.problem(key, format!("{text} is not within {low} to {high}"));
            }
            Err(error) => {
                self.problem(
                    key,
                    format!("{text:?} is not a duration such as 30s: {error}"),
                );
            }
        }
        default
    }

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
            sudo_prefix: raw.sudo_prefix,
        }
    }

    fn deadlines(&mut self, raw: raw::Deadlines) -> Deadlines {
        let mut deadline = |key, text, default| self.duration(key, text, default, DEADLINE_RANGE);
        Deadlines {
            enquiry: deadline("deadlines.enquiry", raw.enquiry, ENQUIRY_DEADLINE),
            enquiry_server: deadline(
                "deadlines.enquiry_server",
                raw.enquiry_server,
                ENQUIRY_SERVER_DEADLINE,
            ),
            stattree: deadline("deadlines.stattree", raw.stattree, STATTREE_DEADLINE),
            probe: deadline("deadlines.probe", raw.probe, PROBE_DEADLINE),
            step: deadline("deadlines.step", raw.step, STEP_DEADLINE),
            ping: self.duration("deadlines.ping", raw.ping, PING_DEADLINE, PING_RANGE),
        }
    }

    fn stopped_on_purpose(&mut self, raw: raw::StoppedOnPurpose) -> StoppedOnPurpose {
        let program = raw.unit_state.as_ref().map(|argv| argv.first());
        let absolute = |program: &String| Path::new(program).is_absolute();
        if program.is_some_and(|program| !program.is_some_and(absolute)) {
            self.problem(
                "stopped_on_purpose.unit_state",
                "its first word must be the absolute path of a program",
            );
        }
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
            unit_state: raw.unit_state,
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

    fn modules(&mut self, raw: Vec<raw::Module>) -> BTreeMap<ModuleNumber, HostModule> {
        let mut modules = BTreeMap::<ModuleNumber, HostModule>::new();
        for (index, raw) in raw.into_iter().enumerate() {
            let key = format!("modules[{index}]");
            let Some((number, module)) = self.module(&key, raw) else {
                continue;
            };
            let same_esn = |other: &HostModule| other.esn.is_some() && other.esn == module.esn;
            if modules.values().any(same_esn) {
                self.problem(
                    format!("{key}.esn"),
                    "another module has this serial number",
                );
            }
            if modules.insert(number, module).is_some() {
                self.problem(
                    format!("{key}.number"),
                    format!("module {number} is listed twice"),
                );
            }
        }
        modules
    }

    fn module(&mut self, key: &str, raw: raw::Module) -> Option<(ModuleNumber, HostModule)> {
        let esn: Option<Esn> = raw
            .esn
            .and_then(|text| self.parsed(&format!("{key}.esn"), &text));
        let kind = self.word(&format!("{key}.kind"), raw.kind, &KINDS, Kind::Vcm);
        let address: Option<IpAddr> = raw.address.and_then(|text| {
            let address = text.parse().ok();
            if address.is_none() {
                // A name would make the check depend on what may be broken: name resolution.
                self.problem(
                    format!("{key}.address"),
                    format!("{text:?} is no IP address"),
                );
            }
            address
        });
        let reachability = self.reachability(key, raw.reachability, address);
        let number = match raw.number {
            None => return self.missing(format!("{key}.number")),
            Some(number) => self.parsed(&format!("{key}.number"), &number.to_string())?,
        };
        Some((
            number,
            HostModule {
                esn,
                kind,
                reachability,
            },
        ))
    }

    fn reachability(
        &mut self,
        key: &str,
        text: Option<String>,
        address: Option<IpAddr>,
    ) -> Reachability {
        let text = text.unwrap_or_else(|| "icmp".to_owned());
        let port = text
            .strip_prefix("tcp:")
            .map(|port| port.parse().ok().filter(|&p| p > 0));
        match (text.as_str(), port, address) {
            ("none", ..) => Reachability::None,
            ("icmp", _, Some(address)) => Reachability::Icmp(address),
            (_, Some(Some(port)), Some(address)) => Reachability::Tcp(address, port),
            ("icmp", ..) | (_, Some(Some(_)), None) => Reachability::NoAddress,
            (_, Some(None) | None, _) => {
                let message = format!("{text:?} is none of icmp, tcp:<port>, none");
                self.problem(format!("{key}.reachability"), message);
                Reachability::NoAddress
            }
        }
    }
}
