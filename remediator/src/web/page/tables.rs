//! The tables below the incidents: the inventory, the attempts, the newest events.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use vcm_recovery::attempt::{Attempt, Outcome};
use vcm_recovery::event::Event;
use vcm_recovery::inventory::{HostEntry, Target};
use vcm_recovery::observation::Condition;
use vcm_recovery::state::HostState;

use super::{Escaped, html};
use crate::told::{self, instant};
use crate::web::App;
use crate::web::pieces::{Around, newest_first};

/// Every host of the inventory and its modules.
pub(super) fn inventory(app: &Arc<App>) -> impl Iterator<Item = String> + Send + use<> {
    let app = Arc::clone(app);
    let names: Vec<_> = app.inventory.hosts.keys().cloned().collect();
    let rows = names.into_iter().filter_map(move |name| {
        let entry = app.inventory.hosts.get(&name)?;
        let state = app.board.host(&name);
        Some(html(|html| {
            host_row(html, &app, entry, state.as_deref())?;
            module_rows(html, entry, state.as_deref())
        }))
    });
    let table = Around {
        before: "<h2>Hosts</h2><table><tr><th>Target<th>VCM<th>ESN<th>HSM<th>Mode<th>Last seen",
        after: "</table>",
        none: "<h2>Hosts</h2><p>None.</p>",
    };
    table.rows(rows)
}

/// The attempts that are remembered, newest first.
pub(super) fn attempts(app: &Arc<App>) -> impl Iterator<Item = String> + Send + use<> {
    let app = Arc::clone(app);
    let named = |state: &HostState| {
        let attempts = state.attempts.iter();
        attempts
            .map(|(id, attempt)| (attempt.reserved_at, *id))
            .collect()
    };
    let found = newest_first(&app.board, named);
    let rows = found.into_iter().filter_map(move |found| {
        let state = app.board.host(&found.host)?;
        let attempt = state.attempts.get(&found.key)?;
        Some(html(|html| one_attempt(html, attempt)))
    });
    let table = Around {
        before: "<h2>Attempts of the last two days</h2>\
                 <table><tr><th>Began<th>Target<th>Tier<th>Commands<th>Outcome",
        after: "</table>",
        none: "<h2>Attempts of the last two days</h2><p>None.</p>",
    };
    table.rows(rows)
}

/// The newest events.
pub(super) fn events(app: &App) -> impl Iterator<Item = String> + Send + use<> {
    let events = app.recent.newest_first().into_iter();
    let table = Around {
        before: "<h2>What was recorded last</h2><table><tr><th>Event<th>Time<th>Target<th>What",
        after: "</table>",
        none: "<h2>What was recorded last</h2><p>Nothing yet.</p>",
    };
    table.rows(events.map(|event| html(|html| one_event(html, &event))))
}

fn host_row(
    html: &mut String,
    app: &App,
    entry: &HostEntry,
    state: Option<&HostState>,
) -> fmt::Result {
    let summary = state.and_then(|state| state.last_summary.as_ref());
    let seen = summary.map_or("not looked at yet", |summary| condition(summary.host));
    let mode = app.policy.mode_of(entry.mode).as_str();
    write!(
        html,
        "<tr><td>{}<td><td><td><td>{mode}<td>hardserver {seen}",
        Escaped(&entry.name)
    )?;
    match summary.and_then(|summary| summary.problem.as_ref()) {
        Some(problem) => write!(html, ": {}", Escaped(problem)),
        None => Ok(()),
    }
}

fn module_rows(html: &mut String, entry: &HostEntry, state: Option<&HostState>) -> fmt::Result {
    let summary = state.and_then(|state| state.last_summary.as_ref());
    for (number, module) in &entry.modules {
        let seen =
            summary.and_then(|summary| summary.modules.iter().find(|seen| seen.module == *number));
        write!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{}<td><td>{}",
            Escaped(Target::module(entry.name.clone(), *number)),
            Escaped(module.name.as_deref().unwrap_or_default()),
            Escaped(
                module
                    .esn
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            ),
            Escaped(
                module
                    .hsm
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            ),
            seen.map_or("not looked at yet", |seen| condition(seen.condition)),
        )?;
    }
    Ok(())
}

const fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Healthy => "healthy",
        Condition::Failed => "failed",
        Condition::Recovering => "recovering",
        Condition::InService => "in service",
        Condition::HardwareFault => "hardware fault",
        Condition::Unknown => "unknown",
    }
}

fn one_attempt(html: &mut String, attempt: &Attempt) -> fmt::Result {
    let outcome = match (attempt.outcome, attempt.ended_at) {
        (Some((outcome @ (Outcome::Refused | Outcome::Cancelled), _)), _) => {
            format!("{}, nothing was run: {}", outcome.as_str(), attempt.reason)
        }
        (Some((outcome, _)), _) => format!("{}: {}", outcome.as_str(), attempt.reason),
        (None, Some(_)) => "being verified".to_owned(),
        (None, None) => "running".to_owned(),
    };
    write!(
        html,
        "<tr><td>{}<td>{}<td>{}<td><code>{}</code><td>{}",
        instant(attempt.reserved_at),
        Escaped(&attempt.intent.target),
        attempt.intent.rung,
        Escaped(commands(attempt)),
        Escaped(outcome),
    )
}

/// The plan as an operator would type it.
fn commands(attempt: &Attempt) -> String {
    let steps = attempt.intent.steps.iter().map(|step| told::step(*step));
    steps.collect::<Vec<_>>().join("; ")
}

fn one_event(html: &mut String, event: &Event) -> fmt::Result {
    let host = event.entry.host.clone().map(Target::host);
    let target = event.entry.target.as_ref().or(host.as_ref());
    let target = target.map_or("fleet".to_owned(), Target::to_string);
    write!(
        html,
        "<tr><td>{}<td>{}<td>{}<td>{}",
        event.seq,
        instant(event.time),
        Escaped(target),
        Escaped(told::change(&event.entry.change)),
    )
}
