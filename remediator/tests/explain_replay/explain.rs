//! `explain`: every verdict of every rung about an alert and what was observed.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::record::{HOST, PROGRAM, SHIPPED, complaint, configuration, observation, said};

#[test]
fn explain_shows_every_guard_of_every_rung_and_the_plan() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "own.yaml", &[HOST], SHIPPED);
    let alert = directory.path().join("alert.json");
    let labels = serde_json::json!({
        "alertname": "VcmFailed", "host": "tenant-1", "module": "1",
    });
    let fields = serde_json::json!({
        "status": "firing", "labels": labels, "startsAt": "2026-01-01T00:00:00Z",
        "fingerprint": "00000000000000aa",
    });
    fs::write(&alert, fields.to_string()).unwrap();
    let evidence = directory.path().join("seen.json");
    let seen = serde_json::to_string(&observation()).unwrap();
    fs::write(&evidence, format!("{seen}\n{seen}\n")).unwrap();
    let explain = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.arg("explain").arg("--config.file").arg(&config);
        command.arg("--alert").arg(&alert).args(more);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", complaint(&output));
        said(&output)
    };
    let blind = explain(&[]);
    assert!(blind.contains("observation_unknown      there is no observation of the host"));
    let seeing = [
        "--evidence",
        evidence.to_str().unwrap(),
        "--failed-for",
        "3m",
    ];
    let sighted = explain(&seeing);
    assert!(
        sighted.starts_with("as if nothing had been tried, asked, paused or held before")
            && sighted.contains("\ntenant-1/1: retry may start\n"),
        "{sighted}"
    );
    assert!(
        sighted.contains("\nretry: nopclearfail -m1 -r\n"),
        "{sighted}"
    );
    assert!(sighted.contains("the firing alerts permit no more than retry"));
    for guard in vcm_recovery::guard::Guard::ALL {
        let lines = sighted
            .lines()
            .filter(|line| line.contains(&format!(" {guard}")));
        assert!(lines.count() >= 3, "{guard}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&explain(&[&seeing[..], &["--json"]].concat())).unwrap();
    assert_eq!(
        json["targets"][0]["rungs"][0]["verdicts"]
            .as_array()
            .unwrap()
            .len(),
        34
    );
}

#[test]
fn explain_names_a_file_that_is_not_what_it_is_given_for() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "own.yaml", &[HOST], SHIPPED);
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let alert = file(
        "alert.json",
        r#"{"status":"firing","labels":{"alertname":"VcmFailed"}}"#,
    );
    let told = |alert: &Path, evidence: Option<&Path>| {
        let mut command = Command::new(PROGRAM);
        command.arg("explain").arg("--config.file").arg(&config);
        command.arg("--alert").arg(alert);
        if let Some(evidence) = evidence {
            command.arg("--evidence").arg(evidence);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    for (text, complaint) in [
        ("[]", "x.json is no alert: it is no JSON object"),
        (
            r#"{"version":"4","alerts":[]}"#,
            "x.json is no alert: it is a body without alerts",
        ),
        ("{", "x.json is no JSON: EOF"),
    ] {
        let said = told(&file("x.json", text), None);
        assert!(said.contains(complaint), "{said}");
    }
    for (text, complaint) in [
        ("", "seen.json has no observation in it"),
        (
            r#"{"status":"firing"}"#,
            "seen.json is not what host observe prints: ",
        ),
        ("{", "seen.json is no JSON: EOF"),
    ] {
        let said = told(&alert, Some(&file("seen.json", text)));
        assert!(said.contains(complaint), "{said}");
    }
}

#[test]
fn explain_says_why_an_alert_is_not_acted_on() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "own.yaml", &[HOST], SHIPPED);
    let alert = directory.path().join("alert.json");
    let fields = serde_json::json!({
        "status": "firing", "labels": {"alertname": "VcmFailed", "host": "tenant-9", "module": "1"},
        "startsAt": "2026-01-01T00:00:00Z", "fingerprint": "00000000000000aa",
    });
    fs::write(&alert, fields.to_string()).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("explain").arg("--config.file").arg(&config);
    command.arg("--alert").arg(&alert);
    assert_eq!(
        said(&command.output().unwrap()),
        "an alert is not acted on: unknown target: host \"tenant-9\" is not in the inventory\n"
    );
}
