use std::collections::VecDeque;
use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::*;
use crate::config::load::{Command, Http};
use crate::outward::tests::{Fake, nobody};
use crate::outward::{Address, Credentials, Trust};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn request(action: LoadAction) -> LoadRequest {
    LoadRequest {
        action,
        hsm: "hsm-a".parse().unwrap(),
        key: IdempotencyKey::of_event(StoreId::from_bits(7), 42),
        since: Time::from_millis(1_700_000_000_000),
        incidents: Vec::new(),
    }
}

/// What a request was, as the service saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    line: String,
    key: String,
    token: Option<String>,
    body: Value,
}

/// What the service does with the next request.
#[derive(Clone, Debug)]
enum Plan {
    Answer(u16, String),
    Redirect,
    Hang,
}

/// A hook service that follows a plan, and says 204 when that is over.
#[derive(Debug, Default)]
struct Service {
    plan: Mutex<VecDeque<Plan>>,
    seen: Mutex<Vec<Seen>>,
    arrived: Notify,
}

impl Service {
    async fn start(plan: Vec<Plan>) -> (Arc<Self>, Fake) {
        let service = Arc::new(Self {
            plan: Mutex::new(plan.into()),
            ..Self::default()
        });
        let router = Router::new().fallback(answer).with_state(service.clone());
        (service, Fake::start(router).await)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State(service): State<Arc<Service>>,
    method: Method,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let said = |name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
    assert_eq!(said("content-type").as_deref(), Some("application/json"));
    service.seen.lock().unwrap().push(Seen {
        line: format!("{method} {uri}"),
        key: said("idempotency-key").unwrap(),
        token: said("authorization"),
        body: serde_json::from_str(&body).unwrap(),
    });
    service.arrived.notify_one();
    let plan = service.plan.lock().unwrap().pop_front();
    match plan {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Plan::Answer(status, body)) => {
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        Some(Plan::Redirect) => {
            let to = [(header::LOCATION, "/elsewhere")];
            (StatusCode::TEMPORARY_REDIRECT, to).into_response()
        }
        Some(Plan::Hang) => std::future::pending().await,
    }
}

fn answers(statuses: &[u16]) -> Vec<Plan> {
    let body = "not\u{7} now".to_owned();
    let answer = |status: &u16| Plan::Answer(*status, body.clone());
    statuses.iter().map(answer).collect()
}

fn http(url: &str) -> Http {
    let address: Address = url.parse().unwrap();
    Http {
        shed: address.clone(),
        restore: address,
        method: Method::POST,
        timeout: PATIENCE,
        attempts: 4,
        backoff: Duration::from_millis(1),
        deadline: 4 * PATIENCE,
        credentials: None,
        trust: Trust::Nobody,
    }
}

async fn call(config: Http, request: &LoadRequest) -> Result<(), LoadHookError> {
    hook(&Hook::Http(config.into()))
        .unwrap()
        .call(request)
        .await
}

fn http_error(result: Result<(), LoadHookError>) -> (String, u32, HttpFailure) {
    match result {
        Err(LoadHookError::Http {
            host,
            requests,
            source,
        }) => (host, requests, source),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_service_is_told_action_hsm_and_key_and_nothing_else() {
    let (service, fake) = Service::start(Vec::new()).await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "s3cret\n").unwrap();
    let config = Http {
        restore: fake.url("/restore").parse().unwrap(),
        method: Method::PUT,
        credentials: Some(Credentials::Bearer {
            file: token.path().to_owned(),
        }),
        ..http(&fake.url("/shed?team=hsm"))
    };
    let mut second = request(LoadAction::Restore);
    let target = vcm_recovery::inventory::Target::host("tenant-1".parse().unwrap());
    second.incidents = vec![IncidentId::new(&target, second.since)];
    call(config.clone(), &request(LoadAction::Shed))
        .await
        .unwrap();
    call(config, &second).await.unwrap();
    let key = "00000000-0000-0000-0000-000000000007-42";
    let shed = Seen {
        line: "PUT /shed?team=hsm".to_owned(),
        key: key.to_owned(),
        token: Some("Bearer s3cret".to_owned()),
        body: json!({
            "action": "shed", "hsm": "hsm-a", "key": key, "since": "2023-11-14T22:13:20Z",
        }),
    };
    let restore = Seen {
        line: "PUT /restore".to_owned(),
        body: json!({
            "action": "restore", "hsm": "hsm-a", "key": key, "since": "2023-11-14T22:13:20Z",
            "incidents": ["tenant-1@1700000000000"],
        }),
        ..shed.clone()
    };
    assert_eq!(service.seen(), [shed, restore]);
}

#[tokio::test]
async fn what_may_pass_is_asked_again_with_the_same_key_until_it_succeeds() {
    let (service, fake) = Service::start(answers(&[503, 429, 500])).await;
    let config = http(&fake.url("/"));
    call(config.clone(), &request(LoadAction::Shed))
        .await
        .unwrap();
    let seen = service.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");

    // After a crash the request is made anew from what is stored.
    call(config, &request(LoadAction::Shed)).await.unwrap();
    assert_eq!(service.seen()[4], seen[0]);
}

#[tokio::test]
async fn a_service_that_never_succeeds_is_given_up_after_the_attempts() {
    for status in [500, 502, 599, 408, 425, 429] {
        let (service, fake) = Service::start(answers(&[status; 9])).await;
        let result = call(http(&fake.url("/")), &request(LoadAction::Shed)).await;
        let (host, requests, failure) = http_error(result);
        assert_eq!((host, requests), (fake.address.to_string(), 4), "{status}");
        let text = failure.to_string();
        assert!(text.ends_with(": not now"), "{text}");
        assert!(text.contains(&status.to_string()), "{text}");
        assert_eq!(service.seen().len(), 4, "{status}");
    }
}

#[tokio::test]
async fn what_cannot_pass_is_asked_once() {
    for status in [400, 401, 403, 404, 409, 422, 304] {
        let (service, fake) = Service::start(answers(&[status; 9])).await;
        let result = call(http(&fake.url("/")), &request(LoadAction::Shed)).await;
        assert_eq!(http_error(result).1, 1, "{status}");
        assert_eq!(service.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_no_success_and_is_not_followed() {
    let (service, fake) = Service::start(vec![Plan::Redirect]).await;
    let result = call(http(&fake.url("/")), &request(LoadAction::Shed)).await;
    let (_, requests, failure) = http_error(result);
    assert!(failure.to_string().contains("307"), "{failure}");
    assert_eq!((requests, service.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_hanging_service_costs_the_time_out_and_is_asked_again() {
    let (service, fake) = Service::start(vec![Plan::Hang]).await;
    let config = Http {
        timeout: Duration::from_secs(1),
        ..http(&fake.url("/"))
    };
    call(config, &request(LoadAction::Shed)).await.unwrap();
    let seen = service.seen();
    assert!(seen.len() >= 2, "{seen:#?}");
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn no_retry_begins_that_the_deadline_would_cut_short() {
    let (service, fake) = Service::start(vec![Plan::Hang; 9]).await;
    let config = Http {
        timeout: PATIENCE,
        attempts: 9,
        deadline: Duration::from_secs(1),
        ..http(&fake.url("/"))
    };
    let begun = Instant::now();
    let result = call(config, &request(LoadAction::Shed)).await;
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!((http_error(result).1, service.seen().len()), (1, 1));

    let (service, fake) = Service::start(answers(&[500; 9])).await;
    let config = Http {
        backoff: 2 * PATIENCE,
        deadline: PATIENCE,
        ..http(&fake.url("/"))
    };
    let result = call(config, &request(LoadAction::Shed)).await;
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!((http_error(result).1, service.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_huge_answer_is_cut_and_takes_nothing_from_its_status() {
    let huge = "x".repeat(50 << 20);
    let plan = vec![Plan::Answer(404, huge.clone()), Plan::Answer(200, huge)];
    let (service, fake) = Service::start(plan).await;
    let config = http(&fake.url("/"));
    let result = call(config.clone(), &request(LoadAction::Shed)).await;
    let text = http_error(result).2.to_string();
    assert!(text.len() < EXCERPT_MAX + 100, "{}", text.len());
    call(config, &request(LoadAction::Shed)).await.unwrap();
    assert_eq!(service.seen().len(), 2);
}

#[tokio::test]
async fn an_error_names_the_host_and_neither_path_nor_token() {
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "s3cret\n").unwrap();
    let address = nobody().await;
    let config = Http {
        credentials: Some(Credentials::Bearer {
            file: token.path().to_owned(),
        }),
        ..http(&format!("http://{address}/T0KEN?key=s3cret"))
    };
    let error = call(config, &request(LoadAction::Shed)).await.unwrap_err();
    let text = vcm_telemetry::logging::chain(&error);
    assert!(
        text.starts_with(&format!("{address} was asked 4 times")),
        "{text}"
    );
    assert!(
        !text.contains("T0KEN") && !text.contains("s3cret"),
        "{text}"
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_dropped_call_asks_no_more() {
    let (service, fake) = Service::start(vec![Plan::Hang]).await;
    let hook = hook(&Hook::Http(http(&fake.url("/")).into())).unwrap();
    let request = request(LoadAction::Shed);
    tokio::select! {
        result = hook.call(&request) => panic!("{result:?}"),
        () = service.arrived.notified() => {}
    }
    assert_eq!(service.seen().len(), 1);
}

#[test]
fn keys_hold_what_a_header_and_an_environment_may() {
    for bad in ["", "a b", "a\n", "ä", "a=b", &"x".repeat(129)] {
        assert!(bad.parse::<IdempotencyKey>().is_err(), "{bad:?}");
    }
    let key = IdempotencyKey::of_event(StoreId::from_bits(7), u64::MAX);
    assert_eq!(key.as_str().parse(), Ok(key));
}

/// A program of the site's, and where it leaves what it was told.
struct Script {
    directory: TempDir,
    path: PathBuf,
}

impl Script {
    fn new(text: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("hook");
        std::fs::write(&path, text).unwrap();
        Self { directory, path }
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("told")).unwrap()
    }

    async fn call(&self, timeout: Duration, action: LoadAction) -> Result<(), LoadHookError> {
        let vector = |word: &str| {
            let told = self.directory.path().join("told");
            // By the shell, because a file that was just written may still be open in a child of
            // another test, and cannot be started itself then.
            let words = ["/bin/sh".into(), self.path.clone(), told, word.into()];
            words.map(|word| word.to_str().unwrap().to_owned()).into()
        };
        let command = Command {
            shed: vector("take"),
            restore: vector("give"),
            timeout,
        };
        let request = request(action);
        hook(&Hook::Command(command)).unwrap().call(&request).await
    }
}

const TELL: &str = "told=$1; shift; echo \"$* $VCM_LOAD_ACTION $VCM_LOAD_HSM $VCM_LOAD_KEY \
                    $VCM_LOAD_SINCE\" >>\"$told\"";

#[tokio::test]
async fn a_command_gets_the_hsm_as_its_last_argument_and_the_rest_in_its_environment() {
    let script = Script::new(TELL);
    for action in [LoadAction::Shed, LoadAction::Restore, LoadAction::Restore] {
        script.call(PATIENCE, action).await.unwrap();
    }
    let key = "00000000-0000-0000-0000-000000000007-42 2023-11-14T22:13:20Z";
    let shed = format!("take hsm-a shed hsm-a {key}\n");
    let restore = format!("give hsm-a restore hsm-a {key}\n");
    assert_eq!(script.told(), format!("{shed}{restore}{restore}"));
}

#[tokio::test]
async fn a_failing_command_runs_once_and_is_quoted() {
    let script = Script::new(&format!(
        "{TELL}; echo out; printf 'no\\001 such\\n pool' >&2; exit 3"
    ));
    let error = script.call(PATIENCE, LoadAction::Shed).await.unwrap_err();
    let text = "the command of the load hook failed, exit status 3: no such pool";
    assert_eq!(error.to_string(), text);
    assert_eq!(script.told().lines().count(), 1);
}

#[tokio::test]
async fn a_hanging_command_is_ended() {
    let script = Script::new("echo $$ >\"$1\"; exec tail -f /dev/null");
    let timeout = Duration::from_secs(2);
    let error = script.call(timeout, LoadAction::Shed).await.unwrap_err();
    let text = "the command of the load hook did not end within 2s";
    assert_eq!(error.to_string(), text);
    let process = PathBuf::from(format!("/proc/{}", script.told().trim()));
    assert!(!process.exists(), "{process:?} lives on");
}

#[tokio::test]
async fn a_command_that_prints_without_end_is_ended() {
    let script = Script::new("exec yes");
    let error = script.call(PATIENCE, LoadAction::Shed).await.unwrap_err();
    assert!(
        matches!(error, LoadHookError::PrintedTooMuch { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_that_is_gone_is_told_apart() {
    let gone = vec!["/nonexistent/hook".to_owned()];
    let command = Command {
        shed: gone.clone(),
        restore: gone,
        timeout: PATIENCE,
    };
    let hook = hook(&Hook::Command(command)).unwrap();
    let error = hook.call(&request(LoadAction::Shed)).await.unwrap_err();
    assert!(matches!(error, LoadHookError::Start(_)), "{error}");
}
