//! TLS: versions, protocols, cipher suites, certificates.

use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Version};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use vcm_web::Limits;

use crate::certificates::{Authority, Files, TLS};
use crate::client::{TlsClient, exchange, get, request};
use crate::server::{DEADLINE, Server};

const SHORT: Duration = Duration::from_millis(200);

struct Setup {
    authority: Authority,
    files: Files,
}

impl Setup {
    fn new() -> Self {
        let authority = Authority::new("servers");
        let files = Files::with_server(&authority.server());
        Self { authority, files }
    }

    /// Starts a server with more keys in `tls_server_config`, then other sections.
    async fn server(&self, more: &str) -> Server {
        let path = self.files.put("web.yml", &format!("{TLS}{more}"));
        Server::start(Some(&path)).await
    }

    fn client(&self) -> TlsClient {
        TlsClient::trusting(&self.authority.pem)
    }
}

#[tokio::test]
async fn speaks_tls_1_2_and_1_3_by_default() {
    let setup = Setup::new();
    let server = setup.server("").await;
    for (client, version) in [
        (setup.client().tls12(), ProtocolVersion::TLSv1_2),
        (setup.client().tls13(), ProtocolVersion::TLSv1_3),
        (setup.client(), ProtocolVersion::TLSv1_3),
    ] {
        let mut stream = client.connect(server.address).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version));
        let answer = exchange(&mut stream, &request("/", &[])).await.unwrap();
        assert_eq!(answer.body, "hello");
    }
    server.stop().await;
}

#[tokio::test]
async fn keeps_to_the_configured_versions() {
    let setup = Setup::new();
    for (more, tls12, tls13) in [
        ("  min_version: TLS13\n", false, true),
        ("  max_version: TLS12\n", true, false),
        ("  min_version: TLS10\n", true, true),
        // Of TLS 1.2 no cipher suite is left.
        ("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", false, true),
    ] {
        let server = setup.server(more).await;
        let old = setup.client().tls12().get(server.address, &[]).await;
        let new = setup.client().tls13().get(server.address, &[]).await;
        assert_eq!((old.is_ok(), new.is_ok()), (tls12, tls13), "{more}");
    }
}

#[tokio::test]
async fn keeps_to_the_configured_cipher_suites_and_curves() {
    let setup = Setup::new();
    let more = "  cipher_suites:
    - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    - TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
  curve_preferences: [CurveP384, CurveP521]
";
    let server = setup.server(more).await;
    let stream = setup
        .client()
        .tls12()
        .connect(server.address)
        .await
        .unwrap();
    let connection = stream.get_ref().1;
    let suite = connection
        .negotiated_cipher_suite()
        .map(|suite| suite.suite());
    assert_eq!(
        suite,
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
    );
    let group = connection
        .negotiated_key_exchange_group()
        .map(|group| group.name());
    assert_eq!(group, Some(NamedGroup::secp384r1));
}

#[tokio::test]
async fn server_order_decides_between_cipher_suites_unless_turned_off() {
    let setup = Setup::new();
    let suites = "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
                  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n";
    for (more, suite) in [
        (
            "",
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
        (
            "  prefer_server_cipher_suites: false\n",
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
    ] {
        let server = setup.server(&format!("{suites}{more}")).await;
        let stream = setup
            .client()
            .tls12()
            .connect(server.address)
            .await
            .unwrap();
        let found = stream.get_ref().1.negotiated_cipher_suite();
        assert_eq!(found.map(|found| found.suite()), Some(suite), "{more}");
    }
}

#[tokio::test]
async fn speaks_http_2_over_tls() {
    let setup = Setup::new();
    let server = setup.server("").await;
    let client = setup.client().alpn(&["h2", "http/1.1"]);
    let stream = client.connect(server.address).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, _connection) = http2(stream).await;
    for (path, status) in [("/", 200), ("/panic", 500), ("/none", 404), ("/", 200)] {
        let uri = format!("https://localhost{path}");
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(
            (response.version(), response.status().as_u16()),
            (Version::HTTP_2, status)
        );
        to_bytes(Body::new(response.into_body()), 1024)
            .await
            .unwrap();
    }
    // A connection without a request does not hold up the end.
    server.stop().await;
}

type Http2 = (http2::SendRequest<Body>, JoinSet<hyper::Result<()>>);

/// Begins HTTP/2; the task ends with the connection.
async fn http2(stream: TlsStream<TcpStream>) -> Http2 {
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    (sender, tasks)
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed_and_one_that_waits_for_its_answer_is_not() {
    let setup = Setup::new();
    let path = setup.files.put("web.yml", TLS);
    let limits = Limits {
        head_time: SHORT,
        ..Limits::default()
    };
    let server = Server::start_with(Some(&path), limits).await;
    let client = setup.client().alpn(&["h2"]);
    let (mut sender, mut connection) = http2(client.connect(server.address).await.unwrap()).await;
    let request = Request::get("https://localhost/wait").body(Body::empty());
    let mut response = pin!(sender.send_request(request.unwrap()));
    let early = timeout(4 * SHORT, &mut response).await;
    assert!(early.is_err(), "{early:?}");
    server.gate.add_permits(1);
    assert_eq!(response.await.unwrap().status(), 200);
    let closed = timeout(DEADLINE, connection.join_next()).await;
    closed
        .expect("an idle connection to be closed")
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn http_2_can_be_turned_off() {
    let setup = Setup::new();
    let server = setup.server("http_server_config:\n  http2: false\n").await;
    let client = setup.client().alpn(&["h2", "http/1.1"]);
    let stream = client.connect(server.address).await.unwrap();
    assert_eq!(
        stream.get_ref().1.alpn_protocol(),
        Some(b"http/1.1".as_slice())
    );
}

#[tokio::test]
async fn takes_certificate_and_key_from_the_file_itself() {
    let authority = Authority::new("servers");
    let identity = authority.server();
    let indent = |pem: &str| pem.replace('\n', "\n    ");
    let text = format!(
        "tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n",
        indent(&identity.certificate),
        indent(&identity.key)
    );
    let files = Files::new();
    let server = Server::start(Some(&files.put("web.yml", &text))).await;
    let client = TlsClient::trusting(&authority.pem);
    assert_eq!(client.get(server.address, &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_is_not_served() {
    let setup = Setup::new();
    let server = setup.server("").await;
    let stranger = TlsClient::trusting(&Authority::new("others").pem);
    assert!(stranger.get(server.address, &[]).await.is_err());
    assert!(setup.client().get(server.address, &[]).await.is_ok());
}

#[tokio::test]
async fn plain_http_is_not_answered_where_tls_is_configured() {
    let setup = Setup::new();
    let server = setup.server("").await;
    let answer = get(server.address, "/", &[]).await;
    assert!(!answer.is_ok_and(|answer| answer.status == 200));
}

#[tokio::test]
async fn a_silent_handshake_is_cut_off() {
    let setup = Setup::new();
    let path = setup.files.put("web.yml", TLS);
    let limits = Limits {
        handshake_time: SHORT,
        max_connections: 1,
        ..Limits::default()
    };
    let server = Server::start_with(Some(&path), limits).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(exchange(&mut silent, b"").await.is_err());
    // Its place is free again.
    assert!(setup.client().get(server.address, &[]).await.is_ok());
}
