//! What is accepted and what is refused, and that a refusal runs nothing.

use std::fs::{self, File};
use std::time::SystemTime;

use crate::estate::{ESN, Estate, HOST_TARGET, SOON, Said, attempt};

#[test]
fn retry_runs_its_one_command_once() {
    let estate = Estate::new();
    let said = estate.run(&attempt(1), "retry", &[]);
    assert_eq!(
        (said.code, said.text("answer")),
        (Some(0), "accepted"),
        "{}",
        said.document
    );
    let result = estate.comes_to(&attempt(1), "ended", SOON);
    assert_eq!(estate.changes(), ["nopclearfail -m1 -r"]);
    assert_eq!(result["steps"][0]["exit"]["code"], 0);
    assert_eq!(
        result["steps"][0]["output"],
        "Module 1, command ClearUnitEx: OK"
    );
    assert_eq!(
        estate.records(&attempt(1)),
        [
            "accepted",
            "step_started",
            "process",
            "step_finished",
            "ended"
        ]
    );
}

#[test]
fn an_attempt_starts_once_and_only_for_the_newest_remediator_of_our_store() {
    let estate = Estate::new();
    let other_store = "01935bd4-0f3a-7c11-8000-000000000009";
    assert_eq!(
        estate.run(&attempt(1), "retry", &[]).text("answer"),
        "accepted"
    );
    estate.comes_to(&attempt(1), "ended", SOON);
    assert_eq!(estate.tombstone(&attempt(2)).text("status"), "tombstoned");
    estate.set("failed");
    let table: [(u8, &[&str], &str); 5] = [
        (1, &[], "known"),
        (2, &[], "known"),
        (3, &["--epoch", "4"], "older"),
        (4, &["--store", other_store], "pinned"),
        (1, &["--epoch", "6"], "known"),
    ];
    for (number, more, reason) in table {
        let said = estate.run(&attempt(number), "retry", more);
        assert_eq!(
            (said.code, said.text("answer")),
            (Some(0), "refused"),
            "{reason}"
        );
        assert!(said.text("reason").contains(reason), "{}", said.document);
        assert!(said.document.get("guard").is_none());
    }
    assert_eq!(estate.changes(), ["nopclearfail -m1 -r"]);
    assert_eq!(estate.status(&attempt(1)), "ended");
    assert_eq!(estate.status(&attempt(2)), "tombstoned");
    assert_eq!(
        estate.status(&attempt(3)),
        "not_found",
        "a fenced order burns no id"
    );
    let late = estate.tombstone(&attempt(9));
    assert_eq!(
        late.code,
        Some(1),
        "epoch 6 was heard of: {}",
        late.document
    );
    assert!(late.text("error").contains("older"));
}

/// Otherwise its epochs, which have nothing to do with ours, would lock our remediator out.
#[test]
fn a_foreign_store_can_neither_rule_out_nor_resume_nor_raise_the_epoch() {
    let estate = Estate::new();
    estate.set("failed");
    assert_eq!(
        estate.run(&attempt(1), "retry", &[]).text("answer"),
        "accepted"
    );
    estate.comes_to(&attempt(1), "ended", SOON);
    let foreign = "01935bd4-0f3a-7c11-8000-0000000000ff";
    let asks = [
        "--attempt",
        &attempt(2),
        "--epoch",
        "99",
        "--store",
        foreign,
    ];
    let decided_on = estate.observe();
    let names_it = ["--observation", &decided_on];
    let tombstone = estate.host(&[&["tombstone"], &asks[..], &names_it].concat());
    assert_eq!(tombstone.code, Some(1));
    assert!(tombstone.text("error").contains("pinned"));
    let resume = estate.host(&[&["resume"], &asks[..]].concat());
    assert!(resume.text("reason").contains("pinned"));
    assert_eq!(estate.status(&attempt(2)), "not_found");
    assert_eq!(estate.tombstone(&attempt(2)).text("status"), "tombstoned");
}

#[test]
fn every_guard_that_the_host_sees_refuses_and_the_refusal_is_kept() {
    let modules = |rest: &str| format!("modules: [{{number: 1, esn: {ESN}, {rest}}}]");
    let closed = modules("address: 127.0.0.1, reachability: 'tcp:1'");
    let unknown = modules("reachability: icmp");
    let card = modules("kind: pcie, address: 127.0.0.1, reachability: 'tcp:1'");
    let tier = "max_tier: network";
    let table: [(&str, &str, &str, &[&str], &str); 13] = [
        ("", "hold", "retry", &[], "hold"),
        (tier, "", "retry", &[], "host_policy"),
        ("max_tier: retry", "", "clear", &[], "host_policy"),
        (&closed, "", "retry", &[], "network_bad"),
        (&unknown, "", "retry", &[], "network_unknown"),
        (&card, "", "clear", &[], "kind"),
        ("", "operational", "retry", &[], "module_healthy"),
        ("", "maintenance", "retry", &[], "module_in_service_mode"),
        ("", "", "retry", &["--esn", "unconfirmed"], "esn_mismatch"),
        (
            "",
            "",
            "retry",
            &["--esn", "9999-05E0-D947"],
            "esn_mismatch",
        ),
        ("", "", "retry", &["--module", "2"], "kind"),
        ("", "", "restart", &HOST_TARGET, "module_healthy"),
        ("", "", "retry", &["--max-age", "0s"], "decision_stale"),
    ];
    for (config, state, tier, more, guard) in table {
        let estate = Estate::new();
        estate.configure(config);
        match state {
            "" => {}
            "hold" => fs::write(estate.path().join("hold"), "upgrade").unwrap(),
            state => estate.set(state),
        }
        let said = estate.run(&attempt(1), tier, more);
        assert_eq!(
            (said.code, said.text("answer")),
            (Some(0), "refused"),
            "{guard}"
        );
        assert_eq!(said.text("guard"), guard, "{}", said.document);
        assert!(!said.text("reason").is_empty());
        let kept = estate.result(&attempt(1));
        assert_eq!(
            (kept.text("status"), kept.text("guard")),
            ("refused", guard)
        );
        assert!(
            estate.changes().is_empty(),
            "{guard}: {:?}",
            estate.changes()
        );
    }
}

#[test]
fn what_is_not_the_host_that_was_decided_on_is_refused() {
    let estate = Estate::new();
    let nowhere = "01935bd4-0f3a-7c11-8000-0000000000ff";
    let said = estate.run_on(nowhere, &attempt(1), "retry", &[]);
    assert_eq!(said.text("guard"), "decision_stale", "{}", said.document);
    estate.set("operational");
    let healthy = estate.observe();
    estate.set("failed");
    let said = estate.run_on(&healthy, &attempt(2), "retry", &[]);
    assert_eq!(said.text("guard"), "decision_stale", "{}", said.document);
    let failed = estate.observe();
    estate.tool(
        "bin/enquiry",
        "head -c 200 server.txt; head -c 60 module.txt",
    );
    let said = estate.run_on(&failed, &attempt(3), "retry", &[]);
    assert_eq!(said.text("answer"), "refused", "{}", said.document);
    assert!(estate.changes().is_empty());
}

#[test]
fn a_command_that_could_not_be_run_later_is_found_before_the_first_one_runs() {
    let estate = Estate::new();
    let sudo = estate.path().join("bin/sudo");
    // A sudo that permits everything but -c.
    estate.tool(
        "bin/sudo",
        "case \"$*\" in *-c) exit 1;; esac\ncase \"$2\" in -l|-v) exit 0;; esac\nshift; exec \"$@\"",
    );
    let tools = format!("tools: {{sudo_prefix: [{}, -n]}}", sudo.display());
    estate.configure(&tools);
    let said = estate.run(&attempt(1), "clear", &[]);
    assert_eq!(said.text("answer"), "refused");
    assert!(
        said.text("reason").contains("does not permit"),
        "{}",
        said.document
    );
    assert!(
        estate
            .changes()
            .iter()
            .all(|call| call.contains("-l") || call.contains("-v")),
        "{:?}",
        estate.changes()
    );
    let said = estate.run(&attempt(2), "retry", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    estate.comes_to(&attempt(2), "ended", SOON);
    assert_eq!(estate.changes().last().unwrap(), "nopclearfail -m1 -r");
}

#[test]
fn a_first_command_that_never_ran_is_a_refusal_and_nothing_follows() {
    let estate = Estate::new();
    let tool = estate.path().join("bin/broken");
    fs::write(&tool, "#!/nonexistent/interpreter\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&tool, executable).unwrap();
    estate.configure(&format!("tools: {{nopclearfail: {}}}", tool.display()));
    let said = estate.run(&attempt(1), "clear", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    let result = estate.comes_to(&attempt(1), "refused", SOON);
    assert!(
        result["reason"].as_str().unwrap().contains("not found"),
        "{result}"
    );
    assert_eq!(
        estate.records(&attempt(1)),
        ["accepted", "step_started", "step_finished", "refused"]
    );
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "refused");
}

#[test]
fn a_broken_journal_is_an_error_and_keeps_everything_else_from_starting() {
    let estate = Estate::new();
    assert_eq!(
        estate.run(&attempt(1), "retry", &[]).text("answer"),
        "accepted"
    );
    estate.comes_to(&attempt(1), "ended", SOON);
    let mut bytes = fs::read(estate.journal(&attempt(1))).unwrap();
    bytes[100] ^= 1;
    fs::write(estate.journal(&attempt(1)), bytes).unwrap();
    let said = estate.result(&attempt(1));
    assert_eq!(said.code, Some(1));
    assert!(said.text("error").contains("broken"), "{}", said.document);
    estate.set("failed");
    let said = estate.run(&attempt(2), "retry", &[]);
    assert!(said.text("reason").contains("broken"), "{}", said.document);
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "refused");
    assert_eq!(estate.tombstone(&attempt(1)).code, Some(1));
    assert_eq!(estate.changes().len(), 1);
}

/// The disk was replaced, or somebody cleaned up: that there is no journal says nothing.
#[test]
fn a_host_that_has_lost_its_record_rules_nothing_out_and_takes_no_order_of_before() {
    let estate = Estate::new();
    let decided_on = estate.observe();
    let said = estate.run_on(&decided_on, &attempt(1), "retry", &[]);
    assert_eq!(said.text("answer"), "accepted");
    estate.comes_to(&attempt(1), "ended", SOON);
    fs::remove_dir_all(estate.path().join("state")).unwrap();
    let said = estate.tombstone_decided_on(&attempt(1), &decided_on);
    assert_eq!(said.text("status"), "not_found", "{}", said.document);
    assert!(!estate.journal(&attempt(1)).exists());
    estate.set("failed");
    let late = estate.run_on(&decided_on, &attempt(1), "retry", &[]);
    assert_eq!(late.text("answer"), "refused", "{}", late.document);
    assert_eq!(estate.changes(), ["nopclearfail -m1 -r"]);
    // With what was decided since it is as ever.
    let decided_on = estate.observe();
    let said = estate.tombstone_decided_on(&attempt(2), &decided_on);
    assert_eq!(said.text("status"), "tombstoned", "{}", said.document);
}

#[test]
fn a_bad_configuration_is_told_in_full_and_exits_78() {
    let estate = Estate::new();
    estate.configure("clear_wait: 1s\nplatform: plan9");
    for words in [&["observe"][..], &["result", "--attempt", &attempt(1)]] {
        let said = estate.host(words);
        assert_eq!(said.code, Some(78));
        assert!(
            said.text("error").contains("clear_wait"),
            "{}",
            said.document
        );
        assert!(said.text("error").contains("platform"), "{}", said.document);
    }
}

/// Its id is all that is left of an old attempt, and enough.
#[test]
fn the_journal_of_an_old_attempt_goes_with_the_next_order_and_it_starts_no_second_time() {
    let estate = Estate::new();
    estate.run(&attempt(1), "retry", &[]);
    estate.comes_to(&attempt(1), "ended", SOON);
    let detail = estate.result(&attempt(1)).text("detail").to_owned();
    let journal = File::options()
        .write(true)
        .open(estate.journal(&attempt(1)))
        .unwrap();
    journal.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    estate.set("failed");
    estate.run(&attempt(2), "retry", &[]);
    estate.comes_to(&attempt(2), "ended", SOON);
    assert!(!estate.journal(&attempt(1)).exists());
    assert!(estate.journal(&attempt(2)).exists());
    let told = estate.result(&attempt(1));
    assert_eq!(told.text("status"), "ended");
    assert_eq!(told.text("detail"), detail);
    assert_eq!(estate.tombstone(&attempt(1)).text("status"), "ended");
    estate.set("failed");
    let again = estate.run(&attempt(1), "retry", &[]);
    let reason = again.text("reason");
    assert!(reason.contains("starts no second time"), "{reason}");
    assert_eq!(estate.changes(), ["nopclearfail -m1 -r"; 2]);
}

#[test]
fn an_order_that_does_not_name_the_newest_attempt_is_refused_and_the_store_called_a_copy() {
    let estate = Estate::new();
    let answer = |number, more: &[&str]| {
        estate.set("failed");
        let said = estate.run(&attempt(number), "retry", more);
        if said.text("answer") == "accepted" {
            estate.comes_to(&attempt(number), "ended", SOON);
        }
        said
    };
    let refused = |said: &Said| {
        assert_eq!(said.text("answer"), "refused", "{}", said.document);
        assert_eq!(said.text("guard"), "not_owner", "{}", said.document);
        let reason = said.text("reason");
        assert!(reason.contains("store bump-epoch"), "{reason}");
    };
    // Nothing was ever accepted here: whoever goes by an attempt means another host.
    refused(&answer(1, &["--newest", &attempt(9)]));
    assert_eq!(estate.newest(), "none");
    assert_eq!(answer(1, &[]).text("answer"), "accepted");
    assert_eq!(estate.newest(), attempt(1));
    assert_eq!(answer(2, &[]).text("answer"), "accepted");
    // A copy of before the second one, and of before the first one; with the same start, and with
    // later ones.
    for epoch in ["5", "6", "7"] {
        for newest in [&attempt(1), "none"] {
            refused(&answer(3, &["--newest", newest, "--epoch", epoch]));
        }
    }
    // Refusals and tombstones are no newest attempts.
    assert_eq!(
        estate.tombstone(&attempt(4)).code,
        Some(1),
        "epoch 5 is old"
    );
    let seven = ["--epoch", "7"];
    assert_eq!(
        answer(5, &[&seven[..], &["--max-age", "0s"]].concat()).text("answer"),
        "refused"
    );
    assert_eq!(estate.newest(), attempt(2));
    assert_eq!(answer(6, &seven).text("answer"), "accepted");
    let newest = &estate.host(&["newest"]).document["newest"];
    assert_eq!(newest["attempt"], attempt(6));
    assert_eq!(newest["epoch"], 7);
}
