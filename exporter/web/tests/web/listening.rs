//! Where it is listened.

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;

use tokio::net::{TcpStream, UnixStream};
use vcm_web::{BindError, Limits, ListenAddress, Listeners};

use crate::certificates::{Authority, Files, TLS};
use crate::client::{TlsClient, exchange, get, request};
use crate::server::Server;

fn addresses(texts: &[&str]) -> Vec<ListenAddress> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

async fn bind(texts: &[&str]) -> Result<Listeners, BindError> {
    Listeners::on(&addresses(texts)).await
}

#[tokio::test]
async fn listens_on_several_addresses_at_once() {
    let files = Files::new();
    let unix = format!("unix:{}", files.path("web.sock").display());
    let listeners = bind(&["127.0.0.1:0", "localhost:0", &unix]).await.unwrap();
    let bound: Vec<String> = listeners.addresses().map(str::to_owned).collect();
    let server = Server::on(listeners, None, Limits::default());
    for address in &bound[..2] {
        let address: SocketAddr = address.parse().unwrap();
        assert_eq!(get(address, "/", &[]).await.unwrap().status, 200);
    }
    assert_eq!(bound[2], unix);
    let mut stream = UnixStream::connect(files.path("web.sock")).await.unwrap();
    let answer = exchange(&mut stream, &request("/", &[])).await.unwrap();
    assert_eq!(answer.body, "hello");
    server.stop().await;
}

#[tokio::test]
async fn a_port_alone_is_every_address() {
    let server = Server::on(bind(&[":0"]).await.unwrap(), None, Limits::default());
    let v4 = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    assert_eq!(get(v4, "/", &[]).await.unwrap().status, 200);
    if server.address.is_ipv6() {
        let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, server.address.port()));
        assert_eq!(get(v6, "/", &[]).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = bind(&["127.0.0.1:0"]).await.unwrap();
    let taken = first.addresses().next().unwrap().to_owned();
    let error = bind(&["127.0.0.1:0", &taken]).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("{taken} is in use by another process")
    );
}

#[tokio::test]
async fn an_address_of_another_host_is_refused() {
    let error = bind(&["192.0.2.1:0"]).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot listen on 192.0.2.1:0");
    assert!(matches!(bind(&[]).await, Err(BindError::NoAddress)));
}

#[tokio::test]
async fn a_unix_socket_is_for_user_and_group_and_goes_at_the_end() {
    let files = Files::new();
    let path = files.path("web.sock");
    let unix = format!("unix:{}", path.display());
    let server = Server::on(bind(&[&unix]).await.unwrap(), None, Limits::default());
    let found = std::fs::metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    server.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_that_a_dead_process_left_is_replaced() {
    let files = Files::new();
    let path = files.path("web.sock");
    drop(StdUnixListener::bind(&path).unwrap());
    assert!(path.exists(), "std leaves the file");
    let unix = format!("unix:{}", path.display());
    let server = Server::on(bind(&[&unix]).await.unwrap(), None, Limits::default());
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let answer = exchange(&mut stream, &request("/", &[])).await.unwrap();
    assert_eq!(answer.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_socket_that_somebody_listens_on_is_left_alone() {
    let files = Files::new();
    let path = files.path("web.sock");
    let living = StdUnixListener::bind(&path).unwrap();
    let unix = format!("unix:{}", path.display());
    let error = bind(&[&unix]).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
    assert!(UnixStream::connect(&path).await.is_ok());
    drop(living);
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let files = Files::new();
    let path = files.put("web.sock", "precious");
    let error = bind(&[&format!("unix:{}", path.display())])
        .await
        .unwrap_err();
    assert!(matches!(error, BindError::NotASocket { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "precious");
}

#[tokio::test]
async fn a_socket_that_another_process_put_in_its_place_is_not_removed() {
    let files = Files::new();
    let path = files.path("web.sock");
    let listeners = bind(&[&format!("unix:{}", path.display())]).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let other = StdUnixListener::bind(&path).unwrap();
    drop(listeners);
    assert!(path.exists());
    drop(other);
}

#[tokio::test]
async fn tls_and_logins_hold_on_a_unix_socket_too() {
    let authority = Authority::new("servers");
    let files = Files::with_server(&authority.server());
    let config = files.put("web.yml", TLS);
    let path = files.path("web.sock");
    let unix = format!("unix:{}", path.display());
    let listeners = bind(&[&unix, "127.0.0.1:0"]).await.unwrap();
    let server = Server::on(listeners, Some(&config), Limits::default());
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let plain = exchange(&mut stream, &request("/", &[])).await;
    assert!(!plain.is_ok_and(|answer| answer.status == 200));
    let client = TlsClient::trusting(&authority.pem);
    assert_eq!(client.get(server.address, &[]).await.unwrap().status, 200);
    drop(TcpStream::connect(server.address).await.unwrap());
    server.stop().await;
}
