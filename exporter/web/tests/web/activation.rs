//! Socket activation: this test program starts itself again, as systemd starts a service.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use clap::Parser;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use vcm_web::{BindError, Limits, Listeners, WebFlags};

use crate::certificates::Files;
use crate::client::{eventually, exchange, get, request};
use crate::server::{DEADLINE, Server};

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    web: WebFlags<0>,
}

async fn bind() -> Result<Listeners, BindError> {
    let program = Program::parse_from(["program", "--web.systemd-socket"]);
    Listeners::bind(&program.web).await
}

/// Starts the test `child` below with two file descriptors as 3 and 4; `LISTEN_PID` can only be set
/// by the process itself, hence the shell.
#[expect(
    clippy::disallowed_methods,
    reason = "the child is this test program, not a vendor tool"
)]
fn start(before: &str, passed: &str, third: OwnedFd, fourth: OwnedFd) -> Child {
    let script = format!(
        "{before}\nexport LISTEN_PID=$$ LISTEN_FDS={passed}\nexec \"$@\" 3<&0 4<&1 0</dev/null 1>&2"
    );
    Command::new("sh")
        .args(["-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "activation::child", "--ignored", "--nocapture"])
        .stdin(third)
        .stdout(fourth)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// What the child wrote until it ended.
async fn last_words(mut child: Child) -> String {
    let mut text = String::new();
    let read = child.stderr.as_mut().unwrap().read_to_string(&mut text);
    timeout(DEADLINE, read).await.unwrap().unwrap();
    text
}

#[tokio::test]
#[ignore = "the child process of the other tests"]
async fn child() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    match bind().await {
        Ok(listeners) => {
            let addresses: Vec<_> = listeners.addresses().map(str::to_owned).collect();
            eprintln!("listening on {addresses:?}");
            Server::on(listeners, None, Limits::default()).ended().await;
        }
        Err(error) => eprintln!("refused: {error}"),
    }
}

#[tokio::test]
async fn serves_on_the_sockets_that_systemd_passes() {
    let files = Files::new();
    let path = files.path("web.sock");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    let mut child = start("", "2", tcp.into(), unix.into());
    assert_eq!(get(address, "/", &[]).await.unwrap().body, "hello");
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let answer = exchange(&mut stream, &request("/", &[])).await.unwrap();
    assert_eq!(answer.body, "hello");
    child.start_kill().unwrap();
    let said = last_words(child).await;
    let expected = format!("listening on [\"{address}\", \"unix:{}\"]", path.display());
    assert!(said.contains(&expected), "{said}");
    assert!(path.exists(), "the socket is systemd's");
}

#[tokio::test]
async fn refuses_what_is_no_listening_socket() {
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let said = last_words(start("", "1", null(), null())).await;
    let expected = "refused: file descriptor 3 from systemd is not a TCP or Unix stream socket";
    assert!(said.contains(expected), "{said}");
}

#[tokio::test]
async fn refuses_to_start_when_nothing_is_passed() {
    assert!(matches!(bind().await, Err(BindError::NoSystemdSocket)));
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    for passed in ["0", "", "1; export LISTEN_PID=1"] {
        let said = last_words(start("", passed, null(), null())).await;
        assert!(
            said.contains("refused: systemd passed no socket"),
            "{passed}: {said}"
        );
    }
}

/// A process without a free file descriptor cannot accept; nobody but its clients can change that.
#[tokio::test]
async fn outlives_a_lack_of_file_descriptors_and_logs_it_once() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let null = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let mut child = start("ulimit -n 40", "1", tcp.into(), null);
    assert_eq!(get(address, "/", &[]).await.unwrap().status, 200);
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    let mut said = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    let failed = async {
        while !said.contains("cannot accept clients") {
            let mut buffer = [0; 4096];
            let length = stderr.read(&mut buffer).await.unwrap();
            assert_ne!(length, 0, "the child ended: {said}");
            said.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    timeout(DEADLINE, failed).await.expect("accepting to fail");
    drop(crowd);
    eventually(async || get(address, "/", &[]).await.ok()).await;
    child.start_kill().unwrap();
    said.push_str(&last_words(child).await);
    assert_eq!(said.matches("cannot accept clients").count(), 1, "{said}");
}
