//! What is refused, with which status, and that nothing is recorded then.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;
use vcm_remediator::config::operators::Operators;

use crate::program::{ALICE, Answer, Program, Setting, WEBHOOK, order};

/// Every route that changes something, with a body that it understands.
const ROUTES: [(&str, &str); 12] = [
    (
        "/api/v1/approvals/tenant-1/1",
        r#"{"choice":"deny","reason":"r"}"#,
    ),
    ("/api/v1/pause", r#"{"reason":"r"}"#),
    ("/api/v1/resume", r#"{"reason":"r"}"#),
    ("/api/v1/hold", r#"{"target":"tenant-1","reason":"r"}"#),
    ("/api/v1/release", r#"{"target":"tenant-1","reason":"r"}"#),
    (
        "/api/v1/attempts/01935bd4-0f3a-7c11-8000-00000000002a/resolve",
        r#"{"as":"failed","reason":"r"}"#,
    ),
    ("/api/v1/incidents/tenant-1/reopen", r#"{"reason":"r"}"#),
    ("/api/v1/incidents/tenant-1/1/reopen", r#"{"reason":"r"}"#),
    ("/api/v1/incidents/tenant-1/close", r#"{"reason":"r"}"#),
    ("/api/v1/incidents/tenant-1/1/close", r#"{"reason":"r"}"#),
    ("/api/v1/gap/confirm", r#"{"reason":"r"}"#),
    (
        "/api/v1/hold",
        r#"{"target":"tenant-1/1","for":"1h","reason":"r"}"#,
    ),
];

fn without(name: header::HeaderName, path: &str, body: &str) -> Request<Body> {
    let mut request = order(Method::POST, path, body);
    request.headers_mut().remove(name);
    request
}

fn with(name: header::HeaderName, value: &str, path: &str, body: &str) -> Request<Body> {
    let mut request = order(Method::POST, path, body);
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

fn says(answer: &Answer, status: StatusCode, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains(part), "{part:?} is not in {error:?}");
}

async fn nothing_is_recorded(program: &Program) {
    for kind in [
        "Paused",
        "Resumed",
        "Held",
        "Released",
        "HumanResolved",
        "ApprovalAnswered",
    ] {
        assert!(program.recorded(kind).await.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn without_operators_every_order_is_refused_and_says_what_to_configure() {
    let program = Program::start(Setting {
        operators: Operators::default(),
        ..Setting::default()
    })
    .await;
    for (path, body) in ROUTES {
        let answer = program.send(order(Method::POST, path, body)).await;
        says(&answer, StatusCode::FORBIDDEN, "web.operators");
        let answer = program
            .send(without(header::AUTHORIZATION, path, body))
            .await;
        says(&answer, StatusCode::FORBIDDEN, "token_file");
    }
    nothing_is_recorded(&program).await;
}

#[tokio::test]
async fn only_the_token_of_an_operator_orders_and_it_posts_no_alerts() {
    let program = Program::start(Setting::default()).await;
    for (path, body) in ROUTES {
        let anonymous = program
            .send(without(header::AUTHORIZATION, path, body))
            .await;
        says(&anonymous, StatusCode::UNAUTHORIZED, "token of an operator");
        for value in [
            &format!("Bearer {WEBHOOK}"),
            "Bearer ",
            "Basic YTpi",
            &format!("Bearer {ALICE}x"),
        ] {
            let request = with(header::AUTHORIZATION, value, path, body);
            says(
                &program.send(request).await,
                StatusCode::UNAUTHORIZED,
                "missing or wrong",
            );
        }
    }
    nothing_is_recorded(&program).await;
    let alerts = r#"{"version":"4","alerts":[]}"#;
    let answer = program
        .send(order(Method::POST, "/api/v1/alerts/webhook", alerts))
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_page_of_another_site_orders_nothing_even_with_a_token() {
    let program = Program::start(Setting::default()).await;
    for (path, body) in ROUTES {
        let mut request = with(header::ORIGIN, "http://evil.example", path, body);
        let host = "127.0.0.1:9809".parse().unwrap();
        request.headers_mut().insert(header::HOST, host);
        says(
            &program.send(request).await,
            StatusCode::FORBIDDEN,
            "another site",
        );
    }
    nothing_is_recorded(&program).await;
    let mut own = with(
        header::ORIGIN,
        "http://127.0.0.1:9809",
        "/api/v1/pause",
        r#"{"reason":"r"}"#,
    );
    own.headers_mut()
        .insert(header::HOST, "127.0.0.1:9809".parse().unwrap());
    assert_eq!(program.send(own).await.kinds(), ["Paused"]);
}

#[tokio::test]
async fn a_body_that_is_not_exactly_an_order_is_refused() {
    let program = Program::start(Setting::default()).await;
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(17 << 10));
    for (path, body) in ROUTES {
        let kind = header::CONTENT_TYPE;
        let untyped = program.send(without(kind.clone(), path, body)).await;
        says(
            &untyped,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "application/json",
        );
        for value in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ] {
            let answer = program.send(with(kind.clone(), value, path, body)).await;
            says(
                &answer,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "application/json",
            );
        }
        let unknown = body.replacen('{', r#"{"all":true,"#, 1);
        for (body, status, part) in [
            ("", StatusCode::BAD_REQUEST, "EOF"),
            ("{", StatusCode::BAD_REQUEST, "EOF"),
            ("{]", StatusCode::BAD_REQUEST, "line 1 column 2"),
            ("{}", StatusCode::UNPROCESSABLE_ENTITY, "missing field"),
            (
                "[]",
                StatusCode::UNPROCESSABLE_ENTITY,
                "the body cannot be used",
            ),
            (
                &unknown,
                StatusCode::UNPROCESSABLE_ENTITY,
                "unknown field `all`",
            ),
            (
                &long,
                StatusCode::PAYLOAD_TOO_LARGE,
                "larger than 16384 bytes",
            ),
        ] {
            says(
                &program.send(order(Method::POST, path, body)).await,
                status,
                part,
            );
        }
    }
    nothing_is_recorded(&program).await;
}

#[tokio::test]
async fn a_body_in_json_of_any_spelling_of_its_type_is_taken() {
    let program = Program::start(Setting::default()).await;
    for value in ["application/json; charset=utf-8", "Application/JSON"] {
        let request = with(
            header::CONTENT_TYPE,
            value,
            "/api/v1/pause",
            r#"{"reason":"r"}"#,
        );
        assert_eq!(program.send(request).await.kinds(), ["Paused"]);
    }
}

#[tokio::test]
async fn values_that_can_never_work_are_told_from_names_that_do_not_exist() {
    let program = Program::start(Setting::default()).await;
    let reason = "r";
    let long = "x".repeat(501);
    let attempt = "/api/v1/attempts/01935bd4-0f3a-7c11-8000-00000000002a/resolve";
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    for (path, body, status, part) in [
        (
            "/api/v1/pause",
            json!({"reason": ""}),
            unprocessable,
            "a reason of 1 to 500",
        ),
        (
            "/api/v1/pause",
            json!({"reason": " \t"}),
            unprocessable,
            "a reason of 1 to 500",
        ),
        (
            "/api/v1/pause",
            json!({"reason": "a\nb"}),
            unprocessable,
            "control characters",
        ),
        (
            "/api/v1/pause",
            json!({"reason": long}),
            unprocessable,
            "a reason of 1 to 500",
        ),
        (
            "/api/v1/pause",
            json!({"reason": 1}),
            unprocessable,
            "expected a string",
        ),
        (
            "/api/v1/pause",
            json!({"for": "soon", "reason": reason}),
            unprocessable,
            "\"soon\" is no duration",
        ),
        (
            "/api/v1/pause",
            json!({"until": "soon", "reason": reason}),
            unprocessable,
            "\"soon\" is no instant",
        ),
        (
            "/api/v1/pause",
            json!({"for": "1h", "until": "2099-01-01T00:00:00Z", "reason": reason}),
            unprocessable,
            "exclude",
        ),
        (
            "/api/v1/pause",
            json!({"until": "2001-01-01T00:00:00Z", "reason": reason}),
            unprocessable,
            "in the past",
        ),
        (
            "/api/v1/hold",
            json!({"target": "tenant-1/0", "reason": reason}),
            unprocessable,
            "the module cannot be read",
        ),
        (
            "/api/v1/hold",
            json!({"target": "tenant 1", "reason": reason}),
            unprocessable,
            "the host cannot be read",
        ),
        (
            "/api/v1/hold",
            json!({"target": "tenant-1", "until": "2001-01-01T00:00:00Z", "reason": reason}),
            unprocessable,
            "in the past",
        ),
        (
            "/api/v1/hold",
            json!({"target": "tenant-9", "reason": reason}),
            StatusCode::NOT_FOUND,
            "host tenant-9 is not in the inventory",
        ),
        (
            "/api/v1/hold",
            json!({"target": "tenant-1/9", "reason": reason}),
            StatusCode::NOT_FOUND,
            "tenant-1/9 is not in the inventory",
        ),
        (
            "/api/v1/release",
            json!({"target": "tenant-9", "reason": reason}),
            StatusCode::NOT_FOUND,
            "tenant-9",
        ),
        (
            "/api/v1/release",
            json!({"target": "tenant-1/1", "reason": reason}),
            StatusCode::CONFLICT,
            "tenant-1/1 is not held",
        ),
        (
            "/api/v1/resume",
            json!({"reason": reason}),
            StatusCode::CONFLICT,
            "nothing is paused",
        ),
        (
            "/api/v1/gap/confirm",
            json!({"reason": reason}),
            StatusCode::CONFLICT,
            "no unconfirmed time",
        ),
        (
            attempt,
            json!({"as": "failed", "reason": reason}),
            StatusCode::NOT_FOUND,
            "is not known",
        ),
        (
            attempt,
            json!({"as": "done", "reason": reason}),
            unprocessable,
            "unknown variant `done`",
        ),
        (
            "/api/v1/attempts/7/resolve",
            json!({"as": "failed", "reason": reason}),
            StatusCode::BAD_REQUEST,
            "\"7\" is no identifier",
        ),
        (
            "/api/v1/incidents/tenant-1/1/reopen",
            json!({"reason": reason}),
            StatusCode::CONFLICT,
            "tenant-1/1 has no open incident",
        ),
        (
            "/api/v1/incidents/tenant-1/close",
            json!({"reason": reason}),
            StatusCode::CONFLICT,
            "tenant-1 has no open incident",
        ),
        (
            "/api/v1/incidents/tenant-1/9/close",
            json!({"reason": reason}),
            StatusCode::NOT_FOUND,
            "tenant-1/9 is not in the inventory",
        ),
        (
            "/api/v1/incidents/tenant-9/close",
            json!({"reason": reason}),
            StatusCode::NOT_FOUND,
            "tenant-9 is not in the inventory",
        ),
        (
            "/api/v1/incidents/tenant-1/x/close",
            json!({"reason": reason}),
            unprocessable,
            "the module cannot be read",
        ),
        (
            "/api/v1/incidents/tenant-1%2F1/close",
            json!({"reason": reason}),
            StatusCode::NOT_FOUND,
            "tenant-1/1",
        ),
        (
            "/api/v1/incidents/%FF/close",
            json!({"reason": reason}),
            StatusCode::BAD_REQUEST,
            "the address cannot be read",
        ),
        (
            "/api/v1/approvals/tenant-1/1",
            json!({"choice": "approve", "reason": reason}),
            unprocessable,
            "approve needs a rung",
        ),
        (
            "/api/v1/approvals/tenant-1/1",
            json!({"choice": "deny", "rung": "clear", "reason": reason}),
            unprocessable,
            "deny has none",
        ),
        (
            "/api/v1/approvals/tenant-1/1",
            json!({"choice": "approve", "rung": "all", "reason": reason}),
            unprocessable,
            "unknown variant `all`",
        ),
        (
            "/api/v1/approvals/tenant-1/x",
            json!({"choice": "deny", "reason": reason}),
            unprocessable,
            "host#number",
        ),
        (
            "/api/v1/approvals/tenant-9/1",
            json!({"choice": "deny", "reason": reason}),
            StatusCode::NOT_FOUND,
            "tenant-9",
        ),
        (
            "/api/v1/approvals/tenant-1/1",
            json!({"choice": "deny", "reason": reason}),
            StatusCode::CONFLICT,
            "request #1 is not open",
        ),
    ] {
        says(&program.order(path, body).await, status, part);
    }
    nothing_is_recorded(&program).await;
}

#[tokio::test]
async fn nothing_is_ordered_by_a_link() {
    let program = Program::start(Setting::default()).await;
    for (path, _) in ROUTES {
        let answer = program.send(order(Method::GET, path, "")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_stored_is_answered_503_and_did_not_happen() {
    let program = Program::start(Setting::default()).await;
    program.break_store(true);
    let pause = json!({"reason": "r"});
    let hold = json!({"target": "tenant-1", "reason": "r"});
    for (path, body) in [("/api/v1/pause", &pause), ("/api/v1/hold", &hold)] {
        let answer = program.order(path, body.clone()).await;
        says(
            &answer,
            StatusCode::SERVICE_UNAVAILABLE,
            "could not be recorded",
        );
    }
    let fleet = program.get("/api/v1/fleet").await;
    assert_eq!(
        (&fleet["pause"], &fleet["holds"]),
        (&json!(null), &json!([]))
    );
    program.break_store(false);
    assert_eq!(
        program.order("/api/v1/pause", pause).await.kinds(),
        ["Paused"]
    );
}
