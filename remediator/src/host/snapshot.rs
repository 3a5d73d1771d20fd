//! What worked before a restart or a clear: journalled with the attempt, so that afterwards anybody
//! can tell what the attempt took away, also from the host alone.

use std::collections::BTreeMap;

use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};
use vcm_recovery::observation::Observation;

/// What worked before an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The modules that looked healthy.
    pub healthy: BTreeMap<ModuleNumber, HealthyModule>,
    /// Client connections of the hardserver, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<u64>,
}

/// A module that looked healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthyModule {
    /// Its serial number, by which it is found again after its number has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub esn: Option<Esn>,
    /// Objects loaded in it, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
}

impl Snapshot {
    /// What an observation shows to work.
    #[must_use]
    pub fn of(seen: &Observation) -> Self {
        let healthy = seen.healthy_modules().into_iter();
        let module = |number| {
            let look = seen.modules.get(&number)?;
            let module = HealthyModule {
                esn: look.esn.clone(),
                objects: look.objects,
            };
            Some((number, module))
        };
        Self {
            healthy: healthy.filter_map(module).collect(),
            clients: seen.clients,
        }
    }
}
