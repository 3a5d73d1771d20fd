//! What clients may take: requests, connections, time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use vcm_web::{Limits, ListenAddress, Listeners};

use crate::certificates::Files;
use crate::client::{eventually, exchange, get, request};
use crate::server::{DEADLINE, Server};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn more_parallel_requests_than_allowed_get_503() {
    let limits = Limits {
        max_requests: 2,
        ..Limits::default()
    };
    let server = Server::start_with(None, limits).await;
    let mut waiting = JoinSet::new();
    for _ in 0..2 {
        let address = server.address;
        waiting.spawn(async move { get(address, "/wait", &[]).await.unwrap().status });
        server.arrival().await;
    }
    let refused = get(server.address, "/", &[]).await.unwrap();
    assert_eq!(refused.status, 503);
    assert!(
        refused
            .header("Content-Type")
            .unwrap()
            .starts_with("text/plain")
    );
    assert!(refused.body.contains("Limit of concurrent requests"));
    server.gate.add_permits(2);
    assert_eq!(waiting.join_all().await, [200, 200]);
    assert_eq!(get(server.address, "/", &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn zero_is_no_limit_of_parallel_requests() {
    let limits = Limits {
        max_requests: 0,
        ..Limits::default()
    };
    let server = Server::start_with(None, limits).await;
    assert_eq!(get(server.address, "/", &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_request_whose_answer_takes_too_long_gets_503() {
    let limits = Limits {
        request_time: SHORT,
        ..Limits::default()
    };
    let server = Server::start_with(None, limits).await;
    let answer = get(server.address, "/wait", &[]).await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, "The request took too long.\n")
    );
}

#[tokio::test]
async fn a_client_with_a_slow_head_is_cut_off() {
    let limits = Limits {
        head_time: SHORT,
        ..Limits::default()
    };
    let server = Server::start_with(None, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // Each byte comes well within the time, the whole head does not.
    let cut = async {
        let mut buffer = [0; 512];
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            .await?;
        loop {
            let next = timeout(SHORT / 10, stream.read(&mut buffer)).await;
            match next {
                Err(_) => stream.write_all(b"a").await?,
                Ok(read) => return read.map(|length| buffer[..length].to_vec()),
            }
        }
    };
    let left = timeout(DEADLINE, cut).await.expect("to be cut off in time");
    assert!(left.is_err() || !left.unwrap().starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let limits = Limits {
        write_time: SHORT,
        max_connections: 1,
        ..Limits::default()
    };
    let server = Server::start_with(None, limits).await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    deaf.write_all(&request("/big", &[])).await.unwrap();
    // The only place for a connection becomes free.
    let answer = get(server.address, "/", &[]).await.unwrap();
    assert_eq!(answer.status, 200);
    drop(deaf);
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let server = Server::start_with(None, limits).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let second = TcpStream::connect(server.address).await.unwrap();
    let mut third = TcpStream::connect(server.address).await.unwrap();
    third.write_all(&request("/wait", &[])).await.unwrap();
    let arrived = timeout(SHORT, server.arrived.acquire()).await;
    assert!(arrived.is_err(), "the third was served beside the others");
    drop((first, second));
    server.arrival().await;
    server.gate.add_permits(1);
    assert_eq!(exchange(&mut third, b"").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_listener_without_clients_takes_no_place_from_another() {
    let limits = Limits {
        max_connections: 1,
        ..Limits::default()
    };
    let addresses = [ListenAddress::loopback(0), ListenAddress::loopback(0)];
    let listeners = Listeners::on(&addresses).await.unwrap();
    let bound: Vec<SocketAddr> = listeners
        .addresses()
        .map(|text| text.parse().unwrap())
        .collect();
    let server = Server::on(listeners, None, limits);
    for _ in 0..3 {
        for address in &bound {
            assert_eq!(get(*address, "/", &[]).await.unwrap().status, 200);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_beyond_the_rate_limit_get_429() {
    let files = Files::new();
    let text = "rate_limit:\n  interval: 1h\n  burst: 2\n";
    let server = Server::start(Some(&files.put("web.yml", text))).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(get(server.address, "/", &[]).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
}

#[tokio::test]
async fn open_requests_end_before_the_server_does() {
    let server = Server::start(None).await;
    let mut open = JoinSet::new();
    let address = server.address;
    open.spawn(async move { get(address, "/wait", &[]).await.unwrap().body });
    server.arrival().await;
    let idle = TcpStream::connect(address).await.unwrap();
    server.ask_to_stop();
    eventually(async || TcpStream::connect(address).await.err()).await;
    server.gate.add_permits(1);
    server.ended().await;
    assert_eq!(open.join_all().await, ["waited"]);
    drop(idle);
}

#[tokio::test]
async fn requests_that_never_end_do_not_keep_the_server() {
    let limits = Limits {
        drain_time: SHORT,
        ..Limits::default()
    };
    let server = Server::start_with(None, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&request("/wait", &[])).await.unwrap();
    server.arrival().await;
    server.stop().await;
    assert!(exchange(&mut stream, b"").await.is_err());
}
