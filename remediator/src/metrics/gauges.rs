//! Gauges, derived from board, inventory and policy at each scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::incident::IncidentState;
use vcm_recovery::inventory::{Inventory, Target};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::{Mode, Policy};
use vcm_recovery::state::HostState;
use vcm_telemetry::build;
use vcm_telemetry::families::{Families, Value};
use vcm_telemetry::metric::{Described, Gauge, Info, States};

use super::counts::stands_at;
use super::{attempts, fleet};
use crate::board::Board;
use crate::clock::Clock;

const BUILD: Info<3> = build::info("vcm_remediator_build_info", "The running program");
const TARGET: Info<6> = Info::new(
    "vcm_remediator_target_info",
    &["host", "module", "esn", "hsm", "kind", "vcm"],
    "The modules of the inventory, for joins",
);
const MODE: States<Mode, 1> = States::new(
    "vcm_remediator_mode",
    &["host"],
    &Mode::ALL,
    Mode::as_str,
    "The mode that counts for a host: the lower of its own and the global one",
);
const INCIDENTS: Gauge<1> = Gauge::new(
    "vcm_remediator_incidents",
    &["state"],
    "Open incidents by state",
);
const INCIDENT_STATE: States<IncidentState, 2> = States::new(
    "vcm_remediator_incident_state",
    &["host", "module"],
    &IncidentState::ALL,
    IncidentState::as_str,
    "The state of each open incident",
);
const INCIDENT_BLOCKED: Gauge<4> = Gauge::new(
    "vcm_remediator_incident_blocked",
    &["host", "module", "tier", "guard"],
    "1 while that guard stands in the way of the rung at which the ladder stands",
);
const ATTEMPTS_UNSETTLED: Gauge<3> = Gauge::new(
    "vcm_remediator_attempts_unsettled",
    &["host", "module", "tier"],
    "Attempts that hold a budget: without outcome, or of unknown outcome",
);
const ATTEMPT_IN_PROGRESS: Gauge<3> = Gauge::new(
    "vcm_remediator_attempt_in_progress",
    &["host", "module", "tier"],
    "Whether an attempt runs or is being verified",
);
const PAGES: Gauge<1> = Gauge::new(
    "vcm_remediator_pages",
    &["reason"],
    "Open pages: a human is needed",
);
const BUDGET_IN_USE: Gauge<1> = Gauge::new(
    "vcm_remediator_budget_in_use",
    &["scope"],
    "Attempts in flight: on the busiest host, on the busiest HSM, in the fleet without released shares",
);
const BUDGET_LIMIT: Gauge<1> = Gauge::new(
    "vcm_remediator_budget_limit",
    &["scope"],
    "Attempts allowed in flight: per host, retries per HSM, disruptive in the fleet",
);

/// Every metric here, in the order written.
pub(super) const METRICS: &[&dyn Described] = &[
    &BUILD,
    &TARGET,
    &MODE,
    &INCIDENTS,
    &INCIDENT_STATE,
    &INCIDENT_BLOCKED,
    &ATTEMPTS_UNSETTLED,
    &ATTEMPT_IN_PROGRESS,
    &PAGES,
    &BUDGET_IN_USE,
    &BUDGET_LIMIT,
];

/// Where the gauges come from.
#[derive(Debug)]
pub(super) struct Gauges {
    pub(super) inventory: Arc<Inventory>,
    pub(super) policy: Arc<Policy>,
    pub(super) board: Arc<Board>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Collector for Gauges {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let hosts = self.board.all();
        let out = &mut Families::new(encoder);
        build::write(out, &BUILD)?;
        self.target_info(out)?;
        self.mode(out)?;
        incidents(out, &hosts)?;
        incident_state(out, &hosts)?;
        incident_blocked(out, &hosts)?;
        self.attempts(out, &hosts)?;
        self.pages(out, &hosts)?;
        self.budgets(out, &hosts)?;
        fleet::write(self, out, &hosts)
    }
}

impl Gauges {
    fn target_info(&self, out: &mut Families<'_>) -> Result<(), fmt::Error> {
        let rows = self.inventory.hosts.values().flat_map(|host| {
            host.modules.iter().map(move |(number, module)| {
                [
                    Value::Shown(&host.name),
                    number.get().into(),
                    Value::shown(module.esn.as_ref()),
                    Value::shown(module.hsm.as_ref()),
                    module.kind.as_str().into(),
                    module.name.as_ref().into(),
                ]
            })
        });
        out.info(&TARGET, rows)
    }

    fn mode(&self, out: &mut Families<'_>) -> Result<(), fmt::Error> {
        let rows = self.inventory.hosts.values().map(|host| {
            let mode = self.policy.mode_of(host.mode);
            ([Value::Shown(&host.name)], mode)
        });
        out.states(&MODE, rows)
    }

    fn attempts(&self, out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
        let open = attempts::open(hosts);
        let series = || open.series(&self.inventory);
        let unsettled = series().map(|(labels, open)| (labels, open.unsettled.into()));
        gauge(out, &ATTEMPTS_UNSETTLED, unsettled)?;
        let in_progress = series().map(|(labels, open)| (labels, open.in_progress.into()));
        gauge(out, &ATTEMPT_IN_PROGRESS, in_progress)
    }

    /// The pages of hosts and modules, and those of HSMs and of the fleet.
    fn pages(&self, out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
        let fleet = self.board.fleet();
        let rows = PageReason::ALL.map(|reason| {
            let of_hosts = hosts.iter().flat_map(|host| host.pages.keys());
            let of_hosts = of_hosts.filter(|(_, open)| *open == reason).count();
            let of_fleet = fleet
                .pages
                .keys()
                .filter(|(_, open)| *open == reason)
                .count();
            let number = i64::try_from(of_hosts + of_fleet).unwrap_or(i64::MAX);
            ([reason.as_str().into()], number)
        });
        gauge(out, &PAGES, rows)
    }

    fn budgets(&self, out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
        let fleet = FleetView::of(hosts.iter().map(AsRef::as_ref));
        let host = hosts
            .iter()
            .map(|host| host.unsettled().count())
            .max()
            .unwrap_or(0);
        let hsm = fleet.retries.values().copied().max().unwrap_or(0);
        let scopes = |host: i64, hsm: i64, fleet: i64| {
            [("host", host), ("hsm", hsm), ("fleet", fleet)]
                .map(|(scope, value)| ([Value::Text(scope)], value))
        };
        let host = i64::try_from(host).unwrap_or(i64::MAX);
        let in_use = scopes(host, hsm.into(), fleet.disruptive.into());
        gauge(out, &BUDGET_IN_USE, in_use)?;
        let limit = self.policy.budgets;
        let limits = scopes(
            limit.host.into(),
            limit.hsm_retry.into(),
            limit.fleet_disruptive.into(),
        );
        gauge(out, &BUDGET_LIMIT, limits)
    }
}

fn incidents(out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    let mut counts = IncidentState::ALL.map(|state| (state, 0));
    for (_, state) in open_incidents(hosts) {
        for (counted, number) in &mut counts {
            *number += i64::from(*counted == state);
        }
    }
    let rows = counts.map(|(state, number)| ([state.as_str().into()], number));
    gauge(out, &INCIDENTS, rows)
}

fn incident_state(out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    let rows = open_incidents(hosts).map(|(target, state)| (target_labels(target), state));
    out.states(&INCIDENT_STATE, rows)
}

fn open_incidents(hosts: &[Arc<HostState>]) -> impl Iterator<Item = (&Target, IncidentState)> {
    hosts.iter().flat_map(|host| {
        let incidents = host.incidents.iter();
        incidents.map(|(target, incident)| (target, host.incident_state(incident)))
    })
}

fn incident_blocked(out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    let incidents = hosts.iter().flat_map(|host| &host.incidents);
    let rows = incidents.flat_map(|(target, incident)| {
        let tier = stands_at(incident.standing);
        let [host, module] = target_labels(target);
        incident.blocked.keys().filter_map(move |guard| {
            let labels = [host, module, tier?.as_str().into(), guard.as_str().into()];
            Some((labels, 1))
        })
    });
    gauge(out, &INCIDENT_BLOCKED, rows)
}

/// The labels `host` and `module`; a host itself has no `module`.
pub(super) fn target_labels(target: &Target) -> [Value<'_>; 2] {
    let module = target.module.map(|module| module.get());
    [Value::Shown(&target.host), module.into()]
}

/// A gauge of whole numbers.
fn gauge<'v, const N: usize>(
    out: &mut Families<'_>,
    metric: &Gauge<N>,
    rows: impl IntoIterator<Item = ([Value<'v>; N], i64)>,
) -> Result<(), fmt::Error> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers of attempts, incidents and pages, exact up to 2^53"
    )]
    let rows = rows
        .into_iter()
        .map(|(labels, value)| (labels, value as f64));
    out.gauge(metric, rows)
}
