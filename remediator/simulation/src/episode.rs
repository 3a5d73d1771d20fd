//! An episode: one small site for a day or so, from one seed. Single-threaded, in virtual time,
//! always the same.

use std::time::Duration;

use vcm_recovery::event::{Change, Event};
use vcm_recovery::fleet::load::LoadReport;
use vcm_recovery::ids::{AttemptId, Epoch, RequestId};
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Policy;
use vcm_recovery::time::Time;

use crate::alerting::alertmanager::{Alertmanager, Delivery};
use crate::alerting::{About, Prometheus};
use crate::checker::Checker;
use crate::clock::Clock;
use crate::dice::Dice;
use crate::engine::Running;
use crate::history::History;
use crate::knobs::{self, Knobs};
use crate::queue::Queue;
use crate::runner::{Answer, Phase, Runner};
use crate::site::Site;
use crate::store::Store;
use crate::trouble::Trouble;
use crate::world::{Turn, World};

use hook::Hook;

mod clocks;
mod delivery;
mod hook;
mod plan;
mod program;
mod runners;

/// When every episode begins. Some instant; nothing depends on which.
pub(crate) const BEGINNING: Time = Time::from_millis(1_700_000_000_000);

/// How often the checker looks for what should have happened by now.
const JUDGE_INTERVAL: Duration = Duration::from_secs(30);

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Time brings something about.
    Turn(Turn),
    /// Something goes wrong.
    Strike(Trouble),
    /// Prometheus evaluates the rules about a host.
    Evaluate(usize),
    /// A group of Alertmanager's has its turn.
    Tick(About),
    /// Prometheus repeats what fires.
    Repeat,
    /// The watchdog's group has its turn.
    Watchdog,
    /// A notification arrives.
    Deliver(Box<Delivery>),
    /// An actor's planned wake-up.
    Wake { run: Epoch, host: usize, plan: u64 },
    /// A look has come in.
    Looked {
        run: Epoch,
        host: usize,
        began: Time,
        early: Option<Box<Result<Observation, String>>>,
    },
    /// The answer to an order.
    Answered {
        run: Epoch,
        host: usize,
        attempt: AttemptId,
        answer: Option<Answer>,
    },
    /// The actor of the fleet has its turn.
    Fleet { run: Epoch },
    /// The load hook has answered, or its call has timed out.
    HookAnswered { run: Epoch, report: LoadReport },
    /// A process of a host runner goes on.
    Runner {
        host: usize,
        attempt: AttemptId,
        phase: Phase,
    },
    /// A host that has booted finishes what is open.
    BootResume(usize),
    /// Something outside the estate changes.
    Outside(Outside),
    /// The checker looks for what is overdue.
    Judge,
}

/// Something that changes around the estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// The program dies.
    Dies,
    /// The program starts.
    Starts,
    /// It stands still until then.
    StandsStill(Time),
    /// Alertmanager stops, or starts.
    Alertmanager(bool),
    /// Prometheus forgets since when its alerts fire.
    PrometheusForgets,
    /// The disk is full, or not.
    DiskFull(bool),
    /// The tools may not be used, or may.
    Denied(bool),
    /// A host cannot be reached until then.
    Unreachable(usize, Time),
    /// People repair a host.
    Repair(usize),
    /// People do something nobody asked for.
    Meddle,
    /// A person answers a request: approves, or denies.
    Answer(usize, RequestId, bool),
    /// People pause everything, or end that.
    Pause(bool),
    /// People hold a host by a file on it, or take that away.
    Hold(usize, bool),
    /// People order a hold of a host, or its release.
    OrderHold(usize, bool),
    /// The wall clock is so many milliseconds ahead.
    WallClock(i64),
    /// A person confirms that the program did not run for a time.
    ConfirmGap,
    /// Everything is repaired and stays so.
    Peace,
}

/// An episode under way.
#[derive(Debug)]
pub struct Episode {
    /// The seed it is made from.
    pub seed: u64,
    /// The unknowns it drew.
    pub knobs: Knobs,
    pub(crate) queue: Queue<Happening>,
    pub(crate) world: World,
    pub(crate) site: Site,
    pub(crate) prometheus: Prometheus,
    pub(crate) alertmanager: Alertmanager,
    pub(crate) runners: Vec<Runner>,
    pub(crate) store: Store,
    pub(crate) running: Option<Running>,
    pub(crate) checker: Checker,
    hook: Hook,
    history: History,
    /// The dice of what is seen, of attempt ids, and of everything around the estate.
    pub(crate) looks: Dice,
    pub(crate) ids: Dice,
    pub(crate) fate: Dice,
    /// The clocks, and the dice of what they do.
    pub(crate) clock: Clock,
    clock_dice: Dice,
    /// When each host is evaluated next.
    evaluations: Vec<Option<Time>>,
    repeating: bool,
    judging: bool,
    denied: bool,
    stands_still_until: Option<Time>,
    /// From here on nothing goes wrong any more.
    peace: bool,
    /// When the last trouble has struck.
    pub(crate) peace_at: Time,
}

/// What the parts of an episode draw from.
#[derive(Clone, Copy)]
enum Part {
    Knobs,
    World,
    Looks,
    Ids,
    Fate,
    Alertmanager,
    Store,
    Hook,
    /// That of the first host; each further one has the next.
    Runner,
    /// Beyond every host's.
    Clock = 1 << 20,
}

impl Episode {
    /// The episode of `seed`. With `kept`, its history is written down.
    #[must_use]
    pub fn new(seed: u64, kept: bool) -> Self {
        let knobs = Knobs::draw(&mut Dice::new(seed, Part::Knobs as u64));
        let mut episode = Self::of(seed, knobs, kept, None);
        episode.plan_troubles();
        episode
    }

    /// An episode with these knobs, in which nothing happens yet; in `world`, or in the one that the
    /// knobs lay out.
    #[must_use]
    pub fn of(seed: u64, knobs: Knobs, kept: bool, world: Option<World>) -> Self {
        Self::build((seed, knobs), kept, world, &|_| {})
    }

    /// The episode of `seed` with a remediator that runs by another policy than its judge knows of;
    /// with some of the knobs as `set` wants them.
    #[must_use]
    pub fn misled(seed: u64, set: &dyn Fn(&mut Knobs), loosen: &dyn Fn(&mut Policy)) -> Self {
        let mut knobs = Knobs::draw(&mut Dice::new(seed, Part::Knobs as u64));
        set(&mut knobs);
        let mut episode = Self::build((seed, knobs), false, None, loosen);
        episode.plan_troubles();
        episode
    }

    fn build(
        (seed, knobs): (u64, Knobs),
        kept: bool,
        world: Option<World>,
        loosen: &dyn Fn(&mut Policy),
    ) -> Self {
        let dice = |part: Part| Dice::new(seed, part as u64);
        let world = world.unwrap_or_else(|| World::new(knobs, dice(Part::World), BEGINNING));
        let site = Site::of(&world);
        let hosts = world.hosts.len();
        let runner = |host: usize| {
            let part = Part::Runner as u64 + u64::try_from(host).unwrap_or(0);
            Runner::new(host, knobs.runner, Dice::new(seed, part))
        };
        let mut episode = Self {
            seed,
            knobs,
            queue: Queue::new(BEGINNING),
            prometheus: Prometheus::default(),
            alertmanager: Alertmanager::new(knobs.alertmanager, dice(Part::Alertmanager)),
            runners: (0..hosts).map(runner).collect(),
            store: Store::new(knobs.store, dice(Part::Store)),
            running: None,
            checker: Checker::new(&site, knobs),
            hook: Hook::new(knobs.load, dice(Part::Hook)),
            history: History::new(kept, BEGINNING),
            looks: dice(Part::Looks),
            ids: dice(Part::Ids),
            fate: dice(Part::Fate),
            clock: Clock::default(),
            clock_dice: dice(Part::Clock),
            evaluations: vec![None; hosts],
            repeating: false,
            judging: false,
            denied: false,
            stands_still_until: None,
            peace: false,
            peace_at: BEGINNING,
            world,
            site,
        };
        loosen(&mut episode.site.policy);
        episode.begin_clock();
        episode.start();
        episode.watchdog();
        episode
    }

    /// From here on nothing is planned to go wrong.
    pub(crate) fn begin_peace(&mut self, at: Time) {
        self.peace = true;
        self.peace_at = at;
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.queue.now()
    }

    /// The time that the program goes by.
    #[must_use]
    pub(crate) fn time(&self) -> Time {
        self.clock.time(self.now())
    }

    /// What happened so far, if that is kept.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Every stored event.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.store.events()
    }

    /// How often the program was started.
    #[must_use]
    pub const fn starts(&self) -> u64 {
        self.store.epoch().0
    }

    /// The independent judge.
    #[must_use]
    pub const fn checker(&self) -> &Checker {
        &self.checker
    }

    /// Lets the next thing happen; `false` when nothing is left to happen.
    pub fn step(&mut self) -> bool {
        let Some(happening) = self.queue.take() else {
            return false;
        };
        let operable = self.running.is_some() && !self.stands_still() && !self.store.full;
        let runs = self.running.is_some();
        let now = self.now();
        let program = runs.then(|| self.clock.time(now));
        self.checker
            .time_passes(now, program, self.clock.wall(now), operable);
        self.happen(happening);
        self.settle();
        true
    }

    fn happen(&mut self, happening: Happening) {
        if let Some(until) = self
            .stands_still_until
            .filter(|_| happening.is_the_programs())
        {
            if self.now() < until {
                self.queue.at(until, happening);
                return;
            }
            self.stands_still_until = None;
        }
        match happening {
            Happening::Turn(turn) => self.turn_world(turn),
            Happening::Strike(trouble) => self.strike(trouble),
            Happening::Evaluate(host) => self.evaluate(host),
            Happening::Tick(about) => self.tick(about),
            Happening::Repeat => self.repeat(),
            Happening::Watchdog => self.watchdog(),
            Happening::Deliver(delivery) => self.deliver(*delivery),
            Happening::Wake { run, host, plan } if run == self.store.epoch() => {
                self.wake(host, plan)
            }
            Happening::Looked {
                run,
                host,
                began,
                early,
            } if run == self.store.epoch() => {
                self.looked(host, began, early);
            }
            Happening::Answered {
                run,
                host,
                attempt,
                answer,
            } if run == self.store.epoch() => {
                self.answered(host, attempt, answer);
            }
            Happening::Fleet { run } if run == self.store.epoch() => self.fleet_turn(),
            Happening::HookAnswered { run, report } if run == self.store.epoch() => {
                self.hook_answered(report);
            }
            // Of a start of the program that has died since.
            Happening::Wake { .. }
            | Happening::Looked { .. }
            | Happening::Answered { .. }
            | Happening::Fleet { .. }
            | Happening::HookAnswered { .. } => {}
            Happening::Runner {
                host,
                attempt,
                phase,
            } => self.runner_turn(host, attempt, phase),
            Happening::BootResume(host) => self.boot_resume(host),
            Happening::Outside(outside) => self.outside(outside),
            Happening::Judge => self.judge(),
        }
    }

    /// What the happening has brought about in the estate is put in the queue.
    pub(crate) fn settle(&mut self) {
        for (at, turn) in std::mem::take(&mut self.world.turns) {
            self.queue.at(at, Happening::Turn(turn));
        }
        if self.world.touched.is_empty() {
            return;
        }
        let mut touched = std::mem::take(&mut self.world.touched);
        touched.sort_unstable();
        touched.dedup();
        for host in touched {
            if !self.world.hosts[host].up {
                self.runners[host].host_down();
            }
            let at = self.now().after(self.fate.seconds(1..=16));
            self.plan_evaluation(host, at);
        }
        if !self.judging {
            self.judging = true;
            self.queue.after(JUDGE_INTERVAL, Happening::Judge);
        }
    }

    fn turn_world(&mut self, turn: Turn) {
        let now = self.now();
        self.note(|| format!("estate: {turn:?}"));
        self.world.turn(turn, now);
        if let Turn::HostBack(host) = turn {
            self.queue
                .after(Duration::from_secs(30), Happening::BootResume(host));
        }
    }

    fn strike(&mut self, trouble: Trouble) {
        let now = self.now();
        let place = trouble.strike(&mut self.world, &mut self.fate, now);
        self.note(|| {
            format!(
                "TROUBLE: {trouble:?} at host {} slot {}",
                place.host, place.slot
            )
        });
        if trouble == Trouble::FalseAlert {
            let number = self.world.module(place).number;
            let until = now.after(Duration::from_secs(1_200));
            self.prometheus
                .fires_falsely((place.host, Some(number)), until);
            self.world.touched.push(place.host);
        }
    }

    fn judge(&mut self) {
        self.judging = self.checker.judge(&self.world, &self.runners);
        if self.judging || !self.peace {
            self.judging = true;
            self.queue.after(JUDGE_INTERVAL, Happening::Judge);
        }
    }

    /// Whether everything is over: peace, and no incident that is still open.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.peace
            && !self.checker.has_open_incidents()
            && !self.world.hsms.iter().any(|hsm| hsm.shed)
            && self.prometheus.firing().next().is_none()
    }

    /// Shows the checker what was stored since `seq`, and people what concerns them.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "people hear of three kinds of event"
    )]
    pub(crate) fn check_stored(&mut self, seq: usize) {
        let now = self.now();
        for index in seq..self.store.events().len() {
            let event = self.store.events()[index].clone();
            self.history
                .note(now, || format!("#{} {}", event.seq, told(&event)));
            self.checker.stored(&event, &self.world);
            match &event.entry.change {
                Change::PageRaised { .. } => self.people_are_paged(&event),
                Change::ApprovalAsked(request) => self.people_are_asked(&event, request.id),
                Change::GapFound { .. } => self.people_see_a_gap(),
                _ => {}
            }
        }
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        self.history.note(self.queue.now(), line);
    }

    pub(crate) const fn denied(&self) -> bool {
        self.denied
    }

    pub(crate) fn stands_still(&self) -> bool {
        self.stands_still_until
            .is_some_and(|until| self.now() < until)
    }
}

impl Happening {
    /// Whether the program has to run for it.
    const fn is_the_programs(&self) -> bool {
        matches!(
            self,
            Self::Wake { .. }
                | Self::Looked { .. }
                | Self::Answered { .. }
                | Self::Fleet { .. }
                | Self::HookAnswered { .. }
                | Self::Deliver(_)
        )
    }
}

/// An event in one line.
fn told(event: &Event) -> String {
    let incident = event
        .entry
        .incident
        .as_ref()
        .map_or("-", |incident| incident.as_str());
    let body = serde_json::to_value(&event.entry.change)
        .ok()
        .and_then(|change| change.get("body").map(ToString::to_string))
        .unwrap_or_default();
    format!("{} {incident} {body}", event.entry.change.kind())
}

impl Knobs {
    /// How often people can be relied on, in words of the plan.
    pub(crate) const fn people_repair(&self) -> Option<(u64, u64)> {
        match self.people {
            knobs::People::OnCall | knobs::People::Meddling => Some((600, 3_600)),
            knobs::People::Holding => Some((3_600, 10_800)),
            knobs::People::Absent => None,
        }
    }
}
