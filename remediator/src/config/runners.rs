//! How each host's runner is reached: on this machine, or over SSH.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use vcm_recovery::ids::HostName;

use super::Runner;
use super::checker::Checker;
use super::raw::{self, Text};
use crate::host_client::ssh::Ssh;
use crate::plain_path::{OTHER_CHARACTERS, is_plain};

/// Default of a single host's `runner.local.config_file`.
const HOST_CONFIG: &str = "/etc/vcm-remediator/host.yaml";

const SSH_PROGRAM: &str = "/usr/bin/ssh";
const SSH_IDENTITY: &str = "/etc/vcm-remediator/ssh/id_ed25519";
const SSH_KNOWN_HOSTS: &str = "/etc/vcm-remediator/ssh/known_hosts";
const SSH_USER: &str = "root";
const SSH_PORT: u16 = 22;

/// What was read so far. Two hosts of the inventory that lead to one host runner are one too many.
#[derive(Default)]
pub(super) struct Runners {
    /// The one host needs no runner in the file.
    pub(super) only_one: bool,
    pub(super) by_host: BTreeMap<HostName, Runner>,
    config_files: BTreeSet<PathBuf>,
    machines: BTreeSet<(String, u16)>,
}

impl Runners {
    /// Reads the runner of a host.
    pub(super) fn add(
        &mut self,
        checker: &mut Checker,
        key: &str,
        host: &HostName,
        raw: Option<raw::Runner>,
    ) {
        let runner = match raw {
            None if self.only_one => Some(Runner::Local {
                config_file: PathBuf::from(HOST_CONFIG),
            }),
            None => {
                checker.problem(key, "is needed when there are several hosts");
                None
            }
            Some(raw::Runner {
                local: Some(local),
                ssh: None,
            }) => Some(self.local(checker, &format!("{key}.local"), &local)),
            Some(raw::Runner {
                local: None,
                ssh: Some(ssh),
            }) => self.ssh(checker, &format!("{key}.ssh"), &ssh),
            Some(_) => {
                checker.problem(key, "is either local or ssh");
                None
            }
        };
        self.by_host
            .extend(runner.map(|runner| (host.clone(), runner)));
    }

    fn local(&mut self, checker: &mut Checker, key: &str, raw: &raw::Local) -> Runner {
        let key = format!("{key}.config_file");
        let config_file = checker.path(&key, Some(&raw.config_file), HOST_CONFIG);
        if !self.config_files.insert(config_file.clone()) {
            checker.problem_at(&key, &raw.config_file, "another host has the same file");
        }
        Runner::Local { config_file }
    }

    fn ssh(&mut self, checker: &mut Checker, key: &str, raw: &raw::Ssh) -> Option<Runner> {
        let address_key = format!("{key}.address");
        let address = checker.parse(&address_key, &raw.address);
        let user_key = format!("{key}.user");
        let user = match &raw.user {
            Some(text) => checker.parse(&user_key, text),
            None => SSH_USER.parse().ok(),
        };
        let port = checker.parse_optional(&format!("{key}.port"), raw.port.as_ref());
        let port = port.unwrap_or(SSH_PORT);
        let mut file = |name: &str, text: Option<&Text>, default: &str| {
            ssh_path(checker, &format!("{key}.{name}"), text, default)
        };
        let program = file("program", raw.program.as_ref(), SSH_PROGRAM);
        let identity_file = file("identity_file", raw.identity_file.as_ref(), SSH_IDENTITY);
        let known = raw.known_hosts_file.as_ref();
        let known_hosts_file = file("known_hosts_file", known, SSH_KNOWN_HOSTS);
        let machine = (raw.address.value.to_ascii_lowercase(), port);
        if !self.machines.insert(machine) {
            let message = "another host has the same address and port";
            checker.problem_at(&address_key, &raw.address, message);
        }
        Some(Runner::Ssh(Ssh {
            program,
            address: address?,
            port,
            user: user?,
            identity_file,
            known_hosts_file,
        }))
    }
}

/// A path that ssh takes as it stands.
fn ssh_path(checker: &mut Checker, key: &str, text: Option<&Text>, default: &str) -> PathBuf {
    if let Some(text) = text.filter(|text| !is_plain(&text.value)) {
        let message = format!(
            "has characters other than letters, digits and {OTHER_CHARACTERS}, which ssh may read in its own way"
        );
        checker.problem_at(key, text, message);
    }
    checker.path(key, text, default)
}
