//! The command line, as exporters have it.

use std::path::PathBuf;

use clap::Args;

use crate::address::ListenAddress;
use crate::limits::Limits;

/// The flags of the HTTP side, to be flattened into a program's command line. `PORT` is where the
/// program listens, on the IPv4 loopback address, when it is not told otherwise.
#[derive(Debug, Clone, Args)]
pub struct WebFlags<const PORT: u16> {
    /// Where to listen.
    #[arg(long = "web.listen-address", value_name = "ADDR",
          default_values_t = [ListenAddress::loopback(PORT)],
          help = "Address to listen on: host:port, [v6]:port, :port for every address, or \
                  unix:/path for a Unix socket (mode 0660). May be repeated")]
    pub listen_addresses: Vec<ListenAddress>,

    /// Use the sockets that systemd passes (socket activation) instead of the listen addresses.
    #[arg(long = "web.systemd-socket")]
    pub systemd_socket: bool,

    /// Web configuration file: TLS, basic auth, headers, rate limit. Without one, or with an empty
    /// one, nothing is protected.
    #[arg(id = "web_config_file", long = "web.config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Requests that are answered at the same time; more are refused with 503. 0 is no limit.
    #[arg(long = "web.max-requests", value_name = "N", default_value_t = 100)]
    pub max_requests: usize,
}

impl<const PORT: u16> WebFlags<PORT> {
    /// Returns the limits for [`serve`](crate::serve): the defaults and what the flags say.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            max_requests: self.max_requests,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    /// Serves.
    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        web: WebFlags<9808>,
    }

    fn parse(args: &[&str]) -> Result<WebFlags<9808>, clap::Error> {
        let args = std::iter::once("program").chain(args.iter().copied());
        Program::try_parse_from(args).map(|program| program.web)
    }

    #[test]
    fn the_command_line_is_consistent() {
        Program::command().debug_assert();
    }

    #[test]
    fn listens_on_loopback_unless_told_otherwise() {
        let flags = parse(&[]).unwrap();
        assert_eq!(flags.listen_addresses, [ListenAddress::loopback(9808)]);
        assert_eq!((flags.systemd_socket, flags.max_requests), (false, 100));
        let help = Program::command().render_long_help().to_string();
        assert!(help.contains("[default: 127.0.0.1:9808]"), "{help}");
        assert!(help.starts_with("Serves"), "{help}");
    }

    #[test]
    fn given_addresses_replace_the_default_one() {
        let flags = parse(&[
            "--web.listen-address=:9808",
            "--web.listen-address",
            "unix:/run/web.sock",
        ]);
        let addresses = flags.unwrap().listen_addresses;
        assert_eq!(
            addresses,
            [
                ListenAddress::All(9808),
                ListenAddress::Unix("/run/web.sock".into())
            ]
        );
    }

    #[test]
    fn refuses_an_unusable_address() {
        let error = parse(&["--web.listen-address", "9808"]).unwrap_err();
        assert!(error.to_string().contains("has no port"), "{error}");
    }
}
