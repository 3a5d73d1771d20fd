//! The engine: one actor per host, the sole writer of that host's state.
//!
//! It only carries things about. What to record and what to start is [`vcm_recovery::decide`]'s
//! word, budgets are the store's, and the commands are the host runner's. A delivered alert is a
//! wake-up and nothing more: the actor looks for itself before anything is decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vcm_recovery::alert::FactRecord;
use vcm_recovery::event::Event;
use vcm_recovery::ids::{Fingerprint, HostName};
use vcm_recovery::inventory::{HostEntry, Inventory};
use vcm_recovery::policy::Policy;
use vcm_recovery::state::HostState;

use crate::board::Board;
use crate::clock::Clock;
use crate::host_client::HostRunner;
use crate::load::LoadHook;
use crate::store::{Loaded, Store, StoreError};
use crate::webhook::Deliver;
use fleet::FleetMailbox;
use mailbox::{Mailbox, Mailboxes};

mod actor;
mod attempt;
mod departed;
mod fleet;
mod log;
mod mailbox;
mod orders;
mod pace;
mod view;

pub use orders::OrderFailure;
pub use view::Surroundings;

/// Looks at hosts that may be under way at once, in the whole fleet. Each is a few processes here
/// or one SSH connection.
pub const LOOKS_AT_ONCE: usize = 32;

/// Called for every stored event, with the host's state before it; without one for the fleet's.
pub type OnEvent = Arc<dyn Fn(&Event, Option<&HostState>) + Send + Sync>;

/// What the engine works with.
#[derive(Clone)]
pub struct EngineParts {
    /// Where everything is recorded.
    pub store: Arc<dyn Store>,
    /// Where states are shown.
    pub board: Arc<Board>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Which hosts exist.
    pub inventory: Arc<Inventory>,
    /// What is permitted.
    pub policy: Arc<Policy>,
    /// How each host is reached.
    pub runners: BTreeMap<HostName, Arc<dyn HostRunner>>,
    /// How load is taken from an HSM, where the site has a hook for it.
    pub load_hook: Option<Arc<dyn LoadHook>>,
    /// What else decides about an attempt: watchdog, silences, ownership.
    pub surroundings: Surroundings,
    /// Who else wants to know of events.
    pub on_event: OnEvent,
}

/// The running engine.
pub struct Engine {
    mailboxes: Mailboxes,
    fleet: Arc<FleetMailbox>,
    parts: Arc<EngineParts>,
    tasks: JoinSet<()>,
}

/// The engine's door for the webhook and for operators.
pub struct Door {
    mailboxes: Mailboxes,
    fleet: Arc<FleetMailbox>,
    parts: Arc<EngineParts>,
}

impl Engine {
    /// Folds what is stored and starts an actor for every host of the inventory, and for every other
    /// one of which something is open.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn start(parts: EngineParts) -> Result<Self, StoreError> {
        let parts = Arc::new(parts);
        let Loaded { hosts, fleet } = load(&parts).await?;
        let states = hosts.into_iter();
        let mut states: BTreeMap<HostName, Arc<HostState>> = states
            .map(|(name, state)| (name, Arc::new(state)))
            .collect();
        for (name, state) in &states {
            if !parts.inventory.hosts.contains_key(name) {
                tracing::warn!(
                    host = %name,
                    open_incidents = state.incidents.len(),
                    open_attempts = state.unsettled().count(),
                    "the store knows a host that the inventory does not; nothing is started there"
                );
            }
            parts.board.publish(Arc::clone(state));
        }
        // Every state is on the board before the first actor counts the fleet's attempts.
        let (fleet, actor) = fleet::actor(Arc::clone(&parts), fleet).await?;
        let looks = Arc::new(Semaphore::new(LOOKS_AT_ONCE));
        let mut mailboxes = BTreeMap::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(actor.run());
        let mut hosts: Vec<(HostEntry, Arc<dyn HostRunner>, Arc<HostState>)> = Vec::new();
        for (name, entry) in &parts.inventory.hosts {
            let Some(runner) = parts.runners.get(name).cloned() else {
                tracing::error!(host = %name, "no host runner is configured; nothing will be done");
                continue;
            };
            let state = states
                .remove(name)
                .unwrap_or_else(|| Arc::new(HostState::new(name.clone())));
            parts.board.publish(Arc::clone(&state));
            hosts.push((entry.clone(), runner, state));
        }
        states.retain(|name, state| {
            !parts.inventory.hosts.contains_key(name) && departed::is_open(state)
        });
        let left = states.into_iter();
        hosts.extend(left.map(|(name, state)| (departed::entry(&name), departed::runner(), state)));
        for (entry, runner, state) in hosts {
            let mailbox = Arc::new(Mailbox::default());
            mailboxes.insert(entry.name.clone(), Arc::clone(&mailbox));
            let looks = Arc::clone(&looks);
            let host = actor::Host {
                entry,
                runner,
                looks,
            };
            let actor =
                actor::Actor::new(Arc::clone(&parts), host, mailbox, Arc::clone(&fleet), state);
            tasks.spawn(actor.run());
        }
        let mailboxes = Arc::new(mailboxes);
        parts.surroundings.post(Arc::clone(&mailboxes));
        Ok(Self {
            mailboxes,
            fleet,
            parts,
            tasks,
        })
    }

    /// The door through which the webhook delivers and operators order.
    #[must_use]
    pub fn door(&self) -> Arc<Door> {
        Arc::new(Door {
            mailboxes: Arc::clone(&self.mailboxes),
            fleet: Arc::clone(&self.fleet),
            parts: Arc::clone(&self.parts),
        })
    }

    /// Comes back only when an actor has ended, which none ever should.
    pub async fn failed(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Err(error) if error.is_cancelled() => {}
                Err(error) => {
                    tracing::error!(%error, "the actor of a host has ended");
                    return;
                }
                Ok(()) => {
                    tracing::error!("the actor of a host has ended");
                    return;
                }
            }
        }
        std::future::pending().await
    }
}

/// Everything stored, and this start with it. If it is not known how long the program was away, what counts
/// for a while only is to be heard anew.
async fn load(parts: &EngineParts) -> Result<Loaded, StoreError> {
    let mut loaded = parts.store.load().await?;
    let start = parts.clock.start();
    let entries = start.entries(loaded.hosts.values(), parts.clock.now());
    for event in parts.store.append(entries).await? {
        let host = event.entry.host.as_ref();
        log::log(&event);
        (parts.on_event)(&event, host.and_then(|host| loaded.hosts.get(host)));
        loaded.fleet.apply(&event);
    }
    if start.away_known {
        return Ok(loaded);
    }
    parts.store.load().await
}

impl Deliver for Door {
    fn deliver(&self, known: Vec<(Fingerprint, FactRecord)>, events: Vec<Event>) {
        for (fingerprint, record) in known {
            if let Some(mailbox) = self.mailboxes.get(&record.target.host) {
                mailbox.put_fact(fingerprint, record);
            }
        }
        for event in events {
            let host = event.entry.host.as_ref();
            if let Some((host, mailbox)) = host.and_then(|host| self.mailboxes.get_key_value(host))
            {
                let overdue = mailbox.put_news(event);
                if let (false, Some(state)) = (overdue.is_empty(), self.parts.board.host(host)) {
                    let _of_host = log::span(host).entered();
                    overdue
                        .iter()
                        .for_each(|event| self.parts.tell(event, &state));
                }
            }
        }
    }
}

impl EngineParts {
    /// Tells of an alert that began or ended to fire. The facts themselves are joined apart from it.
    fn tell(&self, event: &Event, state: &HostState) {
        log::log(event);
        (self.on_event)(event, Some(state));
    }
}

#[cfg(test)]
mod tests;
