//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser};
use nshield::tools::{DEFAULT_ROOT, Installation};
use vcm_telemetry::logging::LogFlags;
use vcm_web::WebFlags;

use crate::action::Action;
use crate::collect::Schedule;
use crate::state::CollectorName;

/// What `--help` and the manual page say about exit statuses.
const EXIT_STATUS: &str = "Exit status: 0 when done, also when stopped by SIGTERM or SIGINT; 1 for \
    a failure at run time; 2 for an unusable command line; 78 for an unusable configuration file.";

/// Publishes the state, reachability and load of nShield VCMs to Prometheus.
///
/// Runs enquiry and stattree and sends ICMP echoes in the background; a scrape reads what they
/// showed last. It only looks: no command that changes anything is ever run.
#[derive(Debug, Clone, Parser)]
#[command(name = "vcm-exporter", version, after_long_help = EXIT_STATUS,
          group = ArgGroup::new("files").args(["config_file", "web_config_file"]).multiple(true))]
pub struct Args {
    /// Directory of the Security World software, an absolute path.
    #[arg(long = "nfast.root", value_name = "DIR", global = true,
          default_value = DEFAULT_ROOT, value_parser = absolute)]
    pub nfast_root: PathBuf,

    /// Hardserver socket, if it is not sockets/nserver below the root; the tools are told by
    /// NFAST_SERVER.
    #[arg(long = "nfast.socket", value_name = "PATH", global = true, value_parser = absolute)]
    pub nfast_socket: Option<PathBuf>,

    /// File that keeps what is known about modules over a restart; without one that is forgotten.
    #[arg(long = "state.file", value_name = "FILE")]
    pub state_file: Option<PathBuf>,

    /// Configuration file (YAML); without one, echoes go to every enrolled module.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Check the configuration files that are given, this one and the web configuration file:
    /// print every problem with its line and key, and exit.
    #[arg(long = "config.check", requires = "files")]
    pub config_check: bool,

    /// Where and how to listen.
    #[command(flatten)]
    pub web: WebFlags<9808>,

    /// Path of the metrics.
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics",
          value_parser = telemetry_path)]
    pub telemetry_path: String,

    /// Time between the starts of two runs of each tool, 100ms to 10m. Each run leaves a line in
    /// hardserver.log, and a failing module can hold enquiry for 35 s.
    #[arg(long = "collector.interval", value_name = "DURATION", default_value = "15s",
          value_parser = interval)]
    pub interval: Duration,

    /// Run the tools when somebody scrapes, in place of an interval. A scrape then waits for them,
    /// at most until half a second before Prometheus gives up; scrapes within a second share a run.
    #[arg(long = "collector.on-scrape", conflicts_with = "interval")]
    pub on_scrape: bool,

    /// Which collectors run.
    #[command(flatten)]
    pub collectors: CollectorSwitches,

    /// The log.
    #[command(flatten)]
    pub log: LogFlags,

    /// Run every collector once, print one exposition and exit, with status 0 also where a collector
    /// failed: see nshield_scrape_collector_success.
    #[arg(long)]
    pub once: bool,

    /// What to do in place of publishing metrics.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// One switch for each collector, as in node_exporter.
#[derive(Debug, Clone, clap::Args)]
pub struct CollectorSwitches {
    /// State of the hardserver and its modules, by enquiry (default).
    #[arg(long = "collector.enquiry", overrides_with = "no_enquiry")]
    enquiry: bool,

    /// Leave out collector enquiry, and the echoes to modules that no configured target names: it is
    /// what finds them.
    #[arg(long = "no-collector.enquiry", overrides_with = "enquiry")]
    no_enquiry: bool,

    /// Statistics of the hardserver and its modules, by stattree (default).
    #[arg(long = "collector.stattree", overrides_with = "no_stattree")]
    stattree: bool,

    /// Leave out collector stattree.
    #[arg(long = "no-collector.stattree", overrides_with = "stattree")]
    no_stattree: bool,

    /// Echoes to modules and further targets (default).
    #[arg(long = "collector.icmp", overrides_with = "no_icmp")]
    icmp: bool,

    /// Leave out collector icmp.
    #[arg(long = "no-collector.icmp", overrides_with = "icmp")]
    no_icmp: bool,
}

impl Args {
    /// The installation of the vendor's tools.
    #[must_use]
    pub fn installation(&self) -> Installation {
        let installation = Installation::at(&self.nfast_root);
        match &self.nfast_socket {
            Some(socket) => installation.with_socket(socket),
            None => installation,
        }
    }

    /// When tools are run.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        if self.on_scrape {
            Schedule::OnScrape
        } else {
            Schedule::Every(self.interval)
        }
    }

    /// The collectors that are left out.
    pub fn switched_off(&self) -> impl Iterator<Item = CollectorName> {
        let switches = &self.collectors;
        let off = |name: &CollectorName| match name {
            CollectorName::Enquiry => switches.no_enquiry,
            CollectorName::Icmp => switches.no_icmp,
            CollectorName::Stattree => switches.no_stattree,
        };
        CollectorName::ALL.into_iter().filter(off)
    }
}

/// The tools run in another directory: what is relative here would be another path there.
fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let absolute = path.is_absolute();
    absolute
        .then_some(path)
        .ok_or_else(|| "must be an absolute path".to_owned())
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
    let taken = text == "/" || text == "/probe" || text.starts_with("/-/");
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
    if text.starts_with('/') && plain && !taken {
        Ok(text.to_owned())
    } else {
        Err("must begin with / and be neither /, /probe nor below /-/".to_owned())
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
            ["--nfast.root", "nfast"],
            ["--nfast.socket", "nserver"],
            ["--collector.interval", "0s"],
            ["--collector.interval", "5"],
            ["--web.telemetry-path", "metrics"],
            ["--web.telemetry-path", "/"],
            ["--web.telemetry-path", "/{x}"],
            ["--web.telemetry-path", "/probe"],
            ["--web.telemetry-path", "/-/reload"],
            ["--web.listen-address", "9808"],
        ] {
            let parsed = Args::try_parse_from(["vcm-exporter"].into_iter().chain(args));
            assert!(parsed.is_err(), "{args:?}");
        }
    }

    #[test]
    fn the_last_switch_of_a_collector_counts() {
        for (flags, off) in [
            (&[][..], &[][..]),
            (&["--no-collector.icmp"], &[CollectorName::Icmp]),
            (&["--no-collector.icmp", "--collector.icmp"], &[]),
            (
                &[
                    "--collector.enquiry",
                    "--no-collector.stattree",
                    "--no-collector.enquiry",
                ],
                &[CollectorName::Enquiry, CollectorName::Stattree],
            ),
        ] {
            let flags = ["vcm-exporter"].iter().chain(flags);
            let args = Args::try_parse_from(flags).unwrap();
            assert_eq!(args.switched_off().collect::<Vec<_>>(), off);
        }
    }

    #[test]
    fn tools_run_at_an_interval_or_on_scrape_and_not_both() {
        let parsed = |flags: &[&str]| {
            Args::try_parse_from(["vcm-exporter"].iter().chain(flags)).map(|args| args.schedule())
        };
        let every = |seconds| Schedule::Every(Duration::from_secs(seconds));
        assert_eq!(parsed(&[]).unwrap(), every(15));
        assert_eq!(parsed(&["--collector.interval", "1m"]).unwrap(), every(60));
        assert_eq!(
            parsed(&["--collector.on-scrape"]).unwrap(),
            Schedule::OnScrape
        );
        assert!(parsed(&["--collector.on-scrape", "--collector.interval", "1m"]).is_err());
    }
}
