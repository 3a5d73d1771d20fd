//! `vcm-remediator report`: what observe mode would have run, and what came of what was run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::event::{Change, Closing, Event};
use vcm_recovery::ids::{AttemptId, HostName};
use vcm_recovery::incident::{Actor, Shadow};
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_telemetry::logging::chain;

use super::EXIT_FAILURE;
use super::opened;
use crate::clock::{Clock as _, SystemClock};
use crate::told;

/// The arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The store's file, `store.path` of the configuration. May be in use.
    #[arg(long = "store", value_name = "FILE")]
    store: PathBuf,
    /// How far back.
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = humantime::parse_duration)]
    since: Duration,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

impl ReportArgs {
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    #[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
    pub(super) fn run(&self) -> ExitCode {
        let from = SystemClock::resume(None, None).now().before(self.since);
        let mut figures = Figures::default();
        let opened = opened::open(&self.store).map_err(|error| chain(&error));
        let walked = opened.and_then(|opened| {
            figures.broken_at = opened.broken_at;
            let visited = opened.reader.events(|event| figures.add(&event, from));
            visited.map_err(|error| chain(&error))
        });
        if let Err(error) = walked {
            eprintln!("vcm-remediator: {error}");
            return ExitCode::from(EXIT_FAILURE);
        }
        match (self.json, serde_json::to_string(&figures.summed())) {
            (true, Ok(json)) => println!("{json}"),
            (true, Err(_)) | (false, _) => print!("{}", figures.human()),
        }
        ExitCode::SUCCESS
    }
}

/// What happened to the targets of what would have been run, or was.
#[derive(Debug, Default)]
struct Figures {
    shadows: Vec<(Shadow, Option<Healed>)>,
    attempts: BTreeMap<AttemptId, (Rung, Option<Outcome>)>,
    incidents: u64,
    closed: BTreeMap<&'static str, u64>,
    /// What is open at the event that is read.
    states: BTreeMap<HostName, HostState>,
    /// The first record that is not as it was written.
    broken_at: Option<i64>,
}

/// The target of a shadow became healthy, by nobody's doing that is known of.
#[derive(Clone, Copy, Debug)]
struct Healed {
    /// How long after the rung would have been run.
    after: Duration,
    /// Before the rung would have been judged.
    in_its_window: bool,
}

/// The figures of one rung.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct OfRung {
    /// Observe mode would have run it so often.
    would_have_run: u64,
    /// The target healed by itself before the rung would have been judged: running it would have
    /// been unnecessary.
    unnecessary: u64,
    /// The target healed by itself, then or later.
    healed_by_itself: u64,
    /// It was run so often.
    run: u64,
    /// And succeeded.
    succeeded: u64,
}

/// All figures.
#[derive(Debug, Serialize)]
struct Summed {
    incidents: u64,
    closed: BTreeMap<&'static str, u64>,
    rungs: BTreeMap<Rung, OfRung>,
    /// Share of what would have been run that would have been unnecessary; absent without any.
    unnecessary_share: Option<f64>,
    /// The chain is broken at this record: the figures rest on what may have been changed.
    broken_at: Option<i64>,
}

impl Figures {
    /// Takes in an event. Those before `from` only tell what is open since.
    fn add(&mut self, event: &Event, from: Time) {
        if event.time >= from {
            self.count(event);
        }
        if let Some(host) = &event.entry.host {
            let state = self.states.entry(host.clone());
            state
                .or_insert_with(|| HostState::new(host.clone()))
                .apply(event);
        }
    }

    fn count(&mut self, event: &Event) {
        let change = &event.entry.change;
        if matches!(change, Change::IncidentOpened(_)) {
            self.incidents += 1;
        }
        if let Change::ShadowStarted(shadow) = change {
            self.shadows.push((shadow.clone(), None));
        }
        if let Change::IntentReserved(intent) = change {
            self.attempts.insert(intent.attempt, (intent.rung, None));
        }
        if let Change::AttemptReported {
            attempt,
            report: Report::Settled { outcome, .. },
        } = change
            && let Some((_, known)) = self.attempts.get_mut(attempt)
        {
            *known = Some(*outcome);
        }
        if let Change::IncidentClosed(closing) = change {
            *self.closed.entry(closing.ending.as_str()).or_default() += 1;
            self.healed(closing, event);
        }
    }

    /// Without anybody's doing the target healed at the first of the healthy looks.
    fn healed(&mut self, closing: &Closing, event: &Event) {
        let target = event.entry.target.as_ref();
        let incident = target.and_then(|target| {
            let state = self.states.get(&target.host)?;
            state.incidents.get(target)
        });
        let failed_at = incident.and_then(|incident| incident.first_failed_at);
        let (Some(failed_at), Some(span), Actor::None) =
            (failed_at, closing.recovery_millis, closing.actor)
        else {
            return;
        };
        let healed_at = failed_at.after(Duration::from_millis(span));
        for (shadow, healed) in &mut self.shadows {
            if event.entry.incident.as_ref() == Some(&shadow.incident) {
                *healed = Some(Healed {
                    after: healed_at.since(shadow.at),
                    in_its_window: healed_at < shadow.until,
                });
            }
        }
    }

    fn summed(&self) -> Summed {
        let mut rungs: BTreeMap<Rung, OfRung> = BTreeMap::new();
        for (shadow, healed) in &self.shadows {
            let of_rung = rungs.entry(shadow.rung).or_default();
            of_rung.would_have_run += 1;
            of_rung.healed_by_itself += u64::from(healed.is_some());
            of_rung.unnecessary += u64::from(healed.is_some_and(|healed| healed.in_its_window));
        }
        for (rung, outcome) in self.attempts.values() {
            let of_rung = rungs.entry(*rung).or_default();
            let started = !matches!(outcome, Some(Outcome::Refused | Outcome::Cancelled));
            of_rung.run += u64::from(started);
            of_rung.succeeded += u64::from(*outcome == Some(Outcome::Succeeded));
        }
        let all: u64 = rungs.values().map(|of_rung| of_rung.would_have_run).sum();
        let unnecessary: u64 = rungs.values().map(|of_rung| of_rung.unnecessary).sum();
        #[expect(clippy::cast_precision_loss, reason = "numbers of incidents")]
        let share = (all > 0).then(|| unnecessary as f64 / all as f64);
        Summed {
            incidents: self.incidents,
            closed: self.closed.clone(),
            rungs,
            unnecessary_share: share,
            broken_at: self.broken_at,
        }
    }

    fn human(&self) -> String {
        let summed = self.summed();
        let mut text = format!("incidents opened: {}\n", summed.incidents);
        for (ending, number) in &summed.closed {
            let _infallible = writeln!(text, "closed as {ending}: {number}");
        }
        for (rung, of) in &summed.rungs {
            let _infallible = writeln!(
                text,
                "{rung}: run {} times, succeeded {}; would have been run {} times, unnecessary {}, healed by itself {}",
                of.run, of.succeeded, of.would_have_run, of.unnecessary, of.healed_by_itself
            );
        }
        if let Some(share) = summed.unnecessary_share {
            let percent = share * 100.0;
            let _infallible = writeln!(text, "share of unnecessary acts: {percent:.1} %");
        }
        for (shadow, healed) in &self.shadows {
            let came = match healed {
                Some(healed) => {
                    let after = Duration::from_secs(healed.after.as_secs());
                    format!(
                        "healed by itself {} later",
                        humantime::format_duration(after)
                    )
                }
                None => "did not heal by itself as far as is known".to_owned(),
            };
            let (at, rung, target) = (told::instant(shadow.at), shadow.rung, &shadow.target);
            let _infallible = writeln!(text, "{at} {target}: {rung} would have run; {came}");
        }
        text
    }
}
