//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use vcm_telemetry::logging::LogFlags;

/// Publishes the state, reachability and load of nShield VCMs to Prometheus.
#[derive(Debug, Clone, Parser)]
#[command(name = "vcm-exporter", version)]
pub struct Args {
    /// Directory of the Security World software.
    #[arg(long = "nfast.root", value_name = "DIR", default_value = nshield::tools::DEFAULT_ROOT)]
    pub nfast_root: PathBuf,

    /// Hardserver socket, if it is not sockets/nserver below the root; the tools are told by
    /// NFAST_SERVER.
    #[arg(long = "nfast.socket", value_name = "PATH")]
    pub nfast_socket: Option<PathBuf>,

    /// File that keeps what is known about modules over a restart; without one that is forgotten.
    #[arg(long = "state.file", value_name = "FILE")]
    pub state_file: Option<PathBuf>,

    /// Configuration file (YAML); without one, echoes go to every enrolled module.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Check the configuration file and exit.
    #[arg(long = "config.check", requires = "config_file")]
    pub config_check: bool,

    /// Address to listen on.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDR",
        default_value = "127.0.0.1:9808"
    )]
    pub listen_address: SocketAddr,

    /// Path of the metrics.
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics",
          value_parser = telemetry_path)]
    pub telemetry_path: String,

    /// Time between the starts of two runs of each tool, 100ms to 10m.
    #[arg(long = "collector.interval", value_name = "DURATION", default_value = "15s",
          value_parser = interval)]
    pub interval: Duration,

    /// The log.
    #[command(flatten)]
    pub log: LogFlags,

    /// Run every collector once, print one exposition and exit.
    #[arg(long)]
    pub once: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_millis(100)..=Duration::from_secs(600);
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let usable = bounds.contains(&duration);
    usable
        .then_some(duration)
        .ok_or_else(|| "must be between 100ms and 10m".to_owned())
}

fn telemetry_path(text: &str) -> Result<String, String> {
    let taken = matches!(text, "/" | "/-/healthy" | "/-/ready");
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
    if text.starts_with('/') && plain && !taken {
        Ok(text.to_owned())
    } else {
        Err("must begin with / and be neither /, /-/healthy nor /-/ready".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn refuses_unusable_values() {
        for args in [
            ["--collector.interval", "0s"],
            ["--collector.interval", "5"],
            ["--web.telemetry-path", "metrics"],
            ["--web.telemetry-path", "/"],
            ["--web.telemetry-path", "/{x}"],
            ["--web.listen-address", "9808"],
        ] {
            let parsed = Args::try_parse_from(["vcm-exporter"].into_iter().chain(args));
            assert!(parsed.is_err(), "{args:?}");
        }
    }

    #[test]
    fn listens_on_loopback_by_default() {
        let args = Args::try_parse_from(["vcm-exporter"]).unwrap();
        assert!(args.listen_address.ip().is_loopback());
    }
}
