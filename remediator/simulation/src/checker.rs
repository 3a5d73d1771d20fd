//! The independent judge: what must always hold (design section 7), judged on what was recorded, what
//! the remediator was shown and what truly happened on the hosts. It asks none of the guards and
//! shares no rule with them; where both have a table, it stands here a second time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use vcm_recovery::attempt::{Intent, Outcome};
use vcm_recovery::evidence::Look;
use vcm_recovery::ids::{AttemptId, Epoch, HostName, HsmName, IncidentId, RequestId};
use vcm_recovery::inventory::Target;
use vcm_recovery::page::PageReason;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;

use crate::alerting::{About, Rule, Told};
use crate::knobs::{Knobs, Setting};
use crate::site::Site;
use crate::world::World;

mod effect;
mod liveness;
mod load;
mod result;
mod safety;
mod shown;
mod stored;

use effect::Truth;
use safety::ALERT_TTL;
use shown::Shown;

pub use result::{IncidentResult, Way};

/// Looks are kept this long: the longest wait that is judged on them is 10 min.
const LOOKS_KEPT: Duration = Duration::from_secs(1_500);

/// Evidence older than this is not acted on.
const EVIDENCE: Duration = Duration::from_secs(30);

/// Looks further apart than this do not agree: what happened between them is not known.
const UNSEEN_BETWEEN: Duration = Duration::from_secs(120);

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

/// An instant by both clocks: what was not recorded has its time by a start of the program that may be
/// over, and which took it to be later than the next one does.
#[derive(Clone, Copy, Debug)]
struct Moment {
    program: Time,
    truly: Time,
}

impl Moment {
    /// How long after `earlier`, by the clock by which it is longer.
    fn since(self, earlier: Self) -> Duration {
        let by_program = self.program.since(earlier.program);
        by_program.max(self.truly.since(earlier.truly))
    }
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
    looks: Vec<VecDeque<(Moment, Shown)>>,
    /// When something about each host was stored last.
    stored_at: Vec<Time>,
    attempts: BTreeMap<AttemptId, Followed>,
    open: BTreeMap<Target, Open>,
    pages: BTreeMap<(Target, PageReason), Time>,
    /// An open section per host: whose, and since when `-M` may have been issued.
    sections: BTreeMap<usize, Section>,
    epochs: Vec<Epoch>,
    paused: bool,
    /// When the program was last started without knowing how long it had been away.
    away_unknown_at: Option<Time>,
    /// Whether its machine was booted, and no start has recorded since that how long it was away is not
    /// known.
    booted: bool,
    /// What people hold by order, and until when in truth.
    holds: BTreeMap<Target, Option<Time>>,
    /// Since when, in working time, the load of an HSM is due to return.
    return_due: BTreeMap<HsmName, Duration>,
    /// Open pages about load.
    load_pages: BTreeSet<(HsmName, PageReason)>,
    /// How often load was ordered to be taken.
    sheds: usize,
    /// Answers that let a rung start once, by the program's time and truly.
    approved: BTreeMap<(HostName, RequestId), (Rung, (Time, Time))>,
    /// Attempts that no longer keep others of the fleet.
    released: BTreeSet<AttemptId>,
    results: Vec<IncidentResult>,
    truth: Option<Truth>,
    /// What time it truly is.
    now: Time,
    /// What time the program takes it to be.
    time: Time,
    /// What the wall clock of its machine shows.
    wall: Time,
    /// How long the program could work so far: liveness is owed in this time only.
    worked: Duration,
}

/// What was delivered about an alert.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    start: Option<Time>,
    end: Option<Time>,
    delivered: Option<Time>,
    /// The same by the true clock.
    delivered_truly: Option<Time>,
    /// Since when, in working time, it tells of a failed module that has no incident.
    unheard_since: Option<Duration>,
    /// When it was first delivered of this time that it fires, and counts without a break.
    began: Option<Time>,
}

/// An attempt from its reservation on.
#[derive(Clone, Debug)]
struct Followed {
    intent: Intent,
    host: usize,
    reserved_at: Time,
    /// The same by the true clock.
    reserved_truly: Time,
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
    opened_at: Moment,
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
            stored_at: vec![Time::default(); site.names.len()],
            attempts: BTreeMap::new(),
            open: BTreeMap::new(),
            pages: BTreeMap::new(),
            sections: BTreeMap::new(),
            epochs: vec![Epoch(0); site.names.len()],
            paused: false,
            away_unknown_at: None,
            booted: false,
            holds: BTreeMap::new(),
            return_due: BTreeMap::new(),
            load_pages: BTreeSet::new(),
            sheds: 0,
            approved: BTreeMap::new(),
            released: BTreeSet::new(),
            results: Vec::new(),
            truth: None,
            now: Time::from_millis(0),
            time: Time::from_millis(0),
            wall: Time::from_millis(0),
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

    const fn moment(&self) -> Moment {
        Moment {
            program: self.time,
            truly: self.now,
        }
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
    pub(crate) fn time_passes(
        &mut self,
        now: Time,
        program: Option<Time>,
        wall: Time,
        operable: bool,
    ) {
        if operable && self.now.as_millis() > 0 {
            self.worked += now.since(self.now);
        }
        self.now = self.now.max(now);
        self.time = program.unwrap_or(self.time);
        self.wall = wall;
    }

    /// The program's machine is booted, after something was stored.
    pub(crate) const fn booted(&mut self) {
        self.booted = true;
    }

    /// The program has started and takes it to be `time`: where the wall clock is behind after a boot, what
    /// passed since its newest record has not passed for it. It has seen nothing yet: health that must hold
    /// begins anew.
    pub(crate) fn started(&mut self, time: Time) {
        self.require(!self.booted, "S1", || {
            format!("a start at {time:?} after a boot of the machine, as if the time were known")
        });
        self.worked = self.worked.saturating_sub(self.time.since(time));
        self.time = time;
        for open in self.open.values_mut() {
            open.well_since = None;
        }
        for (looks, stored_at) in self.looks.iter_mut().zip(&self.stored_at) {
            for (at, shown) in looks {
                shown.forgotten |= at.truly > *stored_at;
            }
        }
    }

    /// The store has taken alerts in. When they began and ended is told by another machine's clock.
    pub(crate) fn delivered(&mut self, alerts: &[Told], now: Time) {
        for told in alerts {
            let known = self.facts.entry((told.about, told.rule)).or_default();
            match told.ends_at {
                None => {
                    let fired = known.start.is_some() && known.start > known.end;
                    known.start = known.start.max(Some(told.starts_at));
                    let counted = known.delivered.is_some_and(|at| now.since(at) <= ALERT_TTL);
                    known.delivered = Some(now);
                    known.delivered_truly = Some(self.now);
                    known.began = known.began.filter(|_| fired && counted).or(Some(now));
                }
                Some(ended) => known.end = known.end.max(Some(ended)),
            }
        }
    }

    /// The program has started and does not know how long it was away: no alert counts until it is
    /// delivered again, and so long any HSM may be overloaded.
    pub(crate) fn away_unknown(&mut self, now: Time) {
        self.away_unknown_at = Some(now);
        self.booted = false;
        for known in self.facts.values_mut() {
            known.delivered = None;
            known.delivered_truly = None;
        }
    }

    /// The remediator was shown a look.
    pub(crate) fn looked(&mut self, host: usize, look: &Look) {
        let shown = look
            .seen
            .as_ref()
            .map_or_else(|_| Shown::nothing(), Shown::of);
        let at = self.moment();
        self.looks[host].push_back((at, shown.clone()));
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
        self.looks[host].retain(|(kept, ..)| at.since(*kept) <= LOOKS_KEPT);
    }

    /// Whether the newest looks on end, over at least 10 s, show no hardserver.
    fn proven_down(&self, host: usize) -> bool {
        let looks = &self.looks[host];
        let Some((newest, _)) = looks.back() else {
            return false;
        };
        let mut first = *newest;
        for (at, shown) in looks.iter().rev() {
            if !shown.failed(None) || first.since(*at) > UNSEEN_BETWEEN {
                break;
            }
            first = *at;
        }
        newest.since(first) >= AGREEMENT
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
