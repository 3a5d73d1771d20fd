//! The estate's state as a function of time: modules, their HSMs, the hardserver's connections.
//!
//! Pure. [`super::store`] loads it under a lock, calls [`World::advance`] with the present moment,
//! lets a tool, the hardserver or `ctl` change it, and saves it; nothing runs in between. So the
//! HSMs live on while no process of the simulator does, and a `kill -9` anywhere loses nothing.
//!
//! What belongs to the hardserver's instance (connections, counters) is in [`Link`] and
//! [`Hardserver`] and ends with it; what belongs to the HSM is in [`Device`] and does not.

use serde::{Deserialize, Serialize};

use super::{
    clock::At,
    estate::{Clients, Estate},
    knobs::Knobs,
};

mod advance;
mod commands;
mod event;
mod faults;
mod hardserver;
mod link;
mod module;
#[cfg(test)]
mod tests;

pub use commands::{Command, Status};
pub use event::{Damage, Event, EventKind};
pub use faults::{FaultSpec, NoSuchModule, Reason};
pub use hardserver::{Down, Hardserver, Instance, Run};
pub use module::{
    Boot, Counters, Cure, Device, Fault, Link, Mode, Module, Network, Relapse, Reset, Shown,
};

/// Everything that is true of a simulated host and its HSMs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Version of the Security World software.
    pub version: String,
    /// How everything behaves.
    pub knobs: Knobs,
    /// The hardserver.
    pub hardserver: Hardserver,
    /// The modules in the order of their numbers.
    pub modules: Vec<Module>,
    /// The applications.
    pub clients: Vec<Clients>,
    /// The latest moment that has been accounted for.
    pub now: At,
    /// What happened since the events were last taken.
    #[serde(skip)]
    events: Vec<Event>,
}

impl World {
    /// The healthy beginning of `estate`: everything connected as soon as a hardserver starts.
    #[must_use]
    pub fn new(estate: Estate, now: At) -> Self {
        let modules = estate
            .vcms
            .into_iter()
            .map(|vcm| Module::new(vcm, now))
            .collect();
        let mut world = Self {
            version: estate.version,
            knobs: estate.knobs,
            hardserver: Hardserver::never_started(),
            modules,
            clients: estate.clients,
            now,
            events: Vec::new(),
        };
        world.sort_modules();
        world
    }

    /// The module of this number.
    #[must_use]
    pub fn module(&self, number: u32) -> Option<&Module> {
        self.modules.iter().find(|module| module.number == number)
    }

    /// What `enquiry` shows of a module now.
    #[must_use]
    pub fn shown(&self, module: &Module) -> Shown {
        module.shown(self.now)
    }

    /// How many connections the applications hold now.
    #[must_use]
    pub fn connected_clients(&self) -> u32 {
        match &self.hardserver.run {
            Run::Up(instance) if self.now >= instance.clients_back_at => {
                self.clients.iter().map(|clients| clients.count).sum()
            }
            Run::Up(_) | Run::Down(_) => 0,
        }
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Whether `before` would become this world by the mere passing of time, without anything
    /// having happened: then there is nothing to save.
    #[must_use]
    pub fn differs_only_in_time(&self, before: &Self) -> bool {
        let mut past = self.clone();
        past.now = before.now;
        for (module, old) in past.modules.iter_mut().zip(&before.modules) {
            module.counters.millicommands = old.counters.millicommands;
            module.counters.counted_until = old.counters.counted_until;
        }
        past == *before
    }

    fn index_of(&self, number: u32) -> Result<usize, NoSuchModule> {
        self.modules
            .iter()
            .position(|module| module.number == number)
            .ok_or(NoSuchModule(number))
    }

    fn sort_modules(&mut self) {
        self.modules.sort_by_key(|module| module.number);
    }

    fn record(&mut self, module: Option<usize>, kind: EventKind) {
        let place = module.and_then(|index| self.modules.get(index));
        self.events.push(Event {
            at: self.now,
            module: place.map(|module| module.number),
            vcm: place.map(|module| module.vcm.clone()),
            esn: place.map(|module| module.esn.clone()),
            kind,
        });
    }
}
