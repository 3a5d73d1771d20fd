//! Plain HTTP: what the router's answers become.

use tokio::net::TcpStream;
use vcm_web::Limits;

use crate::certificates::Files;
use crate::client::{exchange, get, request};
use crate::server::{BIG, Server};

#[tokio::test]
async fn answers_over_plain_tcp_without_a_configuration_file() {
    let server = Server::start(None).await;
    let answer = get(server.address, "/", &[]).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert_eq!(get(server.address, "/none", &[]).await.unwrap().status, 404);
    let big = get(server.address, "/big", &[]).await.unwrap();
    assert_eq!(big.body.len(), BIG);
    assert_eq!(server.config.status(), None);
    server.stop().await;
}

#[tokio::test]
async fn an_empty_file_protects_nothing() {
    let files = Files::new();
    for text in [
        "",
        "# nothing\n",
        "{}\n",
        "tls_server_config:\nbasic_auth_users: {}\n",
    ] {
        let path = files.put("web.yml", text);
        let server = Server::start(Some(&path)).await;
        let answer = get(server.address, "/", &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{text:?}");
        assert!(server.config.status().unwrap().last_reload_successful);
    }
}

#[tokio::test]
async fn a_panic_in_a_handler_is_one_500_and_not_the_end() {
    let server = Server::start(None).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let twice = b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n\
                  GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = exchange(&mut stream, twice).await.unwrap();
    assert_eq!(answer.status, 500);
    // The same connection goes on.
    assert!(answer.body.contains("HTTP/1.1 200"), "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn configured_headers_are_on_every_answer() {
    let files = Files::new();
    let path = files.put(
        "web.yml",
        "http_server_config:
  headers:
    Content-Security-Policy: default-src 'self'
    Strict-Transport-Security: max-age=1
    X-Content-Type-Options: nosniff
    X-Frame-Options: deny
    X-XSS-Protection: 0
",
    );
    let server = Server::start(Some(&path)).await;
    for path in ["/", "/none", "/panic"] {
        let answer = get(server.address, path, &[]).await.unwrap();
        for (name, value) in [
            ("Content-Security-Policy", "default-src 'self'"),
            ("Strict-Transport-Security", "max-age=1"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "deny"),
            ("X-XSS-Protection", "0"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
    let own = get(server.address, "/framed", &[]).await.unwrap();
    assert_eq!(own.header("X-Frame-Options"), Some("own"));
}

#[tokio::test]
async fn hostile_requests_get_an_answer_or_are_cut_off() {
    let server = Server::start(None).await;
    let long = format!("X-Long: {}", "a".repeat(64 * 1024));
    let many: Vec<String> = (0..2_000).map(|i| format!("X-{i}: b")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let cases: [(&str, Vec<u8>); 7] = [
        ("too long a header", request("/", &[&long])),
        ("too many headers", request("/", &many)),
        (
            "too long a path",
            request(&format!("/{}", "a".repeat(64 * 1024)), &[]),
        ),
        ("a header without name", request("/", &[": x"])),
        ("a NUL", request("/", &["X: a\0b"])),
        (
            "two lengths",
            request("/", &["Content-Length: 1", "Content-Length: 2"]),
        ),
        ("not HTTP", b"\x16\x03\x01\x00\x05hello\r\n\r\n".to_vec()),
    ];
    for (name, bytes) in cases {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        match exchange(&mut stream, &bytes).await {
            Ok(answer) => assert!((400..500).contains(&answer.status), "{name}: {answer:?}"),
            // Closed with bytes of the client still unread.
            Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{name}"),
        }
        assert_eq!(
            get(server.address, "/", &[]).await.unwrap().status,
            200,
            "{name}"
        );
    }
}

#[tokio::test]
async fn http2_is_not_spoken_without_tls() {
    let server = Server::start_with(None, Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let answered = exchange(&mut stream, preface).await;
    assert!(answered.is_err() || answered.unwrap().status >= 400);
}
