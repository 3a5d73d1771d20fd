//! What is told of attempts, by target and rung. Of ten thousands of series nearly all are 0: only
//! the others are kept, and a scrape writes every series that the inventory has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use nshield::ModuleNumber;
use vcm_recovery::ids::HostName;
use vcm_recovery::inventory::{HostEntry, Inventory, Target};
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_telemetry::families::Value;

/// A rung on a module of some host, or on the host itself.
type Place = (Option<ModuleNumber>, Rung);

/// What is told of the places of which there is something to tell.
#[derive(Clone, Debug, Default)]
pub(super) struct ByPlace<T>(BTreeMap<HostName, BTreeMap<Place, T>>);

impl<T: Copy + Default> ByPlace<T> {
    /// What is told of this rung on `target`, to be changed.
    fn at(&mut self, target: &Target, rung: Rung) -> &mut T {
        if !self.0.contains_key(&target.host) {
            self.0.insert(target.host.clone(), BTreeMap::new());
        }
        let host = self.0.entry(target.host.clone()).or_default();
        host.entry((target.module, rung)).or_default()
    }

    /// The labels `host`, `module` and `tier` of every rung that can be run on a target of the
    /// inventory, and of every other place of which something is told.
    pub(super) fn series<'a>(
        &'a self,
        inventory: &'a Inventory,
    ) -> impl Iterator<Item = ([Value<'a>; 3], T)> {
        let known = inventory.hosts.values().flat_map(|entry| {
            let told = self.0.get(&entry.name);
            places(entry).map(move |place| {
                let value = told.and_then(|told| told.get(&place)).copied();
                (labels(&entry.name, place), value.unwrap_or_default())
            })
        });
        let told = self.0.iter().flat_map(|(host, places)| {
            let places = places.iter();
            places.map(move |(place, value)| (host, *place, *value))
        });
        let others = told.filter(|(host, place, _)| !has(inventory, host, *place));
        known.chain(others.map(|(host, place, value)| (labels(host, place), value)))
    }
}

fn labels(host: &HostName, (module, rung): Place) -> [Value<'_>; 3] {
    let module = module.map(|module| module.get());
    [Value::Shown(host), module.into(), rung.as_str().into()]
}

/// Every rung that can be run on this host: on the host itself only a restart.
fn places(host: &HostEntry) -> impl Iterator<Item = Place> {
    let modules = host.modules.keys();
    let modules = modules.flat_map(|module| Rung::ALL.map(|rung| (Some(*module), rung)));
    std::iter::once((None, Rung::Restart)).chain(modules)
}

fn has(inventory: &Inventory, host: &HostName, (module, rung): Place) -> bool {
    inventory.hosts.get(host).is_some_and(|host| match module {
        Some(module) => host.modules.contains_key(&module),
        None => rung == Rung::Restart,
    })
}

/// How many attempts there were since the program started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) started: u64,
    pub(super) failed: u64,
    pub(super) unknown: u64,
}

/// The counted attempts of every target of the inventory.
#[derive(Debug)]
pub(super) struct Tallies {
    inventory: Arc<Inventory>,
    counted: Mutex<ByPlace<Tally>>,
}

impl Tallies {
    /// No attempt was counted yet.
    pub(super) fn new(inventory: &Arc<Inventory>) -> Self {
        Self {
            inventory: Arc::clone(inventory),
            counted: Mutex::default(),
        }
    }

    /// Counts an attempt. One on a target that the inventory does not have adds nothing: no input
    /// can make new series.
    pub(super) fn count(&self, target: &Target, rung: Rung, count: impl FnOnce(&mut Tally)) {
        if has(&self.inventory, &target.host, (target.module, rung)) {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            count(counted.at(target, rung));
        }
    }

    /// The counts as they are now.
    pub(super) fn now(&self) -> ByPlace<Tally> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.clone()
    }

    /// Which series there are.
    pub(super) fn inventory(&self) -> &Inventory {
        &self.inventory
    }
}

/// The attempts that hold a budget now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Open {
    pub(super) unsettled: u32,
    pub(super) in_progress: bool,
}

/// The attempts of these hosts that hold a budget.
pub(super) fn open(hosts: &[Arc<HostState>]) -> ByPlace<Open> {
    let mut open = ByPlace::<Open>::default();
    for attempt in hosts.iter().flat_map(|host| host.unsettled()) {
        let open = open.at(&attempt.intent.target, attempt.intent.rung);
        open.unsettled += 1;
        open.in_progress |= attempt.outcome.is_none();
    }
    open
}
