//! The independent judge: what must always hold (design section 7), judged on what was recorded, what
//! the remediator was shown and what truly happened on the hosts. It asks none of the guards and
//! shares no rule with them; where both have a table, it stands here a second time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};
use vcm_recovery::approval::Choice;
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::control::Resolved;
use vcm_recovery::event::{Change, Event};
use vcm_recovery::evidence::Look;
use vcm_recovery::ids::{AttemptId, Epoch, HostName, HsmName, IncidentId, RequestId};
use vcm_recovery::incident::Standing;
use vcm_recovery::inventory::Target;
use vcm_recovery::observation::{HardserverLook, NetworkLook, Observation};
use vcm_recovery::page::PageReason;
use vcm_recovery::state::HostState;
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

use crate::alerting::{About, Rule, Told};
use crate::knobs::{Knobs, Setting};
use crate::site::Site;
use crate::world::{Place, World};

mod liveness;
mod load;
mod result;
mod safety;

pub use result::{IncidentResult, Way};

/// Looks are kept this long: the longest wait that is judged on them is 10 min.
const LOOKS_KEPT: Duration = Duration::from_secs(1_500);

/// Evidence older than this is not acted on.
const EVIDENCE: Duration = Duration::from_secs(30);

/// Down is proven by looks at least this far apart.
const AGREEMENT: Duration = Duration::from_secs(10);

/// A missing observation is paged no earlier than this after its incident was opened.
const UNKNOWN_PAGED: Duration = Duration::from_secs(300);

/// Pages of one incident, those of [`AT_ONCE`] not counted (design section 10).
const CALLS: usize = 2;

/// What outranks the limit on pages: something may be worse than before, or cut short.
const AT_ONCE: [PageReason; 3] = [
    PageReason::MadeWorse,
    PageReason::CriticalSection,
    PageReason::AttemptUnknown,
];

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which, by its name in the design.
    pub property: &'static str,
    /// What was wrong.
    pub text: String,
    /// When.
    pub at: Time,
}

/// What the judge knows.
#[derive(Debug)]
pub struct Checker {
    site: Site,
    knobs: Knobs,
    settings: Vec<Setting>,
    violations: Vec<Violation>,
    facts: BTreeMap<(About, Rule), Known>,
    /// When, and what.
    looks: Vec<VecDeque<(Time, Shown)>>,
    attempts: BTreeMap<AttemptId, Followed>,
    open: BTreeMap<Target, Open>,
    pages: BTreeMap<(Target, PageReason), Time>,
    /// An open section per host: whose, and since when `-M` may have been issued.
    sections: BTreeMap<usize, Section>,
    epochs: Vec<Epoch>,
    paused: bool,
    /// What people hold by order, and until when.
    holds: BTreeMap<Target, Option<Time>>,
    /// Since when, in working time, the load of an HSM is due to return.
    return_due: BTreeMap<HsmName, Duration>,
    /// Open pages about load.
    load_pages: BTreeSet<(HsmName, PageReason)>,
    /// How often load was ordered to be taken.
    sheds: usize,
    /// Answers that let a rung start once.
    approved: BTreeMap<(HostName, RequestId), (Rung, Time)>,
    /// Attempts that no longer keep others of the fleet.
    released: BTreeSet<AttemptId>,
    results: Vec<IncidentResult>,
    truth: Option<Truth>,
    now: Time,
    /// How long the program could work so far: liveness is owed in this time only.
    worked: Duration,
}

/// What was delivered about an alert.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    start: Option<Time>,
    end: Option<Time>,
    delivered: Option<Time>,
    /// When it was first delivered of this time that it fires.
    began: Option<Time>,
}

/// What a look showed, as far as it is judged.
#[derive(Clone, Debug)]
struct Shown {
    hardserver: Option<HardserverLook>,
    complete: bool,
    modules: BTreeMap<ModuleNumber, (ModuleState, NetworkLook, Option<bool>)>,
}

/// An attempt from its reservation on.
#[derive(Clone, Debug)]
struct Followed {
    intent: Intent,
    host: usize,
    reserved_at: Time,
    reserved_worked: Duration,
    outcome: Option<Outcome>,
    settled_at: Option<Time>,
    /// When, in working time, its steps were reported to have ended.
    ended_worked: Option<Duration>,
    first_step_at: Option<Time>,
    /// The look on which the host accepted: when it was finished, and what it showed.
    accepted_on: Option<(Time, Shown, bool)>,
}

/// An open incident.
#[derive(Clone, Debug)]
struct Open {
    id: IncidentId,
    opened_at: Time,
    first_failed_at: Option<Time>,
    /// Working time of its opening, its first failure or the last change of an attempt.
    quiet_since: Duration,
    /// Since when, in working time, all modules of its host have truly worked while the program ran
    /// without a break.
    well_since: Option<Duration>,
    /// Since when, in working time, a rung has been ready that nobody started.
    ready_since: Option<Duration>,
    skipped: BTreeSet<Rung>,
    /// Pages that count for [`CALLS`], since its opening or since a person had it begin anew.
    calls: usize,
    result: IncidentResult,
}

/// A critical section.
#[derive(Clone, Copy, Debug)]
struct Section {
    attempt: AttemptId,
    worked: Duration,
    cleared: bool,
}

/// What was true of a host right before a command was started on it.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    host: usize,
    works: Vec<bool>,
    heals_at: Vec<Option<Time>>,
}

impl Checker {
    /// A judge who has seen nothing.
    #[must_use]
    pub fn new(site: &Site, knobs: Knobs) -> Self {
        Self {
            site: site.clone(),
            knobs,
            settings: knobs.settings(),
            violations: Vec::new(),
            facts: BTreeMap::new(),
            looks: vec![VecDeque::new(); site.names.len()],
            attempts: BTreeMap::new(),
            open: BTreeMap::new(),
            pages: BTreeMap::new(),
            sections: BTreeMap::new(),
            epochs: vec![Epoch(0); site.names.len()],
            paused: false,
            holds: BTreeMap::new(),
            return_due: BTreeMap::new(),
            load_pages: BTreeSet::new(),
            sheds: 0,
            approved: BTreeMap::new(),
            released: BTreeSet::new(),
            results: Vec::new(),
            truth: None,
            now: Time::from_millis(0),
            worked: Duration::ZERO,
        }
    }

    /// What did not hold.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What became of the closed incidents.
    #[must_use]
    pub fn results(&self) -> &[IncidentResult] {
        &self.results
    }

    /// The unknowns of the episode.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Whether an incident is open.
    #[must_use]
    pub fn has_open_incidents(&self) -> bool {
        !self.open.is_empty()
    }

    /// How many incidents are open, and of these how many with a page.
    #[must_use]
    pub fn open_incidents(&self) -> (usize, usize) {
        let paged = |target: &&Target| self.pages.keys().any(|(about, _)| about == *target);
        (self.open.len(), self.open.keys().filter(paged).count())
    }

    fn require(&mut self, holds: bool, property: &'static str, text: impl FnOnce() -> String) {
        if !holds {
            let at = self.now;
            self.violations.push(Violation {
                property,
                text: text(),
                at,
            });
        }
    }

    /// Time has passed, in which the program could work or not.
    pub(crate) fn time_passes(&mut self, now: Time, operable: bool) {
        if operable && self.now.as_millis() > 0 {
            self.worked += now.since(self.now);
        }
        self.now = self.now.max(now);
    }

    /// The program has started, and has seen nothing yet: health that must hold begins anew.
    pub(crate) fn started(&mut self) {
        for open in self.open.values_mut() {
            open.well_since = None;
        }
    }

    /// The store has taken alerts in.
    pub(crate) fn delivered(&mut self, alerts: &[Told], now: Time) {
        for told in alerts {
            let known = self.facts.entry((told.about, told.rule)).or_default();
            match told.ends_at {
                None => {
                    let fired = known.start.is_some() && known.start > known.end;
                    known.start = known.start.max(Some(told.starts_at.min(now)));
                    known.delivered = Some(now);
                    known.began = known.began.filter(|_| fired).or(Some(now));
                }
                Some(ended) => known.end = known.end.max(Some(ended.min(now))),
            }
        }
    }

    /// The remediator was shown a look.
    pub(crate) fn looked(&mut self, host: usize, look: &Look) {
        let shown = look
            .seen
            .as_ref()
            .map_or_else(|_| Shown::nothing(), Shown::of);
        self.looks[host].push_back((look.at, shown.clone()));
        let down = self.proven_down(host);
        let proven = |target: &Target| target.module.is_some() || down;
        for (target, open) in &mut self.open {
            let of_host = self.site.index(&target.host) == Some(host);
            if of_host
                && open.first_failed_at.is_none()
                && shown.failed(target.module)
                && proven(target)
            {
                open.first_failed_at = Some(look.at);
                open.quiet_since = self.worked;
            }
        }
        self.looks[host].retain(|(at, ..)| look.at.since(*at) <= LOOKS_KEPT);
    }

    /// Whether the newest looks on end, over at least 10 s, show no hardserver.
    fn proven_down(&self, host: usize) -> bool {
        let looks = &self.looks[host];
        let down = looks
            .iter()
            .rev()
            .take_while(|(_, shown)| shown.failed(None));
        let newest = looks.back().map(|(at, ..)| *at);
        newest.is_some_and(|newest| {
            down.last()
                .is_some_and(|(first, ..)| newest.since(*first) >= AGREEMENT)
        })
    }

    /// Something was stored.
    pub(crate) fn stored(&mut self, event: &Event, world: &World) {
        let target = event.entry.target.clone();
        match (&event.entry.change, target) {
            (Change::IncidentOpened(_), Some(target)) => self.opened(&target, event),
            (Change::IncidentClosed(closing), Some(target)) => {
                if let Some(mut open) = self.open.remove(&target) {
                    open.result.close(closing, event.time);
                    self.results.push(open.result);
                }
                let left = self.pages.keys().any(|(about, _)| *about == target);
                self.require(!left, "L1", || {
                    format!("a page of {target} outlives its incident")
                });
            }
            (Change::IntentReserved(intent), Some(_)) => self.reserved(intent, event.time),
            (Change::AttemptReported { attempt, report }, Some(_)) => {
                self.reported(*attempt, report, event.time)
            }
            (Change::PageRaised { reason, .. }, Some(target)) => {
                self.page_raised(target, *reason, event.time)
            }
            (Change::PageCleared { reason, .. }, Some(target)) => {
                let worked = self.worked;
                if let Some(open) = self.open.get_mut(&target) {
                    open.quiet_since = worked;
                    open.result.page_ends(*reason, event.time);
                }
                self.pages.remove(&(target, *reason));
            }
            (Change::HumanResolved(resolution), Some(target)) => {
                if resolution.what == Resolved::Reopened
                    && let Some(open) = self.open.get_mut(&target)
                {
                    open.calls = 0;
                }
            }
            (Change::Paused(_), _) => self.paused = true,
            (Change::Resumed(_), _) => self.paused = false,
            (Change::Held(hold), Some(target)) => {
                self.holds.insert(target, hold.until);
            }
            (Change::Released(_), Some(target)) => {
                self.holds.remove(&target);
            }
            (Change::LoadShed(order), None) => self.load_shed(order),
            (Change::PageRaised { reason, hsm, .. }, None) => {
                self.load_pages
                    .extend(hsm.clone().map(|hsm| (hsm, *reason)));
            }
            (Change::PageCleared { reason, hsm }, None) => {
                if let Some(hsm) = hsm.clone() {
                    self.load_pages.remove(&(hsm, *reason));
                }
            }
            (Change::ApprovalAnswered { request, answer }, Some(target)) => {
                if let Choice::Approve(rung) = answer.choice {
                    self.approved
                        .insert((target.host, *request), (rung, event.time));
                }
            }
            (Change::ApprovalExpired { request, .. }, Some(target)) => {
                self.approved.remove(&(target.host, *request));
            }
            (Change::FleetShareReleased { attempt }, _) => {
                self.released.insert(*attempt);
            }
            (Change::Decided(ruling), Some(target)) => {
                let worked = self.worked;
                if let Some(open) = self.open.get_mut(&target) {
                    let skips = |verdict: &Verdict| matches!(verdict, Verdict::Skip(_));
                    let skipped = ruling.verdicts.iter().filter(|given| skips(&given.verdict));
                    open.skipped = skipped.map(|given| given.rung).collect();
                    let ready = matches!(ruling.standing, Standing::Ready(_));
                    open.ready_since = ready.then(|| open.ready_since.unwrap_or(worked));
                }
            }
            _ => {}
        }
        let _ = world;
    }

    fn page_raised(&mut self, target: Target, reason: PageReason, now: Time) {
        let open = self.open.get_mut(&target);
        let age = open.map(|open| {
            open.result.page(reason, now);
            now.since(open.opened_at)
        });
        let looks = self.site.index(&target.host).map(|host| &self.looks[host]);
        let told = |shown: &&(Time, Shown)| {
            shown.1.complete && shown.1.hardserver == Some(HardserverLook::Up)
        };
        let newest = looks.and_then(|looks| looks.back()).map(|(at, ..)| *at);
        let good = looks
            .and_then(|looks| looks.iter().rev().find(told))
            .map(|(at, ..)| *at);
        let age = age.map(|age| good.map_or(age, |good| age.min(now.since(good))));
        let looked = newest.is_some_and(|newest| now.since(newest) <= UNKNOWN_PAGED);
        let due = looked && age.is_some_and(|age| age >= UNKNOWN_PAGED);
        let early = reason == PageReason::ObservationUnknown && !due;
        if let Some(open) = self.open.get_mut(&target) {
            open.result.early_pages += usize::from(early);
            open.calls += usize::from(!AT_ONCE.contains(&reason));
            let calls = open.calls;
            self.require(calls <= CALLS, "pages", || {
                format!("{target} calls for the {calls}. time: {}", reason.as_str())
            });
        }
        self.pages.insert((target, reason), now);
    }

    fn opened(&mut self, target: &Target, event: &Event) {
        let Some(id) = event.entry.incident.clone() else {
            self.require(false, "L1", || format!("an incident of {target} has no id"));
            return;
        };
        let known = self.open.contains_key(target);
        self.require(!known, "L1", || {
            format!("two incidents of {target} are open")
        });
        let open = Open {
            result: IncidentResult::new(id.clone(), event.time),
            id,
            opened_at: event.time,
            first_failed_at: None,
            quiet_since: self.worked,
            well_since: None,
            ready_since: None,
            skipped: BTreeSet::new(),
            calls: 0,
        };
        self.open.insert(target.clone(), open);
        // What was seen right before counts for it, if it is as new as evidence may be.
        let Some(host) = self.site.index(&target.host) else {
            return;
        };
        let recent = self.looks[host]
            .back()
            .filter(|(at, ..)| event.time.since(*at) <= EVIDENCE);
        let failed = recent.is_some_and(|(_, shown)| {
            shown.failed(target.module) && (target.module.is_some() || self.proven_down(host))
        });
        if let Some(open) = self.open.get_mut(target).filter(|_| failed) {
            open.first_failed_at = Some(event.time);
        }
    }

    fn reported(&mut self, attempt: AttemptId, report: &Report, now: Time) {
        let worked = self.worked;
        let Some(followed) = self.attempts.get_mut(&attempt) else {
            self.require(false, "S11", || {
                format!("a report of {attempt}, which has no intent")
            });
            return;
        };
        if matches!(report, Report::Ended { .. }) {
            followed.ended_worked = followed.ended_worked.or(Some(worked));
        }
        if let Report::Settled { outcome, .. } = report {
            let is_final = followed
                .outcome
                .is_some_and(|known| known != Outcome::Unknown);
            if is_final {
                return;
            }
            followed.outcome = Some(*outcome);
            followed.settled_at = Some(now);
            let never = matches!(outcome, Outcome::Refused | Outcome::Cancelled);
            let started = followed.first_step_at.is_some();
            self.require(!(never && started), "S2", || {
                format!("{attempt} has started and is settled as {outcome:?}: it counts for no cap")
            });
        }
        for open in self.open.values_mut() {
            open.quiet_since = worked;
        }
    }

    /// The host has accepted an attempt on a look of its own.
    pub(crate) fn accepted_on(&mut self, attempt: AttemptId, seen: &Observation, now: Time) {
        let held = seen.hold.is_some() || seen.pause.is_some();
        if let Some(followed) = self.attempts.get_mut(&attempt) {
            followed.accepted_on = Some((now, Shown::of(seen), held));
        }
    }

    pub(crate) fn truth_before(&self, world: &World, host: usize, _now: Time) -> Truth {
        let places = (0..world.hosts[host].modules.len()).map(|slot| Place { host, slot });
        Truth {
            host,
            works: places.clone().map(|place| world.works(place)).collect(),
            heals_at: places.map(|place| world.module(place).heals_at).collect(),
        }
    }

    pub(crate) fn set_truth(&mut self, truth: Truth) {
        self.truth = Some(truth);
    }

    /// A vendor's command was started.
    pub(crate) fn effect(
        &mut self,
        (host, attempt): (usize, AttemptId),
        step: Step,
        place: Option<Place>,
        now: Time,
    ) {
        self.judge_effect(host, attempt, step, now);
        let truth = self.truth.take().filter(|truth| truth.host == host);
        let Some(followed) = self.attempts.get_mut(&attempt) else {
            return;
        };
        if followed.first_step_at.is_some() {
            return;
        }
        followed.first_step_at = Some(now);
        let rung = followed.intent.rung;
        let incident = followed.intent.incident.clone();
        let times = self.site.policy.rung(rung);
        let within = now.after(times.settle + times.verify);
        let unnecessary = truth.zip(place).is_some_and(|(truth, place)| {
            truth.works[place.slot] || truth.heals_at[place.slot].is_some_and(|at| at <= within)
        });
        let of_incident = self.open.values_mut().find(|open| open.id == incident);
        let result = match of_incident {
            Some(open) => Some(&mut open.result),
            None => self
                .results
                .iter_mut()
                .rev()
                .find(|result| result.id == incident),
        };
        if let Some(result) = result {
            result.acts.push((rung, unnecessary));
        }
    }

    /// What a start of the program has folded must be what was accepted.
    pub(crate) fn folded(&mut self, states: &[HostState]) {
        let facts: usize = states.iter().map(|state| state.facts.len()).sum();
        let known = self.facts.len();
        self.require(facts == known, "S9", || {
            format!("{known} alerts were accepted, {facts} are there after a start")
        });
    }

    /// What the program knew when it died must be what is folded from the store.
    pub(crate) fn replays(&mut self, live: &[HostState], folded: &[HostState]) {
        for (live, folded) in live.iter().zip(folded) {
            self.require(live == folded, "S11", || {
                format!("the state of {} is not what its events fold to", live.host)
            });
        }
    }

    /// The episode has ended; when it was not over, every incident that is left has a page.
    pub(crate) fn end(&mut self, over: bool, _world: &World) {
        let left: Vec<Target> = self.open.keys().cloned().collect();
        for target in left {
            let paged = self.pages.keys().any(|(about, _)| *about == target);
            self.require(over || paged, "L1", || {
                format!("{target} is left open without a page")
            });
            if let Some(open) = self.open.remove(&target) {
                self.results.push(open.result);
            }
        }
    }
}

impl Shown {
    fn nothing() -> Self {
        Self {
            hardserver: None,
            complete: false,
            modules: BTreeMap::new(),
        }
    }

    fn of(seen: &Observation) -> Self {
        let module = |look: &vcm_recovery::observation::ModuleLook| {
            (look.state, look.network.clone(), look.hardware_ok)
        };
        Self {
            hardserver: Some(seen.hardserver),
            complete: seen.complete,
            modules: seen
                .modules
                .iter()
                .map(|(number, look)| (*number, module(look)))
                .collect(),
        }
    }

    /// Whether it shows the target failed.
    fn failed(&self, module: Option<ModuleNumber>) -> bool {
        let up = self.hardserver == Some(HardserverLook::Up) && self.complete;
        match module {
            None => self.hardserver == Some(HardserverLook::SuspectedDown),
            Some(module) => {
                up && self
                    .modules
                    .get(&module)
                    .is_some_and(|(state, ..)| *state == ModuleState::Failed)
            }
        }
    }
}
