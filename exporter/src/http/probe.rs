//! `/probe?target=`: one echo for whoever asks, with the metrics of blackbox_exporter.
//!
//! Only what section `icmp` or `probe.allow` names: an exporter that probed anything would be a way
//! through every firewall around it. The echo goes through the prober's own sockets and thread.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nshield::icmp::Family;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;
use tokio::time::{Instant, timeout_at};
use vcm_telemetry::exposition::{Format, render};
use vcm_telemetry::families::Families;
use vcm_telemetry::metric::Gauge;

use super::HttpState;
use super::deadline::time_left;
use crate::config::{Allowed, Config, host_name};
use crate::icmp::{Address, Board, Destination, EchoConfig, EchoEnd, Lookup, OneError, Preference};
use crate::state::CollectorName;

const SUCCESS: Gauge<0> = Gauge::new("probe_success", &[], "Whether the target itself replied");
const DURATION: Gauge<0> = Gauge::new(
    "probe_duration_seconds",
    &[],
    "How long the whole probe took",
);
const DNS_LOOKUP: Gauge<0> = Gauge::new(
    "probe_dns_lookup_time_seconds",
    &[],
    "How long the lookup of the target's name took",
);
const ICMP_DURATION: Gauge<1> = Gauge::new(
    "probe_icmp_duration_seconds",
    &["phase"],
    "How long each phase of the probe took: resolve, setup, rtt",
);
const HOP_LIMIT: Gauge<0> = Gauge::new(
    "probe_icmp_reply_hop_limit",
    &[],
    "Hop limit that the reply had left; shown by raw IPv4 sockets only",
);
const IP_PROTOCOL: Gauge<0> = Gauge::new(
    "probe_ip_protocol",
    &[],
    "Version of the internet protocol that was used: 4 or 6, 0 where there was no address",
);

/// Answers a probe. Whatever becomes of the echo, the answer is one of success as far as HTTP is
/// concerned; a request that cannot be served says what to change.
pub(super) async fn probe(
    State(state): State<Arc<HttpState>>,
    Query(words): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept);
    match answer(&state, &words, &headers).await {
        Ok(outcome) => outcome.into_response(format),
        Err(refusal) => (refusal.status(), format!("{refusal}.\n")).into_response(),
    }
}

async fn answer(
    state: &HttpState,
    words: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Outcome, Refusal> {
    let begun = Instant::now();
    let target = only_target(words)?;
    if !state.shared.runs(CollectorName::Icmp) {
        return Err(Refusal::NoProber);
    }
    let config = state.shared.config();
    let board = &state.shared.icmp;
    let plan = plan(target, &config, board).ok_or(Refusal::NotAllowed)?;
    let deadline = begun + time_left(headers).min(config.probe.timeout);
    let mut outcome = Outcome::default();
    let limit = config.probe.parallel;
    let echo = run(plan, board, limit, deadline, &mut outcome);
    if let Ok(ended) = timeout_at(deadline, echo).await {
        ended?;
    }
    outcome.duration = begun.elapsed();
    Ok(outcome)
}

fn only_target(words: &[(String, String)]) -> Result<&str, Refusal> {
    let mut targets = words.iter().filter(|(key, _)| key == "target");
    match (targets.next(), targets.next()) {
        (Some((_, target)), None) if !target.is_empty() => Ok(target),
        (Some(_), Some(_)) => Err(Refusal::Several),
        (Some(_) | None, None) | (None, Some(_)) => Err(Refusal::Missing),
    }
}

/// Where an echo is to go and how.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    destination: Destination,
    echo: EchoConfig,
}

/// Decides whether a target may be probed: the name of a target, an address that echoes go to, and
/// what the configuration allows besides.
fn plan(target: &str, config: &Config, board: &Board) -> Option<Plan> {
    let usual = |destination| Plan {
        destination,
        echo: config.icmp.echo.clone(),
    };
    let targets = &config.icmp.targets;
    if let Some(configured) = targets.iter().find(|configured| configured.name == target) {
        return Some(Plan {
            destination: configured.destination.clone(),
            echo: configured.echo.clone(),
        });
    }
    if let Some(address) = board.place(target).and_then(|place| place.address) {
        return Some(usual(Destination::Address(address)));
    }
    if let Ok(address) = target.parse::<Address>() {
        let listed = config.probe.allow.iter().any(|allowed| match allowed {
            Allowed::Address(one) => *one == address,
            Allowed::Network(network) => network.contains(address.ip()),
            Allowed::Host(_) => false,
        });
        let known = listed || board.has_address(&address);
        return known.then(|| usual(Destination::Address(address)));
    }
    let name = host_name(target)?;
    let of_target = targets.iter().any(|configured| {
        matches!(&configured.destination, Destination::Host { host, .. } if *host == name)
    });
    let listed = || config.probe.allow.contains(&Allowed::Host(name.clone()));
    (of_target || listed()).then(|| {
        usual(Destination::Host {
            host: name.clone(),
            prefer: Preference::Any,
        })
    })
}

/// Notes in `outcome` how far it came, so that a deadline leaves what is known until then.
async fn run(
    plan: Plan,
    board: &Board,
    limit: usize,
    deadline: Instant,
    outcome: &mut Outcome,
) -> Result<(), Refusal> {
    let begun = Instant::now();
    let address = match plan.destination {
        Destination::Address(address) => address,
        Destination::Host { host, prefer } => {
            let found = Lookup::default().addresses(&host).await;
            outcome.resolve = begun.elapsed();
            match found {
                Ok(found) => match prefer.choose(&found, None) {
                    Some(address) => address.into(),
                    None => return Ok(()),
                },
                Err(error) => {
                    tracing::debug!(host, %error, "cannot resolve the target of a probe");
                    return Ok(());
                }
            }
        }
    };
    outcome.family = Some(address.family());
    let echo = EchoConfig {
        timeout: deadline.saturating_duration_since(Instant::now()),
        ..plan.echo
    };
    let end = board.echo(address, echo, limit).await?;
    outcome.setup = end.setup;
    outcome.hop_limit = end.hop_limit;
    if let EchoEnd::Reply(rtt) = end.end {
        outcome.rtt = Some(rtt);
    } else {
        tracing::debug!(end = ?end.end, error = end.error, "probe without a reply");
    }
    Ok(())
}

/// Why there is no probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("the parameter target is missing: /probe?target=NAME_OR_ADDRESS")]
    Missing,
    #[error("the parameter target is there more than once")]
    Several,
    #[error(
        "this target is not allowed: only the targets of section icmp and enrolled modules are; \
         others are allowed by the key probe.allow of the configuration file"
    )]
    NotAllowed,
    #[error("as many probes as the key probe.parallel allows run already")]
    Busy,
    #[error("no echoes are sent: collector icmp does not run")]
    NoProber,
}

impl From<OneError> for Refusal {
    fn from(error: OneError) -> Self {
        match error {
            OneError::Busy => Self::Busy,
            OneError::NoProber => Self::NoProber,
        }
    }
}

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Several => StatusCode::BAD_REQUEST,
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::Busy | Self::NoProber => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What came of a probe.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    duration: Duration,
    resolve: Duration,
    setup: Duration,
    rtt: Option<Duration>,
    hop_limit: Option<u8>,
    family: Option<Family>,
}

impl Outcome {
    fn into_response(self, format: Format) -> Response {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        match render(&registry, format) {
            Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
            Err(error) => {
                tracing::error!(%error, "cannot encode the metrics of a probe");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

impl Collector for Outcome {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families::new(encoder);
        let phases = [
            ("resolve", self.resolve),
            ("setup", self.setup),
            ("rtt", self.rtt.unwrap_or_default()),
        ];
        let protocol = match self.family {
            Some(Family::V4) => 4.0,
            Some(Family::V6) => 6.0,
            None => 0.0,
        };
        let success = f64::from(u8::from(self.rtt.is_some()));
        families.gauge(&DNS_LOOKUP, [([], self.resolve.as_secs_f64())])?;
        families.gauge(&DURATION, [([], self.duration.as_secs_f64())])?;
        let phases = phases.map(|(phase, took)| ([phase.into()], took.as_secs_f64()));
        families.gauge(&ICMP_DURATION, phases)?;
        families.gauge(
            &HOP_LIMIT,
            self.hop_limit.map(|limit| ([], f64::from(limit))),
        )?;
        families.gauge(&IP_PROTOCOL, [([], protocol)])?;
        families.gauge(&SUCCESS, [([], success)])
    }
}

#[cfg(test)]
mod tests;
