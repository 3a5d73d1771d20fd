//! What the sources say, in words for people.

use serde_json::Value;

use super::{Entry, Mood, Source};
use crate::lab::{estate::Happening, network::Turn, remediator::Event};

/// What happened in the estate; `None` for what only matters to the simulator.
pub(super) fn of_happening(happening: &Happening) -> Option<Entry> {
    let details = &happening.details;
    let module = happening
        .module
        .map(|number| format!("module {number}"))
        .unwrap_or_default();
    let cause = details["cause"].as_str().unwrap_or_default();
    let (text, mood) = match happening.event.as_str() {
        "network_lost" => (format!("{module}: the network to it breaks"), Mood::Bad),
        "network_restored" => (format!("{module}: the network to it is back"), Mood::Good),
        "hsm_rebooted" => (format!("{module}: its HSM reboots"), Mood::Bad),
        "hsm_serves" => (format!("{module}: its VCM serves again"), Mood::Good),
        "module_failed" => (format!("{module} FAILS ({cause})"), Mood::Bad),
        "module_operational" => (
            format!("{module} is operational again ({cause})"),
            Mood::Good,
        ),
        "module_mode" => (
            format!("{module}: mode is {}", plain(&details["mode"])),
            Mood::Plain,
        ),
        "hardserver_started" => ("the hardserver runs".to_owned(), Mood::Good),
        "hardserver_ended" if details["clean"] == true => {
            ("the hardserver is stopped on purpose".to_owned(), Mood::Bad)
        }
        "hardserver_ended" => ("the hardserver DIES".to_owned(), Mood::Bad),
        "damage" => (damage(details, &module), Mood::Bad),
        _ => return None,
    };
    Some(Entry {
        time_ms: happening.time_ms,
        order: 0,
        source: Source::Estate,
        text,
        mood,
    })
}

fn damage(details: &Value, module: &str) -> String {
    let count = plain(&details["count"]);
    match details["damage"].as_str() {
        Some("clients_cut") => format!("{count} connections of applications are cut"),
        Some("objects_lost") => format!("{module}: {count} loaded keys are gone"),
        _ => format!("{module}: {}", plain(&details["damage"])),
    }
}

/// What the remediator's record says; `None` for what repeats another source.
pub(super) fn of_event(event: &Event) -> Option<Entry> {
    let target = target(event);
    let body = &event.body;
    let (source, text, mood) = match event.kind.as_str() {
        "FactChanged" => {
            let verb = if body["firing"] == true {
                "fires"
            } else {
                "has ended"
            };
            let permits = body["tier"].as_str().unwrap_or("nothing");
            let text = format!(
                "accepted: {} {verb} for {target}, permits {permits}",
                plain(&body["name"])
            );
            (Source::Webhook, text, Mood::Plain)
        }
        "Observed" => (Source::Evidence, evidence(body), Mood::Plain),
        "Decided" => (Source::Verdict, verdicts(body)?, Mood::Plain),
        "IncidentOpened" => (
            Source::Incident,
            format!("opened for {target}"),
            Mood::Plain,
        ),
        "IncidentLatched" => {
            let text = format!(
                "{target}: {}: {}",
                plain(&body["latch"]),
                plain(&body["reason"])
            );
            (Source::Incident, text, Mood::Bad)
        }
        "IncidentClosed" => {
            let text = format!(
                "closed for {target} as {}: {}",
                plain(&body["ending"]),
                plain(&body["reason"])
            );
            (Source::Incident, text, Mood::Good)
        }
        "IntentReserved" => {
            let steps = body["steps"].as_array().into_iter().flatten().map(step);
            let steps = steps.collect::<Vec<_>>().join(", ");
            (
                Source::Attempt,
                format!("{} of {target} begins: {steps}", plain(&body["rung"])),
                Mood::Act,
            )
        }
        "AttemptReported" => report(body),
        "PageRaised" => {
            let text = format!(
                "{target}: {}: {}",
                plain(&body["reason"]),
                plain(&body["text"])
            );
            (Source::Page, text, Mood::Bad)
        }
        "PageCleared" => (
            Source::Page,
            format!("{target}: {} is over", plain(&body["reason"])),
            Mood::Good,
        ),
        _ => return None,
    };
    Some(Entry {
        time_ms: event.time_ms,
        order: 0,
        source,
        text,
        mood,
    })
}

fn target(event: &Event) -> String {
    let module = event
        .target
        .as_ref()
        .and_then(|target| target["module"].as_u64());
    match (&event.host, module) {
        (Some(host), Some(module)) => format!("{host}/{module}"),
        (Some(host), None) => host.clone(),
        (None, _) => "fleet".to_owned(),
    }
}

fn evidence(body: &Value) -> String {
    let mut parts = vec![format!("hardserver {}", plain(&body["hardserver"]))];
    for module in body["modules"].as_array().into_iter().flatten() {
        let (condition, network) = (plain(&module["condition"]), plain(&module["network"]));
        let number = plain(&module["module"]);
        parts.push(format!("module {number} {condition}, network {network}"));
    }
    if let Some(problem) = body["problem"].as_str() {
        parts.push(problem.to_owned());
    }
    parts.join("; ")
}

/// The verdicts that matter: those on the rung where the ladder stands, and the rungs left out.
fn verdicts(body: &Value) -> Option<String> {
    let standing = &body["standing"];
    let at = standing["rung"].as_str();
    let lines = mattering(body["verdicts"].as_array()?, at);
    match (standing["at"].as_str(), at, lines.is_empty()) {
        (Some("ready"), Some(rung), _) => Some(format!("{rung} may start: every guard passes")),
        (Some("out_of_rungs"), ..) => Some(format!("no rung is left; {}", lines.join("; "))),
        (.., true) => None,
        (.., false) => Some(lines.join("; ")),
    }
}

/// One line for each reason; guards that give the same one share it.
fn mattering(given: &[Value], at: Option<&str>) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for given in given {
        let Some(rung) = given["rung"].as_str() else {
            continue;
        };
        let Some((word, reason)) = verdict(&given["verdict"]) else {
            continue;
        };
        let verb = match word {
            "skip" => "is left out",
            "refuse" if at == Some(rung) => "waits",
            "ask" if at == Some(rung) => "needs a person",
            _ => continue,
        };
        let line = format!("{rung} {verb}: {reason}");
        let guard = given["guard"].as_str().unwrap_or_default();
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, guards)) => guards.push(guard),
            None => lines.push((line, vec![guard])),
        }
    }
    lines
        .into_iter()
        .map(|(line, guards)| format!("{line} [{}]", brief(&guards)))
        .collect()
}

/// Names of guards, as long as there are few.
fn brief(guards: &[&str]) -> String {
    if guards.len() > 3 {
        format!("{} guards", guards.len())
    } else {
        guards.join(", ")
    }
}

fn verdict(verdict: &Value) -> Option<(&str, &str)> {
    let (word, content) = verdict.as_object()?.iter().next()?;
    let reason = content.as_str().or_else(|| content["reason"].as_str());
    Some((word.as_str(), reason.unwrap_or_default()))
}

fn report(body: &Value) -> (Source, String, Mood) {
    let (text, mood) = match body["report"].as_str() {
        Some("accepted") => (
            "the host runner has journalled it and goes on alone".to_owned(),
            Mood::Plain,
        ),
        Some("ended") => (
            format!("its steps have ended: {}", plain(&body["detail"])),
            Mood::Plain,
        ),
        _ => {
            let outcome = plain(&body["outcome"]);
            let mood = if outcome == "succeeded" {
                Mood::Good
            } else {
                Mood::Bad
            };
            (format!("{outcome}: {}", plain(&body["reason"])), mood)
        }
    };
    (Source::Attempt, text, mood)
}

fn step(step: &Value) -> String {
    if let Some(fields) = step.as_object() {
        return fields
            .iter()
            .map(|(name, number)| module_step(name, number))
            .collect();
    }
    match step.as_str() {
        Some("restart_hardserver") => "init.d-ncipher restart".to_owned(),
        Some("start_hardserver") => "init.d-ncipher start".to_owned(),
        _ => plain(step),
    }
}

fn module_step(name: &str, number: &Value) -> String {
    match name {
        "retry_module" => format!("nopclearfail -m{number} -r"),
        "enter_maintenance" => format!("nopclearfail -m{number} -M"),
        "clear_module" => format!("nopclearfail -m{number} -c"),
        "wait" => format!("wait {} s", number.as_u64().unwrap_or_default() / 1_000),
        other => format!("{other} {number}"),
    }
}

/// What the lab itself does to the packets.
pub(super) const fn of_turn(turn: Turn) -> (&'static str, Mood) {
    if turn.lost {
        ("module 1: ping is LOST from here on", Mood::Bad)
    } else {
        ("module 1: ping is answered again", Mood::Good)
    }
}

/// A series of Prometheus.
pub(super) fn of_sample(source: Source, labels: &Value) -> String {
    if source == Source::Alert {
        let module = labels["module"]
            .as_str()
            .map(|module| format!("/{module}"))
            .unwrap_or_default();
        let reason = labels["reason"]
            .as_str()
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default();
        let host = labels["host"]
            .as_str()
            .map(|host| format!(" for {host}{module}"))
            .unwrap_or_default();
        return format!("{} fires{host}{reason}", plain(&labels["alertname"]));
    }
    let what = match (labels["state"].as_str(), labels["module"].as_str()) {
        (Some(state), Some(module)) => format!("module {module} {state}"),
        (Some(state), None) => format!("hardserver {state}"),
        (None, module) => format!("ping to module {} lost", module.unwrap_or("?")),
    };
    format!("first bad scrape of {}: {what}", plain(&labels["host"]))
}

/// A string without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Milliseconds since 1970 of a time of Prometheus.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time since 1970 in seconds is positive and small"
)]
pub(super) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests;
