//! The site's hook that takes load from an HSM and gives it back, and how it fares. A request with a
//! key that it knows has been done already.

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::fleet::load::{LoadAction, LoadCall};
use vcm_recovery::ids::HsmName;
use vcm_recovery::time::Time;

use super::Episode;
use crate::dice::Dice;
use crate::knobs::Load;

/// How often, in per cent, it fares badly where the knob says so.
const BADLY: u32 = 40;

/// After this time nobody waits for its answer any more.
const DEADLINE: Duration = Duration::from_secs(30);

/// The hook.
#[derive(Debug)]
pub(super) struct Hook {
    knob: Load,
    dice: Dice,
    /// What was asked under each key.
    known: BTreeMap<u64, (HsmName, LoadAction)>,
}

impl Hook {
    pub(super) const fn new(knob: Load, dice: Dice) -> Self {
        Self {
            knob,
            dice,
            known: BTreeMap::new(),
        }
    }
}

impl Episode {
    /// Calls the hook: when it answers, and why it failed, if it did. In peace it works.
    pub(crate) fn hook(&mut self, call: &LoadCall) -> (Time, Option<String>) {
        let badly = self.hook.dice.per_cent(BADLY) && !self.peace;
        let answers = self.now().after(self.hook.dice.millis(20..=3_000));
        let (acts, answer) = match self.hook.knob {
            Load::HookFails if badly => (false, (answers, Some("HTTP status 500".to_owned()))),
            Load::HookForgets if badly => {
                let late = self.now().after(DEADLINE);
                (true, (late, Some("no answer in time".to_owned())))
            }
            Load::Off | Load::HookWorks | Load::HookFails | Load::HookForgets | Load::People => {
                (true, (answers, None))
            }
        };
        let asked = (call.hsm.clone(), call.action);
        let known = self.hook.known.get(&call.order).cloned();
        self.checker.hook_called(call, known.as_ref());
        if acts && known.is_none() {
            self.hook.known.insert(call.order, asked);
            let hsm = self
                .world
                .hsms
                .iter()
                .position(|hsm| hsm.name.as_ref() == Some(&call.hsm));
            if let Some(hsm) = hsm {
                self.world.hsms[hsm].shed = call.action == LoadAction::Shed;
                self.world.touch_hsm(hsm);
            }
        }
        self.note(|| {
            format!(
                "load hook: {} {}: {:?}",
                call.action.as_str(),
                call.hsm,
                answer.1
            )
        });
        answer
    }
}
