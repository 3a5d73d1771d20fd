//! Whether an attempt can be detached from its caller as the configuration says.

use std::path::Path;

use rustix::process::geteuid;

use super::Finding;
use crate::host::config::{HostConfig, Launcher};
use crate::host::launch::MANAGER_DIRECTORY;
use crate::host::permitted::not_executable;

const NAME: &str = "launcher";

pub(super) fn findings(config: &HostConfig) -> Vec<Finding> {
    let manager = Path::new(MANAGER_DIRECTORY).is_dir();
    let root = geteuid().is_root();
    let tools = &config.tools;
    let hindrance = not_executable(&tools.systemd_run).or(not_executable(&tools.systemctl));
    vec![judged(config.launcher, manager, root, hindrance)]
}

/// Pure.
fn judged(launcher: Launcher, manager: bool, root: bool, hindrance: Option<String>) -> Finding {
    match launcher {
        Launcher::Direct if manager && root => Finding::not_ok(
            NAME,
            "direct, on a host with systemd and as root",
            "write launcher: systemd, so that a hardserver that is started lives in a unit of its own",
        ),
        Launcher::Direct if manager => Finding::ok(
            NAME,
            "direct; a service that calls the host runner needs KillMode=process and no sandbox",
        ),
        Launcher::Direct => Finding::ok(NAME, "direct"),
        Launcher::Systemd if !manager => Finding::not_ok(
            NAME,
            format!("systemd, but {MANAGER_DIRECTORY} is not there"),
            "write launcher: direct",
        ),
        Launcher::Systemd if !root => Finding::not_ok(
            NAME,
            "systemd, but an ordinary user may start no unit of the system",
            "write launcher: direct, or run as root",
        ),
        Launcher::Systemd => Finding::of(
            NAME,
            hindrance,
            "systemd",
            "correct tools.systemd_run and tools.systemctl",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn systemd_takes_a_manager_root_and_its_program() {
        use Launcher::{Direct, Systemd};
        let absent = || Some("/usr/bin/systemd-run is not a file".to_owned());
        for (launcher, manager, root, hindrance, expected) in [
            (Direct, false, false, absent(), State::Ok),
            (Direct, false, true, absent(), State::Ok),
            (Direct, true, false, None, State::Ok),
            (Direct, true, true, None, State::NotOk),
            (Systemd, true, true, None, State::Ok),
            (Systemd, true, true, absent(), State::NotOk),
            (Systemd, true, false, None, State::NotOk),
            (Systemd, false, true, None, State::NotOk),
        ] {
            let found = judged(launcher, manager, root, hindrance);
            assert_eq!(found.state, expected, "{found}");
            assert_eq!(found.to_do.is_some(), expected != State::Ok);
        }
    }
}
