//! The host: it judges an order on a look of its own, runs the steps, and remembers every attempt.
//!
//! The guards, the comparison of the looks and the fence's rule are the program's own. Journal, crash
//! and resume of the host runner have a model of their own, [`crate::runner`].

use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::guard::{Guard, HostView, decision_stale};
use vcm_recovery::ids::{AttemptId, StoreId};
use vcm_recovery::tier::Rung;
use vcm_recovery::verdict::Verdict;
use vcm_remediator::host::fence::{self, Caller};

use super::engine;
use super::ghost;
use super::state::{Job, JobAt, Note, Order, State, Wrong, index};
use super::{Broken, Estate};
use crate::scene::{Hardserver, Module, number, observation};
use crate::ticks::Tick;

const STORE: StoreId = StoreId::from_bits(1);

/// What becomes of an order that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Arrival {
    /// It is judged, and runs if nothing refuses it.
    Judged,
    /// It is refused for a reason that the remediator cannot see.
    Refused,
    /// It is accepted and dies before its first step.
    Dies,
}

/// An order arrives. `answered` says whether the answer reaches the remediator.
pub(super) fn arrive(
    estate: &Estate,
    state: &mut State,
    order: &Order,
    arrival: Arrival,
    answered: bool,
) {
    let accepted = take(estate, state, order, arrival);
    if !answered {
        return;
    }
    let told = match accepted {
        true => Report::Accepted,
        false => Report::Settled {
            outcome: Outcome::Refused,
            reason: String::new(),
        },
    };
    engine::report(estate, state, order.attempt, &order.target, told);
}

/// A tombstone for an attempt that the host has not heard of: what it is afterwards.
pub(super) fn tombstone(estate: &Estate, state: &mut State, attempt: AttemptId) -> JobAt {
    if !admitted(estate, state, state.epoch) {
        return JobAt::Runs(Tick::MAX);
    }
    *state.job_mut(attempt) = Some(Job {
        rung: Rung::Retry,
        module: None,
        starts: 0,
        began: 0,
        at: JobAt::Tombstoned,
    });
    JobAt::Tombstoned
}

/// Has an open section finished; whether that was accepted.
pub(super) fn resume(estate: &Estate, state: &mut State, attempt: AttemptId) -> bool {
    if !admitted(estate, state, state.epoch) {
        return false;
    }
    let end = state.now + 1;
    match state.job_mut(attempt) {
        Some(job) if matches!(job.at, JobAt::Section(_)) => {
            job.at = JobAt::Resumed(end);
            true
        }
        Some(_) | None => false,
    }
}

/// A tick has passed: what was to end by now has.
pub(super) fn advance(estate: &Estate, state: &mut State) {
    for job in 0..state.world.jobs.len() {
        let Some((rung, at)) = state.world.jobs[job].as_ref().map(|job| (job.rung, job.at)) else {
            continue;
        };
        match at {
            JobAt::Runs(end) if end <= state.now => {
                effect(estate, state, rung);
                end_job(state, job);
            }
            JobAt::Resumed(end) if end <= state.now => {
                if target(estate, state) == Some(Module::Maintenance) {
                    effect(estate, state, rung);
                }
                state.notes.insert(Note::ClearResumed);
                end_job(state, job);
            }
            JobAt::Runs(_)
            | JobAt::Resumed(_)
            | JobAt::Refused
            | JobAt::Tombstoned
            | JobAt::Section(_)
            | JobAt::Ended
            | JobAt::CutShort { .. }
            | JobAt::Lost => {}
        }
    }
}

/// The process of the attempt that runs is killed: before its last step, or just behind it. `None`
/// if nothing runs.
pub(super) fn cut_short(estate: &Estate, state: &mut State, behind: bool) -> Option<()> {
    let running = |job: &Option<Job>| {
        job.as_ref()
            .is_some_and(|job| matches!(job.at, JobAt::Runs(_) | JobAt::Resumed(_)))
    };
    let job = state.world.jobs.iter().position(running)?;
    let rung = state.world.jobs[job].as_ref()?.rung;
    if behind {
        effect(estate, state, rung);
    }
    let now = state.now;
    let job = state.world.jobs[job].as_mut()?;
    job.at = match rung {
        Rung::Clear => JobAt::Section(now),
        Rung::Retry | Rung::Restart => JobAt::CutShort { begun: true },
    };
    Some(())
}

/// The steps of the attempt that runs take until `end`. `None` if nothing runs.
pub(super) fn hang(state: &mut State, end: Tick) -> Option<()> {
    let mut jobs = state.world.jobs.iter_mut().flatten();
    let job = jobs.find(|job| matches!(job.at, JobAt::Runs(at) if at < end))?;
    job.at = JobAt::Runs(end);
    Some(())
}

/// The host loses what it knows of the newest attempt that it accepted. `None` if there is none.
pub(super) fn lose(state: &mut State) -> Option<()> {
    let job = state.world.jobs.iter_mut().flatten().next_back()?;
    let known = matches!(job.at, JobAt::Ended | JobAt::CutShort { begun: true });
    known.then(|| job.at = JobAt::Lost)
}

/// The first step of an attempt starts.
pub(super) fn run(
    estate: &Estate,
    state: &mut State,
    attempt: AttemptId,
    rung: Rung,
    module: Option<u16>,
) {
    let before = state.job(attempt).map_or(0, |job| job.starts);
    if before > 0 {
        state.wrong(Wrong::StartedTwice);
    }
    let now = state.now;
    *state.job_mut(attempt) = Some(Job {
        rung,
        module,
        starts: before + 1,
        began: now,
        at: JobAt::Runs(now + 1),
    });
    match rung {
        Rung::Clear => set_target(estate, state, Module::Maintenance),
        Rung::Restart | Rung::Retry => {}
    }
}

fn end_job(state: &mut State, job: usize) {
    if let Some(job) = state.world.jobs[job].as_mut() {
        job.at = JobAt::Ended;
    }
}

fn admitted(estate: &Estate, state: &mut State, epoch: vcm_recovery::ids::Epoch) -> bool {
    let caller = Caller {
        epoch,
        store: STORE,
    };
    match fence::rule(state.world.fence, caller) {
        Ok(fence) => {
            state.world.fence = Some(fence);
            true
        }
        Err(_) => estate.breaks(Broken::FenceAdmitsAll),
    }
}

/// Judges an order; whether it was accepted.
fn take(estate: &Estate, state: &mut State, order: &Order, arrival: Arrival) -> bool {
    let behind = state
        .world
        .fence
        .is_some_and(|fence| order.epoch < fence.epoch);
    if !admitted(estate, state, order.epoch) {
        state.notes.insert(Note::Fenced);
        return false;
    }
    if behind {
        state.wrong(Wrong::BehindFence);
    }
    if state.job(order.attempt).is_some() && !estate.breaks(Broken::KnownStartsAgain) {
        state.notes.insert(Note::KnownAttempt);
        return false;
    }
    let module = order.target.module.map(nshield::ModuleNumber::get);
    let refused = Job {
        rung: order.rung,
        module,
        starts: state.job(order.attempt).map_or(0, |job| job.starts),
        began: 0,
        at: JobAt::Refused,
    };
    let open = state.world.jobs.iter().flatten().any(Job::open)
        && !estate.breaks(Broken::OthersInFlightAreIgnored);
    let judged = arrival != Arrival::Refused && !open && judge(estate, state, order);
    let judged = judged
        || estate.breaks(Broken::HostDoesNotJudge)
        || estate.breaks(Broken::KnownStartsAgain);
    if !judged {
        state.notes.insert(Note::Refused);
        *state.job_mut(order.attempt) = Some(refused);
        return false;
    }
    if arrival == Arrival::Dies {
        *state.job_mut(order.attempt) = Some(Job {
            at: JobAt::CutShort { begun: false },
            ..refused
        });
        return true;
    }
    ghost::starts(estate, state, order);
    run(estate, state, order.attempt, order.rung, module);
    true
}

/// As `host::run::judge`: the host's own guards on a fresh look, and what has changed since.
fn judge(estate: &Estate, state: &State, order: &Order) -> bool {
    let facts = &order.facts;
    let (Some(looked), Some(view)) = (facts.looked, &facts.view) else {
        return false;
    };
    let decided = observation(&estate.entry, view, looked);
    let fresh = observation(&estate.entry, &state.world.view, state.now);
    let max_age = u64::try_from(estate.policy.evidence_max_age.as_millis()).unwrap_or(u64::MAX);
    let module = order.target.module;
    let stale = decision_stale::between(order.rung, module, &decided, &fresh, max_age);
    let view = HostView {
        rung: order.rung,
        module,
        expected_esn: order.esn.as_ref(),
        seen: &fresh,
    };
    let hangs = state.world.view.hardserver == Hardserver::Hangs && order.rung == Rung::Restart;
    let on_host = Guard::ON_HOST
        .into_iter()
        .filter(|guard| !(hangs && *guard == Guard::ObservationIncomplete))
        .map(|guard| (guard, guard.on_host(&view)));
    let lets_through = |(guard, verdict): (Guard, Option<Verdict>)| match verdict {
        Some(Verdict::Pass | Verdict::NotApplicable(_)) => true,
        Some(Verdict::Ask(_)) => order.approval.is_some() && order.asked.contains(&guard),
        Some(Verdict::Skip(_) | Verdict::Refuse { .. }) | None => false,
    };
    std::iter::once((Guard::DecisionStale, Some(stale)))
        .chain(on_host)
        .all(lets_through)
}

/// What a rung does to the host.
fn effect(estate: &Estate, state: &mut State, rung: Rung) {
    let cured = state.world.cure == Some(rung);
    if estate.about_host() {
        if cured {
            state.world.view.hardserver = Hardserver::Up;
        }
    } else if cured {
        set_target(estate, state, Module::Operational);
    } else if rung == Rung::Clear {
        set_target(estate, state, Module::Failed);
    }
    if state.world.harm == Some(rung)
        && let Some(other) = state.world.view.modules.get_mut(1)
    {
        *other = Module::Failed;
    }
}

/// The module that the incident is about.
fn target(estate: &Estate, state: &State) -> Option<Module> {
    let modules = &state.world.view.modules;
    modules.first().copied().filter(|_| !estate.about_host())
}

fn set_target(estate: &Estate, state: &mut State, module: Module) {
    if let Some(target) = state.world.view.modules.first_mut()
        && !estate.about_host()
    {
        *target = module;
    }
}

/// Keeps the numbers of modules in one place.
pub(super) fn is_inventorys(estate: &Estate, state: &State, order: &Order) -> bool {
    let Some(module) = order.target.module else {
        return true;
    };
    let expected = estate
        .entry
        .modules
        .get(&module)
        .and_then(|m| m.esn.as_ref());
    let seen = observation(&estate.entry, &state.world.view, state.now);
    let found = seen.modules.get(&module).and_then(|look| look.esn.clone());
    module == number(1)
        && found.as_ref() == expected
        && index(order.attempt) < state.world.jobs.len()
}
