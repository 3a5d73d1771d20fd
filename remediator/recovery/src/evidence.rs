//! The newest looks at a host, as the engine holds them in memory. A restart begins with none.

use std::collections::VecDeque;
use std::time::Duration;

use nshield::ModuleNumber;

use crate::observation::{Condition, HardserverLook, Network, Observation};
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

/// An observation and when the remediator received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When it was received, or when its failure was noticed.
    pub at: Time,
    /// What was seen, or why the look itself failed.
    pub seen: Result<Observation, String>,
}

impl Look {
    /// What a target looked like in this look.
    #[must_use]
    pub fn condition(&self, module: Option<ModuleNumber>) -> Condition {
        self.seen
            .as_ref()
            .map_or(Condition::Unknown, |seen| seen.condition(module))
    }

    /// What the hardserver looked like, where the look succeeded.
    fn hardserver(&self) -> Option<HardserverLook> {
        self.seen.as_ref().ok().map(|seen| seen.hardserver)
    }

    /// Whether this look and a later one are of one boot of the host and, as far as both know it,
    /// of one start of its hardserver. What was true before either ended says nothing of now.
    fn same_start(&self, later: &Self) -> bool {
        let (Ok(first), Ok(second)) = (&self.seen, &later.seen) else {
            return false;
        };
        if first.boot_id != second.boot_id {
            return false;
        }
        let (Some(before), Some(after)) = (first.hardserver_uptime, second.hardserver_uptime)
        else {
            return true;
        };
        let between = second
            .started_boottime
            .saturating_sub(first.finished_boottime);
        let due = Duration::from_secs(before) + Duration::from_millis(between);
        after >= before && Duration::from_secs(after) + UPTIME_LAG_MAX >= due
    }
}

/// The looks, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    looks: VecDeque<Look>,
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
        self.looks.push_back(look);
    }

    /// The newest look.
    #[must_use]
    pub fn newest(&self) -> Option<&Look> {
        self.looks.back()
    }

    /// The newest look, when it succeeded.
    #[must_use]
    pub fn observation(&self) -> Option<&Observation> {
        self.newest().and_then(|look| look.seen.as_ref().ok())
    }

    /// Looks at or after `from`, oldest first.
    pub fn looks_from(&self, from: Time) -> impl DoubleEndedIterator<Item = &Look> {
        self.looks.iter().filter(move |look| look.at >= from)
    }

    /// What the target looked like in the newest look.
    #[must_use]
    pub fn condition(&self, module: Option<ModuleNumber>) -> Condition {
        self.newest()
            .map_or(Condition::Unknown, |look| look.condition(module))
    }

    /// Since when every look has shown the target in `condition`; `None` when the newest does not.
    #[must_use]
    pub fn held_since(&self, module: Option<ModuleNumber>, condition: Condition) -> Option<Time> {
        self.run_start(|look| look.condition(module) == condition)
    }

    /// Whether the newest looks agree on `condition` over at least `span`, within one boot of the
    /// host and one start of its hardserver.
    #[must_use]
    pub fn agree(
        &self,
        module: Option<ModuleNumber>,
        condition: Condition,
        span: Duration,
    ) -> bool {
        self.proven(span, |look| look.condition(module) == condition)
    }

    /// When the first reply of `module` was seen after the newest look without any; `None` when no
    /// look in memory is without one, or no reply was seen since.
    #[must_use]
    pub fn network_back_at(&self, module: ModuleNumber) -> Option<Time> {
        let network = |look: &Look| {
            let seen = look.seen.as_ref().ok()?;
            Some(seen.modules.get(&module)?.network.class())
        };
        let mut looks = self.looks.iter().rev();
        let mut back_at = None;
        let lost = looks.any(|look| {
            match network(look) {
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
    fn proven(&self, span: Duration, holds: impl Fn(&Look) -> bool) -> bool {
        let Some(newest) = self.newest() else {
            return false;
        };
        self.run_start(|look| holds(look) && look.same_start(newest))
            .is_some_and(|from| from < newest.at && newest.at.since(from) >= span)
    }

    /// When the unbroken run of looks up to the newest for which `holds` began. A gap in observing
    /// breaks the run: what happened in it is not known.
    fn run_start(&self, holds: impl Fn(&Look) -> bool) -> Option<Time> {
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
