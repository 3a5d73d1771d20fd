//! What would be started: the vendor's tools, every step that is allowed, and the site's own
//! programs.

use super::Finding;
use crate::host::config::{FixedCommand, HostConfig};
use crate::host::journal::record::shown;
use crate::host::permitted::{self, not_executable};
use crate::host::sudoers;

pub(super) async fn findings(config: &HostConfig) -> Vec<Finding> {
    let tools = &config.tools;
    let mut findings = vec![
        tool("tools.enquiry", &tools.enquiry),
        tool("tools.stattree", &tools.stattree),
    ];
    let (path, to_do) = if tools.sudo_prefix.is_empty() {
        (
            "",
            "correct the path, or give this user the right to execute it",
        )
    } else {
        (
            " through sudo",
            "install the rules of: vcm-remediator host print-sudoers USER",
        )
    };
    for step in sudoers::steps(config) {
        let hindrance = permitted::of_step(config, step).await;
        let name = format!("step {}", shown(step));
        findings.push(Finding::of(
            name,
            hindrance,
            format!("can be started{path}"),
            to_do,
        ));
    }
    if !tools.sudo_prefix.is_empty() {
        let hindrance = permitted::password(config).await;
        let to_do = "take away the rules of this user that ask for a password";
        findings.push(Finding::of(
            "tools.sudo_prefix",
            hindrance,
            "asks for no password",
            to_do,
        ));
        findings.extend(behind_sudo(config));
    }
    let hooks = &config.hooks;
    findings.extend([
        site("hooks.after_restart", hooks.after_restart.as_ref()),
        site("hooks.after_clear", hooks.after_clear.as_ref()),
    ]);
    findings
}

/// What else has to be so where another user runs the steps.
fn behind_sudo(config: &HostConfig) -> [Finding; 2] {
    let changeable = sudoers::changeable(config);
    [
        Finding::of(
            "/proc",
            permitted::unseen(config),
            "shows the processes of others",
            "mount /proc without hidepid, or with gid= a group of this user",
        ),
        Finding::of(
            "tools",
            changeable.map(|path| format!("{} is not root's alone", path.display())),
            "can be replaced by root only",
            "give the program and each directory above it to root, not writable by group and others",
        ),
    ]
}

fn tool(name: &str, path: &std::path::Path) -> Finding {
    let found = path.display().to_string();
    let to_do = "correct the path, or give this user the right to execute it";
    Finding::of(name, not_executable(path), found, to_do)
}

fn site(name: &str, command: Option<&FixedCommand>) -> Finding {
    match command {
        None => Finding::ok(name, "none is configured"),
        Some(command) => tool(name, command.program()),
    }
}
