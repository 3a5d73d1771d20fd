//! A host runner on another machine, through OpenSSH's client and the forced command `host ssh`.
//!
//! Nothing of the user's or the system's ssh configuration applies: every option that matters stands
//! in the arguments. A host key that is not known is refused, and nothing is ever asked.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::host::sudoers::UserName;

/// How long the connection may take to be there, in seconds: a host that is up answers within one, and
/// a look must still fit into its deadline.
const CONNECT_TIMEOUT_S: u8 = 5;

/// Every so many seconds a silent host is asked whether it is still there, up to three times.
const ALIVE_INTERVAL_S: u8 = 5;

/// Longest name of a host (RFC 1035).
const NAME_LENGTH_MAX: usize = 253;

/// How the host runner of another machine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// OpenSSH's client. Default `/usr/bin/ssh`.
    pub program: PathBuf,
    /// The machine.
    pub address: Address,
    /// The port. Default 22.
    pub port: u16,
    /// Who the host runner runs as there. Default `root`.
    pub user: UserName,
    /// The private key, whose public half has the forced command. Default
    /// `/etc/vcm-remediator/ssh/id_ed25519`.
    pub identity_file: PathBuf,
    /// The keys of the hosts. Default `/etc/vcm-remediator/ssh/known_hosts`.
    pub known_hosts_file: PathBuf,
}

/// A host's name or address: nothing that ssh could read as an option or as another user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

/// A text that is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an IP address nor the name of a host")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let label =
            |label: &str| !label.is_empty() && !label.starts_with('-') && label.chars().all(fine);
        let name = text.len() <= NAME_LENGTH_MAX && text.split('.').all(label);
        if name || text.parse::<IpAddr>().is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(AddressError(text.to_owned()))
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ssh {
    /// The arguments of the client: fixed options, and the words of the command as one argument.
    pub(super) fn arguments(&self, verb: &str, words: &[String]) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = ["-F", "none", "-T", "-a", "-x"]
            .map(OsString::from)
            .to_vec();
        for option in [
            "BatchMode=yes".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "GlobalKnownHostsFile=none".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "PreferredAuthentications=publickey".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            "PermitLocalCommand=no".to_owned(),
            "ControlMaster=no".to_owned(),
            "ControlPath=none".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            "LogLevel=ERROR".to_owned(),
            "ConnectionAttempts=1".to_owned(),
            format!("ConnectTimeout={CONNECT_TIMEOUT_S}"),
            format!("ServerAliveInterval={ALIVE_INTERVAL_S}"),
            "ServerAliveCountMax=3".to_owned(),
            format!("UserKnownHostsFile={}", self.known_hosts_file.display()),
            format!("Port={}", self.port),
            format!("User={}", self.user),
        ] {
            arguments.extend(["-o".into(), option.into()]);
        }
        arguments.extend(["-i".into(), self.identity_file.clone().into()]);
        let command: Vec<&str> = std::iter::once(verb)
            .chain(words.iter().map(String::as_str))
            .collect();
        arguments.extend([
            "--".into(),
            self.address.to_string().into(),
            command.join(" ").into(),
        ]);
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_nothing_that_ssh_reads_in_another_way() {
        for text in [
            "tenant-1",
            "tenant-1.example.org",
            "192.0.2.7",
            "2001:db8::7",
            "7.example",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "-oProxyCommand=id",
            "root@tenant-1",
            "tenant 1",
            "tenant-1.",
            ".a",
            "a..b",
            "a,b",
            "ssh://tenant-1",
            "tenant-1:22",
            "fe80::1%eth0",
            "a/b",
            "tenänt",
            "%h",
            "a\n",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
        assert!("a".repeat(NAME_LENGTH_MAX + 1).parse::<Address>().is_err());
    }

    #[test]
    fn the_command_is_one_argument_behind_the_address() {
        let ssh = Ssh {
            program: "/usr/bin/ssh".into(),
            address: "tenant-2".parse().unwrap(),
            port: 2222,
            user: "vcm".parse().unwrap(),
            identity_file: "/etc/key".into(),
            known_hosts_file: "/etc/known".into(),
        };
        let words = ["--attempt", "7"].map(str::to_owned);
        let arguments = ssh.arguments("result", &words);
        let shown: Vec<_> = arguments
            .iter()
            .map(|word| word.to_str().unwrap())
            .collect();
        assert_eq!(shown[..2], ["-F", "none"]);
        assert_eq!(
            shown[shown.len() - 5..],
            ["-i", "/etc/key", "--", "tenant-2", "result --attempt 7"]
        );
        for option in [
            "Port=2222",
            "User=vcm",
            "UserKnownHostsFile=/etc/known",
            "StrictHostKeyChecking=yes",
            "BatchMode=yes",
        ] {
            let place = shown.iter().position(|word| *word == option);
            assert_eq!(place.map(|place| shown[place - 1]), Some("-o"), "{option}");
        }
    }
}
