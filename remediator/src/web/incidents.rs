//! The open incidents as the API shows them: where each stands and what stands in its way.
//!
//! They are put into words one after the other, while the answer is sent.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use serde::Serialize;
use vcm_recovery::approval::{Answer, Request, Scope};
use vcm_recovery::attempt::{Attempt, Outcome};
use vcm_recovery::control::Hold;
use vcm_recovery::diagnosis::Diagnosis;
use vcm_recovery::event::RungVerdict;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, HsmName, IncidentId};
use vcm_recovery::incident::{Incident, Latch, Shadow, Standing};
use vcm_recovery::inventory::Target;
use vcm_recovery::page::PageReason;
use vcm_recovery::state::HostState;
use vcm_recovery::step::Step;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

use super::App;
use super::fleet;
use super::named::RequestName;
use super::pieces::newest_first;
use crate::told;

/// An open incident. Times are milliseconds since 1970.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) id: IncidentId,
    pub(super) target: Target,
    /// The operators' name of the VCM and its HSM, from the inventory.
    pub(super) vcm: Option<String>,
    pub(super) hsm: Option<HsmName>,
    pub(super) state: &'static str,
    pub(super) opened_at: Time,
    pub(super) first_failed_at: Option<Time>,
    /// The highest tier that the alerts permit now.
    pub(super) ceiling: Option<Tier>,
    pub(super) standing: Standing,
    /// What the newest look at the target means; absent until its host was looked at.
    pub(super) diagnosis: Option<Diagnosis>,
    /// Why the remediator does nothing more by itself, as a word and as a text.
    pub(super) latch: Option<Latch>,
    pub(super) latch_reason: Option<String>,
    /// What stands in the way of the rung at which the ladder stands, and since when.
    pub(super) blocked: BTreeMap<&'static str, Time>,
    /// Every verdict of the newest ruling that is not a plain pass.
    pub(super) verdicts: Vec<ShownVerdict>,
    /// Rungs that were left out, and why.
    pub(super) skipped: BTreeMap<Rung, String>,
    /// Rungs that a person has decided against, and who.
    pub(super) denied: BTreeMap<Rung, String>,
    /// What a person is asked, or has answered and was not used yet.
    pub(super) request: Option<ShownRequest>,
    /// The hold that counts for the target: its own, or its host's.
    pub(super) hold: Option<Hold>,
    /// When a person had the ladder begin anew.
    pub(super) reopened_at: Option<Time>,
    pub(super) attempts: Vec<ShownAttempt>,
    pub(super) pages: BTreeMap<PageReason, Time>,
}

/// A request for approval.
#[derive(Debug, Serialize)]
pub(super) struct ShownRequest {
    /// `host#number`
    pub(super) id: String,
    pub(super) asked_at: Time,
    /// From then on no answer is taken.
    pub(super) expires_at: Time,
    /// What may be chosen, beside nothing.
    pub(super) alternatives: Vec<ShownAlternative>,
    /// The answer, until it is used.
    pub(super) answer: Option<Answer>,
}

/// One thing that may be chosen.
#[derive(Debug, Serialize)]
pub(super) struct ShownAlternative {
    pub(super) tier: Rung,
    /// Whom it disrupts, as an operator reads it.
    pub(super) disrupts: String,
    /// Why it is not run without being asked for.
    pub(super) reasons: Vec<String>,
    /// The plan as an operator would type it.
    pub(super) commands: Vec<String>,
    /// What an approval is bound to: anything that differs at the act makes it void.
    pub(super) scope: Scope,
}

/// A rung that observe mode would have run.
#[derive(Debug, Serialize)]
pub(super) struct ShownShadow {
    pub(super) incident: IncidentId,
    pub(super) target: Target,
    pub(super) tier: Rung,
    pub(super) commands: Vec<String>,
    /// Why a person would have been asked first; empty when nobody would have been.
    pub(super) asks: Vec<String>,
    /// When it would have been run.
    pub(super) at: Time,
    /// When it is assumed to have failed.
    pub(super) until: Time,
}

/// A verdict in words.
#[derive(Debug, Serialize)]
pub(super) struct ShownVerdict {
    pub(super) tier: Rung,
    pub(super) guard: Guard,
    pub(super) verdict: &'static str,
    pub(super) reason: String,
    pub(super) until: Option<Time>,
}

/// An attempt in brief.
#[derive(Debug, Serialize)]
pub(super) struct ShownAttempt {
    pub(super) attempt: AttemptId,
    pub(super) tier: Rung,
    pub(super) steps: Vec<Step>,
    pub(super) reserved_at: Time,
    pub(super) ended_at: Option<Time>,
    pub(super) outcome: Option<Outcome>,
    pub(super) settled_at: Option<Time>,
}

/// The answer to `GET /api/v1/incidents`, in parts: `time` when it began; `incidents`, every open
/// one by target; `holds`, every hold that counts now, also of targets without an incident; and
/// `shadows`, what observe mode would have run in the last two days, newest first.
pub(super) fn list(
    app: &Arc<App>,
) -> impl Iterator<Item = Result<String, serde_json::Error>> + Send + use<> {
    let now = app.clock.now();
    let head = json(&now).map(|time| format!("{{\"time\":{time},\"incidents\":["));
    let between = {
        let app = Arc::clone(app);
        move || {
            let holds = json(&fleet::holds(
                &app.board.all(),
                app.board.fleet().accounted(now),
            ))?;
            Ok(format!("],\"holds\":{holds},\"shadows\":["))
        }
    };
    iter::once(head)
        .chain(listed(every(app, now, |_| true)))
        .chain(iter::once_with(between))
        .chain(listed(shadows(app)))
        .chain(iter::once(Ok("]}".to_owned())))
}

/// The elements of a list in JSON, with what separates them.
fn listed<T: Serialize>(
    elements: impl Iterator<Item = T> + Send,
) -> impl Iterator<Item = Result<String, serde_json::Error>> + Send {
    let separators = iter::once("").chain(iter::repeat(","));
    let elements = separators.zip(elements);
    elements.map(|(separator, element)| Ok(separator.to_owned() + &json(&element)?))
}

fn json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(value)
}

/// Every open incident that is `wanted`, by target.
pub(super) fn every(
    app: &Arc<App>,
    now: Time,
    wanted: fn(&Incident) -> bool,
) -> impl Iterator<Item = Shown> + Send + use<> {
    let app = Arc::clone(app);
    app.board.names().into_iter().flat_map(move |name| {
        let state = app.board.host(&name);
        let incidents = state.iter().flat_map(|state| {
            let wanted = state
                .incidents
                .values()
                .filter(|&incident| wanted(incident));
            wanted.map(|incident| shown(&app, state, incident, now))
        });
        incidents.collect::<Vec<Shown>>()
    })
}

/// What observe mode would have run, newest first.
pub(super) fn shadows(app: &Arc<App>) -> impl Iterator<Item = ShownShadow> + Send + use<> {
    let app = Arc::clone(app);
    let named = |state: &HostState| {
        let shadows = state.shadows.iter();
        let key = |shadow: &Shadow| (shadow.at, (shadow.incident.clone(), shadow.rung));
        shadows.map(key).collect()
    };
    let found = newest_first(&app.board, named);
    found.into_iter().filter_map(move |found| {
        let state = app.board.host(&found.host)?;
        let (incident, rung) = &found.key;
        let mut shadows = state.shadows.iter();
        let is_it = |shadow: &&Shadow| {
            shadow.at == found.at && shadow.incident == *incident && shadow.rung == *rung
        };
        shadows.find(is_it).map(shadow)
    })
}

fn shadow(shadow: &Shadow) -> ShownShadow {
    ShownShadow {
        incident: shadow.incident.clone(),
        target: shadow.target.clone(),
        tier: shadow.rung,
        commands: commands(&shadow.steps),
        asks: shadow.asks.clone(),
        at: shadow.at,
        until: shadow.until,
    }
}

/// A plan as an operator would type it.
fn commands(steps: &[Step]) -> Vec<String> {
    steps.iter().map(|step| told::step(*step)).collect()
}

fn shown(app: &App, state: &HostState, incident: &Incident, now: Time) -> Shown {
    let target = &incident.target;
    let module = app
        .inventory
        .hosts
        .get(&target.host)
        .and_then(|host| host.module_of(target));
    Shown {
        id: incident.id.clone(),
        target: target.clone(),
        vcm: module.and_then(|module| module.name.clone()),
        hsm: module.and_then(|module| module.hsm.clone()),
        state: state.incident_state(incident).as_str(),
        opened_at: incident.opened_at,
        first_failed_at: incident.first_failed_at,
        ceiling: state.alert_view(target, &app.policy, now).ceiling,
        standing: incident.standing,
        diagnosis: app.board.diagnosis(target).as_deref().cloned(),
        latch: incident.latch.as_ref().map(|(latch, _)| *latch),
        latch_reason: incident.latch.as_ref().map(|(_, reason)| reason.clone()),
        blocked: incident
            .blocked
            .iter()
            .map(|(guard, since)| (guard.as_str(), *since))
            .collect(),
        verdicts: verdicts(incident),
        skipped: skipped(incident),
        denied: incident.denied.clone(),
        request: incident.request.as_ref().map(|open| request(target, open)),
        hold: state.hold_of(target, now).cloned(),
        reopened_at: incident.reopened_at,
        attempts: state.attempts_of(incident).map(attempt).collect(),
        pages: pages(state, target),
    }
}

fn request(target: &Target, request: &Request) -> ShownRequest {
    let alternatives = request.alternatives.iter();
    ShownRequest {
        id: RequestName::new(&target.host, request.id).to_string(),
        asked_at: request.asked_at,
        expires_at: request.expires_at,
        alternatives: alternatives
            .map(|offered| ShownAlternative {
                tier: offered.scope.rung,
                disrupts: offered.disrupts.clone(),
                reasons: offered.reasons.clone(),
                commands: commands(&offered.scope.steps),
                scope: offered.scope.clone(),
            })
            .collect(),
        answer: request.answer.clone(),
    }
}

fn verdicts(incident: &Incident) -> Vec<ShownVerdict> {
    given(incident)
        .map(|given| ShownVerdict {
            tier: given.rung,
            guard: given.guard,
            verdict: given.verdict.as_str(),
            reason: given.verdict.reason().to_owned(),
            until: told::verdict_ends(&given.verdict),
        })
        .collect()
}

fn skipped(incident: &Incident) -> BTreeMap<Rung, String> {
    let skipped = given(incident).filter(|given| matches!(given.verdict, Verdict::Skip(_)));
    skipped
        .map(|given| (given.rung, given.verdict.reason().to_owned()))
        .collect()
}

fn given(incident: &Incident) -> impl Iterator<Item = &RungVerdict> {
    incident.ruling.iter().flat_map(|ruling| &ruling.verdicts)
}

fn attempt(attempt: &Attempt) -> ShownAttempt {
    ShownAttempt {
        attempt: attempt.intent.attempt,
        tier: attempt.intent.rung,
        steps: attempt.intent.steps.clone(),
        reserved_at: attempt.reserved_at,
        ended_at: attempt.ended_at,
        outcome: attempt.outcome.map(|(outcome, _)| outcome),
        settled_at: attempt.outcome.map(|(_, at)| at),
    }
}

fn pages(state: &HostState, target: &Target) -> BTreeMap<PageReason, Time> {
    let of_target = state.pages.iter().filter(|((paged, _), _)| paged == target);
    of_target
        .map(|((_, reason), since)| (*reason, *since))
        .collect()
}
