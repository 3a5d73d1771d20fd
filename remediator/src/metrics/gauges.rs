//! Gauges, derived from board, inventory and policy at each scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::incident::IncidentState;
use vcm_recovery::inventory::Inventory;
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::{Mode, Policy};
use vcm_recovery::state::HostState;
use vcm_telemetry::build;
use vcm_telemetry::families::{Families, Labels};

use super::PREFIX;
use super::counts::{attempt_labels, attempt_series, stands_at};
use super::known::{target_labels, with};
use crate::board::Board;

/// Where the gauges come from.
#[derive(Debug)]
pub(super) struct Gauges {
    pub(super) inventory: Arc<Inventory>,
    pub(super) policy: Arc<Policy>,
    pub(super) board: Arc<Board>,
}

impl Collector for Gauges {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let hosts = self.board.all();
        let out = &mut Families::new(encoder);
        build_info(out)?;
        self.target_info(out)?;
        self.mode(out)?;
        incidents(out, &hosts)?;
        incident_state(out, &hosts)?;
        incident_blocked(out, &hosts)?;
        self.attempts(out, &hosts)?;
        pages(out, &hosts)?;
        self.budgets(out, &hosts)
    }
}

impl Gauges {
    fn target_info(&self, out: &mut Families<'_>) -> Result<(), fmt::Error> {
        let text = |value: Option<String>| value.unwrap_or_default();
        let rows = self.inventory.hosts.values().flat_map(|host| {
            host.modules.iter().map(move |(number, module)| {
                vec![
                    ("host", host.name.to_string()),
                    ("module", number.to_string()),
                    ("esn", text(module.esn.as_ref().map(ToString::to_string))),
                    ("hsm", text(module.hsm.as_ref().map(ToString::to_string))),
                    ("kind", module.kind.as_str().to_owned()),
                    ("vcm", text(module.name.clone())),
                ]
            })
        });
        let name = format!("{PREFIX}_target");
        out.info(&name, "The modules of the inventory, for joins.", rows)
    }

    fn mode(&self, out: &mut Families<'_>) -> Result<(), fmt::Error> {
        let help = "The mode that counts for a host: the lower of its own and the global one.";
        let rows = self.inventory.hosts.values().map(|host| {
            let labels = vec![("host", host.name.to_string())];
            (labels, self.policy.mode_of(host.mode))
        });
        let name = format!("{PREFIX}_mode");
        out.states(&name, help, &Mode::ALL, Mode::as_str, rows)
    }

    fn attempts(&self, out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
        let none: BTreeMap<Labels, i64> = attempt_series(&self.inventory)
            .map(|labels| (labels, 0))
            .collect();
        let (mut unsettled, mut in_progress) = (none.clone(), none);
        for attempt in hosts.iter().flat_map(|host| host.unsettled()) {
            let labels = attempt_labels(&attempt.intent.target, attempt.intent.rung);
            *unsettled.entry(labels.clone()).or_default() += 1;
            *in_progress.entry(labels).or_default() |= i64::from(attempt.outcome.is_none());
        }
        let help = "Attempts that hold a budget: without outcome, or of unknown outcome";
        gauge(out, "attempts_unsettled", help, unsettled)?;
        let help = "Whether an attempt runs or is being verified";
        gauge(out, "attempt_in_progress", help, in_progress)
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
                .map(|(scope, value)| (vec![("scope", scope.to_owned())], value))
        };
        let help = "Attempts in flight: on the busiest host, on the busiest HSM, in the fleet";
        let host = i64::try_from(host).unwrap_or(i64::MAX);
        gauge(
            out,
            "budget_in_use",
            help,
            scopes(host, hsm.into(), fleet.disruptive.into()),
        )?;
        let help = "Attempts allowed in flight: per host, retries per HSM, disruptive in the fleet";
        let limit = self.policy.budgets;
        let limits = scopes(
            limit.host.into(),
            limit.hsm_retry.into(),
            limit.fleet_disruptive.into(),
        );
        gauge(out, "budget_limit", help, limits)
    }
}

fn build_info(out: &mut Families<'_>) -> Result<(), fmt::Error> {
    let name = format!("{PREFIX}_build");
    build::write(out, &name, "The running program.")
}

fn incidents(out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    let mut counts = IncidentState::ALL.map(|state| (state, 0));
    for (_, state) in open_incidents(hosts) {
        for (counted, number) in &mut counts {
            *number += i64::from(*counted == state);
        }
    }
    let rows = counts.map(|(state, number)| (vec![("state", state.to_string())], number));
    gauge(out, "incidents", "Open incidents by state", rows)
}

fn incident_state(out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    out.states(
        &format!("{PREFIX}_incident_state"),
        "The state of each open incident.",
        &IncidentState::ALL,
        IncidentState::as_str,
        open_incidents(hosts),
    )
}

fn open_incidents(hosts: &[Arc<HostState>]) -> impl Iterator<Item = (Labels, IncidentState)> + '_ {
    hosts.iter().flat_map(|host| {
        host.incidents
            .iter()
            .map(|(target, incident)| (target_labels(target), host.incident_state(incident)))
    })
}

fn incident_blocked(out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    let incidents = hosts.iter().flat_map(|host| &host.incidents);
    let rows = incidents.flat_map(|(target, incident)| {
        let tier = stands_at(incident.standing);
        incident.blocked.keys().filter_map(move |guard| {
            let labels = with(target_labels(target), "tier", tier?.as_str());
            Some((with(labels, "guard", guard.as_str()), 1))
        })
    });
    let help = "1 while that guard stands in the way of the rung at which the ladder stands";
    gauge(out, "incident_blocked", help, rows)
}

fn pages(out: &mut Families<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    let rows = PageReason::ALL.map(|reason| {
        let open = hosts.iter().flat_map(|host| host.pages.keys());
        let number = open.filter(|(_, open)| *open == reason).count();
        let labels = vec![("reason", reason.as_str().to_owned())];
        (labels, i64::try_from(number).unwrap_or(i64::MAX))
    });
    gauge(out, "pages", "Open pages: a human is needed", rows)
}

/// A gauge under the program's own prefix.
fn gauge(
    out: &mut Families<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels, i64)>,
) -> Result<(), fmt::Error> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers of attempts, incidents and pages, exact up to 2^53"
    )]
    let rows = rows
        .into_iter()
        .map(|(labels, value)| (labels, value as f64));
    out.gauge(&format!("{PREFIX}_{name}"), &format!("{help}."), rows)
}
