//! `vcm-remediator audit history`: what was seen, decided and done, and why not more, from the store
//! alone.

use std::fmt::Write as _;
use std::io::{self, BufWriter, ErrorKind, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use vcm_recovery::event::{Change, Event};
use vcm_recovery::inventory::Target;
use vcm_telemetry::logging::chain;

use crate::cli::{EXIT_FAILURE, opened};
use crate::clock::{Clock as _, SystemClock};
use crate::store::StoreError;
use crate::store::open::OpenError;
use crate::told;
use crate::web::named;

/// The arguments of `audit history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// The store's file, `store.path` of the configuration. May be in use, or a copy.
    #[arg(long = "store", value_name = "FILE")]
    store: PathBuf,
    /// Only what bears on this host or module: its own events and those of the whole fleet.
    #[arg(value_name = "HOST[/MODULE]", value_parser = named::target)]
    target: Option<Target>,
    /// Only what bears on this incident, as the page and the log name it, while it was open.
    #[arg(long, value_name = "ID", conflicts_with = "target")]
    incident: Option<String>,
    /// How far back; without it, as far as the store goes.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// Print one JSON document a line, each an event as it is stored.
    #[arg(long)]
    json: bool,
}

impl HistoryArgs {
    /// 0 when everything was read, 1 when the store or a record of it cannot be.
    #[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
    pub(super) fn run(&self) -> ExitCode {
        match self.tell(&mut BufWriter::new(stdout().lock())) {
            Ok(0) => eprintln!("vcm-remediator: the store has nothing about that"),
            Ok(_) => {}
            Err(HistoryError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => {
                eprintln!("vcm-remediator: {}", chain(&error));
                return ExitCode::from(EXIT_FAILURE);
            }
        }
        ExitCode::SUCCESS
    }

    /// Writes what bears on what was asked for; how many events.
    fn tell(&self, out: &mut impl Write) -> Result<u64, HistoryError> {
        let now = SystemClock::resume(None, None).now();
        let from = self.since.map(|since| now.before(since));
        let mut bearing = Bearing::on(self.target.clone(), self.incident.clone());
        let mut told = 0;
        let mut written = Ok(());
        opened::open(&self.store)?.reader.events(|event| {
            let wanted = bearing.has(&event) && from.is_none_or(|from| event.time >= from);
            if wanted && written.is_ok() {
                let text = if self.json {
                    line(&event)
                } else {
                    human(&event)
                };
                written = out.write_all(text.as_bytes());
                told += 1;
            }
        })?;
        written.and_then(|()| out.flush())?;
        Ok(told)
    }
}

/// Why a history cannot be told.
#[derive(Debug, thiserror::Error)]
enum HistoryError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] StoreError),
    #[error("cannot write")]
    Output(#[from] io::Error),
}

/// Which events bear on what was asked for.
enum Bearing {
    Everything,
    Target(Target),
    Incident {
        id: String,
        /// Its target while it is open.
        open: Option<Target>,
    },
}

impl Bearing {
    fn on(target: Option<Target>, incident: Option<String>) -> Self {
        match (target, incident) {
            (_, Some(id)) => Self::Incident { id, open: None },
            (Some(target), None) => Self::Target(target),
            (None, None) => Self::Everything,
        }
    }

    /// To be asked about every event in order: an incident is open between two of them.
    fn has(&mut self, event: &Event) -> bool {
        match self {
            Self::Everything => true,
            Self::Target(target) => bears_on(event, target),
            Self::Incident { id, open } => {
                let entry = &event.entry;
                let of_it = entry.incident.as_ref().is_some_and(|of| of.as_str() == id);
                if of_it {
                    let closed = matches!(entry.change, Change::IncidentClosed(_));
                    *open = entry.target.clone().filter(|_| !closed);
                    return true;
                }
                open.as_ref().is_some_and(|target| bears_on(event, target))
            }
        }
    }
}

/// Events of the fleet bear on everything, those of a host on its modules, and the other way round
/// where a whole host is asked for.
fn bears_on(event: &Event, target: &Target) -> bool {
    let Some(host) = &event.entry.host else {
        return true;
    };
    let of_module = |about: &Target| about.module.is_none() || about.module == target.module;
    let about = event.entry.target.as_ref();
    *host == target.host && (target.module.is_none() || about.is_none_or(of_module))
}

fn line(event: &Event) -> String {
    // What was decoded can be encoded: all keys of its maps are text.
    serde_json::to_string(event).map_or_else(|error| format!("{error}\n"), |json| json + "\n")
}

/// When, about what, what; and behind a decision each verdict that is not a plain pass.
fn human(event: &Event) -> String {
    let entry = &event.entry;
    let about = match (&entry.target, &entry.host) {
        (Some(target), _) => target.to_string(),
        (None, Some(host)) => host.to_string(),
        (None, None) => "fleet".to_owned(),
    };
    let (at, seq) = (told::instant(event.time), event.seq);
    let Change::Decided(ruling) = &entry.change else {
        return format!("{at} #{seq} {about}: {}\n", told::change(&entry.change));
    };
    let on = match ruling.observation {
        Some(observation) => format!("on observation {observation}"),
        None => "without an observation".to_owned(),
    };
    let mut text = format!("{at} #{seq} {about}: {}, {on}\n", ruling.standing);
    for given in &ruling.verdicts {
        let verdict = told::verdict(given.guard, &given.verdict);
        let _infallible = writeln!(text, "    {:<8}{verdict}", given.rung.as_str());
    }
    text
}

#[cfg(test)]
mod tests;
