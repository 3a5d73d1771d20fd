//! The listener on a real socket: slow clients, the end of the program.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use vcm_remediator::web::server;

/// Longer than anything here takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for this task itself"
)]
async fn serve(router: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(server::run(listener, router, async { drop(stopped.await) }));
    Server {
        address,
        stop,
        ended,
    }
}

async fn ask(stream: &mut TcpStream) -> String {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_client_that_never_finishes_its_headers_is_cut_off_and_others_are_served() {
    let server = serve(Router::new().route("/", get(|| async { "here" }))).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"POST /api/v1/alerts/webhook HTTP/1.1\r\nHo")
        .await
        .unwrap();
    let mut quick = TcpStream::connect(server.address).await.unwrap();
    assert!(
        timeout(PATIENCE, ask(&mut quick))
            .await
            .unwrap()
            .ends_with("here")
    );
    let mut rest = Vec::new();
    let read = timeout(server::HEADER_TIMEOUT * 2, slow.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_until_one_ends() {
    let server = serve(Router::new().route("/", get(|| async { "here" }))).await;
    let mut open = Vec::new();
    for _ in 0..server::CONNECTIONS_MAX {
        open.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut waiting = TcpStream::connect(server.address).await.unwrap();
    let early = timeout(Duration::from_secs(1), ask(&mut waiting)).await;
    assert!(early.is_err(), "one connection too many was served");
    drop(open);
    let mut answer = String::new();
    timeout(PATIENCE, waiting.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.ends_with("here"));
}

#[tokio::test]
async fn what_is_under_way_is_finished_before_the_end() {
    let (release, released) = oneshot::channel::<()>();
    let (asked, was_asked) = oneshot::channel::<()>();
    let once = std::sync::Mutex::new(Some((asked, released)));
    let handler = move || {
        let taken = once.lock().unwrap().take();
        async move {
            if let Some((asked, released)) = taken {
                asked.send(()).unwrap();
                released.await.unwrap();
            }
            "finished"
        }
    };
    let handler = std::sync::Arc::new(handler);
    let router = Router::new().route("/", get(move || handler()));
    let server = serve(router).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    was_asked.await.unwrap();
    server.stop.send(()).unwrap();
    assert!(!server.ended.is_finished());
    release.send(()).unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.ends_with("finished"), "{answer}");
    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "nothing listens any more"
    );
}
