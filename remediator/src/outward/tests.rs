use std::error::Error as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use nshield::runner::{self, Invocation};
use rcgen::CertifiedKey;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use vcm_telemetry::logging::chain;

use super::*;

/// Longer than anything here takes, for calls that are to succeed.
const PATIENCE: Limits = Limits {
    timeout: Duration::from_secs(30),
    body: 1024,
};

/// A server on this machine that lives as long as this value.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Fake {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            _serving: serving,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// An address of this machine where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn get_of(url: &str) -> Call {
    Call {
        method: Method::GET,
        uri: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    }
}

fn plain() -> Client {
    Client::new(&Trust::Nobody, None).unwrap()
}

#[tokio::test]
async fn brings_back_status_and_body_and_sends_what_it_was_given() {
    let echo = |headers: HeaderMap, body: String| async move {
        let said = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
        let all = [said("user-agent"), said("authorization"), said("x-more")];
        (StatusCode::IM_A_TEAPOT, all.join(" ") + " " + &body)
    };
    let fake = Fake::start(Router::new().route("/", post(echo))).await;
    let mut token = NamedTempFile::new().unwrap();
    token.write_all(b"s3cret\n").unwrap();
    let credentials = Credentials::Bearer {
        file: token.path().to_owned(),
    };
    let client = Client::new(&Trust::Nobody, Some(credentials)).unwrap();
    let call = Call {
        method: Method::POST,
        headers: HeaderMap::from_iter([(
            header::HeaderName::from_static("x-more"),
            header::HeaderValue::from_static("more"),
        )]),
        body: Bytes::from_static(b"body"),
        ..get_of(&fake.url("/"))
    };
    let answer = client.send(call.clone(), PATIENCE).await.unwrap();
    let expected = format!("{USER_AGENT} Bearer s3cret more body");
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.body, expected.as_bytes());
    assert!(answer.complete);

    drop(token);
    let error = client.send(call, PATIENCE).await.unwrap_err();
    assert!(matches!(error, CallError::Credentials(_)), "{error}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/elsewhere") }))
        .route("/elsewhere", get(|| async { "followed" }));
    let fake = Fake::start(router).await;
    let answer = plain().send(get_of(&fake.url("/")), PATIENCE).await;
    assert_eq!(answer.unwrap().status, StatusCode::TEMPORARY_REDIRECT);
}

/// It would learn the token, and could answer in the peer's place. The environment belongs to the
/// whole process: the test runs once more in one of its own.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked() {
    const PEER: &str = "VCM_TEST_PEER";
    if let Ok(peer) = std::env::var(PEER) {
        let answer = plain().send(get_of(&peer), PATIENCE).await.unwrap();
        assert_eq!(answer.body, "the peer");
        return;
    }
    let fake = Fake::start(Router::new().route("/", get(|| async { "the peer" }))).await;
    let program = std::env::current_exe().unwrap();
    let this = "outward::tests::a_proxy_of_the_environment_is_not_asked";
    let again = Invocation::new(program, ["--exact", this], PATIENCE.timeout)
        .with_env(PEER, fake.url("/"))
        .with_env("http_proxy", format!("http://{}", nobody().await));
    let run = runner::run(again).await.unwrap();
    let printed = String::from_utf8_lossy(&run.stdout);
    assert!(run.succeeded(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
}

#[tokio::test]
async fn a_body_is_cut_at_the_limit_and_says_so() {
    for (length, complete) in [(1024, true), (1025, false), (1 << 20, false)] {
        let body = "x".repeat(length);
        let router = Router::new().route("/", get(move || async move { body.clone() }));
        let fake = Fake::start(router).await;
        let answer = plain().send(get_of(&fake.url("/")), PATIENCE).await;
        let answer = answer.unwrap();
        assert_eq!(answer.body.len(), 1024, "{length}");
        assert_eq!(answer.complete, complete, "{length}");
    }
}

#[tokio::test]
async fn who_does_not_answer_costs_the_timeout() {
    let router = Router::new().route("/", get(std::future::pending::<()>));
    let fake = Fake::start(router).await;
    let limits = Limits {
        timeout: Duration::from_millis(50),
        ..PATIENCE
    };
    let error = plain().send(get_of(&fake.url("/")), limits).await;
    let error = error.unwrap_err();
    assert!(matches!(error, CallError::Timeout(_)), "{error}");
    assert_eq!(error.to_string(), "no answer within 50ms");
}

#[tokio::test]
async fn tells_a_request_that_was_never_sent_from_one_that_may_have_been() {
    let url = format!("http://{}/", nobody().await);
    let error = plain().send(get_of(&url), PATIENCE).await.unwrap_err();
    assert!(matches!(error, CallError::Connect(_)), "{error:?}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut hanging_up = JoinSet::new();
    hanging_up.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let read = stream.read(&mut [0; 1024]).await.unwrap();
        assert_ne!(read, 0);
    });
    let error = plain().send(get_of(&url), PATIENCE).await.unwrap_err();
    assert!(matches!(error, CallError::Broken(_)), "{error:?}");
}

#[tokio::test]
async fn an_error_shows_nothing_of_the_address_but_its_host() {
    let secret = |base: String| get_of(&format!("{base}/T0KEN?key=T0KEN"));
    let here = format!("http://{}", nobody().await);
    // `Uri` reads it and reqwest does not.
    let odd = "http://999.0.0.1".to_owned();
    for (base, sent) in [(here, true), (odd, false)] {
        let error = plain().send(secret(base), PATIENCE).await.unwrap_err();
        assert_eq!(sent, !matches!(error, CallError::Request(_)), "{error:?}");
        let shown = format!("{error:?} {}", chain(&error));
        assert!(!shown.contains("T0KEN"), "{shown}");
    }
}

/// A TLS server for `localhost`, and the file of the authority that signed its certificate.
async fn secured(serving: &mut JoinSet<()>) -> (String, NamedTempFile) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    serving.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not believe the certificate hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let _request = stream.read(&mut [0; 1024]).await.unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(cert.pem().as_bytes()).unwrap();
    (format!("https://localhost:{port}/"), file)
}

#[tokio::test]
async fn believes_the_authority_of_the_file_and_no_other() {
    let mut serving = JoinSet::new();
    let (url, authority) = secured(&mut serving).await;
    let trust = Trust::File(authority.path().to_owned());
    let client = Client::new(&trust, None).unwrap();
    let answer = client.send(get_of(&url), PATIENCE).await.unwrap();
    assert_eq!(answer.status, StatusCode::NO_CONTENT);

    let (_, other) = secured(&mut serving).await;
    for trust in [Trust::File(other.path().to_owned()), Trust::Nobody] {
        let client = Client::new(&trust, None).unwrap();
        let error = client.send(get_of(&url), PATIENCE).await.unwrap_err();
        assert!(matches!(error, CallError::Connect(_)), "{error:?}");
        assert!(error.source().is_some());
    }
}

#[test]
fn a_file_without_an_authority_is_refused() {
    let mut file = NamedTempFile::new().unwrap();
    let built = |file: &NamedTempFile| {
        let trust = Trust::File(file.path().to_owned());
        Client::new(&trust, None).map(|_| ())
    };
    assert!(matches!(built(&file), Err(TrustError::Unusable { .. })));
    file.write_all(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    assert!(matches!(built(&file), Err(TrustError::Unusable { .. })));
    let missing = Trust::File("/nonexistent/ca.pem".into());
    assert!(matches!(
        Client::new(&missing, None),
        Err(TrustError::File { .. })
    ));
}
