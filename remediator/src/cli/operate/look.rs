//! What operators look at before they order: incidents, attempts, the alternatives of a request.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

use serde::de::DeserializeOwned;
use serde_json::Value;
use vcm_recovery::inventory::Target;

use super::super::client::{Format, Server, ServerArgs, ServerError};
use super::super::{EXIT_FAILURE, EXIT_USAGE};
use super::seen::{Attempts, Diagnosis, Fleet, Incident, Incidents, Pattern, Request};
use super::{Went, print};
use crate::told::{instant, until};
use crate::web::named::RequestName;

const INCIDENTS: &str = "/api/v1/incidents";

/// `incidents list`
pub(super) async fn incidents(server: &ServerArgs) -> Went {
    let connected = server.connect()?;
    if server.format == Format::Json {
        return json(&connected, INCIDENTS).await;
    }
    let fleet: Fleet = connected.get("/api/v1/fleet").await?;
    let Incidents { incidents } = connected.get(INCIDENTS).await?;
    show(|out| {
        banners(out, &fleet)?;
        if incidents.is_empty() {
            writeln!(out, "no open incidents; mode {}", fleet.mode)?;
        }
        incidents
            .iter()
            .try_for_each(|incident| line(out, incident))
    })
}

/// `incidents show`
pub(super) async fn incident(server: &ServerArgs, target: &Target) -> Went {
    let connected = server.connect()?;
    let list: Value = connected.get(INCIDENTS).await?;
    let named = |raw: &&Value| raw["target"] == serde_json::json!(target);
    let found = list["incidents"]
        .as_array()
        .into_iter()
        .flatten()
        .find(named);
    match (found, server.format) {
        (None, _) => {
            say_missing(&format!("{target} has no open incident"));
            Ok(ExitCode::from(EXIT_FAILURE))
        }
        (Some(raw), Format::Json) => show(|out| writeln!(out, "{raw}")),
        (Some(raw), Format::Human) => {
            let incident: Incident = read(&connected, raw)?;
            show(|out| whole(out, &incident))
        }
    }
}

/// `attempts list`
pub(super) async fn attempts(server: &ServerArgs) -> Went {
    let connected = server.connect()?;
    let path = "/api/v1/attempts";
    if server.format == Format::Json {
        return json(&connected, path).await;
    }
    let Attempts { attempts } = connected.get(path).await?;
    show(|out| {
        if attempts.is_empty() {
            out.push_str("no attempts in the last two days\n");
        }
        for attempt in &attempts {
            let outcome = match (&attempt.outcome, attempt.ended_at) {
                (Some(outcome), _) => format!("{outcome}: {}", attempt.reason),
                (None, Some(_)) => "being verified".to_owned(),
                (None, None) => "running".to_owned(),
            };
            let (id, at) = (&attempt.attempt, instant(attempt.reserved_at));
            let (target, tier) = (&attempt.target, &attempt.tier);
            writeln!(out, "{id}  {at}  {target}  {tier}  {outcome}")?;
        }
        Ok(())
    })
}

/// `approve` without a rung: what there is to choose from. Nothing is done.
pub(super) async fn alternatives(server: &ServerArgs, request: &RequestName) -> Went {
    let connected = server.connect()?;
    let list: Value = connected.get(INCIDENTS).await?;
    let named = |raw: &&Value| raw["request"]["id"] == serde_json::json!(request.to_string());
    let found = list["incidents"]
        .as_array()
        .into_iter()
        .flatten()
        .find(named);
    let Some(raw) = found else {
        say_missing(&format!(
            "request {request} is not open: it was answered, used, or has expired"
        ));
        return Ok(ExitCode::from(EXIT_FAILURE));
    };
    match server.format {
        Format::Json => print(&format!("{}\n", raw["request"])),
        Format::Human => {
            let incident: Incident = read(&connected, raw)?;
            show(|out| {
                let asked = incident.request.as_ref();
                asked.map_or(Ok(()), |asked| choices(out, &incident, asked))?;
                out.push_str("Nothing was done: choose with --rung and --reason.\n");
                Ok(())
            })?;
        }
    }
    Ok(ExitCode::from(EXIT_USAGE))
}

async fn json(server: &Server, path: &str) -> Went {
    let answer: Value = server.get(path).await?;
    print(&format!("{answer}\n"));
    Ok(ExitCode::SUCCESS)
}

/// A part of an answer that was read as it came.
fn read<T: DeserializeOwned>(server: &Server, raw: &Value) -> Result<T, ServerError> {
    T::deserialize(raw).map_err(|source| server.unreadable(source))
}

fn show(write: impl FnOnce(&mut String) -> fmt::Result) -> Went {
    let mut text = String::new();
    let written = write(&mut text);
    // Writing to a String does not fail.
    debug_assert!(written.is_ok());
    print(&text);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "for the person who typed it")]
fn say_missing(text: &str) {
    eprintln!("vcm-remediator: {text}");
}

/// What holds everything up, and what a human is needed for.
fn banners(out: &mut String, fleet: &Fleet) -> fmt::Result {
    if let Some(pause) = &fleet.pause {
        let (by, end, reason) = (&pause.by, until(pause.until), &pause.reason);
        writeln!(out, "PAUSED by {by} {end}: {reason}")?;
    }
    for held in &fleet.holds {
        let (by, end, reason) = (&held.hold.by, until(held.hold.until), &held.hold.reason);
        writeln!(out, "HELD {} by {by} {end}: {reason}", held.target)?;
    }
    if let Some(since) = fleet.storm {
        writeln!(out, "STORM of the whole fleet since {}", instant(since))?;
    }
    for storm in &fleet.storms {
        let hsm = storm.hsm.as_deref().unwrap_or("of unknown name");
        writeln!(out, "STORM of HSM {hsm} since {}", instant(storm.since))?;
    }
    for shed in &fleet.sheds {
        let (hsm, action, since) = (&shed.hsm, &shed.action, instant(shed.since));
        let done = if shed.done { "done" } else { "not done" };
        writeln!(out, "LOAD of HSM {hsm} since {since}: {action}, {done}")?;
    }
    if fleet.unconfirmed_gap_seconds > 0 {
        let hours = fleet.unconfirmed_gap_seconds / 3600;
        writeln!(
            out,
            "GAP of {hours} h without the remediator: restarts and clears wait for confirm-gap"
        )?;
    }
    for page in &fleet.pages {
        let target = page.target.as_ref().map(Target::to_string);
        let hsm = page.hsm.as_ref().map(|hsm| format!("HSM {hsm}"));
        let about = target.or(hsm).unwrap_or_else(|| "the fleet".to_owned());
        let (reason, since) = (&page.reason, instant(page.since));
        writeln!(out, "A HUMAN IS NEEDED for {about}: {reason} since {since}")?;
    }
    Ok(())
}

/// One incident in one line.
fn line(out: &mut String, incident: &Incident) -> fmt::Result {
    let (target, state, at) = (
        &incident.target,
        &incident.state,
        instant(incident.opened_at),
    );
    write!(out, "{target}  {state}  since {at}")?;
    if let Some(request) = incident
        .request
        .as_ref()
        .filter(|open| open.answer.is_none())
    {
        write!(out, "  asks: request {}", request.id)?;
    }
    out.push('\n');
    Ok(())
}

/// One incident with all that is known of it.
fn whole(out: &mut String, incident: &Incident) -> fmt::Result {
    line(out, incident)?;
    writeln!(out, "  incident {}", incident.id)?;
    if let Some(vcm) = &incident.vcm {
        writeln!(out, "  VCM {vcm}")?;
    }
    match incident.first_failed_at {
        Some(at) => writeln!(out, "  seen failed since {}", instant(at))?,
        None => out.push_str("  not seen failed\n"),
    }
    let ceiling = incident.ceiling.as_deref().unwrap_or("nothing");
    writeln!(out, "  alerts permit up to {ceiling}")?;
    if let Some(diagnosis) = &incident.diagnosis {
        diagnosed(out, diagnosis)?;
    }
    if let Some(reason) = &incident.latch_reason {
        writeln!(out, "  left to people: {reason}")?;
    }
    if let Some(hold) = &incident.hold {
        let (by, end, reason) = (&hold.by, until(hold.until), &hold.reason);
        writeln!(out, "  held by {by} {end}: {reason}")?;
    }
    for (reason, since) in &incident.pages {
        writeln!(
            out,
            "  a human is needed: {reason} since {}",
            instant(*since)
        )?;
    }
    for (tier, who) in &incident.denied {
        writeln!(out, "  {tier} is left out: {who}")?;
    }
    verdicts(out, incident)?;
    for attempt in &incident.attempts {
        let outcome = attempt.outcome.as_deref().unwrap_or("open");
        let (id, tier, at) = (
            &attempt.attempt,
            &attempt.tier,
            instant(attempt.reserved_at),
        );
        writeln!(out, "  attempt {id}: {tier} at {at}: {outcome}")?;
    }
    let request = incident.request.as_ref();
    request.map_or(Ok(()), |asked| choices(out, incident, asked))
}

/// As `explain` prints it.
fn diagnosed(out: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    for Pattern { seen, means, so } in &diagnosis.patterns {
        writeln!(out, "  seen: {seen}\n  means: {means}\n  so: {so}")?;
    }
    let lines = diagnosis.hints.iter().chain(&diagnosis.drift);
    lines
        .into_iter()
        .try_for_each(|line| writeln!(out, "  {line}"))
}

fn verdicts(out: &mut String, incident: &Incident) -> fmt::Result {
    let given = incident.verdicts.iter();
    for given in given.filter(|given| given.verdict != "not_applicable") {
        let (tier, guard, says) = (&given.tier, &given.guard, &given.verdict);
        write!(out, "  {tier}: {guard} {says}: {}", given.reason)?;
        if let Some(at) = given.until {
            write!(out, " (until {})", instant(at))?;
        }
        out.push('\n');
    }
    Ok(())
}

/// What may be chosen, and whom each choice disrupts.
fn choices(out: &mut String, incident: &Incident, request: &Request) -> fmt::Result {
    let (id, target) = (&request.id, &incident.target);
    let (asked, expires) = (instant(request.asked_at), instant(request.expires_at));
    writeln!(
        out,
        "request {id} about {target}, asked {asked}, void from {expires}"
    )?;
    for offered in &request.alternatives {
        let (tier, disrupts) = (&offered.tier, &offered.disrupts);
        writeln!(out, "  {tier}: disrupts {disrupts}")?;
        writeln!(out, "    runs {}", offered.commands.join("; "))?;
        for reason in &offered.reasons {
            writeln!(out, "    asks because {reason}")?;
        }
    }
    out.push_str("  nothing: deny leaves all of these out for this incident\n");
    match &request.answer {
        Some(answer) => writeln!(out, "  answered by {}: {}", answer.by, answer.reason),
        None => Ok(()),
    }
}
