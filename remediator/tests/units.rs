//! The systemd units as they are installed: what they start exists, and what they say about how a
//! process is ended holds for what the programs rely on.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's input is fixed, and it starts our program and systemd-analyze, which end by themselves"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-remediator");
const UNITS: [&str; 2] = ["vcm-remediator.service", "vcm-host-resume.service"];

/// The longest that a start of the hardserver may take, by the host's configuration.
const HARDSERVER_START_MAX: Duration = Duration::from_secs(30 * 60);

/// Directives that imply NoNewPrivileges for an ordinary user, with which sudo does not work.
/// systemd.exec(5), "NoNewPrivileges".
const WITHOUT_SUDO: [&str; 14] = [
    "NoNewPrivileges",
    "SystemCallFilter",
    "SystemCallArchitectures",
    "SystemCallLog",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "PrivateDevices",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectClock",
    "MemoryDenyWriteExecute",
    "RestrictRealtime",
    "RestrictSUIDSGID",
];

fn path(unit: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(unit)
}

/// The directives of all sections; none of ours occurs twice.
fn directives(unit: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path(unit)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
    let pairs = lines.filter_map(|line| line.split_once('='));
    let mut directives = BTreeMap::new();
    for (name, value) in pairs {
        let twice = directives.insert(name.to_owned(), value.to_owned());
        assert_eq!(twice, None, "{unit}: {name} stands there twice");
    }
    directives
}

#[test]
fn a_unit_starts_a_command_that_the_program_has() {
    for unit in UNITS {
        let directives = directives(unit);
        let mut words = directives["ExecStart"].split(' ');
        assert_eq!(words.next(), Some("/usr/bin/vcm-remediator"), "{unit}");
        // Everything is read before the help is shown, and a word that is not known is an error.
        let output = Command::new(PROGRAM)
            .args(words)
            .arg("--help")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{unit}: {said}");
    }
}

#[test]
fn the_end_of_a_unit_ends_no_attempt_and_no_hardserver() {
    for unit in UNITS {
        assert_eq!(directives(unit)["KillMode"], "process", "{unit}");
    }
}

#[test]
fn nothing_in_a_unit_takes_sudo_away() {
    for unit in UNITS {
        let directives = directives(unit);
        let present = WITHOUT_SUDO
            .iter()
            .filter(|name| directives.contains_key(**name));
        assert_eq!(present.collect::<Vec<_>>(), [&""; 0], "{unit}");
    }
}

#[test]
fn the_remediator_waits_for_the_resume_at_boot_for_longer_than_a_start_may_take() {
    let resume = directives("vcm-host-resume.service");
    assert_eq!(resume["Before"], "vcm-remediator.service");
    assert_eq!(resume["Type"], "oneshot");
    let limit = humantime::parse_duration(&resume["TimeoutStartSec"]).unwrap();
    assert!(limit > HARDSERVER_START_MAX, "{limit:?}");
    let state = |unit| directives(unit)["StateDirectory"].clone();
    assert_eq!(state(UNITS[0]), state(UNITS[1]));
}

/// A bad configuration or command line is not mended by another start.
#[test]
fn the_remediator_is_started_again_unless_that_is_of_no_use() {
    let serve = directives("vcm-remediator.service");
    assert_eq!(serve["Restart"], "on-failure");
    let codes: Vec<i32> = serve["RestartPreventExitStatus"]
        .split(' ')
        .map(|code| code.parse().unwrap())
        .collect();
    let ends = |words: &[&str]| {
        Command::new(PROGRAM)
            .args(words)
            .output()
            .unwrap()
            .status
            .code()
    };
    let bad_file = ends(&["serve", "--config.file", "/nonexistent"]);
    let bad_words = ends(&["serve", "--no-such-flag"]);
    assert_eq!(codes, [bad_words.unwrap(), bad_file.unwrap()]);
}

#[test]
fn systemd_finds_nothing_wrong() {
    let directory = tempfile::tempdir().unwrap();
    for unit in UNITS {
        let text = fs::read_to_string(path(unit)).unwrap();
        let text = text.replace("/usr/bin/vcm-remediator", PROGRAM);
        fs::write(directory.path().join(unit), text).unwrap();
    }
    let units = UNITS.map(|unit| directory.path().join(unit));
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&units)
        .output();
    let Ok(output) = verify else {
        eprintln!("SKIPPED: systemd-analyze, which is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours = said.lines().filter(|line| line.contains("vcm-"));
    assert_eq!(ours.collect::<Vec<_>>(), [""; 0], "{said}");
}
