//! `vcm-remediator explain`: what would be decided about an alert, with every verdict. Changes
//! nothing and asks nobody.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use vcm_recovery::alert::Fact;
use vcm_recovery::decide::decide;
use vcm_recovery::decide::explain::{self, ExplainedRung, Explanation};
use vcm_recovery::diagnosis::{self, Case, Pattern};
use vcm_recovery::event::Event;
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::FleetView;
use vcm_recovery::ids::Epoch;
use vcm_recovery::inventory::Target;
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Site;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use super::config_file::ConfigFile;
use super::{EXIT_CONFIG, EXIT_FAILURE};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::{told, webhook};

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// An alert, or a whole body as Alertmanager sends it.
    #[arg(long, value_name = "FILE")]
    alert: PathBuf,
    /// What `host observe` printed, one document after the other, oldest first. Restart and clear
    /// need two that agree. Without any, every guard that needs one refuses.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// For how long the target is to have been seen failed.
    #[arg(long = "failed-for", value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    failed_for: Duration,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// What only the running program and its store know, and how it is taken here.
const ASSUMED: &str = "as if nothing had been tried, asked, paused or held before on any host, the watchdog \
                       and the silences were in order, and the evidence were of this moment";

/// A target's decision and diagnosis.
struct Explained {
    explanation: Explanation,
    patterns: Vec<&'static Pattern>,
    hints: Vec<String>,
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
enum ExplainError {
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is no JSON: {source}", path.display())]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{} is no alert: {reason}", path.display())]
    Alert { path: PathBuf, reason: String },
    #[error("{} is not what host observe prints: {source}", path.display())]
    Observation {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{} has no observation in it", path.display())]
    NoObservation { path: PathBuf },
}

impl ExplainArgs {
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    #[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
    pub(super) fn run(&self) -> ExitCode {
        let Some(config) = self.config.load() else {
            return ExitCode::from(EXIT_CONFIG);
        };
        match self.explained(&config) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("vcm-remediator: {error}");
                ExitCode::from(EXIT_FAILURE)
            }
        }
    }

    fn explained(&self, config: &Config) -> Result<String, ExplainError> {
        let now = SystemClock::resume(None, None).now();
        let alerts = body(&self.alert)?;
        let (facts, ignored) = webhook::sorted(&alerts, &config.inventory, &config.policy, now)
            .map_err(|error| ExplainError::Alert {
                path: self.alert.clone(),
                reason: error.to_string(),
            })?;
        let seen = match &self.evidence {
            Some(path) => observations(path)?,
            None => Vec::new(),
        };
        let mut explained = Vec::new();
        let targets: BTreeSet<Target> = facts.iter().map(|fact| fact.target.clone()).collect();
        for target in targets {
            explained.push((
                target.clone(),
                self.about(config, &target, &facts, &seen, now),
            ));
        }
        let ignored: Vec<String> = ignored.iter().map(ToString::to_string).collect();
        if self.json {
            return Ok(format!("{}\n", as_json(&explained, &ignored)));
        }
        let mut text = String::new();
        for reason in ignored {
            let _infallible = writeln!(text, "an alert is not acted on: {reason}");
        }
        if !explained.is_empty() {
            let _infallible = writeln!(text, "{ASSUMED}:");
        }
        for (target, explanation) in &explained {
            text.push_str(&human(target, explanation.as_ref()));
        }
        Ok(text)
    }

    /// Decides as the program would: once when the failure is first seen, and now.
    fn about(
        &self,
        config: &Config,
        target: &Target,
        facts: &[Fact],
        seen: &[Observation],
        now: Time,
    ) -> Option<Explained> {
        let site = Site {
            host: config.inventory.hosts.get(&target.host)?,
            policy: &config.policy,
        };
        let fleet = FleetView {
            watchdog: Some(now),
            ..FleetView::default()
        };
        let mut state = HostState::new(target.host.clone());
        for fact in facts.iter().filter(|fact| fact.target.host == target.host) {
            state.deliver(fact);
        }
        let first = now.before(self.failed_for);
        let evidence = looks(seen, first, Duration::ZERO);
        for (seq, entry) in (1..).zip(decide(&state, &evidence, &fleet, site, first).changes) {
            let schema = vcm_recovery::event::EVENT_SCHEMA;
            let epoch = Epoch(0);
            state.apply(&Event {
                seq,
                schema,
                time: first,
                epoch,
                entry,
            });
        }
        let evidence = looks(seen, now, config.policy.agreement_span);
        let explanation = explain::explain(&state, &evidence, &fleet, site, target, now)?;
        let case = Case {
            incident: &explanation.incident,
            evidence: &evidence,
            fleet: &fleet,
            site,
            now,
        };
        Some(Explained {
            patterns: diagnosis::diagnose(&case).collect(),
            hints: diagnosis::hints(&case),
            explanation,
        })
    }
}

/// The observations as looks of which the newest is from `now`, and each other one from `apart`
/// before the next.
fn looks(seen: &[Observation], now: Time, apart: Duration) -> Evidence {
    let mut evidence = Evidence::default();
    for (before, seen) in (0..seen.len()).rev().zip(seen) {
        let back = apart * u32::try_from(before).unwrap_or(u32::MAX);
        let seen = Ok(seen.clone());
        evidence.push(Look {
            at: now.before(back),
            seen,
        });
    }
    evidence
}

/// The body to sort: one alert alone is put into a body of its own.
fn body(path: &Path) -> Result<Vec<u8>, ExplainError> {
    let bytes = read(path)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|source| ExplainError::Json {
        path: path.to_owned(),
        source,
    })?;
    let no_alert = |reason: &str| ExplainError::Alert {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    if !value.is_object() {
        return Err(no_alert("it is no JSON object"));
    }
    if let Some(alerts) = value.get("alerts") {
        return match alerts.as_array().is_some_and(Vec::is_empty) {
            true => Err(no_alert("it is a body without alerts")),
            false => Ok(bytes),
        };
    }
    Ok(json!({ "version": "4", "alerts": [value] })
        .to_string()
        .into_bytes())
}

/// Oldest first; the same observation twice is one look.
fn observations(path: &Path) -> Result<Vec<Observation>, ExplainError> {
    let bytes = read(path)?;
    let documents = serde_json::Deserializer::from_slice(&bytes).into_iter::<Observation>();
    let seen = documents.collect::<Result<Vec<_>, _>>();
    let mut seen = seen.map_err(|source| match source.is_data() {
        true => ExplainError::Observation {
            path: path.to_owned(),
            source,
        },
        false => ExplainError::Json {
            path: path.to_owned(),
            source,
        },
    })?;
    seen.dedup_by_key(|seen| seen.observation_id);
    if seen.is_empty() {
        return Err(ExplainError::NoObservation {
            path: path.to_owned(),
        });
    }
    Ok(seen)
}

fn read(path: &Path) -> Result<Vec<u8>, ExplainError> {
    fs::read(path).map_err(|source| ExplainError::Read {
        path: path.to_owned(),
        source,
    })
}

fn human(target: &Target, explained: Option<&Explained>) -> String {
    let Some(explained) = explained else {
        return format!(
            "{target}: nothing is opened: its alert has ended, or the policy does not list its name\n"
        );
    };
    let mut text = format!("{target}: {}\n", explained.explanation.standing);
    for pattern in &explained.patterns {
        let Pattern {
            seen, means, so, ..
        } = pattern;
        let _infallible = writeln!(text, "  seen: {seen}\n  means: {means}\n  so: {so}");
    }
    for hint in &explained.hints {
        let _infallible = writeln!(text, "  {hint}");
    }
    for rung in &explained.explanation.rungs {
        text.push_str(&of_rung(rung));
    }
    text
}

fn of_rung(rung: &ExplainedRung) -> String {
    let steps: Vec<String> = rung
        .steps
        .iter()
        .flatten()
        .map(|step| told::step(*step))
        .collect();
    let steps = match steps.is_empty() {
        true => "what would be run is not known without an observation".to_owned(),
        false => steps.join("; "),
    };
    let mut text = format!("\n{}: {steps}\n", rung.rung);
    if rung.used_up {
        text.push_str("  it has failed as often as the policy allows\n");
    }
    if let Some(by) = &rung.denied {
        let _infallible = writeln!(text, "  {by}");
    }
    for given in &rung.verdicts {
        let verdict = told::verdict(given.guard, &given.verdict);
        let _infallible = writeln!(text, "  {verdict}");
    }
    text
}

fn as_json(explained: &[(Target, Option<Explained>)], ignored: &[String]) -> Value {
    let rung = |rung: &ExplainedRung| {
        json!({
            "rung": rung.rung,
            "used_up": rung.used_up,
            "denied": rung.denied,
            "steps": rung.steps,
            "verdicts": rung.verdicts,
        })
    };
    let about = |(target, explained): &(Target, Option<Explained>)| {
        let about = explained.as_ref();
        let rungs = about.iter().flat_map(|about| &about.explanation.rungs);
        let patterns = about.iter().flat_map(|about| &about.patterns);
        json!({
            "target": target,
            "standing": about.map(|about| about.explanation.standing),
            "patterns": patterns.collect::<Vec<_>>(),
            "hints": about.map(|about| &about.hints),
            "rungs": rungs.map(rung).collect::<Vec<_>>(),
        })
    };
    json!({
        "ignored": ignored,
        "assumed": ASSUMED,
        "targets": explained.iter().map(about).collect::<Vec<_>>(),
    })
}
