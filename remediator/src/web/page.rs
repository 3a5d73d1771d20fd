//! The page for people: what is going on, and why something was, or was not, done.
//!
//! Plain HTML without scripts. Every text that did not come from this file is escaped.

use std::fmt::{self, Display, Write as _};

use vcm_recovery::attempt::{Attempt, Outcome};
use vcm_recovery::event::Event;
use vcm_recovery::incident::Standing;
use vcm_recovery::inventory::{HostEntry, Target};
use vcm_recovery::observation::Condition;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use super::App;
use super::fleet;
use super::incidents::{self, Shown, ShownShadow};
use crate::told::{self, instant};

mod banners;
mod requests;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;\
padding:0 1rem;color:#1c2126;background:#fff}h1{font-size:1.35rem}h2{font-size:1.1rem;\
margin-top:2rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;\
vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid #d8dde2}th{font-weight:600}\
section{border:1px solid #c5ccd3;border-radius:6px;padding:.2rem 1rem 1rem;margin:1rem 0}\
.page{background:#fdecea;border-left:4px solid #b3261e;padding:.4rem .8rem}.quiet{color:#5a646e}\
.stop{background:#fff4d6;border-left:4px solid #9a6700;padding:.4rem .8rem}\
code{font-size:.92em;overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{color:#e3e7eb;background:#15181b}\
th,td,section{border-color:#3a424a}.page{background:#3b1f1d}.stop{background:#33290f}.quiet{color:#9aa5b0}}";

/// The page as it is now.
pub(super) fn render(app: &App) -> String {
    let mut html = String::new();
    let list = incidents::list(app);
    let hosts = app.board.all();
    let fleet = fleet::shown(app);
    let commands = requests::Commands::of(app.address);
    let written = head(&mut html, app, list.time)
        .and_then(|()| banners::write(&mut html, &fleet, &commands))
        .and_then(|()| requests::write(&mut html, &list.incidents, &commands))
        .and_then(|()| open(&mut html, &list.incidents))
        .and_then(|()| shadows(&mut html, &list.shadows))
        .and_then(|()| inventory(&mut html, app))
        .and_then(|()| attempts(&mut html, &hosts))
        .and_then(|()| events(&mut html, &app.recent.newest_first()));
    // Writing to a String does not fail.
    debug_assert!(written.is_ok());
    html.push_str("</html>\n");
    html
}

/// A text in which nothing is markup.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .to_string()
            .chars()
            .try_for_each(|character| match character {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                other => f.write_char(other),
            })
    }
}

fn head(html: &mut String, app: &App, now: Time) -> fmt::Result {
    write!(
        html,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>vcm-remediator</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>\
         <h1>vcm-remediator {}</h1><p class=\"quiet\">{} UTC · mode {} · \
         <a href=\"/api/v1/incidents\">incidents</a> · <a href=\"/api/v1/events\">events</a> · \
         <a href=\"/metrics\">metrics</a></p>",
        Escaped(env!("CARGO_PKG_VERSION")),
        instant(now),
        app.policy.mode.as_str(),
    )?;
    for (part, why) in app.readiness.missing() {
        write!(
            html,
            "<p class=\"page\">Not ready: {part} {}</p>",
            Escaped(why)
        )?;
    }
    Ok(())
}

fn open(html: &mut String, incidents: &[Shown]) -> fmt::Result {
    html.push_str("<h2>Open incidents</h2>");
    if incidents.is_empty() {
        html.push_str("<p>None.</p>");
    }
    incidents
        .iter()
        .try_for_each(|incident| one_incident(html, incident))
}

fn one_incident(html: &mut String, incident: &Shown) -> fmt::Result {
    write!(html, "<section><h3>{}", Escaped(&incident.target))?;
    if let Some(vcm) = &incident.vcm {
        write!(html, " ({})", Escaped(vcm))?;
    }
    write!(
        html,
        ": {}</h3><p>Open since {}",
        incident.state,
        instant(incident.opened_at)
    )?;
    match incident.first_failed_at {
        Some(at) => write!(html, ", seen failed since {}", instant(at))?,
        None => html.push_str(", not seen failed"),
    }
    match incident.ceiling {
        Some(tier) => write!(html, ". Alerts permit up to <b>{tier}</b>.</p>")?,
        None => html.push_str(". No valid alert permits anything now.</p>"),
    }
    if let Some(reason) = &incident.latch_reason {
        write!(html, "<p>Left to people: {}</p>", Escaped(reason))?;
    }
    if let Some(hold) = &incident.hold {
        write!(
            html,
            "<p>Held by {} {}: {}</p>",
            Escaped(&hold.by),
            told::until(hold.until),
            Escaped(&hold.reason)
        )?;
    }
    diagnosis(html, incident)?;
    verdicts(html, incident)?;
    for (rung, who) in &incident.denied {
        write!(html, "<p>{rung} is left out: {}</p>", Escaped(who))?;
    }
    for (rung, reason) in &incident.skipped {
        write!(html, "<p>{rung} is left out: {}</p>", Escaped(reason))?;
    }
    html.push_str("</section>");
    Ok(())
}

/// What is seen and what that means, with what else is worth knowing.
fn diagnosis(html: &mut String, incident: &Shown) -> fmt::Result {
    let Some(diagnosis) = &incident.diagnosis else {
        return Ok(());
    };
    match diagnosis.looked_at {
        Some(at) => write!(
            html,
            "<p class=\"quiet\">Looked at last {}.</p>",
            instant(at)
        )?,
        None => html.push_str("<p class=\"quiet\">Not looked at yet.</p>"),
    }
    for pattern in &diagnosis.patterns {
        let (seen, means) = (Escaped(pattern.seen), Escaped(pattern.means));
        let so = Escaped(pattern.so);
        write!(
            html,
            "<p><b>Seen:</b> {seen}. <b>Means:</b> {means}. <b>So:</b> {so}.</p>"
        )?;
    }
    list(html, "Beside it", &diagnosis.hints)?;
    list(html, "Not as in the inventory", &diagnosis.drift)
}

fn list(html: &mut String, name: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    write!(html, "<p>{name}:</p><ul>")?;
    for line in lines {
        write!(html, "<li>{}", Escaped(line))?;
    }
    html.push_str("</ul>");
    Ok(())
}

/// What observe mode would have run.
fn shadows(html: &mut String, shadows: &[ShownShadow]) -> fmt::Result {
    if shadows.is_empty() {
        return Ok(());
    }
    html.push_str(
        "<h2>What would have been run in the last two days</h2>\
         <table><tr><th>At<th>Target<th>Tier<th>Would have run<th>After asking",
    );
    for shadow in shadows {
        let asks = match shadow.asks.is_empty() {
            true => "nobody".to_owned(),
            false => shadow.asks.join("; "),
        };
        write!(
            html,
            "<tr><td>{}<td>{}<td>{}<td><code>{}</code><td>{}",
            instant(shadow.at),
            Escaped(&shadow.target),
            shadow.tier,
            Escaped(shadow.commands.join("; ")),
            Escaped(asks),
        )?;
    }
    html.push_str("</table>");
    Ok(())
}

fn verdicts(html: &mut String, incident: &Shown) -> fmt::Result {
    let in_the_way = incident
        .verdicts
        .iter()
        .filter(|given| given.verdict != "not_applicable");
    let mut in_the_way = in_the_way.peekable();
    if in_the_way.peek().is_none() {
        let standing = if incident.standing == Standing::Observing {
            "Not seen failed: nothing to do.".to_owned()
        } else {
            format!("Where it stands: {}.", incident.standing)
        };
        return write!(html, "<p class=\"quiet\">{}</p>", Escaped(standing));
    }
    html.push_str("<table><tr><th>Tier<th>Guard<th>Says<th>Because<th>Until");
    for given in in_the_way {
        write!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>",
            given.tier,
            given.guard,
            given.verdict,
            Escaped(&given.reason),
        )?;
        if let Some(until) = given.until {
            write!(html, "{}", instant(until))?;
        }
    }
    html.push_str("</table>");
    Ok(())
}

fn inventory(html: &mut String, app: &App) -> fmt::Result {
    html.push_str("<h2>Hosts</h2><table><tr><th>Target<th>VCM<th>ESN<th>HSM<th>Mode<th>Last seen");
    for entry in app.inventory.hosts.values() {
        let state = app.board.host(&entry.name);
        host_row(html, app, entry, state.as_deref())?;
        module_rows(html, entry, state.as_deref())?;
    }
    html.push_str("</table>");
    Ok(())
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

fn attempts(html: &mut String, hosts: &[std::sync::Arc<HostState>]) -> fmt::Result {
    let mut attempts: Vec<&Attempt> = hosts
        .iter()
        .flat_map(|host| host.attempts.values())
        .collect();
    attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.reserved_at));
    html.push_str("<h2>Attempts of the last two days</h2>");
    if attempts.is_empty() {
        html.push_str("<p>None.</p>");
        return Ok(());
    }
    html.push_str("<table><tr><th>Began<th>Target<th>Tier<th>Commands<th>Outcome");
    for attempt in attempts {
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
        )?;
    }
    html.push_str("</table>");
    Ok(())
}

/// The plan as an operator would type it.
fn commands(attempt: &Attempt) -> String {
    let steps = attempt.intent.steps.iter().map(|step| told::step(*step));
    steps.collect::<Vec<_>>().join("; ")
}

fn events(html: &mut String, events: &[Event]) -> fmt::Result {
    html.push_str("<h2>What was recorded last</h2>");
    if events.is_empty() {
        html.push_str("<p>Nothing yet.</p>");
        return Ok(());
    }
    html.push_str("<table><tr><th>Event<th>Time<th>Target<th>What");
    for event in events {
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
        )?;
    }
    html.push_str("</table>");
    Ok(())
}
