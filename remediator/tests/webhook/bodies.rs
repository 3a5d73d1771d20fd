//! Whole bodies: which are refused, and with which status.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use vcm_remediator::webhook::auth::Token;
use vcm_remediator::webhook::{BODY_MAX, Receiver};

use crate::program::{Program, WEBHOOK, body, failed};

#[tokio::test]
async fn bodies_that_can_never_work_are_refused_with_a_reason_and_counted() {
    let version = body(&[]).replace("\"version\":\"4\"", "\"version\":\"3\"");
    let table = [
        (
            "{\"version\": \"4\", \"alerts\": [",
            StatusCode::BAD_REQUEST,
            "malformed",
            "line 1",
        ),
        (
            "not json",
            StatusCode::BAD_REQUEST,
            "malformed",
            "line 1 column 2",
        ),
        (
            version.as_str(),
            StatusCode::BAD_REQUEST,
            "version",
            "\"3\"",
        ),
        (
            "{\"text\": \"a VCM failed\"}",
            StatusCode::UNPROCESSABLE_ENTITY,
            "payload",
            "payload",
        ),
        ("[]", StatusCode::UNPROCESSABLE_ENTITY, "payload", "payload"),
        ("", StatusCode::BAD_REQUEST, "malformed", "EOF"),
    ];
    for (text, status, reason, said) in table {
        let program = Program::new();
        let answer = program.post(text.to_owned()).await;
        assert_eq!(answer.status, status, "{text}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(said), "{text}: {error}");
        let series = format!("vcm_remediator_webhooks_rejected_total{{reason=\"{reason}\"}}");
        assert_eq!(program.metric(&series), 1.0);
        assert_eq!(program.events().await, 0);
    }
}

#[tokio::test]
async fn a_body_of_20_megabytes_is_refused_with_a_reason_whether_announced_or_not() {
    let large = vec![b' '; 20 << 20];
    for announced in [true, false] {
        let program = Program::new();
        let request = Request::post(WEBHOOK);
        let request = if announced {
            request.header(header::CONTENT_LENGTH, large.len())
        } else {
            request
        };
        let answer = program
            .send(request.body(Body::from(large.clone())).unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(answer.text.contains("16777216 bytes"), "{}", answer.text);
        let series = "vcm_remediator_webhooks_rejected_total{reason=\"too_large\"}";
        assert_eq!(program.metric(series), 1.0);
    }
}

/// A body of which nothing ever arrives.
struct Silent;

impl hyper::body::Body for Silent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up() {
    let program = Program::new();
    let answer = program.post(Body::new(Silent)).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn a_body_of_the_oldest_supported_version_is_accepted() {
    let program = Program::new();
    let text = body(&[failed(1, "1")])
        .replace(",\"truncatedAlerts\":0", "")
        .replace(",\"notification_reason\":\"first notification\"", "")
        .replace(",\"routeLabels\":{}", "");
    assert!(!text.contains("truncated") && !text.contains("route") && !text.contains("reason"));
    assert_eq!(program.post(text).await.json()["accepted"], 1);
}

#[tokio::test]
async fn what_cannot_be_stored_is_answered_503_and_not_delivered() {
    let program = Program::new();
    program.broken.store(true, Ordering::SeqCst);
    let answer = program.post(body(&[failed(1, "1")])).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(program.known(), []);
    assert_eq!(
        program.metric("vcm_remediator_store_errors_total{operation=\"accept\"}"),
        1.0
    );
    let series = "vcm_remediator_webhooks_rejected_total{reason=\"store\"}";
    assert_eq!(program.metric(series), 1.0);

    program.broken.store(false, Ordering::SeqCst);
    assert_eq!(
        program.post(body(&[failed(1, "1")])).await.status,
        StatusCode::OK
    );
    assert_eq!(program.known().len(), 1);
}

#[tokio::test]
async fn without_the_right_token_nothing_is_read() {
    let program = Program::with(Some(Token::new("correct horse battery")));
    let post = |token: Option<&str>| {
        let request = Request::post(WEBHOOK);
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, token),
            None => request,
        };
        request.body(Body::from(body(&[failed(1, "1")]))).unwrap()
    };
    for token in [
        None,
        Some("Bearer wrong"),
        Some("correct horse battery"),
        Some("Basic eDp5"),
    ] {
        assert_eq!(
            program.send(post(token)).await.status,
            StatusCode::UNAUTHORIZED,
            "{token:?}"
        );
    }
    let series = "vcm_remediator_webhooks_rejected_total{reason=\"unauthorized\"}";
    assert_eq!(program.metric(series), 4.0);
    assert_eq!(program.known(), []);
    let answer = program
        .send(post(Some("Bearer correct horse battery")))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_is_accepted_before_the_engine_runs() {
    let program = Program::new();
    let waiting = Receiver {
        deliver: OnceLock::new(),
        inventory: Arc::clone(&program.app.inventory),
        policy: Arc::clone(&program.app.policy),
        clock: Arc::clone(&program.app.clock),
        store: Arc::clone(&program.app.store),
        metrics: Arc::clone(&program.app.metrics),
        watchdog: Arc::default(),
        alertmanagers: None,
        body_max: BODY_MAX,
        token: None,
    };
    let request = Request::post(WEBHOOK)
        .body(Body::from(body(&[failed(1, "1")])))
        .unwrap();
    let state = axum::extract::State(Arc::new(waiting));
    let answer = vcm_remediator::webhook::receive(state, request).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(program.events().await, 0);
}

#[tokio::test]
async fn only_post_is_understood() {
    let program = Program::new();
    assert_eq!(
        program.get(WEBHOOK).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
