//! `host check` and `host print-sudoers`, as people use them.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::estate::{ESN, Estate, SOON, attempt};

fn finding<'a>(document: &'a Value, name: &str) -> &'a Value {
    let findings = document["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"] == name);
    found.unwrap_or_else(|| panic!("no finding {name}: {document:#}"))
}

/// Everything that this machine could hinder is left out: no launcher, no echoes.
fn healthy() -> Estate {
    let estate = Estate::new();
    estate.set("operational");
    estate.tool("bin/stattree", "echo +PerModule:");
    estate
}

fn text(estate: &Estate, words: &[&str]) -> Output {
    estate.start(words).wait_with_output().unwrap()
}

/// What is below the estate, but for what the tools themselves log.
fn files(estate: &Estate) -> Vec<String> {
    let mut files = Vec::new();
    let mut directories = vec![estate.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path.clone());
            }
            files.push(path.display().to_string());
        }
    }
    files.retain(|path| !path.ends_with("/calls"));
    files.sort();
    files
}

#[test]
fn a_host_that_lacks_nothing_is_ok_and_nothing_is_changed() {
    let estate = healthy();
    estate.tool("check-app", "exit 0");
    let root = estate.path().display().to_string();
    estate.configure(&format!("service_check: [{root}/check-app]"));
    let before = files(&estate);
    let said = estate.host(&["check", "--format", "json"]);
    let launcher = finding(&said.document, "launcher")["state"].clone();
    let wrong: Vec<&Value> = said.document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["state"] != "ok" && finding["name"] != "launcher")
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // On a machine with systemd, root is told to use it.
    assert_eq!(said.document["ok"], launcher == "ok");
    assert_eq!(said.code, Some(i32::from(launcher != "ok")));
    for step in ["-m1 -r", "-m1 -M", "-m1 -c"] {
        finding(&said.document, &format!("step nopclearfail {step}"));
    }
    finding(&said.document, "step init.d-ncipher restart");
    finding(&said.document, "step init.d-ncipher start");
    let detail = finding(&said.document, "module 1")["detail"]
        .as_str()
        .unwrap();
    assert!(detail.contains(ESN), "{detail}");
    assert_eq!(files(&estate), before, "it changes nothing");
    let calls = estate.changes();
    assert!(calls.iter().all(|call| call == "check-app"), "{calls:?}");
    let lines = String::from_utf8(text(&estate, &["check"]).stdout).unwrap();
    let count = said.document["findings"].as_array().unwrap().len();
    assert_eq!(lines.lines().count(), count + 1, "{lines}");
    assert!(lines.contains("ok      state_dir: "), "{lines}");
}

#[test]
fn everything_that_is_missing_has_a_line_that_says_what_to_do() {
    let estate = healthy();
    let root = estate.path().display().to_string();
    fs::remove_file(estate.path().join("bin/nopclearfail")).unwrap();
    fs::write(estate.path().join("hold.1"), "audit, jo").unwrap();
    fs::write(estate.path().join("pause"), "").unwrap();
    estate.tool("bin/stattree", "exit 1");
    estate.configure(&format!(
        "service_check: [/bin/false]\n\
         hooks: {{after_clear: [{root}/reload]}}\n\
         stopped_on_purpose: {{host_up_min: 0s}}\n\
         modules:\n\
         - {{number: 1, esn: 2B3C-05E0-D947, reachability: none}}\n\
         - {{number: 2, address: 127.0.0.1, reachability: 'tcp:1'}}"
    ));
    let said = estate.host(&["check", "--format", "json"]);
    assert_eq!(said.code, Some(1));
    assert_eq!(said.document["ok"], false);
    for (name, state, detail) in [
        ("step nopclearfail -m1 -r", "not_ok", "is not a file"),
        ("step init.d-ncipher restart", "ok", "can be started"),
        (&format!("{root}/hold.1"), "not_ok", "audit, jo"),
        (&format!("{root}/pause"), "not_ok", "nothing starts"),
        (&format!("{root}/hold"), "ok", ""),
        ("stattree", "not_ok", "exit status 1"),
        ("enquiry", "not_ok", "module 2 is missing"),
        ("service_check", "not_ok", "exit status 1"),
        ("hooks.after_clear", "not_ok", "is not a file"),
        ("hooks.after_restart", "ok", "none"),
        ("stopped_on_purpose.unit_state", "not_ok", "no unit_state"),
        ("module 1 network", "ok", "signed off"),
        ("module 2 network", "not_ok", "bad"),
        ("module 2", "unknown", "could not be seen"),
    ] {
        let found = finding(&said.document, name);
        assert_eq!(found["state"], state, "{found}");
        assert!(
            found["detail"].as_str().unwrap().contains(detail),
            "{found}"
        );
        assert_eq!(found["to_do"].is_string(), state != "ok", "{found}");
    }
}

#[test]
fn another_esn_and_an_open_section_are_found() {
    let estate = healthy();
    estate.configure("modules: [{number: 1, esn: 2B3C-05E0-D947, reachability: none}]");
    let said = estate.host(&["check", "--format", "json"]);
    let found = finding(&said.document, "module 1");
    assert_eq!(found["state"], "not_ok", "{found}");
    assert!(found["detail"].as_str().unwrap().contains(ESN), "{found}");

    estate.configure("");
    estate.set("failed");
    estate.tool("sbin/init.d-ncipher", "kill -9 $PPID");
    let said = estate.run(&attempt(1), "restart", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    estate.comes_to(&attempt(1), "interrupted", SOON);
    let said = estate.host(&["check", "--format", "json"]);
    let found = finding(&said.document, "attempts");
    assert_eq!(found["state"], "not_ok", "{found}");
    assert!(
        found["to_do"].as_str().unwrap().contains("resume-open"),
        "{found}"
    );
}

#[test]
fn visudo_accepts_the_rules_that_are_printed() {
    let estate = Estate::new();
    estate.configure("tools: {nopclearfail: /opt/nfast/bin/nopclearfail, init_script: /opt/nfast/sbin/init.d-ncipher}");
    let output = text(&estate, &["print-sudoers", "vcm"]);
    let rules = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{rules}");
    assert_eq!(rules.matches("NOPASSWD: /opt/nfast/").count(), 5, "{rules}");
    assert!(
        !rules
            .lines()
            .any(|line| !line.starts_with('#') && line.contains('*')),
        "{rules}"
    );
    crate::sudo::accepted_by_visudo(&rules);
    let refused = text(&estate, &["print-sudoers", "ALL"]);
    assert_eq!(refused.status.code(), Some(2));
}
