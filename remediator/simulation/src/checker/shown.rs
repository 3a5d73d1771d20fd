//! What a look showed, as far as it is judged.

use std::collections::BTreeMap;

use nshield::{ModuleNumber, ModuleState};
use vcm_recovery::observation::{HardserverLook, NetworkLook, Observation};

/// What a look showed, as far as it is judged.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) hardserver: Option<HardserverLook>,
    pub(super) complete: bool,
    /// The program that was shown it has died, and no record about the host was stored after it.
    pub(super) forgotten: bool,
    pub(super) modules: BTreeMap<ModuleNumber, (ModuleState, NetworkLook, Option<bool>)>,
}

impl Shown {
    pub(super) fn nothing() -> Self {
        Self {
            hardserver: None,
            complete: false,
            forgotten: false,
            modules: BTreeMap::new(),
        }
    }

    pub(super) fn of(seen: &Observation) -> Self {
        let module = |look: &vcm_recovery::observation::ModuleLook| {
            (look.state, look.network.clone(), look.hardware_ok)
        };
        Self {
            hardserver: Some(seen.hardserver),
            complete: seen.complete,
            forgotten: false,
            modules: seen
                .modules
                .iter()
                .map(|(number, look)| (*number, module(look)))
                .collect(),
        }
    }

    /// Whether it shows the target failed.
    pub(super) fn failed(&self, module: Option<ModuleNumber>) -> bool {
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

    /// Whether the look shows that the module answers the network; `None` where it does not tell.
    pub(super) fn answers(&self, number: ModuleNumber) -> Option<bool> {
        self.hardserver
            .filter(|look| *look != HardserverLook::PermissionDenied)?;
        match &self.modules.get(&number)?.1 {
            NetworkLook::Echo { sent: 5, replies } => Some(*replies > 0),
            NetworkLook::Tcp { connected } => Some(*connected),
            NetworkLook::Echo { .. } | NetworkLook::NotApplicable | NetworkLook::Unknown(_) => None,
        }
    }
}
