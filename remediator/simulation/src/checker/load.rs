//! L5, and what may be done about load: it is taken only while a module of that HSM is failed, where
//! something may be done at all, and it returns or people are paged.

use std::time::Duration;

use vcm_recovery::fleet::load::{LoadAction, LoadCall, LoadOrder};
use vcm_recovery::ids::HsmName;
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::Mode;

use super::Checker;
use crate::knobs::Load;
use crate::site::MAX_SHED;
use crate::world::World;

/// How much later than it is due load returns, or people are paged: an order, the hook's deadline,
/// and a tick of the fleet's actor.
const RETURNS: Duration = Duration::from_secs(120);

impl Checker {
    pub(super) fn hsm_of(&self, target: &Target) -> Option<&HsmName> {
        self.module_of(target)?.hsm.as_ref()
    }

    /// How often load was ordered to be taken.
    #[must_use]
    pub const fn sheds(&self) -> usize {
        self.sheds
    }

    /// Load is to be taken from an HSM.
    pub(super) fn load_shed(&mut self, order: &LoadOrder) {
        self.sheds += 1;
        let wants = |mode: Mode| match order.hook {
            true => mode == Mode::Act,
            false => mode != Mode::Observe,
        };
        let failed = self.open.iter().any(|(target, open)| {
            open.first_failed_at.is_some()
                && self.hsm_of(target) == Some(&order.hsm)
                && wants(self.mode(target))
        });
        let allowed = failed && !self.paused && self.knobs.load != Load::Off;
        self.require(allowed, "S1", || {
            format!(
                "load is taken from {}, and nobody may want that: {}",
                order.hsm, order.why
            )
        });
        let by_hook = self.knobs.load != Load::People;
        self.require(by_hook || !order.hook, "S1", || {
            "a hook is called that the site does not have".to_owned()
        });
    }

    /// The hook is called, for the first time with this key or again.
    pub(crate) fn hook_called(&mut self, call: &LoadCall, known: Option<&(HsmName, LoadAction)>) {
        let same = known.is_none_or(|(hsm, action)| *hsm == call.hsm && *action == call.action);
        self.require(same, "S2", || {
            format!("the key {} means two things to the hook", call.order)
        });
    }

    /// Load that is truly taken returns when no module of its HSM is failed any more, or after the
    /// longest time. Returns whether any is taken.
    pub(super) fn judge_load_returns(&mut self, world: &World) -> bool {
        let worked = self.worked;
        let shed: Vec<HsmName> = world
            .hsms
            .iter()
            .filter(|hsm| hsm.shed)
            .filter_map(|hsm| hsm.name.clone())
            .collect();
        self.return_due.retain(|hsm, _| shed.contains(hsm));
        for hsm in &shed {
            let wanted = self.open.iter().any(|(target, open)| {
                open.first_failed_at.is_some() && self.hsm_of(target) == Some(hsm)
            });
            let latest = *self
                .return_due
                .entry(hsm.clone())
                .or_insert(worked + MAX_SHED);
            let due = if wanted { latest } else { latest.min(worked) };
            self.return_due.insert(hsm.clone(), due);
            let paged = self.load_pages.iter().any(|(about, _)| about == hsm);
            self.require(paged || worked <= due + RETURNS, "L5", || {
                format!(
                    "load of {hsm} has not returned for {} s, and nobody is paged",
                    (worked - due).as_secs()
                )
            });
        }
        !shed.is_empty()
    }
}
