//! An order that a person has approved: what only a person may decide passes, and nothing else.

use serde_json::Value;

use crate::estate::{Estate, HOST_TARGET, SOON, attempt};

/// A request that asked about everything that is asked here.
const REQUEST: [&str; 4] = [
    "--approval",
    "tenant-1#3",
    "--asked",
    "stopped_on_purpose,hardserver_unresponsive",
];

fn restart(estate: &Estate, number: u8, approved: bool) -> crate::estate::Said {
    let mut more = HOST_TARGET.to_vec();
    if approved {
        more.extend(REQUEST);
    }
    estate.run(&attempt(number), "restart", &more)
}

#[test]
fn what_a_guard_asks_passes_with_an_approval_which_is_written_down() {
    let mut estate = Estate::new();
    estate.stop_hardserver();
    estate.configure(
        "stopped_on_purpose: {unit_state: [/bin/echo, inactive], host_up_min: 0s, \
         package_manager_locks: []}",
    );
    let said = restart(&estate, 1, false);
    assert_eq!(said.text("guard"), "stopped_on_purpose");
    assert!(estate.changes().is_empty());
    let said = restart(&estate, 2, true);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    estate.comes_to(&attempt(2), "ended", SOON);
    assert_eq!(estate.changes(), ["init.d-ncipher start"]);
    assert_eq!(estate.accepted(&attempt(2))["approval"], "tenant-1#3");
}

#[test]
fn what_a_guard_refuses_or_leaves_out_never_passes() {
    let estate = Estate::new();
    estate.configure("max_tier: retry");
    let said = estate.run(&attempt(1), "restart", &REQUEST);
    assert_eq!(said.text("guard"), "host_policy", "{}", said.document);
    estate.configure("");
    std::fs::write(estate.path().join("hold"), "").unwrap();
    let said = estate.run(&attempt(2), "restart", &REQUEST);
    assert_eq!(said.text("guard"), "hold", "{}", said.document);
    std::fs::remove_file(estate.path().join("hold")).unwrap();
    let said = estate.run(
        &attempt(3),
        "retry",
        &[&["--max-age", "0s"], &REQUEST[..]].concat(),
    );
    assert_eq!(said.text("guard"), "decision_stale", "{}", said.document);
    assert!(estate.changes().is_empty());
}

#[test]
fn a_hardserver_that_does_not_answer_is_restarted_by_approval_only() {
    let estate = Estate::new();
    estate.configure("deadlines: {enquiry: 1s, enquiry_server: 1s, step: 20s, ping: 1s}");
    estate.tool(
        "bin/enquiry",
        "[ -e answers ] || exec sleep 60; cat server.txt module.txt",
    );
    estate.tool("sbin/init.d-ncipher", "touch answers");
    let said = restart(&estate, 1, false);
    assert_eq!(
        said.text("guard"),
        "hardserver_unresponsive",
        "{}",
        said.document
    );
    let retry = estate.run(&attempt(2), "retry", &REQUEST);
    assert_eq!(retry.text("answer"), "refused", "{}", retry.document);
    assert!(estate.changes().is_empty());
    let said = restart(&estate, 3, true);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    let result = estate.comes_to(&attempt(3), "ended", SOON);
    assert_eq!(estate.changes(), ["init.d-ncipher restart"]);
    let detail = result["detail"].as_str().unwrap();
    assert!(detail.contains("answers"), "{detail}");
    let healthy = &result["snapshot"]["healthy"];
    assert_eq!(
        healthy,
        &Value::Object(serde_json::Map::new()),
        "nobody could see any"
    );
}

/// Whoever approved the start was shown that the hardserver is down and that no module works, and not
/// that somebody has stopped it: that sign is there in the host's own last look only.
#[test]
fn a_sign_that_only_the_last_look_shows_is_nothing_that_a_person_has_answered() {
    let mut estate = Estate::new();
    estate.stop_hardserver();
    let observation = estate.observe();
    estate.configure(
        "stopped_on_purpose: {unit_state: [/bin/echo, inactive], host_up_min: 0s, \
         package_manager_locks: []}",
    );
    let order = |number, asked: &str| {
        let more = ["--approval", "tenant-1#3", "--asked", asked];
        let more = [&HOST_TARGET[..], &more].concat();
        estate.run_on(&observation, &attempt(number), "restart", &more)
    };
    let said = order(1, "others_healthy,hardserver_unresponsive");
    assert_eq!(
        said.text("guard"),
        "stopped_on_purpose",
        "{}",
        said.document
    );
    assert!(estate.changes().is_empty());
    let said = order(2, "stopped_on_purpose");
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    estate.comes_to(&attempt(2), "ended", SOON);
}
