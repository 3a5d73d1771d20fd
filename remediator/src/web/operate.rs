//! What operators order over HTTP: answers to requests, pause, hold, resolutions.
//!
//! [`router`](super::router) merges these routes. Handlers parse, order and map; who gives the order
//! is the operator whose token it shows, never a text of the request. 2xx is answered only when the
//! order is on disk, and with the events that it became.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::routing::post;
use axum::{Extension, Json, Router, middleware};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vcm_recovery::approval::Choice;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::command::{FleetOrder, Giver, HostOrder, OrderError};
use vcm_recovery::event::Event;
use vcm_recovery::ids::{AttemptId, HostName, Person};
use vcm_recovery::inventory::Target;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;

use super::named::NamedError;
use super::{App, named};
use crate::engine::{Door, OrderFailure};
use body::{BODY_MAX, Strict};
use refusal::Refusal;

mod body;
mod permission;
mod refusal;
mod span;

/// The routes that change something.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/approvals/{host}/{number}", post(answer))
        .route("/api/v1/pause", post(pause).delete(resume))
        .route("/api/v1/resume", post(resume))
        .route("/api/v1/hold", post(hold))
        .route("/api/v1/release", post(release))
        .route("/api/v1/attempts/{attempt}/resolve", post(resolve))
        .route("/api/v1/incidents/{host}/reopen", post(reopen))
        .route("/api/v1/incidents/{host}/{module}/reopen", post(reopen))
        .route("/api/v1/incidents/{host}/close", post(close))
        .route("/api/v1/incidents/{host}/{module}/close", post(close))
        .route("/api/v1/gap/confirm", post(confirm_gap))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            permission::require,
        ))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(app)
}

/// The events that an order became.
#[derive(Debug, Serialize)]
struct Done {
    events: Vec<Event>,
}

type Answer = Result<Json<Done>, Refusal>;

/// What every handler gets: the program, who orders, and the order itself.
type By = Extension<Person>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerBody {
    choice: ChoiceWord,
    rung: Option<Rung>,
    reason: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChoiceWord {
    Approve,
    Deny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseBody {
    #[serde(rename = "for")]
    length: Option<String>,
    until: Option<String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldBody {
    target: String,
    #[serde(rename = "for")]
    length: Option<String>,
    until: Option<String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    target: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    #[serde(rename = "as")]
    outcome: Outcome,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    reason: String,
}

async fn answer(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Segments((host, number)): Segments<(String, String)>,
    Strict(body): Strict<AnswerBody>,
) -> Answer {
    let host = host_name(&host)?;
    let request = named::request_id(&number)?;
    let choice = match (body.choice, body.rung) {
        (ChoiceWord::Approve, Some(rung)) => Choice::Approve(rung),
        (ChoiceWord::Deny, None) => Choice::Deny,
        (ChoiceWord::Approve, None) | (ChoiceWord::Deny, Some(_)) => return Err(Refusal::Choice),
    };
    let reason = body.reason;
    let order = HostOrder::Answer { request, choice };
    app.order_host(&host, order, Giver { by, reason }).await
}

async fn pause(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Strict(body): Strict<PauseBody>,
) -> Answer {
    let until = app.end(body.length, body.until)?;
    let reason = body.reason;
    app.order_fleet(FleetOrder::Pause { until }, Giver { by, reason })
        .await
}

async fn resume(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Strict(ReasonBody { reason }): Strict<ReasonBody>,
) -> Answer {
    app.order_fleet(FleetOrder::Resume, Giver { by, reason })
        .await
}

async fn hold(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Strict(body): Strict<HoldBody>,
) -> Answer {
    let target = named::target(&body.target)?;
    let until = app.end(body.length, body.until)?;
    let (host, reason) = (target.host.clone(), body.reason);
    let order = HostOrder::Hold { target, until };
    app.order_host(&host, order, Giver { by, reason }).await
}

async fn release(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Strict(body): Strict<ReleaseBody>,
) -> Answer {
    let target = named::target(&body.target)?;
    let (host, reason) = (target.host.clone(), body.reason);
    let order = HostOrder::Release { target };
    app.order_host(&host, order, Giver { by, reason }).await
}

async fn resolve(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Segments(attempt): Segments<String>,
    Strict(body): Strict<ResolveBody>,
) -> Answer {
    let (outcome, reason) = (body.outcome, body.reason);
    let known = attempt.parse::<AttemptId>();
    let attempt = known.map_err(|_| Refusal::AttemptId(attempt.chars().take(64).collect()))?;
    let hosts = app.board.all();
    let mut hosts = hosts.iter();
    let host = hosts
        .find(|host| host.attempts.contains_key(&attempt))
        .ok_or(Refusal::UnknownAttempt(attempt))?;
    let order = HostOrder::ResolveAttempt { attempt, outcome };
    app.order_host(&host.host, order, Giver { by, reason })
        .await
}

async fn reopen(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Segments(address): Segments<TargetAddress>,
    Strict(ReasonBody { reason }): Strict<ReasonBody>,
) -> Answer {
    let target = address.target()?;
    let order = |target| HostOrder::Reopen { target };
    app.order_incident(target, Giver { by, reason }, order)
        .await
}

async fn close(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Segments(address): Segments<TargetAddress>,
    Strict(ReasonBody { reason }): Strict<ReasonBody>,
) -> Answer {
    let target = address.target()?;
    let order = |target| HostOrder::Close { target };
    app.order_incident(target, Giver { by, reason }, order)
        .await
}

async fn confirm_gap(
    State(app): State<Arc<App>>,
    Extension(by): By,
    Strict(ReasonBody { reason }): Strict<ReasonBody>,
) -> Answer {
    app.order_fleet(FleetOrder::ConfirmGap, Giver { by, reason })
        .await
}

impl App {
    fn door(&self) -> Result<&Door, Refusal> {
        self.orders
            .get()
            .map(AsRef::as_ref)
            .ok_or(Refusal::Starting)
    }

    async fn order_host(&self, host: &HostName, order: HostOrder, giver: Giver) -> Answer {
        let events = self.door()?.order_host(host, order, giver).await?;
        Ok(Json(Done { events }))
    }

    async fn order_fleet(&self, order: FleetOrder, giver: Giver) -> Answer {
        let events = self.door()?.order_fleet(order, giver).await?;
        Ok(Json(Done { events }))
    }

    /// An order about the incident of a target. One may be open of a module that has left the
    /// inventory since; only where there is none is it said that the module does not exist.
    async fn order_incident(
        &self,
        target: Target,
        giver: Giver,
        order: impl FnOnce(Target) -> HostOrder,
    ) -> Answer {
        let door = self.door()?;
        let ordered = door.order_host(&target.host, order(target.clone()), giver);
        match ordered.await {
            Ok(events) => Ok(Json(Done { events })),
            Err(OrderFailure::Order(OrderError::NoIncident { .. })) if !self.knows(&target) => {
                Err(Refusal::UnknownTarget(target))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    fn knows(&self, target: &Target) -> bool {
        let host = self.inventory.hosts.get(&target.host);
        host.is_some_and(|host| target.module.is_none() || host.module_of(target).is_some())
    }

    fn end(&self, length: Option<String>, until: Option<String>) -> Result<Option<Time>, Refusal> {
        let (now, ahead) = (self.clock.now(), self.clock.wall_ahead());
        Ok(span::end(length.as_deref(), until.as_deref(), now, ahead)?)
    }
}

fn host_name(text: &str) -> Result<HostName, Refusal> {
    let cut = || text.chars().take(64).collect();
    text.parse().map_err(|_| Refusal::UnknownHost(cut()))
}

/// A target in an address: `{host}`, or `{host}/{module}`.
#[derive(Debug, Deserialize)]
struct TargetAddress {
    host: String,
    module: Option<String>,
}

impl TargetAddress {
    fn target(&self) -> Result<Target, Refusal> {
        let host = host_name(&self.host)?;
        Ok(match &self.module {
            None => Target::host(host),
            Some(module) => Target::module(host, module.parse().map_err(NamedError::Module)?),
        })
    }
}

/// The parts of the address, with our own answer when they are no text.
struct Segments<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        read.map(|Path(segments)| Self(segments))
            .map_err(|_| Refusal::Path)
    }
}
