//! `host print-sudoers`: the rules that let an ordinary user run the steps of this host, and nothing
//! else.
//!
//! One line for each command, with all of its arguments and without a wildcard: what sudo permits is
//! what the host's own configuration permits, as far as its `max_tier`.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use vcm_recovery::inventory::Kind;
use vcm_recovery::step::{Hardserver, Platform, Program, Step};
use vcm_recovery::tier::Rung;

use super::config::HostConfig;
use crate::plain_path::is_plain;

/// sudo ends a command of ours that we may not end ourselves this long after its deadline.
const BEYOND_DEADLINE: Duration = Duration::from_secs(10);

/// What stops and starts the hardserver must not be cut short. This is no expectation: something
/// that hangs for so long does not come to its end by itself, and holds up everything else.
const HARDSERVER_TIME: Duration = Duration::from_secs(30 * 60);

/// The user that commands are run as, unless `sudo_prefix` says another.
const ROOT: &str = "root";

/// The mode of a directory in which only the owner of a name may replace it.
const STICKY: u32 = 0o1000;

/// The longest name of a user: useradd(8).
const NAME_MAX: usize = 32;

/// The name of a user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

/// A text that is no name of a user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of a user: lower-case letters, digits, _ and -, and no digit or - in front"
)]
pub struct UserNameError(String);

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = |c: char| c.is_ascii_lowercase() || c == '_';
        let fine = |c: char| first(c) || c.is_ascii_digit() || c == '-';
        if text.len() <= NAME_MAX && text.starts_with(first) && text.chars().all(fine) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UserNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there are no rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SudoersError {
    /// There is no sudo.
    #[error("the host's platform is windows, where there is no sudo")]
    Windows,
    /// A path would have to be escaped, or means something to sudo.
    #[error("{} has characters other than letters, digits and /._+-", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else than root can put another program there, which the rule would run as root.
    #[error("{} is not root's alone: whoever can change it can run anything by this rule", path.display())]
    Replaceable {
        /// The program, or a directory above it.
        path: PathBuf,
    },
    /// What the word does to the user that commands are run as is not known.
    #[error("{word:?} in tools.sudo_prefix is neither -n nor -u USER")]
    Option {
        /// The word.
        word: String,
    },
    /// The user that commands are run as is none.
    #[error("the user behind -u in tools.sudo_prefix is none")]
    RunAs(#[source] UserNameError),
}

/// The rules for `user`, as a file for `/etc/sudoers.d`.
///
/// # Errors
/// If they cannot be written so that they mean what they should.
pub fn rules(config: &HostConfig, user: &UserName) -> Result<String, SudoersError> {
    if config.platform == Platform::Windows {
        return Err(SudoersError::Windows);
    }
    let run_as = run_as(&config.tools.sudo_prefix)?;
    let mut text = format!(
        "# Steps of vcm-remediator's host runner, up to max_tier: {}. Printed by\n\
         # vcm-remediator host print-sudoers {user}\n\
         # Install with: visudo -c -f FILE && install -m 0440 FILE /etc/sudoers.d/vcm-remediator\n\
         # A step whose rule asks for a password is refused: the user must have no such rule.\n",
        config.max_tier.as_str()
    );
    for step in steps(config) {
        if let Some(rule) = rule(config, user, &run_as, step)? {
            text.push_str(&rule);
        }
    }
    Ok(text)
}

/// Every step that may be run on this host: those of each rung up to `max_tier`, for each module,
/// and the additional start behind a restart.
#[must_use]
pub fn steps(config: &HostConfig) -> Vec<Step> {
    let allowed = |rung: &Rung| rung.tier() <= config.max_tier;
    let mut steps = Vec::new();
    for rung in [Rung::Retry, Rung::Restart, Rung::Clear]
        .iter()
        .filter(|r| allowed(r))
    {
        let concerned = |kind: Kind| *rung != Rung::Clear || kind == Kind::Vcm;
        let modules = config
            .modules
            .iter()
            .filter(|(_, module)| concerned(module.kind));
        let targets: Vec<_> = match rung {
            Rung::Restart => vec![(None, Hardserver::Running), (None, Hardserver::Down)],
            Rung::Retry | Rung::Clear => modules
                .map(|(number, _)| (Some(*number), Hardserver::Running))
                .collect(),
        };
        for (module, hardserver) in targets {
            steps.extend(rung.steps(config.platform, module, hardserver, config.clear_wait));
        }
    }
    steps.retain(|step| step.command().is_some());
    let mut once = Vec::new();
    steps.retain(|step| {
        !once.contains(step) && {
            once.push(*step);
            true
        }
    });
    steps
}

fn rule(
    config: &HostConfig,
    user: &UserName,
    run_as: &UserName,
    step: Step,
) -> Result<Option<String>, SudoersError> {
    let Some((program, arguments)) = step.command() else {
        return Ok(None);
    };
    let time = match program {
        Program::Nopclearfail => config.deadlines.step + BEYOND_DEADLINE,
        Program::InitScript | Program::Net => HARDSERVER_TIME,
    };
    let path = config.tools.path(program);
    if let Some(path) = replaceable(path) {
        return Err(SudoersError::Replaceable { path });
    }
    let path = plain(path)?;
    Ok(Some(format!(
        "{user} ALL=({run_as}) TIMEOUT={}s NOPASSWD: {path} {}\n",
        time.as_secs(),
        arguments.join(" ")
    )))
}

fn plain(path: &Path) -> Result<&str, SudoersError> {
    let text = path.to_str().filter(|text| is_plain(text));
    text.ok_or_else(|| SudoersError::Path {
        path: path.to_owned(),
    })
}

/// The user behind sudo's own options. One that is not known might name another user.
fn run_as(sudo_prefix: &[String]) -> Result<UserName, SudoersError> {
    let mut name = ROOT;
    let mut words = sudo_prefix.iter().skip(1).map(String::as_str);
    while let Some(word) = words.next() {
        let given = match word {
            "-n" | "--non-interactive" => continue,
            "-u" | "--user" => words.next(),
            _ => word
                .strip_prefix("--user=")
                .or_else(|| word.strip_prefix("-u")),
        };
        name = given.ok_or_else(|| SudoersError::Option {
            word: word.to_owned(),
        })?;
    }
    name.parse().map_err(SudoersError::RunAs)
}

/// What somebody else than root can change of what is run by a rule: a program, or a directory
/// above it.
pub(super) fn changeable(config: &HostConfig) -> Option<PathBuf> {
    let programs = steps(config).into_iter().filter_map(Step::command);
    let mut paths = programs.map(|(program, _)| config.tools.path(program));
    paths.find_map(replaceable)
}

/// The program or the nearest directory above it that somebody else than root can change. What is
/// not there yet is made by whoever may write the directories that are.
fn replaceable(program: &Path) -> Option<PathBuf> {
    let whole = fs::canonicalize(program);
    let whole = whole.as_deref().unwrap_or(program);
    let changeable = |path: &&Path| {
        let Ok(found) = fs::metadata(path) else {
            return false;
        };
        // In a directory with the sticky bit nobody replaces what is another's.
        let by_others = found.mode() & 0o022 != 0 && found.mode() & STICKY == 0;
        found.uid() != 0 || by_others
    };
    let found = whole.ancestors().find(changeable).map(Path::to_owned);
    // A link is replaced where it is.
    found.or_else(|| program.ancestors().find(changeable).map(Path::to_owned))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config(more: &str) -> HostConfig {
        let file = tempfile::NamedTempFile::new().unwrap();
        let modules = "modules: [{number: 1}, {number: 3, kind: nethsm}, {number: 12}]";
        fs::write(file.path(), format!("state_dir: /x\n{modules}\n{more}\n")).unwrap();
        HostConfig::load(file.path()).unwrap()
    }

    fn lines(more: &str) -> Vec<String> {
        let rules = rules(&config(more), &"vcm".parse().unwrap()).unwrap();
        let lines = rules.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn one_line_for_each_command_that_may_be_run_and_none_more() {
        let retries = [
            "vcm ALL=(root) TIMEOUT=130s NOPASSWD: /opt/nfast/bin/nopclearfail -m1 -r",
            "vcm ALL=(root) TIMEOUT=130s NOPASSWD: /opt/nfast/bin/nopclearfail -m3 -r",
            "vcm ALL=(root) TIMEOUT=130s NOPASSWD: /opt/nfast/bin/nopclearfail -m12 -r",
        ];
        let restarts = [
            "vcm ALL=(root) TIMEOUT=1800s NOPASSWD: /opt/nfast/sbin/init.d-ncipher restart",
            "vcm ALL=(root) TIMEOUT=1800s NOPASSWD: /opt/nfast/sbin/init.d-ncipher start",
        ];
        let clears = [
            "vcm ALL=(root) TIMEOUT=130s NOPASSWD: /opt/nfast/bin/nopclearfail -m1 -M",
            "vcm ALL=(root) TIMEOUT=130s NOPASSWD: /opt/nfast/bin/nopclearfail -m1 -c",
            "vcm ALL=(root) TIMEOUT=130s NOPASSWD: /opt/nfast/bin/nopclearfail -m12 -M",
            "vcm ALL=(root) TIMEOUT=130s NOPASSWD: /opt/nfast/bin/nopclearfail -m12 -c",
        ];
        assert!(lines("max_tier: network").is_empty());
        assert_eq!(lines(""), retries);
        assert_eq!(
            lines("max_tier: restart"),
            [&retries[..], &restarts].concat()
        );
        let all = [&retries[..], &restarts, &clears].concat();
        assert_eq!(lines("max_tier: clear"), all);
        let other =
            lines("tools: {sudo_prefix: [/usr/bin/sudo, -n, -u, nfast]}\ndeadlines: {step: 1m}");
        assert_eq!(
            other[0],
            "vcm ALL=(nfast) TIMEOUT=70s NOPASSWD: /opt/nfast/bin/nopclearfail -m1 -r"
        );
    }

    #[test]
    fn what_sudo_could_read_otherwise_is_no_rule() {
        for name in [
            "",
            "ALL",
            "%wheel",
            "vcm,root",
            "-u",
            "1a",
            "a b",
            "a\n",
            "#0",
            "jö",
            &"a".repeat(33),
        ] {
            assert!(name.parse::<UserName>().is_err(), "{name:?}");
        }
        for name in ["vcm", "_vcm-1", &"a".repeat(32)] {
            name.parse::<UserName>().unwrap();
        }
        let user = "vcm".parse().unwrap();
        for path in [
            "/opt/*/nopclearfail",
            "/opt/a b",
            "/opt/a,b",
            "/opt/a\\b",
            "/opt/ä",
        ] {
            let config = config(&format!("tools: {{nopclearfail: '{path}'}}"));
            assert!(
                matches!(rules(&config, &user), Err(SudoersError::Path { .. })),
                "{path}"
            );
        }
        let nobody = config("tools: {sudo_prefix: [/usr/bin/sudo, -u, ALL]}");
        assert!(matches!(rules(&nobody, &user), Err(SudoersError::RunAs(_))));
        assert_eq!(
            rules(&config("platform: windows"), &user),
            Err(SudoersError::Windows)
        );
    }

    #[test]
    fn the_user_behind_sudo_is_read_however_it_is_written_and_nothing_is_guessed() {
        let read = |words: &[&str]| {
            let prefix: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            run_as(&prefix).map(|user| user.to_string()).ok()
        };
        let table: [(&[&str], Option<&str>); 10] = [
            (&[], Some("root")),
            (&["/usr/bin/sudo"], Some("root")),
            (&["/usr/bin/sudo", "-n"], Some("root")),
            (&["/usr/bin/sudo", "-n", "-u", "nfast"], Some("nfast")),
            (
                &["/usr/bin/sudo", "-unfast", "--non-interactive"],
                Some("nfast"),
            ),
            (&["/usr/bin/sudo", "--user=nfast"], Some("nfast")),
            (&["/usr/bin/sudo", "--user", "nfast"], Some("nfast")),
            (&["/usr/bin/sudo", "-nu", "nfast"], None),
            (&["/usr/bin/sudo", "-g", "nfast"], None),
            (&["/usr/bin/sudo", "-u"], None),
        ];
        for (words, user) in table {
            assert_eq!(read(words).as_deref(), user, "{words:?}");
        }
    }

    #[test]
    fn a_program_that_somebody_else_can_replace_gets_no_rule() {
        if !rustix::process::geteuid().is_root() {
            // Nothing here can belong to root then.
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let program = bin.join("nopclearfail");
        fs::write(&program, "").unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let refused = || {
            let config = config(&format!("tools: {{nopclearfail: {}}}", program.display()));
            match rules(&config, &"vcm".parse().unwrap()) {
                Err(SudoersError::Replaceable { path }) => Some(path),
                Ok(_) => None,
                Err(error) => panic!("{error}"),
            }
        };
        mode(&bin, 0o755);
        mode(&program, 0o755);
        assert_eq!(refused(), None);
        mode(&program, 0o775);
        assert_eq!(refused(), Some(program.clone()));
        mode(&program, 0o755);
        mode(&bin, 0o775);
        assert_eq!(refused(), Some(bin.clone()));
        mode(&bin, 0o755);
        std::os::unix::fs::chown(&bin, Some(65_534), None).unwrap();
        assert_eq!(refused(), Some(bin.clone()));
    }
}
