//! Alertmanager's webhook: bodies in, facts about targets of the inventory out.
//!
//! 2xx is answered only when the facts are durable, 503 when they cannot be made so, 4xx for a
//! body that can never work. The status never says anything about a recovery.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use vcm_recovery::alert::{Fact, FactRecord, Ignored};
use vcm_recovery::event::Event;
use vcm_recovery::ids::Fingerprint;
use vcm_recovery::inventory::{Inventory, Target};
use vcm_recovery::policy::Policy;
use vcm_recovery::time::Time;

use crate::alertmanager::Alertmanagers;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{Refused, Store};

pub mod auth;
mod body;
mod intake;
mod read;
mod refusal;
mod watchdog;

use intake::Sorted;
pub(crate) use intake::{Labels, instant, too_many};
pub use refusal::{Refusal, Rejection};
pub use watchdog::Watchdog;

/// A body must have arrived this long after its headers: a sender on a local network needs
/// milliseconds, and whoever needs longer holds one of few connections.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Default limit of a body. 5,000 alerts take about 5 MB.
pub const BODY_MAX: usize = 16 << 20;

/// Who is told of facts once they are durable: the engine.
pub trait Deliver: Send + Sync {
    /// Takes what is on disk about the fingerprints of a delivery, and the events that storing it made.
    /// Must not block.
    fn deliver(&self, known: Vec<(Fingerprint, FactRecord)>, events: Vec<Event>);
}

/// What the webhook works with.
pub struct Receiver {
    /// Which targets exist.
    pub inventory: Arc<Inventory>,
    /// Which alert names mean what.
    pub policy: Arc<Policy>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where facts are made durable.
    pub store: Arc<dyn Store>,
    /// Who is told; empty until the engine has started, and nothing is accepted until then.
    pub deliver: OnceLock<Arc<dyn Deliver>>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// Where the watchdog is recorded.
    pub watchdog: Arc<Watchdog>,
    /// Who is asked for the alerts that were cut off a body, if anybody is.
    pub alertmanagers: Option<Alertmanagers>,
    /// Limit of a body, in bytes.
    pub body_max: usize,
    /// What the header `Authorization` must hold, if anything.
    pub token: Option<auth::Token>,
}

/// The answer to an accepted body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Alerts that were taken in.
    accepted: usize,
    /// Alerts that were not, by reason.
    ignored: BTreeMap<&'static str, usize>,
}

/// What a body of Alertmanager's would bring if it were delivered now, alert by alert.
///
/// # Errors
/// [`Refusal`] says why such a body can never work.
pub(crate) fn sorted(
    bytes: &[u8],
    inventory: &Inventory,
    policy: &Policy,
    now: Time,
) -> Result<(Vec<Fact>, Vec<Ignored>), Refusal> {
    let body = body::parse(bytes)?;
    let (mut facts, mut ignored) = (Vec::new(), Vec::new());
    for sorted in intake::each(&body, inventory, policy, now) {
        match sorted {
            Ok(Sorted::Watchdog { .. }) => {}
            Ok(Sorted::Fact(fact)) => facts.push(fact),
            Err(why) => ignored.push(why),
        }
    }
    Ok((facts, ignored))
}

/// `POST /api/v1/alerts/webhook`
pub async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let received_at = receiver.clock.now();
    receiver.metrics.webhook_received();
    match receiver.take(request, received_at).await {
        Ok(receipt) => Json(receipt).into_response(),
        Err(refusal) => {
            receiver.metrics.webhook_rejected(refusal.why);
            tracing::warn!(reason = refusal.why.as_str(), error = %refusal, "webhook refused");
            refusal.into_response()
        }
    }
}

impl Receiver {
    /// Authenticates, reads, sorts, stores, tells; in this order.
    async fn take(&self, request: Request, received_at: Time) -> Result<Receipt, Refusal> {
        self.authenticate(&request)?;
        let deliver = self
            .deliver
            .get()
            .ok_or_else(|| Refusal::new(Rejection::NotReady, "the program is still starting"))?;
        let bytes = read::body(request, self.body_max, BODY_TIMEOUT).await?;
        let body = body::parse(&bytes)?;
        let mut intake = intake::sort(&body, &self.inventory, &self.policy, received_at);
        let facts = std::mem::take(&mut intake.facts);
        let refused = self.store(&**deliver, facts).await?;
        intake.refuse(refused);
        self.record(&intake, received_at);
        Ok(Receipt {
            accepted: intake.accepted(),
            ignored: intake.ignored_by_reason(),
        })
    }

    fn authenticate(&self, request: &Request) -> Result<(), Refusal> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let given = request
            .headers()
            .get(header::AUTHORIZATION)
            .map(|value| value.as_bytes());
        if token.permits(given) {
            return Ok(());
        }
        Err(Refusal::new(
            Rejection::Unauthorized,
            "the bearer token is missing or wrong",
        ))
    }

    /// Stores and tells; which facts were refused, by target.
    async fn store(
        &self,
        deliver: &dyn Deliver,
        facts: Vec<Fact>,
    ) -> Result<BTreeMap<Target, Refused>, Refusal> {
        if facts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let accepted = self.store.accept(facts).await.map_err(|error| {
            let detail: &dyn std::error::Error = &error;
            tracing::error!(error = detail, "alerts could not be stored");
            Refusal::new(
                Rejection::Store,
                "the alerts could not be stored; send them again",
            )
        })?;
        deliver.deliver(accepted.known, accepted.events);
        Ok(accepted.refused)
    }

    /// Counts and logs what is now durable.
    fn record(&self, intake: &intake::Intake, received_at: Time) {
        if intake.watchdog {
            self.watchdog.seen(received_at);
            self.metrics.watchdog_heard(received_at);
        }
        for (alerts, why) in intake.ignored.values() {
            self.metrics.alerts_ignored(why, *alerts as u64);
        }
        if intake.truncated > 0 {
            self.metrics.alerts_truncated(intake.truncated);
            if let Some(alertmanagers) = &self.alertmanagers {
                alertmanagers.ask_now();
            }
        }
        let took = self.clock.now().since(received_at);
        self.metrics.webhook_accepted(intake.total as u64, took);
        intake.log();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("body_max", &self.body_max)
            .finish_non_exhaustive()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(serde_json::json!({ "error": self.to_string() }));
        let status = self.why.status();
        match status {
            StatusCode::UNAUTHORIZED => {
                (status, [(header::WWW_AUTHENTICATE, "Bearer")], body).into_response()
            }
            status => (status, body).into_response(),
        }
    }
}
