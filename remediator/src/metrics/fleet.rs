//! Gauges of what operators and storms do to the fleet, derived at each scrape. Each of them says
//! why nothing starts somewhere.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use vcm_recovery::fleet::storm::Storms;
use vcm_recovery::ids::HsmName;
use vcm_recovery::inventory::Inventory;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;
use vcm_telemetry::families::{Families, Value};
use vcm_telemetry::metric::{Described, Gauge};

use super::gauges::{Gauges, target_labels};
use super::seconds;

const STORM: Gauge<1> = Gauge::new(
    "vcm_remediator_storm",
    &["hsm"],
    "1 while several hosts of that HSM, or of the fleet, fail at once; without hsm: unknown HSM",
);
const LOAD_SHED: Gauge<1> = Gauge::new(
    "vcm_remediator_load_shed_timestamp_seconds",
    &["hsm"],
    "Since when load is shed, or was asked to be; absent when it is not",
);
const PAUSE_EXPIRY: Gauge<0> = Gauge::new(
    "vcm_remediator_pause_expiry_timestamp_seconds",
    &[],
    "When the pause ends by itself, 0 when only a person ends it; absent when nothing is paused",
);
const HOLD_EXPIRY: Gauge<2> = Gauge::new(
    "vcm_remediator_hold_expiry_timestamp_seconds",
    &["host", "module"],
    "When the hold ends by itself, 0 when only a person ends it; absent when nothing is held",
);
const APPROVAL_REQUESTED: Gauge<3> = Gauge::new(
    "vcm_remediator_approval_requested_timestamp_seconds",
    &["host", "module", "tier"],
    "Since when a person is asked whether that tier may start; absent when nobody is",
);

/// Every metric here, in the order written.
pub(super) const METRICS: &[&dyn Described] = &[
    &STORM,
    &LOAD_SHED,
    &PAUSE_EXPIRY,
    &HOLD_EXPIRY,
    &APPROVAL_REQUESTED,
];

/// Writes all of them.
pub(super) fn write(
    gauges: &Gauges,
    out: &mut Families<'_>,
    hosts: &[Arc<HostState>],
) -> fmt::Result {
    let now = gauges.clock.now();
    let fleet = gauges.board.fleet();
    storms(gauges, out, hosts, now)?;
    let sheds = fleet.sheds.iter();
    let sheds = sheds.map(|(hsm, shed)| ([Value::Shown(hsm)], seconds(shed.since)));
    out.gauge(&LOAD_SHED, sheds)?;
    let accounted = fleet.accounted(now);
    let pause = fleet.pause.iter().filter(|pause| pause.active(accounted));
    out.gauge(&PAUSE_EXPIRY, pause.map(|pause| ([], expiry(pause.until))))?;
    let holds = hosts.iter().flat_map(|host| &host.holds);
    let holds = holds.filter(|(_, hold)| hold.active(accounted));
    let holds = holds.map(|(target, hold)| (target_labels(target), expiry(hold.until)));
    out.gauge(&HOLD_EXPIRY, holds)?;
    requests(out, hosts, now)
}

/// A storm of the whole fleet is one of every HSM: the guard of that name refuses everywhere.
fn storms(
    gauges: &Gauges,
    out: &mut Families<'_>,
    hosts: &[Arc<HostState>],
    now: Time,
) -> fmt::Result {
    let states = hosts.iter().map(AsRef::as_ref);
    let storms = Storms::of(states, &gauges.inventory, &gauges.policy, now);
    let hsms = hsms(&gauges.inventory);
    let rows = hsms.iter().map(|hsm| {
        let stormy = storms.fleet.is_some() || storms.hsms.contains_key(hsm);
        ([Value::shown(hsm.as_ref())], f64::from(u8::from(stormy)))
    });
    out.gauge(&STORM, rows)
}

/// The HSMs of the inventory, and `None` where it does not name the HSM of some module.
fn hsms(inventory: &Inventory) -> BTreeSet<Option<HsmName>> {
    let modules = inventory
        .hosts
        .values()
        .flat_map(|host| host.modules.values());
    modules.map(|module| module.hsm.clone()).collect()
}

fn requests(out: &mut Families<'_>, hosts: &[Arc<HostState>], now: Time) -> fmt::Result {
    let incidents = hosts.iter().flat_map(|host| &host.incidents);
    let open = incidents.filter_map(|(target, incident)| {
        let request = incident.request.as_ref()?;
        let waits = request.answer.is_none() && now < request.expires_at;
        waits.then_some((target, request))
    });
    let rows = open.flat_map(|(target, request)| {
        let [host, module] = target_labels(target);
        request.alternatives.iter().map(move |offered| {
            let labels = [host, module, offered.scope.rung.as_str().into()];
            (labels, seconds(request.asked_at))
        })
    });
    out.gauge(&APPROVAL_REQUESTED, rows)
}

/// 0 stands for an end that only a person sets: what has no end never expires by itself.
fn expiry(until: Option<Time>) -> f64 {
    until.map_or(0.0, seconds)
}
