//! The remediator's turn, as `engine::actor` and `engine::attempt` take it: ask about running
//! attempts, decide, look, decide, reserve, decide again, order.
//!
//! The decisions, the fold and the budget's rule are the program's own. What is modelled is the order
//! of the steps and what is lost when the process dies between two of them.

use std::sync::Arc;

use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::decide::{Action, Decision, Proposal, decide};
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::FleetView;
use vcm_recovery::fleet::budget;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::ids::AttemptId;
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::Site;
use vcm_recovery::state::HostState;

use super::ghost;
use super::runner;
use super::state::{AtReserve, Job, JobAt, Note, Order, Pc, Reserved, State};
use super::{Broken, Estate};
use crate::scene::{self, HashedProposal};
use crate::ticks::{Tick, at};

/// What goes wrong in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mishap {
    /// The host does not answer when it is asked about attempts.
    Unanswered,
    /// The look fails.
    LookFails,
    /// The process dies behind what it stored of the host's answers.
    DiesAfterAnswers,
    /// It dies behind the first decision.
    DiesAfterDecision,
}

/// One turn; `None` if the mishap would change nothing.
pub(super) fn turn(estate: &Estate, state: &mut State, mishap: Option<Mishap>) -> Option<()> {
    let before = Arc::clone(&state.host);
    let asks = unreported(state).next().is_some();
    match mishap {
        Some(Mishap::Unanswered) if !asks => return None,
        Some(Mishap::Unanswered) => {}
        _ => poll(estate, state),
    }
    if mishap == Some(Mishap::DiesAfterAnswers) {
        let stored = before != state.host;
        crash(state);
        return stored.then_some(());
    }
    let mut decision = decide_and_record(estate, state);
    if mishap == Some(Mishap::DiesAfterDecision) {
        let stored = before != state.host;
        crash(state);
        return stored.then_some(());
    }
    let due = look_is_due(state, &decision);
    if mishap == Some(Mishap::LookFails) && !due {
        return None;
    }
    if due {
        let seen = mishap != Some(Mishap::LookFails);
        look(estate, state, seen);
        decision = decide_and_record(estate, state);
    }
    act(estate, state, &decision);
    Some(())
}

/// The process dies. An order that it was giving may still arrive.
pub(super) fn crash(state: &mut State) {
    if let Pc::Ordered(order) = std::mem::replace(&mut state.pc, Pc::Down(state.now)) {
        state.late = Some(order);
    }
    state.looks.clear();
}

/// A new start of the program: a new epoch, and no look yet.
pub(super) fn start(estate: &Estate, state: &mut State) {
    state.epoch.0 += 1;
    state.pc = Pc::Idle;
    if estate.breaks(Broken::StartOrdersAgain) {
        order_again(estate, state);
    }
}

/// Decides again with the budget held, and orders the attempt if the decision stands.
pub(super) fn order(estate: &Estate, state: &mut State, reserved: &Reserved) {
    let again = decided(estate, state, &reserved.before);
    let proposal = &reserved.proposal.0;
    let attempt = reserved.attempt;
    let stands = again.proposal.as_ref() == Some(proposal);
    if !stands && !estate.breaks(Broken::NotDecidedAgain) {
        let stopped = ghost::stopped(state, &proposal.target);
        state.notes.insert(match stopped {
            true => Note::StoppedReady,
            false => Note::Cancelled,
        });
        settle(estate, state, attempt, &proposal.target, Outcome::Cancelled);
        state.pc = Pc::Turned;
        return;
    }
    let target = match estate.breaks(Broken::OtherTarget) {
        true => Target::module(estate.entry.name.clone(), scene::number(2)),
        false => proposal.target.clone(),
    };
    state.pc = Pc::Ordered(Order {
        attempt,
        epoch: state.epoch,
        rung: proposal.rung,
        esn: estate
            .entry
            .module_of(&target)
            .and_then(|module| module.esn.clone()),
        target,
        observation: proposal.observation,
        approval: proposal.approval,
        asked: proposal.asked.clone(),
        facts: AtReserve {
            stopped: ghost::stopped(state, &proposal.target),
            ..reserved.facts.clone()
        },
    });
}

/// Stores a report of an attempt.
pub(super) fn report(
    estate: &Estate,
    state: &mut State,
    attempt: AttemptId,
    target: &Target,
    report: Report,
) {
    let mut report = report;
    if let Report::Settled { outcome, .. } = &mut report
        && matches!(outcome, Outcome::Refused | Outcome::Unknown)
        && estate.breaks(Broken::EverythingFailed)
    {
        *outcome = Outcome::Failed;
    }
    let entry = entry(
        estate,
        state,
        target,
        Change::AttemptReported { attempt, report },
    );
    record(estate, state, vec![entry]);
}

/// Stores entries and applies them; notes what happened for the properties.
pub(super) fn record(estate: &Estate, state: &mut State, entries: Vec<Entry>) {
    for entry in entries {
        let silent =
            estate.breaks(Broken::NobodyIsPaged) || estate.breaks(Broken::SectionIsForgotten);
        let page = matches!(entry.change, Change::PageRaised { .. });
        let intent = matches!(entry.change, Change::IntentReserved(_));
        let lost = page && silent || intent && estate.breaks(Broken::IntentIsLost);
        if lost {
            continue;
        }
        ghost::notice(state, &entry);
        scene::store(&mut state.host, &[entry], state.epoch, state.now);
    }
}

/// An event about a target.
pub(super) fn entry(estate: &Estate, state: &State, target: &Target, change: Change) -> Entry {
    let incident = state.host.incidents.get(target);
    Entry {
        host: Some(estate.entry.name.clone()),
        target: Some(target.clone()),
        incident: incident.map(|incident| incident.id.clone()),
        change,
    }
}

/// The looks in memory, as the program keeps them.
pub(super) fn evidence(estate: &Estate, looks: &[(Tick, Option<scene::View>)]) -> Evidence {
    let mut evidence = Evidence::default();
    for (tick, view) in looks {
        let seen = view
            .as_ref()
            .map(|view| scene::observation(&estate.entry, view, *tick));
        evidence.push(Look {
            at: at(*tick),
            seen: seen.ok_or_else(|| "no answer".to_owned()),
        });
    }
    evidence
}

/// What is known of the fleet: this host is all of it.
pub(super) fn fleet(estate: &Estate, state: &State, host: &HostState) -> FleetView {
    let fleet = FleetState {
        pause: state
            .pause
            .clone()
            .filter(|_| !estate.breaks(Broken::PauseIsIgnored)),
        ..FleetState::default()
    };
    let (inventory, policy) = (&estate.inventory, &estate.policy);
    FleetView::new(
        std::iter::once(host),
        &fleet,
        inventory,
        policy,
        at(state.now),
    )
}

fn decided(estate: &Estate, state: &State, host: &HostState) -> Decision {
    let site = Site {
        host: &estate.entry,
        policy: &estate.policy,
    };
    let evidence = evidence(estate, &state.looks);
    let fleet = fleet(estate, state, host);
    let (held, open) = (
        estate.breaks(Broken::HoldIsIgnored),
        estate.breaks(Broken::OthersInFlightAreIgnored),
    );
    if held || open {
        let mut host = host.clone();
        host.holds.retain(|_, _| !held);
        host.attempts
            .retain(|_, attempt| !open || !attempt.unsettled());
        return decide(&host, &evidence, &fleet, site, at(state.now));
    }
    decide(host, &evidence, &fleet, site, at(state.now))
}

fn decide_and_record(estate: &Estate, state: &mut State) -> Decision {
    let host = Arc::clone(&state.host);
    let decision = decided(estate, state, &host);
    record(estate, state, decision.changes.clone());
    decision
}

/// As `Actor::look_is_due`, where a look of this tick is as new as can be.
fn look_is_due(state: &State, decision: &Decision) -> bool {
    let steps_run = state.host.unsettled().any(|attempt| attempt.running());
    let due = decision.next_wake.is_some_and(|wake| wake <= at(state.now));
    let newest = state.looks.last().map(|(tick, _)| *tick);
    !steps_run && newest != Some(state.now) && (due || decision.proposal.is_some())
}

fn look(estate: &Estate, state: &mut State, seen: bool) {
    let view = seen.then(|| state.world.view.clone());
    state.looks.push((state.now, view));
    forget_looks(estate, state);
}

/// Forgets the looks that nothing can depend on any more. A verification asks for those since the
/// steps of its attempt have ended. Everything else asks for how long the newest looks have agreed,
/// and whether that is as long as some time of the policy or longer.
fn forget_looks(estate: &Estate, state: &mut State) {
    let policy = &estate.policy;
    let longest = [
        policy.healthy_for,
        policy.stale_alert_after,
        policy.latch_release_after,
        policy.agreement_span,
    ];
    let longest = longest.into_iter().max().unwrap_or_default();
    let verified = state
        .host
        .unsettled()
        .filter_map(|attempt| attempt.ended_at);
    let kept_from = verified.chain([at(state.now).before(longest)]).min();
    state
        .looks
        .retain(|(tick, _)| kept_from.is_none_or(|from| at(*tick) >= from));
}

fn unreported(state: &State) -> impl Iterator<Item = (AttemptId, Target, bool)> {
    let unreported = state.host.unsettled();
    unreported
        .filter(|attempt| attempt.unreported() && !attempt.interrupted)
        .map(|attempt| {
            let intent = &attempt.intent;
            (intent.attempt, intent.target.clone(), attempt.accepted)
        })
}

/// As `Actor::poll_attempts` and `reports_of`.
fn poll(estate: &Estate, state: &mut State) {
    for (attempt, target, accepted) in unreported(state).collect::<Vec<_>>() {
        let at = match state.job(attempt).map(|job| job.at) {
            None if !accepted => runner::tombstone(estate, state, attempt),
            None => JobAt::Lost,
            Some(at) => at,
        };
        for told in reports_of(at) {
            report(estate, state, attempt, &target, told);
        }
    }
}

fn reports_of(at: JobAt) -> Vec<Report> {
    let settled = |outcome| Report::Settled {
        outcome,
        reason: String::new(),
    };
    let detail = String::new();
    match at {
        JobAt::Runs(_) | JobAt::Resumed(_) => Vec::new(),
        JobAt::Refused => vec![settled(Outcome::Refused)],
        JobAt::Tombstoned | JobAt::CutShort { begun: false } => vec![settled(Outcome::Cancelled)],
        JobAt::Section(_) => vec![Report::Interrupted { detail }],
        JobAt::Ended | JobAt::CutShort { begun: true } => vec![Report::Ended { detail }],
        JobAt::Lost => vec![Report::Ended { detail }, settled(Outcome::Unknown)],
    }
}

fn settle(
    estate: &Estate,
    state: &mut State,
    attempt: AttemptId,
    target: &Target,
    outcome: Outcome,
) {
    let reason = String::new();
    report(
        estate,
        state,
        attempt,
        target,
        Report::Settled { outcome, reason },
    );
}

/// Resumes sections, and reserves what is proposed.
fn act(estate: &Estate, state: &mut State, decision: &Decision) {
    for (target, action) in &decision.actions {
        if let Action::Resume(attempt) = action
            && !estate.breaks(Broken::SectionIsForgotten)
            && runner::resume(estate, state, *attempt)
        {
            report(estate, state, *attempt, target, Report::Accepted);
        }
    }
    state.pc = Pc::Turned;
    if let Some(proposal) = decision.proposal.as_ref()
        && !estate.breaks(Broken::NothingIsReserved)
    {
        reserve(estate, state, proposal);
    }
}

/// Stores the intent, if the budget's rule allows it.
fn reserve(estate: &Estate, state: &mut State, proposal: &Proposal) {
    let number = state.world.jobs.len() + 1;
    let attempt = AttemptId::from_bits(number as u128);
    let intent = intent(state, attempt, proposal);
    let budgets = estate.policy.budgets;
    let used_up = budget::used_up(&intent, state.host.unsettled(), budgets).is_some();
    if used_up && !estate.breaks(Broken::OthersInFlightAreIgnored) {
        return;
    }
    let facts = ghost::at_reserve(estate, state, proposal);
    let before = Arc::clone(&state.host);
    state.world.jobs.push(None);
    let mut entries = vec![entry(
        estate,
        state,
        &proposal.target,
        Change::IntentReserved(intent),
    )];
    if let Some(request) = proposal.approval {
        let used = Change::ApprovalUsed { request, attempt };
        entries.push(entry(estate, state, &proposal.target, used));
    }
    record(estate, state, entries);
    if estate.breaks(Broken::AnswerStays) {
        keep_answer(state, &before, &proposal.target);
    }
    state.pc = Pc::Reserved(Reserved {
        attempt,
        proposal: HashedProposal(Box::new(proposal.clone())),
        before,
        facts,
    });
}

fn intent(state: &State, attempt: AttemptId, proposal: &Proposal) -> Intent {
    Intent {
        attempt,
        incident: proposal.incident.clone(),
        target: proposal.target.clone(),
        rung: proposal.rung,
        epoch: state.epoch,
        observation: proposal.observation,
        ceiling: proposal.ceiling,
        esn: proposal.esn.clone(),
        hsms: proposal.hsms.clone(),
        steps: proposal.steps.clone(),
        healthy_before: proposal.healthy_before.clone(),
        approval: proposal.approval,
        asked: proposal.asked.clone(),
    }
}

fn keep_answer(state: &mut State, before: &HostState, target: &Target) {
    let request = before.incidents.get(target).and_then(|i| i.request.clone());
    if let Some(incident) = Arc::make_mut(&mut state.host).incidents.get_mut(target) {
        incident.request = request;
    }
}

/// What a remediator would do that takes an open intent for one that it still has to order.
fn order_again(estate: &Estate, state: &mut State) {
    let open = state.host.unsettled().next().cloned();
    if let Some(attempt) = open {
        let attempt = attempt.intent.attempt;
        if let Some(Job { rung, module, .. }) = state.job(attempt).cloned() {
            runner::run(estate, state, attempt, rung, module);
        }
    }
}
