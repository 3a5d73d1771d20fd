//! A host behind a real sshd: the client as the engine uses it, and the forced command of its key.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nshield::ModuleNumber;
use vcm_recovery::ids::{AttemptId, Epoch};
use vcm_recovery::tier::Rung;
use vcm_remediator::host::document::{Answer, Status};
use vcm_remediator::host::fence::Caller;
use vcm_remediator::host_client::ssh::Ssh;
use vcm_remediator::host_client::{CommandRunner, HostRunner as _, HostRunnerError, Order};

use crate::estate::{ESN, Estate, SOON, STORE, attempt, eventually};
use crate::sudo::skipped;

const SSHD: &str = "/usr/sbin/sshd";
const SSH: &str = "/usr/bin/ssh";

/// A host with its own sshd, and a key for it that may only start `host ssh`.
struct Reached {
    estate: Estate,
    sshd: Child,
    ssh: Ssh,
}

impl Drop for Reached {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

impl Reached {
    /// Nothing, where there is no OpenSSH.
    fn new() -> Option<Self> {
        if ![SSHD, SSH]
            .iter()
            .all(|program| Path::new(program).exists())
        {
            skipped("the tests with a real sshd, which take openssh-server and openssh-client");
            return None;
        }
        let estate = Estate::new();
        let at = |name: &str| estate.path().join(name);
        for key in ["host_key", "id", "stranger"] {
            done(
                command("/usr/bin/ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                    .arg(at(key)),
            );
        }
        let public = |key: &str| fs::read_to_string(at(&format!("{key}.pub"))).unwrap();
        let forced = format!(
            "restrict,command=\"{} host ssh --config.file {}\" {}",
            env!("CARGO_BIN_EXE_vcm-remediator"),
            estate.config().display(),
            public("id")
        );
        fs::write(at("authorized_keys"), forced).unwrap();
        if rustix::process::geteuid().is_root() {
            // The package's unit makes it; nobody has started that.
            let mut directory = fs::DirBuilder::new();
            let _ = directory.mode(0o755).create("/run/sshd");
        }
        let port = free_port();
        let config = at("sshd_config");
        let text = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nPermitRootLogin forced-commands-only\n",
            at("host_key").display(),
            at("authorized_keys").display(),
        );
        fs::write(&config, text).unwrap();
        let sshd = command(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(&config)
            .stderr(fs::File::create(at("sshd.log")).unwrap())
            .spawn()
            .unwrap();
        let known = format!("[127.0.0.1]:{port} {}", public("host_key"));
        fs::write(at("known_hosts"), known).unwrap();
        eventually("sshd listens", SOON, || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let ssh = Ssh {
            program: SSH.into(),
            address: "127.0.0.1".parse().unwrap(),
            port,
            user: me().parse().unwrap(),
            identity_file: at("id"),
            known_hosts_file: at("known_hosts"),
        };
        Some(Self { estate, sshd, ssh })
    }

    fn runner(&self) -> CommandRunner {
        CommandRunner::Ssh(self.ssh.clone())
    }

    /// What somebody who has the key gets for a command of their own.
    fn ask(&self, words: &[&str]) -> Output {
        let port = self.ssh.port.to_string();
        let known = format!("UserKnownHostsFile={}", self.ssh.known_hosts_file.display());
        command(SSH)
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                &known,
                "-o",
                "IdentitiesOnly=yes",
            ])
            .args(["-p", &port, "-l", &me(), "-i"])
            .arg(&self.ssh.identity_file)
            .arg("127.0.0.1")
            .args(words)
            .output()
            .unwrap()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "programs of the test, which are no tools of the vendor's"
)]
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

fn done(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn me() -> String {
    let said = command("/usr/bin/id").arg("-un").output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn caller() -> Caller {
    Caller {
        epoch: Epoch(5),
        store: STORE.parse().unwrap(),
    }
}

fn id(number: u8) -> AttemptId {
    attempt(number).parse().unwrap()
}

#[tokio::test]
async fn a_host_is_looked_at_ordered_and_asked_over_ssh() {
    let Some(reached) = Reached::new() else {
        return;
    };
    let runner = reached.runner();
    let seen = runner.observe().await.unwrap();
    let order = Order {
        attempt: id(1),
        epoch: Epoch(5),
        store: STORE.parse().unwrap(),
        rung: Rung::Retry,
        module: ModuleNumber::try_from(1).ok(),
        esn: ESN.parse().ok(),
        observation: seen.observation_id,
        max_age: Duration::from_secs(30),
        newest: None,
        approval: None,
        asked: BTreeSet::new(),
    };
    let answer = runner.run(order.clone()).await.unwrap();
    assert!(matches!(answer, Answer::Accepted), "{answer:?}");
    // The connection is gone, and the attempt goes on alone.
    reached.estate.comes_to(&attempt(1), "ended", SOON);
    let status = runner.result(id(1)).await.unwrap();
    assert!(matches!(status, Status::Ended { .. }), "{status:?}");
    assert_eq!(reached.estate.changes(), ["nopclearfail -m1 -r"]);

    let newest = runner.newest().await.unwrap();
    assert_eq!(newest.map(|newest| newest.attempt), Some(id(1)));
    let again = runner.run(order).await.unwrap();
    assert!(matches!(again, Answer::Refused { .. }), "{again:?}");
    let tombstone = runner
        .tombstone(id(2), seen.observation_id, caller())
        .await
        .unwrap();
    assert!(matches!(tombstone, Status::Tombstoned), "{tombstone:?}");
    let resumed = runner.resume(id(2), caller()).await.unwrap();
    assert!(matches!(resumed, Answer::Refused { .. }), "{resumed:?}");
    assert_eq!(reached.estate.changes().len(), 1);
}

#[tokio::test]
async fn the_key_starts_the_host_runner_and_nothing_else() {
    let Some(reached) = Reached::new() else {
        return;
    };
    let marker = reached.estate.path().join("marker");
    let touch = format!("touch {}", marker.display());
    for words in [
        vec!["sh", "-c", &touch],
        vec![touch.as_str()],
        vec!["observe", ";", &touch],
        vec!["observe", "--config.file", "/tmp/mine.yaml"],
        vec!["print-sudoers", "root"],
        vec![],
    ] {
        let Output { status, stdout, .. } = reached.ask(&words);
        assert_eq!(status.code(), Some(1), "{words:?}");
        let document: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
        assert!(document["error"].is_string(), "{words:?}: {document}");
    }
    assert!(!marker.exists());
    assert!(reached.estate.changes().is_empty());
}

#[tokio::test]
async fn a_host_that_is_not_the_one_is_never_asked() {
    let Some(reached) = Reached::new() else {
        return;
    };
    let root = reached.estate.path();
    let stranger = fs::read_to_string(root.join("stranger.pub")).unwrap();
    let known = root.join("of_another");
    fs::write(
        &known,
        format!("[127.0.0.1]:{} {stranger}", reached.ssh.port),
    )
    .unwrap();
    let asked = |ssh: Ssh| async move {
        let error = CommandRunner::Ssh(ssh).observe().await.unwrap_err();
        assert!(matches!(error, HostRunnerError::Failed { .. }), "{error:?}");
        error.to_string()
    };
    for known_hosts_file in [known, root.join("nothing")] {
        let ssh = Ssh {
            known_hosts_file,
            ..reached.ssh.clone()
        };
        let error = asked(ssh).await;
        assert!(error.contains("Host key verification failed"), "{error}");
    }
    let ssh = Ssh {
        identity_file: PathBuf::from(root).join("stranger"),
        ..reached.ssh.clone()
    };
    let error = asked(ssh).await;
    assert!(error.contains("Permission denied"), "{error}");
    let ssh = Ssh {
        port: free_port(),
        ..reached.ssh.clone()
    };
    let error = asked(ssh).await;
    assert!(error.contains("Connection refused"), "{error}");
    assert!(!root.join("state").exists(), "nothing was asked");
}
