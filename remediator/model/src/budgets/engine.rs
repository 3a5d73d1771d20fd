//! The actors' turns, the reserving transaction, and what runs on the hosts.

use std::sync::Arc;

use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Attempt, Intent, Outcome, Report};
use vcm_recovery::command::{Giver, HostOrder, of_host};
use vcm_recovery::decide::{Decision, Proposal, decide};
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::FleetView;
use vcm_recovery::fleet::budget;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch};
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::Site;
use vcm_recovery::state::HostState;

use super::state::{Host, Job, Note, Pc, State};
use super::{Broken, Estate, ghost};
use crate::scene::{self, HashedProposal, Module};
use crate::ticks::{Tick, at};

const EPOCH: Epoch = Epoch(1);

/// Reports, looks and decides on one host.
pub(super) fn turn(estate: &Estate, state: &mut State, host: usize) {
    poll(estate, state, host);
    let view = state.hosts[host].view.clone();
    let now = state.now;
    let steps_run = state.hosts[host]
        .state
        .unsettled()
        .any(|attempt| attempt.running());
    if !steps_run {
        state.hosts[host].looks.push((now, view));
        forget_looks(estate, &mut state.hosts[host], now);
    }
    let current = Arc::clone(&state.hosts[host].state);
    let decision = decided(estate, state, host, &current);
    record(estate, state, host, &decision.changes);
    state.hosts[host].pc = match decision.proposal {
        Some(proposal) => Pc::Proposed(HashedProposal(Box::new(proposal))),
        None => Pc::Turned,
    };
}

/// The reserving transaction; then the second decision, the order, and the first step. `cures` and
/// `harms` say what the attempt will come to.
pub(super) fn reserve(
    estate: &Estate,
    state: &mut State,
    host: usize,
    proposal: &Proposal,
    (cures, harms): (bool, bool),
) {
    state.hosts[host].pc = Pc::Turned;
    let attempt = AttemptId::from_bits((host * 100 + state.hosts[host].jobs.len()) as u128);
    let intent = intent(attempt, proposal);
    if let Some(guard) = used_up(estate, state, &intent) {
        state.notes.insert(Note::Refused(guard));
        if held_by_unknown(state, &intent) {
            state.notes.insert(Note::HeldByUnknown);
        }
        state.hosts[host].refused = true;
        return;
    }
    if std::mem::take(&mut state.hosts[host].refused) {
        state.notes.insert(Note::GrantedAfterAll);
    }
    let current = Arc::clone(&state.hosts[host].state);
    let again = decided(estate, state, host, &current);
    let target = proposal.target.clone();
    let reserved = entry(state, host, &target, Change::IntentReserved(intent));
    let before = ghost::before(estate, state, host, proposal);
    record(estate, state, host, &[reserved]);
    let mut job = Job {
        rung: proposal.rung,
        module: target.module.map_or(1, nshield::ModuleNumber::get),
        cures,
        harms,
        until: Some(state.now + 1),
    };
    if again.proposal.as_ref() != Some(proposal) && !estate.reservation_is_broken() {
        job.until = None;
        state.hosts[host].jobs.push(job);
        settle(estate, state, host, (attempt, &target), Outcome::Cancelled);
        return;
    }
    ghost::starts(state, proposal.rung, &before);
    state.hosts[host].jobs.push(job);
    let report = Report::Accepted;
    let accepted = entry(
        state,
        host,
        &target,
        Change::AttemptReported { attempt, report },
    );
    record(estate, state, host, &[accepted]);
}

/// A tick passes: steps end, alerts are delivered.
pub(super) fn tick(estate: &Estate, state: &mut State) {
    state.now += 1;
    let now = state.now;
    for host in &mut state.hosts {
        host.pc = Pc::Idle;
        for number in 0..host.jobs.len() {
            let job = host.jobs[number];
            if job.until == Some(now) {
                effect(host, job);
            }
        }
    }
    ring(estate, state);
}

/// Delivers an alert for every module that is failed.
pub(super) fn ring(estate: &Estate, state: &mut State) {
    for host in 0..state.hosts.len() {
        let modules = (1..).zip(state.hosts[host].view.modules.clone());
        for (number, _) in modules.filter(|(_, module)| *module == Module::Failed) {
            let target = Target::module(estate.entry(host).name.clone(), scene::number(number));
            let Some(fact) = fact(&target, number, host, state.now) else {
                continue;
            };
            let delivered = entry(state, host, &target, Change::FactChanged(fact));
            record(estate, state, host, &[delivered]);
        }
    }
}

/// A person says what the attempt of unknown outcome came to.
pub(super) fn resolve(
    estate: &Estate,
    state: &mut State,
    host: usize,
    outcome: Outcome,
) -> Option<()> {
    let giver = Giver {
        by: "ann".parse().ok()?,
        reason: "so".to_owned(),
    };
    let attempt = state.hosts[host].state.unsettled().next()?.intent.attempt;
    let order = HostOrder::ResolveAttempt { attempt, outcome };
    let evidence = evidence(estate, state, host);
    let current = &state.hosts[host].state;
    let entries = of_host(&order, &giver, current, &evidence, |_| true, at(state.now)).ok()?;
    record(estate, state, host, &entries);
    state.notes.insert(Note::Resolved);
    Some(())
}

/// What a decision about `host` knows of both.
pub(super) fn fleet(estate: &Estate, state: &State) -> FleetView {
    let mut hosts: Vec<Arc<HostState>> = state
        .hosts
        .iter()
        .map(|host| Arc::clone(&host.state))
        .collect();
    if estate.breaks(Broken::UnknownHoldsNothing) {
        for host in &mut hosts {
            let unknown = |attempt: &Attempt| attempt.unsettled() && attempt.outcome.is_some();
            Arc::make_mut(host)
                .attempts
                .retain(|_, attempt| !unknown(attempt));
        }
    }
    let hosts = hosts.iter().map(|host| &**host);
    let (inventory, policy) = (&estate.inventory, &estate.policy);
    let fleet = FleetState::default();
    let mut view = FleetView::new(hosts, &fleet, inventory, policy, at(state.now));
    if estate.breaks(Broken::HarmIsIgnored) {
        view.made_worse = false;
    }
    if estate.breaks(Broken::StormIsIgnored) {
        view.storms.hsms.clear();
    }
    if estate.breaks(Broken::BootIsIgnored) {
        view.storms.first_failures.clear();
    }
    view
}

/// The budget that has no room, by the rule that the store counts by.
fn used_up(estate: &Estate, state: &State, intent: &Intent) -> Option<Guard> {
    let all = state.hosts.iter().flat_map(|host| host.state.unsettled());
    let budgets = estate.policy.budgets;
    if estate.breaks(Broken::UnknownHoldsNothing) {
        return budget::used_up(intent, all.filter(|open| open.outcome.is_none()), budgets);
    }
    let refused = budget::used_up(intent, all, budgets);
    refused.filter(|guard| {
        let hsm = *guard == Guard::BudgetHsm && estate.breaks(Broken::HsmIsNotCounted);
        let fleet = *guard == Guard::BudgetFleet && estate.breaks(Broken::FleetIsNotCounted);
        let host = *guard == Guard::BudgetHost && estate.breaks(Broken::HostIsNotCounted);
        !hsm && !fleet && !host
    })
}

fn held_by_unknown(state: &State, intent: &Intent) -> bool {
    let holds = |open: &Attempt| {
        let same = open.intent.rung.disruptive() == intent.rung.disruptive();
        same && open.outcome.is_some() && open.intent.target.host != intent.target.host
    };
    let mut all = state.hosts.iter().flat_map(|host| host.state.unsettled());
    all.any(holds)
}

fn decided(estate: &Estate, state: &State, host: usize, current: &HostState) -> Decision {
    let site = Site {
        host: estate.entry(host),
        policy: &estate.policy,
    };
    let fleet = fleet(estate, state);
    let evidence = evidence(estate, state, host);
    if estate.breaks(Broken::HostIsNotCounted) {
        let mut current = current.clone();
        current.attempts.retain(|_, attempt| !attempt.unsettled());
        return decide(&current, &evidence, &fleet, site, at(state.now));
    }
    decide(current, &evidence, &fleet, site, at(state.now))
}

fn evidence(estate: &Estate, state: &State, host: usize) -> Evidence {
    let mut evidence = Evidence::default();
    for (tick, view) in &state.hosts[host].looks {
        let seen = Ok(scene::observation(estate.entry(host), view, *tick));
        evidence.push(Look {
            at: at(*tick),
            seen,
        });
    }
    evidence
}

/// As in the model of an incident.
fn forget_looks(estate: &Estate, host: &mut Host, now: Tick) {
    let policy = &estate.policy;
    let longest = policy.latch_release_after.max(policy.stale_alert_after);
    let verified = host
        .state
        .unsettled()
        .filter_map(|attempt| attempt.ended_at);
    let kept_from = verified.chain([at(now).before(longest)]).min();
    host.looks
        .retain(|(tick, _)| kept_from.is_none_or(|from| at(*tick) >= from));
}

/// Asks the host about attempts that have not ended as far as is known.
fn poll(estate: &Estate, state: &mut State, host: usize) {
    let unreported = state.hosts[host].state.unsettled();
    let unreported: Vec<(AttemptId, Target)> = unreported
        .filter(|attempt| attempt.unreported())
        .map(|attempt| (attempt.intent.attempt, attempt.intent.target.clone()))
        .collect();
    for (attempt, target) in unreported {
        let mut known = state.hosts[host].state.attempts.keys();
        let number = known.position(|id| *id == attempt);
        let job = number.and_then(|number| state.hosts[host].jobs.get(number));
        let ended = job.is_some_and(|job| job.until.is_some_and(|until| until <= state.now));
        if ended {
            let report = Report::Ended {
                detail: String::new(),
            };
            let told = entry(
                state,
                host,
                &target,
                Change::AttemptReported { attempt, report },
            );
            record(estate, state, host, &[told]);
        }
    }
}

fn settle(
    estate: &Estate,
    state: &mut State,
    host: usize,
    (attempt, target): (AttemptId, &Target),
    outcome: Outcome,
) {
    let report = Report::Settled {
        outcome,
        reason: String::new(),
    };
    let settled = entry(
        state,
        host,
        target,
        Change::AttemptReported { attempt, report },
    );
    record(estate, state, host, &[settled]);
}

fn record(estate: &Estate, state: &mut State, host: usize, entries: &[Entry]) {
    for entry in entries {
        let released = matches!(entry.change, Change::FleetShareReleased { .. });
        let paged = matches!(entry.change, Change::PageRaised { .. });
        if released && estate.breaks(Broken::ShareIsKept)
            || paged && estate.breaks(Broken::NobodyIsPaged)
        {
            continue;
        }
        ghost::notice(state, host, entry);
        let now = state.now;
        scene::store(
            &mut state.hosts[host].state,
            std::slice::from_ref(entry),
            EPOCH,
            now,
        );
    }
}

fn entry(state: &State, host: usize, target: &Target, change: Change) -> Entry {
    let incident = state.hosts[host].state.incidents.get(target);
    Entry {
        host: Some(target.host.clone()),
        target: Some(target.clone()),
        incident: incident.map(|incident| incident.id.clone()),
        change,
    }
}

fn intent(attempt: AttemptId, proposal: &Proposal) -> Intent {
    Intent {
        attempt,
        incident: proposal.incident.clone(),
        target: proposal.target.clone(),
        rung: proposal.rung,
        epoch: EPOCH,
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

fn fact(target: &Target, number: u16, host: usize, now: Tick) -> Option<Fact> {
    Some(Fact {
        fingerprint: format!("{:016x}", host * 10 + usize::from(number))
            .parse()
            .ok()?,
        name: super::ALERT.to_owned(),
        target: target.clone(),
        tier: None,
        lowered: None,
        firing: true,
        // An alert that never ends: that is the business of the model of an incident.
        starts_at: at(0),
        ends_at: None,
        delivered_at: at(now),
    })
}

/// What the steps of an attempt do to its host.
fn effect(host: &mut Host, job: Job) {
    let all = job.rung == vcm_recovery::tier::Rung::Restart;
    for (number, module) in (1..).zip(&mut host.view.modules) {
        let own = number == job.module;
        if job.cures && (own || all) {
            *module = Module::Operational;
        }
        if job.harms && !own {
            *module = Module::Failed;
        }
    }
}
