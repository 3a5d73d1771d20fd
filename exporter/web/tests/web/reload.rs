//! Files that change while the server runs.

use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vcm_web::ConfigError;

use crate::certificates::{Authority, Files, Identity, TLS};
use crate::client::{TlsClient, eventually, get};
use crate::server::Server;

fn der(identity: &Identity) -> Vec<u8> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
    certificate.unwrap().to_vec()
}

/// The certificate that a new connection sees.
async fn shown(client: &TlsClient, server: &Server) -> Vec<u8> {
    let stream = client.connect(server.address).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn new_connections_see_a_new_certificate() {
    let authority = Authority::new("servers");
    let (old, new) = (authority.server(), authority.server());
    let files = Files::with_server(&old);
    let server = Server::start(Some(&files.put("web.yml", TLS))).await;
    let client = TlsClient::trusting(&authority.pem);
    assert_eq!(shown(&client, &server).await, der(&old));
    files.put_server(&new);
    let seen = async || (shown(&client, &server).await == der(&new)).then_some(());
    eventually(seen).await;
    assert!(server.config.status().unwrap().last_reload_successful);
}

#[tokio::test]
async fn a_bad_new_certificate_keeps_the_old_one_until_it_is_good() {
    let authority = Authority::new("servers");
    let (old, new) = (authority.server(), authority.server());
    let files = Files::with_server(&old);
    let server = Server::start(Some(&files.put("web.yml", TLS))).await;
    let client = TlsClient::trusting(&authority.pem);
    // The certificate without its key.
    files.put("server.crt", &new.certificate);
    eventually(async || {
        assert_eq!(shown(&client, &server).await, der(&old));
        (!server.config.status().unwrap().last_reload_successful).then_some(())
    })
    .await;
    files.put("server.key", &new.key);
    eventually(async || (shown(&client, &server).await == der(&new)).then_some(())).await;
    assert!(server.config.status().unwrap().last_reload_successful);
}

#[tokio::test]
async fn an_explicit_reload_acts_at_once_and_says_what_is_wrong() {
    let authority = Authority::new("servers");
    let (old, new) = (authority.server(), authority.server());
    let files = Files::with_server(&old);
    let server = Server::start(Some(&files.put("web.yml", TLS))).await;
    let client = TlsClient::trusting(&authority.pem);
    let before = server.config.status().unwrap();
    files.put(
        "web.yml",
        &format!("{TLS}  min_version: TLS14\n  curve_preferences: [X]\n"),
    );
    let error = server.config.reload().await.unwrap_err();
    let lines: Vec<String> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let after = server.config.status().unwrap();
    assert!(!after.last_reload_successful);
    assert_eq!(
        after.last_reload_success_timestamp,
        before.last_reload_success_timestamp
    );
    assert_eq!(shown(&client, &server).await, der(&old));
    files.put("web.yml", TLS);
    files.put_server(&new);
    server.config.reload().await.unwrap();
    let after = server.config.status().unwrap();
    assert!(after.last_reload_successful);
    assert!(after.last_reload_success_timestamp >= before.last_reload_success_timestamp);
    assert_eq!(shown(&client, &server).await, der(&new));
}

#[tokio::test]
async fn a_reload_does_not_take_protection_away() {
    let authority = Authority::new("servers");
    let files = Files::with_server(&authority.server());
    files.put("clients.crt", &authority.pem);
    let hash = bcrypt::hash("correct", 4).unwrap();
    let users = format!("basic_auth_users:\n  alice: {hash}\n");
    let verify = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n";
    let names = "  client_allowed_sans: [a]\n";
    let any = "  client_auth_type: RequireAnyClientCert\n";
    let full = format!("{users}{TLS}{verify}{names}");
    for (text, lost) in [
        (String::new(), "basic_auth_users"),
        (format!("{TLS}{verify}{names}"), "basic_auth_users"),
        (users.clone(), "tls_server_config"),
        (
            format!("{users}{TLS}"),
            "tls_server_config.client_auth_type",
        ),
        (
            format!("{users}{TLS}{any}{names}"),
            "tls_server_config.client_auth_type",
        ),
        (
            format!("{users}{TLS}{verify}"),
            "tls_server_config.client_allowed_sans",
        ),
    ] {
        let path = files.put("web.yml", &full);
        let server = Server::start(Some(&path)).await;
        files.put("web.yml", &text);
        match server.config.reload().await {
            Err(ConfigError::Unprotected { lost: found, .. }) => assert_eq!(found, lost),
            other => panic!("{lost}: {other:?}"),
        }
        assert!(get(server.address, "/", &[]).await.is_err(), "{lost}");
        assert!(!server.config.status().unwrap().last_reload_successful);
    }
}

#[tokio::test]
async fn a_file_that_is_gone_keeps_the_protection() {
    let files = Files::new();
    let hash = bcrypt::hash("correct", 4).unwrap();
    let path = files.put("web.yml", &format!("basic_auth_users:\n  alice: {hash}\n"));
    let server = Server::start(Some(&path)).await;
    std::fs::remove_file(&path).unwrap();
    eventually(async || {
        let answer = get(server.address, "/", &[]).await.unwrap();
        assert_eq!(answer.status, 401);
        (!server.config.status().unwrap().last_reload_successful).then_some(())
    })
    .await;
}

/// A scraper keeps its connection: a user that is gone must not.
#[tokio::test]
async fn a_user_that_is_gone_is_refused_on_an_open_connection() {
    refused_after(|users, _| users.replace("alice", "carol")).await;
}

/// The login was remembered, and no longer counts.
#[tokio::test]
async fn an_old_password_is_refused_on_an_open_connection() {
    refused_after(|users, hash| {
        let (alice, bob) = users.split_once("  bob").unwrap();
        let begin = alice.find('$').unwrap();
        format!("{}{hash}\n  bob{bob}", &alice[..begin])
    })
    .await;
}

async fn refused_after(change: impl Fn(&str, &str) -> String) {
    let files = Files::new();
    let mut users = String::from("basic_auth_users:\n");
    for name in ["alice", "bob"] {
        let hash = bcrypt::hash("correct", 4).unwrap();
        users.push_str(&format!("  {name}: {hash}\n"));
    }
    let server = Server::start(Some(&files.put("web.yml", &users))).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut ask = async || {
        // alice:correct
        let request =
            b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YWxpY2U6Y29ycmVjdA==\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert!(ask().await.starts_with("HTTP/1.1 200"));
    let other = bcrypt::hash("other", 4).unwrap();
    files.put("web.yml", &change(&users, &other));
    eventually(async || ask().await.starts_with("HTTP/1.1 401").then_some(())).await;
}

/// A pipe that nobody writes to stands for a file system that does not answer.
#[tokio::test]
async fn a_file_that_cannot_be_read_in_time_holds_up_nobody() {
    let authority = Authority::new("servers");
    let files = Files::with_server(&authority.server());
    let server = Server::start(Some(&files.put("web.yml", TLS))).await;
    let client = TlsClient::trusting(&authority.pem);
    let pipe = files.path("server.crt");
    std::fs::remove_file(&pipe).unwrap();
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
    // Opens only once somebody is about to read.
    let mut writer = std::fs::OpenOptions::new();
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    writer.write(true).custom_flags(flags);
    let writer = eventually(async || {
        assert_eq!(client.get(server.address, &[]).await.unwrap().status, 200);
        writer.open(&pipe).ok()
    })
    .await;
    for _ in 0..3 {
        assert_eq!(client.get(server.address, &[]).await.unwrap().status, 200);
    }
    assert!(server.config.status().unwrap().last_reload_successful);
    drop(writer);
    eventually(async || {
        let successful = server.config.status().unwrap().last_reload_successful;
        (!successful).then_some(())
    })
    .await;
    // What reads next must not wait for ever.
    files.put("server.crt", "");
}

#[tokio::test]
async fn tls_can_be_added_without_a_restart() {
    let authority = Authority::new("servers");
    let files = Files::with_server(&authority.server());
    let server = Server::start(Some(&files.put("web.yml", ""))).await;
    assert_eq!(get(server.address, "/", &[]).await.unwrap().status, 200);
    files.put("web.yml", TLS);
    server.config.reload().await.unwrap();
    let client = TlsClient::trusting(&authority.pem);
    assert_eq!(client.get(server.address, &[]).await.unwrap().status, 200);
    assert!(get(server.address, "/", &[]).await.is_err());
}
