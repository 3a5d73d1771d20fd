//! The newest looks at a host, as the engine holds them in memory. A restart begins with none.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nshield::{Esn, ModuleNumber};

use crate::observation::{Condition, HardserverLook, Network, Observation, Subject};
use crate::time::Time;

/// How long looks are kept. Everything that must hold for some time is shorter: see the
/// configuration's checks of `healthy_for`, `stale_alert_after` and `latch_release_after`.
pub const LOOK_MEMORY: Duration = Duration::from_secs(20 * 60);

/// Looks further apart than this do not belong to one run. The longest interval (60 s) and the
/// longest observation (`enquiry` may take 50 s) together stay below it.
const LOOK_GAP_MAX: Duration = Duration::from_secs(120);

/// How far the hardserver's uptime may lag behind the host's clock between two looks at one start of
/// it: it counts whole seconds, and the host serves it from what it has gathered.
const UPTIME_LAG_MAX: Duration = Duration::from_secs(5);

/// The longest time that a hardserver can have run: a hundred years. More is a counter that has gone
/// wrong.
const UPTIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// An observation and when the remediator received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When it was received, or when its failure was noticed.
    pub at: Time,
    /// What was seen, or why the look itself failed.
    pub seen: Result<Observation, String>,
}

/// What stays of a look when there is a newer one: enough to tell how long something has held. Many
/// hosts are looked at for a long time, so it is small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastLook {
    /// When it was received, or when its failure was noticed.
    pub at: Time,
    /// `None` when the look itself failed.
    seen: Option<PastSight>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PastSight {
    boot_id: Arc<str>,
    started_boottime: u64,
    finished_boottime: u64,
    hardserver_uptime: Option<u64>,
    hardserver: HardserverLook,
    host: Condition,
    /// By number; shared with the look before where nothing has changed.
    modules: Arc<[PastModule]>,
}

/// What a past look showed of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PastModule {
    module: ModuleNumber,
    esn: Option<Esn>,
    condition: Condition,
    network: Network,
}

impl PastLook {
    /// What a target looked like in this look.
    #[must_use]
    pub fn condition<'a>(&self, subject: impl Into<Subject<'a>>) -> Condition {
        let subject = subject.into();
        let seen = self.seen.as_ref().map(|seen| match subject.module {
            None => Some(seen.host),
            Some(_) if subject.is_renumbered(seen.printed()) => None,
            Some(module) => seen.module(module).map(|module| module.condition),
        });
        seen.flatten().unwrap_or(Condition::Unknown)
    }

    /// The class of the network of a module, where the look showed the module.
    fn network(&self, module: ModuleNumber) -> Option<Network> {
        let module = self.seen.as_ref()?.module(module)?;
        Some(module.network)
    }

    /// What the hardserver looked like, where the look succeeded.
    fn hardserver(&self) -> Option<HardserverLook> {
        self.seen.as_ref().map(|seen| seen.hardserver)
    }

    /// Whether this look and a later one are of one boot of the host and, as far as both know it,
    /// of one start of its hardserver. What was true before either ended says nothing of now.
    fn same_start(&self, later: &Self) -> bool {
        let (Some(first), Some(second)) = (&self.seen, &later.seen) else {
            return false;
        };
        if first.boot_id != second.boot_id {
            return false;
        }
        let (Some(before), Some(after)) = (first.uptime(), second.uptime()) else {
            return true;
        };
        let between = second
            .started_boottime
            .saturating_sub(first.finished_boottime);
        let due = before.saturating_add(Duration::from_millis(between));
        after >= before && after.saturating_add(UPTIME_LAG_MAX) >= due
    }
}

impl PastSight {
    /// What stays of `seen`; what is as in the look `before` is shared with it.
    fn of(seen: &Observation, before: Option<&Self>) -> Self {
        let modules = seen.modules.iter().map(|(module, look)| PastModule {
            module: *module,
            esn: look.esn.clone(),
            condition: seen.module_condition(*module),
            network: look.network.class(),
        });
        let modules: Vec<PastModule> = modules.collect();
        let same_modules = before.filter(|before| *before.modules == *modules);
        let same_boot = before.filter(|before| *before.boot_id == *seen.boot_id);
        Self {
            boot_id: same_boot.map_or_else(
                || Arc::from(seen.boot_id.as_str()),
                |before| Arc::clone(&before.boot_id),
            ),
            started_boottime: seen.started_boottime,
            finished_boottime: seen.finished_boottime,
            hardserver_uptime: seen.hardserver_uptime,
            hardserver: seen.hardserver,
            host: seen.host_condition(),
            modules: same_modules
                .map_or_else(|| modules.into(), |before| Arc::clone(&before.modules)),
        }
    }

    /// For how long the hardserver had run; what no hardserver can have is no figure.
    fn uptime(&self) -> Option<Duration> {
        let uptime = self.hardserver_uptime.map(Duration::from_secs);
        uptime.filter(|uptime| *uptime <= UPTIME_MAX)
    }

    fn printed(&self) -> impl Iterator<Item = (ModuleNumber, Option<&Esn>)> {
        let modules = self.modules.iter();
        modules.map(|module| (module.module, module.esn.as_ref()))
    }

    fn module(&self, module: ModuleNumber) -> Option<&PastModule> {
        let place = self.modules.binary_search_by_key(&module, |m| m.module);
        place.ok().and_then(|place| self.modules.get(place))
    }
}

/// The looks: the newest in full, and what stays of each, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    looks: VecDeque<PastLook>,
    newest: Option<Look>,
}

impl Evidence {
    /// Adds a look; those that are too old go.
    pub fn push(&mut self, look: Look) {
        while self
            .looks
            .front()
            .is_some_and(|old| look.at.since(old.at) > LOOK_MEMORY)
        {
            self.looks.pop_front();
        }
        let before = self.looks.back().and_then(|look| look.seen.as_ref());
        let seen = look.seen.as_ref().ok();
        let seen = seen.map(|seen| PastSight::of(seen, before));
        self.looks.push_back(PastLook { at: look.at, seen });
        self.newest = Some(look);
    }

    /// The newest look.
    #[must_use]
    pub const fn newest(&self) -> Option<&Look> {
        self.newest.as_ref()
    }

    /// The newest look, when it succeeded.
    #[must_use]
    pub fn observation(&self) -> Option<&Observation> {
        self.newest().and_then(|look| look.seen.as_ref().ok())
    }

    /// Looks at or after `from`, oldest first.
    pub fn looks_from(&self, from: Time) -> impl DoubleEndedIterator<Item = &PastLook> {
        self.looks.iter().filter(move |look| look.at >= from)
    }

    /// What the target looked like in the newest look.
    #[must_use]
    pub fn condition<'a>(&self, subject: impl Into<Subject<'a>>) -> Condition {
        let subject = subject.into();
        self.looks
            .back()
            .map_or(Condition::Unknown, |look| look.condition(subject))
    }

    /// When a look last showed the target in a condition that is known.
    #[must_use]
    pub fn seen_at(&self, module: Option<ModuleNumber>) -> Option<Time> {
        let mut looks = self.looks.iter().rev();
        let seen = looks.find(|look| look.condition(module) != Condition::Unknown);
        seen.map(|look| look.at)
    }

    /// Since when every look has shown the target in `condition`; `None` when the newest does not.
    #[must_use]
    pub fn held_since<'a>(
        &self,
        subject: impl Into<Subject<'a>>,
        condition: Condition,
    ) -> Option<Time> {
        let subject = subject.into();
        self.run_start(|look| look.condition(subject) == condition)
    }

    /// Whether the newest looks agree on `condition` over at least `span`, within one boot of the
    /// host and one start of its hardserver.
    #[must_use]
    pub fn agree<'a>(
        &self,
        subject: impl Into<Subject<'a>>,
        condition: Condition,
        span: Duration,
    ) -> bool {
        let subject = subject.into();
        self.proven(span, |look| look.condition(subject) == condition)
    }

    /// When the first reply of `module` was seen after the newest look without any; `None` when no
    /// look in memory is without one, or no reply was seen since.
    #[must_use]
    pub fn network_back_at(&self, module: ModuleNumber) -> Option<Time> {
        let mut looks = self.looks.iter().rev();
        let mut back_at = None;
        let lost = looks.any(|look| {
            match look.network(module) {
                Some(Network::Bad) => return true,
                Some(Network::Good | Network::Degraded) => back_at = Some(look.at),
                Some(Network::NotApplicable | Network::Unknown) | None => {}
            }
            false
        });
        back_at.filter(|_| lost)
    }

    /// Whether the hardserver is *proven* down: suspected in every look over at least `span`, within
    /// one boot of the host.
    #[must_use]
    pub fn hardserver_down(&self, span: Duration) -> bool {
        self.proven(span, |look| {
            look.hardserver() == Some(HardserverLook::SuspectedDown)
        })
    }

    /// Since when every look has shown the hardserver like this; `None` when the newest does not.
    #[must_use]
    pub fn hardserver_since(&self, hardserver: HardserverLook) -> Option<Time> {
        self.run_start(|look| look.hardserver() == Some(hardserver))
    }

    /// Whether `holds` for the looks of one start over at least `span`, to the newest.
    fn proven(&self, span: Duration, holds: impl Fn(&PastLook) -> bool) -> bool {
        let Some(newest) = self.looks.back() else {
            return false;
        };
        self.run_start(|look| holds(look) && look.same_start(newest))
            .is_some_and(|from| from < newest.at && newest.at.since(from) >= span)
    }

    /// When the unbroken run of looks up to the newest for which `holds` began. A gap in observing
    /// breaks the run: what happened in it is not known.
    fn run_start(&self, holds: impl Fn(&PastLook) -> bool) -> Option<Time> {
        let mut start: Option<Time> = None;
        for look in self.looks.iter().rev() {
            let gap = start.map_or(Duration::ZERO, |later| later.since(look.at));
            if !holds(look) || gap > LOOK_GAP_MAX {
                break;
            }
            start = Some(look.at);
        }
        start
    }
}
