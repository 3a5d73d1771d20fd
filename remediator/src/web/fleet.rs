//! What belongs to no incident, as the API shows it: pause, holds, storms, load that is shed, pages.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use vcm_recovery::control::{Hold, Pause};
use vcm_recovery::fleet::load::LoadAction;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::fleet::storm::Storms;
use vcm_recovery::ids::{Epoch, HostName, HsmName, StoreId};
use vcm_recovery::inventory::Target;
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::Mode;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use super::App;

/// `GET /api/v1/fleet`. Times are milliseconds since 1970.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    /// When this was put together.
    pub(super) time: Time,
    /// The global mode; a host's own may be lower.
    pub(super) mode: Mode,
    /// The mode that counts for each host.
    pub(super) hosts: Vec<ShownHost>,
    pub(super) store_id: StoreId,
    /// Counts the starts of the program on this store.
    pub(super) epoch: Epoch,
    /// Nothing starts anywhere; absent when nothing is paused.
    pub(super) pause: Option<Pause>,
    /// Hosts and modules on which nothing starts.
    pub(super) holds: Vec<ShownHold>,
    /// For how long the program did not run, while nobody has confirmed that this time may count
    /// for the caps on restart and clear.
    pub(super) unconfirmed_gap_seconds: u64,
    /// Since when so many hosts are failing that the whole fleet is in a storm.
    pub(super) storm: Option<Time>,
    /// The HSMs of which several hosts are failing at once.
    pub(super) storms: Vec<ShownStorm>,
    /// Where load is shed, or was asked to be.
    pub(super) sheds: Vec<ShownShed>,
    /// Why a human is needed, everywhere.
    pub(super) pages: Vec<ShownPage>,
}

/// The mode of a host.
#[derive(Debug, Serialize)]
pub(super) struct ShownHost {
    pub(super) host: HostName,
    pub(super) mode: Mode,
}

/// A hold that counts now.
#[derive(Debug, Serialize)]
pub(super) struct ShownHold {
    pub(super) target: Target,
    #[serde(flatten)]
    pub(super) hold: Hold,
}

/// An HSM in a storm.
#[derive(Debug, Serialize)]
pub(super) struct ShownStorm {
    /// Absent for the modules of unknown HSM, which count as one.
    pub(super) hsm: Option<HsmName>,
    pub(super) since: Time,
}

/// Load that is taken from an HSM.
#[derive(Debug, Serialize)]
pub(super) struct ShownShed {
    pub(super) hsm: HsmName,
    pub(super) since: Time,
    /// What is asked for now.
    pub(super) action: LoadAction,
    /// Whether a hook is called; without one people are asked.
    pub(super) hook: bool,
    /// Whether the hook has done it.
    pub(super) done: bool,
    /// When the hook failed last, if it did for this order.
    pub(super) failed_at: Option<Time>,
}

/// A page: about a target, about an HSM, or about neither.
#[derive(Debug, Serialize)]
pub(super) struct ShownPage {
    pub(super) target: Option<Target>,
    pub(super) hsm: Option<HsmName>,
    pub(super) reason: PageReason,
    pub(super) since: Time,
}

/// The fleet as it is now.
pub(super) fn shown(app: &App) -> Shown {
    let now = app.clock.now();
    let (fleet, hosts) = (app.board.fleet(), app.board.all());
    let states = hosts.iter().map(AsRef::as_ref);
    let storms = Storms::of(states, &app.inventory, &app.policy, now);
    let identity = app.store.identity();
    Shown {
        time: now,
        mode: app.policy.mode,
        hosts: modes(app),
        store_id: identity.store_id,
        epoch: identity.epoch,
        pause: fleet.open_pause(now),
        holds: holds(&hosts, fleet.accounted(now)),
        unconfirmed_gap_seconds: seconds_begun(fleet.unconfirmed_gap),
        storm: storms.fleet,
        storms: storms
            .hsms
            .into_iter()
            .map(|(hsm, since)| ShownStorm { hsm, since })
            .collect(),
        sheds: sheds(&fleet),
        pages: pages(&fleet, &hosts),
    }
}

/// A gap below a second is one all the same.
fn seconds_begun(gap: Duration) -> u64 {
    gap.as_secs() + u64::from(gap.subsec_nanos() > 0)
}

fn modes(app: &App) -> Vec<ShownHost> {
    let hosts = app.inventory.hosts.values();
    hosts
        .map(|entry| ShownHost {
            host: entry.name.clone(),
            mode: app.policy.mode_of(entry.mode),
        })
        .collect()
}

/// The holds that count, by the last instant up to which time is accounted for.
pub(super) fn holds(hosts: &[Arc<HostState>], accounted: Time) -> Vec<ShownHold> {
    let holds = hosts.iter().flat_map(|host| &host.holds);
    holds
        .filter(|(_, hold)| hold.active(accounted))
        .map(|(target, hold)| ShownHold {
            target: target.clone(),
            hold: hold.clone(),
        })
        .collect()
}

fn sheds(fleet: &FleetState) -> Vec<ShownShed> {
    let sheds = fleet.sheds.iter();
    sheds
        .map(|(hsm, shed)| ShownShed {
            hsm: hsm.clone(),
            since: shed.since,
            action: shed.action,
            hook: shed.hook,
            done: shed.done,
            failed_at: shed.failed_at,
        })
        .collect()
}

fn pages(fleet: &FleetState, hosts: &[Arc<HostState>]) -> Vec<ShownPage> {
    let of_fleet = fleet.pages.iter().map(|((hsm, reason), since)| ShownPage {
        target: None,
        hsm: hsm.clone(),
        reason: *reason,
        since: *since,
    });
    let of_hosts = hosts.iter().flat_map(|host| &host.pages);
    let of_hosts = of_hosts.map(|((target, reason), since)| ShownPage {
        target: Some(target.clone()),
        hsm: None,
        reason: *reason,
        since: *since,
    });
    of_fleet.chain(of_hosts).collect()
}
