//! From a host to a capture, and from a capture to the exposition of that host.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p vcm-exporter --test tools`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nshield::tools::{Deadlines, Installation};
use vcm_exporter::capture::{Capture, take};

use crate::host::{FIXTURES, Host, Printed};

/// The capture of [`failing_host`], as it was written once.
const GOLDEN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/tools/captures/one-of-three-failed.txt"
);

/// A configuration of the hardserver that says where the modules are.
const CONFIG: &[u8] = b"syntax-version=1\r\n\r\n[nethsm_imports]\r\n# Ann's three\r\n\
    local_module=1\r\nremote_ip=10.20.30.11\r\nremote_port=9004\r\nremote_esn=1A2B-05E0-D947\r\n-----\r\n\
    local_module=2\r\nremote_ip=vcm-two.corp.test\r\nremote_esn=2B3C-05E0-D947\r\n\
    keyhash=89abcdef0123456789abcdef0123456789abcdef\r\n";

fn fixture(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(format!("{FIXTURES}/{name}")).unwrap();
    text.replace("192.0.2.", "10.20.30.")
        .replace("1A2B-03E0-D947", "2B3C-05E0-D947")
        .into_bytes()
}

/// Module 1 failed; `enquiry -m0` prints something that is no text and complains.
fn failing_host() -> Host {
    let server =
        b"Server:\n enquiry reply flags  none\n new label            \xff\xfe10.20.30.1 Ann\r\n";
    let enquiry = fixture("enquiry-one-of-three-failed.txt");
    let host = Host::printing(&enquiry, server, &fixture("stattree-one-module.txt"));
    let script = "case \"$1\" in -m0) cat \"${tool%/bin/*}/server.txt\"; \
                  echo \"enquiry: vcm-two.corp.test (10.20.30.12) does not answer\" >&2; exit 3;; \
                  *) cat \"${tool%/bin/*}/enquiry.txt\";; esac";
    host.tool("enquiry", script);
    fs::write(host.path("kmdata/config/config"), CONFIG).unwrap();
    host
}

async fn captured(host: &Host) -> (Printed, Vec<u8>) {
    let file = host.name("capture.txt");
    let printed = host.run(&["capture", "--output", &file]).await;
    let bytes = fs::read(file).unwrap();
    (printed, bytes)
}

/// The capture without what differs from run to run.
fn stable(file: &[u8]) -> Vec<u8> {
    let mut stable = Vec::new();
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let name = [
            "milliseconds: ",
            "unix time: ",
            "revision: ",
            "vcm-exporter: ",
        ]
        .into_iter()
        .find(|name| line.starts_with(name.as_bytes()));
        match name {
            Some(name) => stable.extend(format!("{name}0\n").bytes()),
            None => stable.extend_from_slice(line),
        }
    }
    stable
}

#[tokio::test]
async fn a_failing_host_is_captured_without_its_names() {
    let (printed, file) = captured(&failing_host()).await;
    assert_eq!((printed.status, printed.stdout.as_str()), (0, ""));
    let said: Vec<&str> = printed.stderr.lines().collect();
    assert_eq!(
        said[..4],
        [
            "enquiry: exited 0",
            "enquiry -m0: exited 3",
            "stattree: exited 0",
            "kmdata/config/config: read"
        ]
    );
    assert!(
        said[4].contains("read it before you pass it on"),
        "{said:?}"
    );
    let file = stable(&file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &file).unwrap();
    }
    let text = String::from_utf8_lossy(&file);
    assert!(
        file == fs::read(GOLDEN).unwrap(),
        "{GOLDEN} differs from\n{text}"
    );
    for secret in [
        "10.20.30",
        "1A2B-05E0",
        "2B3C-05E0",
        "3C4D-05E0",
        "89abcdef",
        "vcm-two",
        "corp",
        "Ann",
    ] {
        assert!(!text.contains(secret), "{secret} is left:\n{text}");
    }
    assert!(
        file.windows(2).any(|pair| pair == b"\xff\xfe"),
        "bytes that are no text are kept"
    );
    assert!(text.contains("remote_port=9004\r\n"), "line ends are kept");
}

/// What Prometheus would be told, without what differs from run to run.
async fn exposition(host: &Host) -> Vec<String> {
    let printed = host
        .run(&["--once", "--no-collector.icmp", "--log.level=error"])
        .await;
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    let varying = ["_seconds", "process_", "exporter_build_info"];
    let lines = printed
        .stdout
        .lines()
        .filter(|line| line.starts_with("nshield_"));
    let lines = lines.filter(|line| !varying.iter().any(|part| line.contains(part)));
    lines.map(str::to_owned).collect()
}

/// A host whose tools print what was captured.
fn replayed(capture: &Capture) -> Host {
    let part = |name: &str| capture.part(name).unwrap().stdout.as_slice();
    let host = Host::printing(part("enquiry"), part("enquiry -m0"), part("stattree"));
    fs::write(
        host.path("kmdata/config/config"),
        part("kmdata/config/config"),
    )
    .unwrap();
    host
}

#[tokio::test]
async fn a_capture_gives_the_exposition_of_the_host_by_other_names() {
    let original = exposition(&failing_host()).await;
    let capture = Capture::parse(&fs::read(GOLDEN).unwrap()).unwrap();
    let replayed = exposition(&replayed(&capture)).await;
    let renamed: Vec<String> = original
        .iter()
        .map(|line| {
            [
                ("2B3C-05E0-D947", "C0DE-0000-0001"),
                ("3C4D-05E0-D947", "C0DE-0000-0002"),
                ("1A2B-05E0-D947", "C0DE-0000-0003"),
                ("10.20.30.11", "192.0.2.1"),
                ("10.20.30.12", "192.0.2.2"),
                ("10.20.30.13", "192.0.2.3"),
            ]
            .iter()
            .fold(line.clone(), |line, (from, to)| line.replace(from, to))
        })
        .collect();
    assert_eq!(replayed, renamed);
    let failed = "nshield_module_state{module=\"1\",state=\"failed\"} 1";
    assert!(replayed.iter().any(|line| line == failed), "{replayed:#?}");
    let known = "esn=\"C0DE-0000-0003\"";
    assert!(
        replayed.iter().any(|line| line.contains(known)),
        "{replayed:#?}"
    );
}

#[tokio::test]
async fn the_file_is_private_and_an_existing_one_is_not_touched() {
    let host = failing_host();
    captured(&host).await;
    let file = host.path("capture.txt");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::write(&file, "mine").unwrap();
    let printed = host
        .run(&["capture", "--output", &host.name("capture.txt")])
        .await;
    assert_eq!(printed.status, 1);
    assert!(
        printed
            .stderr
            .contains("DIR/capture.txt exists and is not overwritten"),
        "{}",
        printed.stderr
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    let printed = host
        .run(&["capture", "--output", &host.name("none/capture.txt")])
        .await;
    assert_eq!(printed.status, 1);
    assert!(
        printed
            .stderr
            .contains("cannot create DIR/none/capture.txt"),
        "{}",
        printed.stderr
    );
}

#[tokio::test]
async fn a_dash_is_standard_output() {
    let host = failing_host();
    // Bytes that are no text would stop this test from reading it.
    host.tool("enquiry", "echo Server:");
    let printed = host.run(&["capture", "--output", "-"]).await;
    assert_eq!(printed.status, 0);
    let capture = Capture::parse(printed.stdout.as_bytes()).unwrap();
    assert_eq!(capture.part("enquiry").unwrap().stdout, b"Server:\n");
    assert!(!host.path("-").exists());
}

#[tokio::test]
async fn a_host_without_the_software_gives_a_capture_that_says_so() {
    let (printed, file) = captured(&Host::bare()).await;
    assert_eq!(printed.status, 0);
    let capture = Capture::parse(&file).unwrap();
    let outcomes: Vec<&str> = capture
        .parts
        .iter()
        .map(|part| part.outcome.as_str())
        .collect();
    assert_eq!(
        outcomes,
        [
            "not started: not found",
            "not started: not found",
            "not started: not found",
            "not read: entity not found"
        ]
    );
    let socket = capture
        .about
        .iter()
        .find(|(name, _)| name == "hardserver socket");
    assert_eq!(socket.unwrap().1, "absent");
}

#[tokio::test]
async fn tools_that_hang_or_may_not_run_give_a_capture_that_says_so() {
    let host = Host::printing(b"", b"", b"");
    host.tool("enquiry", "echo Server:; exec sleep 600");
    fs::remove_file(host.path("bin/stattree")).unwrap();
    fs::write(host.path("bin/stattree"), "").unwrap();
    let deadlines = Deadlines {
        enquiry: Duration::from_secs(2),
        enquiry_server: Duration::from_secs(2),
        stattree: Duration::from_secs(2),
    };
    let capture = take(&Installation::at(host.root()).with_deadlines(deadlines)).await;
    let outcome = |name| capture.part(name).unwrap().outcome.as_str();
    assert!(
        outcome("enquiry").starts_with("timed out"),
        "{}",
        outcome("enquiry")
    );
    assert_eq!(capture.part("enquiry").unwrap().stdout, b"Server:\n");
    assert!(capture.part("enquiry").unwrap().took >= Duration::from_secs(2));
    assert!(outcome("enquiry -m0").starts_with("timed out"));
    assert_eq!(outcome("stattree"), "not started: not permitted");
}

/// The tool asks for the end of its own parent, so that there is nothing to wait for.
#[tokio::test]
async fn nothing_is_left_of_a_capture_that_is_interrupted() {
    for signal in ["TERM", "INT"] {
        let host = Host::printing(b"", b"", b"");
        host.tool("enquiry", &format!("kill -{signal} $PPID; exec sleep 600"));
        let file = host.name("capture.txt");
        let printed = host.run(&["capture", "--output", &file]).await;
        let expected = format!("vcm-exporter: interrupted by SIG{signal}: nothing is written\n");
        assert_eq!((printed.status, printed.stderr), (1, expected));
        assert!(!host.path("capture.txt").exists());
    }
}
