//! `vcm-remediator audit`: the record of what was decided and done, and whether it is whole.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};
use vcm_recovery::time::Time;
use vcm_telemetry::logging::chain;

use super::EXIT_FAILURE;
use crate::store::audit::{self, Broken, LoggedHead, Report};
use history::HistoryArgs;

mod history;

/// The arguments of `audit`.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Walks the whole chain of events and names the first record that is not as it was written.
    ///
    /// Only reads; may be run while the program runs, and on a copy. Exit codes: 0 the chain is
    /// whole, 1 it is broken or cannot be read.
    Verify(VerifyArgs),
    /// Tells what was seen, decided and done, with every verdict that stood in the way.
    ///
    /// A guard that a decision does not name has passed. A decision is recorded when it differs from
    /// the one before. Only reads; may be run while the program runs, and on a copy.
    #[command(
        after_help = "Example:\n  vcm-remediator audit history --store /var/lib/vcm-remediator/store.sqlite tenant-1/1 --since 2d"
    )]
    History(HistoryArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The store's file, `store.path` of the configuration.
    #[arg(long = "store", value_name = "FILE")]
    store: PathBuf,
    /// A head that was logged earlier (`head=` in the program's log): it must be on the chain.
    /// Without one, a chain whose newest events were cut off looks whole. May be repeated.
    #[arg(long = "head", value_name = "HEX[@SEQ]")]
    heads: Vec<LoggedHead>,
    /// How to say it.
    #[arg(long = "format", value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A few lines for a person.
    Human,
    /// One JSON object on one line.
    Json,
}

impl AuditArgs {
    /// 0 when the chain is whole, 1 when it is broken or cannot be read.
    pub(super) fn run(&self) -> ExitCode {
        match &self.verb {
            Verb::Verify(arguments) => arguments.run(),
            Verb::History(arguments) => arguments.run(),
        }
    }
}

impl VerifyArgs {
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    #[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
    fn run(&self) -> ExitCode {
        let report = match audit::verify(&self.store, &self.heads) {
            Ok(report) => report,
            Err(error) if self.format == Format::Human => {
                eprintln!("vcm-remediator: {}", chain(&error));
                return ExitCode::from(EXIT_FAILURE);
            }
            Err(error) => {
                println!("{}", json!({ "whole": false, "error": chain(&error) }));
                return ExitCode::from(EXIT_FAILURE);
            }
        };
        match self.format {
            Format::Human => print!("{}", human(&report)),
            Format::Json => println!("{}", as_json(&report)),
        }
        match report.broken {
            None => ExitCode::SUCCESS,
            Some(_) => ExitCode::from(EXIT_FAILURE),
        }
    }
}

fn human(report: &Report) -> String {
    let lines = [
        ("store", report.identity.store_id.to_string()),
        ("epoch", report.identity.epoch.to_string()),
        ("events", report.events.to_string()),
        ("first", instant(report.first)),
        ("last", instant(report.head.time)),
        ("head", report.head.to_string()),
        (
            "chain",
            report
                .broken
                .as_ref()
                .map_or_else(|| "whole".to_owned(), verdict),
        ),
    ];
    lines
        .iter()
        .map(|(name, value)| format!("{name:<7} {value}\n"))
        .collect()
}

/// `broken at event 17, Decided, 2026-11-22T10:00:00Z: its hash does not follow`
fn verdict(broken: &Broken) -> String {
    let kind = broken.kind.iter().map(|kind| format!(", {kind}"));
    let time = broken
        .time
        .iter()
        .map(|time| format!(", {}", instant(Some(*time))));
    let about: String = kind.chain(time).collect();
    format!(
        "broken at event {}{about}: {}",
        broken.seq,
        chain(&broken.fault)
    )
}

fn as_json(report: &Report) -> Value {
    let broken = report.broken.as_ref().map(|broken| {
        json!({
            "seq": broken.seq,
            "time": broken.time.map(|time| instant(Some(time))),
            "kind": broken.kind,
            "what": broken.fault.as_str(),
            "detail": chain(&broken.fault),
        })
    });
    json!({
        "store_id": report.identity.store_id,
        "epoch": report.identity.epoch,
        "events": report.events,
        "first": report.first.map(|time| instant(Some(time))),
        "last": report.head.time.map(|time| instant(Some(time))),
        "head": { "seq": report.head.seq, "hash": report.head.hash.to_string() },
        "whole": broken.is_none(),
        "broken": broken,
    })
}

/// RFC 3339 in UTC, `-` when there is none; an instant that no calendar holds is a number.
fn instant(time: Option<Time>) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    let millis = time.as_millis();
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |at| at.to_string())
}
