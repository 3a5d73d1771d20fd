//! Gauges, derived from board, inventory and policy at each scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::incident::IncidentState;
use vcm_recovery::inventory::Inventory;
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::{Mode, Policy};
use vcm_recovery::state::HostState;

use super::PREFIX;
use super::counts::{attempt_labels, attempt_series, stands_at};
use super::known::{Labels, target_labels, with};
use crate::board::Board;
use crate::build;

/// Where the gauges come from.
#[derive(Debug)]
pub(super) struct Gauges {
    pub(super) inventory: Arc<Inventory>,
    pub(super) policy: Arc<Policy>,
    pub(super) board: Arc<Board>,
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let hosts = self.board.all();
        let out = &mut encoder;
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
    fn target_info(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
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
        info(
            out,
            "target",
            "The modules of the inventory, for joins",
            rows,
        )
    }

    fn mode(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "The mode that counts for a host: the lower of its own and the global one";
        let rows = self.inventory.hosts.values().flat_map(|host| {
            let mode = self.policy.mode_of(host.mode);
            let labels = vec![("host", host.name.to_string())];
            Mode::ALL.map(|state| {
                (
                    with(labels.clone(), "state", state.as_str()),
                    i64::from(state == mode),
                )
            })
        });
        gauge(out, "mode", help, rows)
    }

    fn attempts(
        &self,
        out: &mut DescriptorEncoder<'_>,
        hosts: &[Arc<HostState>],
    ) -> Result<(), fmt::Error> {
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

    fn budgets(
        &self,
        out: &mut DescriptorEncoder<'_>,
        hosts: &[Arc<HostState>],
    ) -> Result<(), fmt::Error> {
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

fn build_info(out: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let labels: Labels = vec![
        ("version", build::VERSION.to_owned()),
        ("revision", build::REVISION.to_owned()),
        ("rustc", build::RUSTC.to_owned()),
    ];
    info(out, "build", "The running program", [labels])
}

fn incidents(out: &mut DescriptorEncoder<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    let mut counts = IncidentState::ALL.map(|state| (state, 0));
    for (_, state) in open_incidents(hosts) {
        for (counted, number) in &mut counts {
            *number += i64::from(*counted == state);
        }
    }
    let rows = counts.map(|(state, number)| (vec![("state", state.to_string())], number));
    gauge(out, "incidents", "Open incidents by state", rows)
}

fn incident_state(
    out: &mut DescriptorEncoder<'_>,
    hosts: &[Arc<HostState>],
) -> Result<(), fmt::Error> {
    let rows = open_incidents(hosts).flat_map(|(labels, current)| {
        IncidentState::ALL.map(|state| {
            (
                with(labels.clone(), "state", state),
                i64::from(state == current),
            )
        })
    });
    gauge(
        out,
        "incident_state",
        "The state of each open incident",
        rows,
    )
}

fn open_incidents(hosts: &[Arc<HostState>]) -> impl Iterator<Item = (Labels, IncidentState)> + '_ {
    hosts.iter().flat_map(|host| {
        host.incidents
            .iter()
            .map(|(target, incident)| (target_labels(target), host.incident_state(incident)))
    })
}

fn incident_blocked(
    out: &mut DescriptorEncoder<'_>,
    hosts: &[Arc<HostState>],
) -> Result<(), fmt::Error> {
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

fn pages(out: &mut DescriptorEncoder<'_>, hosts: &[Arc<HostState>]) -> Result<(), fmt::Error> {
    let rows = PageReason::ALL.map(|reason| {
        let open = hosts.iter().flat_map(|host| host.pages.keys());
        let number = open.filter(|(_, open)| *open == reason).count();
        let labels = vec![("reason", reason.as_str().to_owned())];
        (labels, i64::try_from(number).unwrap_or(i64::MAX))
    });
    gauge(out, "pages", "Open pages: a human is needed", rows)
}

/// A gauge with these series; without any it is left out.
fn gauge(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels, i64)>,
) -> Result<(), fmt::Error> {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let name = format!("{PREFIX}_{name}");
    let mut family = out.encode_descriptor(&name, &format!("{help}."), None, MetricType::Gauge)?;
    rows.try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
}

/// An info metric with these label sets, of which empty labels are left out.
fn info(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = Labels>,
) -> Result<(), fmt::Error> {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let name = format!("{PREFIX}_{name}");
    let mut family = out.encode_descriptor(&name, &format!("{help}."), None, MetricType::Info)?;
    rows.try_for_each(|mut labels| {
        labels.retain(|(_, value)| !value.is_empty());
        family.encode_info(&labels)
    })
}
