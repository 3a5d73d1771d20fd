//! Module numbers can change whenever the hardserver starts; the ESN does not.

use crate::estate::{ESN, Estate, OTHER_ESN, SOON, attempt};

fn swap(estate: &Estate) {
    estate.set_section("module.txt", 1, OTHER_ESN, "none");
    estate.set_section("second.txt", 2, ESN, "Failed");
}

#[test]
fn after_a_restart_that_changed_the_numbers_nothing_is_run_under_the_old_ones() {
    let estate = Estate::new();
    estate.with_second_module();
    let root = estate.path().display().to_string();
    // What the hardserver shows after the restart, written by the restart itself.
    swap(&estate);
    for file in ["module.txt", "second.txt"] {
        let after = format!("{root}/{file}");
        std::fs::rename(&after, format!("{after}.after")).unwrap();
    }
    estate.set_section("module.txt", 1, ESN, "Failed");
    estate.set_section("second.txt", 2, OTHER_ESN, "none");
    estate.tool(
        "sbin/init.d-ncipher",
        "mv module.txt.after module.txt; mv second.txt.after second.txt",
    );
    let said = estate.run(&attempt(1), "restart", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    let snapshot = &estate.accepted(&attempt(1))["snapshot"]["healthy"];
    assert_eq!(snapshot["2"]["esn"], OTHER_ESN, "{snapshot}");
    assert!(snapshot.get("1").is_none(), "{snapshot}");
    estate.comes_to(&attempt(1), "ended", SOON);
    for (number, tier) in [(2, "retry"), (3, "clear")] {
        let said = estate.run(&attempt(number), tier, &[]);
        assert_eq!(said.text("answer"), "refused", "{tier}: {}", said.document);
        let other = estate.run(&attempt(number + 2), tier, &["--module", "2"]);
        assert_eq!(
            other.text("guard"),
            "esn_mismatch",
            "{tier}: {}",
            other.document
        );
    }
    assert_eq!(estate.changes(), ["init.d-ncipher restart"]);
}

/// The wait of a clear is the real one.
#[test]
fn a_clear_whose_module_got_another_number_meanwhile_is_not_finished_on_a_stranger() {
    let estate = Estate::new();
    estate.with_second_module();
    let said = estate.run(&attempt(1), "clear", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    crate::estate::eventually("-M is over", SOON, || {
        estate
            .records(&attempt(1))
            .contains(&"step_finished".to_owned())
    });
    swap(&estate);
    let result = estate.comes_to(&attempt(1), "ended", crate::estate::AFTER_THE_WAIT);
    let detail = result["detail"].as_str().unwrap();
    assert!(detail.contains("belongs to another module"), "{detail}");
    assert_eq!(estate.changes(), ["nopclearfail -m1 -M"]);
}

/// The module of the clear is gone from the output, and the one behind it has its number: the look is
/// incomplete, and it shows all the same whose number it is.
#[test]
fn a_clear_whose_module_is_gone_is_not_finished_on_the_one_that_has_its_number_now() {
    let estate = Estate::new();
    estate.with_second_module();
    let said = estate.run(&attempt(1), "clear", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    crate::estate::eventually("-M is over", SOON, || {
        estate
            .records(&attempt(1))
            .contains(&"step_finished".to_owned())
    });
    estate.set_section("module.txt", 1, OTHER_ESN, "none");
    std::fs::write(estate.path().join("second.txt"), "").unwrap();
    let result = estate.comes_to(&attempt(1), "ended", crate::estate::AFTER_THE_WAIT);
    let detail = result["detail"].as_str().unwrap();
    assert!(detail.contains("belongs to another module"), "{detail}");
    assert_eq!(estate.changes(), ["nopclearfail -m1 -M"]);
}
