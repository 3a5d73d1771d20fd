//! What is kept of what commands print: little, and nothing that must not be.

use std::fs;

use crate::estate::{Estate, SOON, attempt};

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

/// Far below the 100 MB that were printed, and above all that is kept of one attempt.
const KEPT_MAX: u64 = 4 << 20;

#[test]
fn hashes_and_control_characters_are_not_kept() {
    let estate = Estate::new();
    estate.tool(
        "bin/nopclearfail",
        &format!("cp operational.txt module.txt; printf 'key {HASH}\\033[2J\\n'; echo {HASH} >&2"),
    );
    assert_eq!(
        estate.run(&attempt(1), "retry", &[]).text("answer"),
        "accepted"
    );
    let result = estate.comes_to(&attempt(1), "ended", SOON);
    let output = result["steps"][0]["output"].as_str().unwrap();
    assert_eq!(output, "key <hex>[2J\n<hex>");
    for kept in [
        estate.journal(&attempt(1)),
        estate.journal(&attempt(1)).with_extension("log"),
    ] {
        let text = fs::read_to_string(&kept).unwrap();
        assert!(
            !text.contains(&HASH[..32]) && !text.contains('\x1b'),
            "{text}"
        );
    }
}

#[test]
fn a_hundred_megabytes_are_not_kept_and_cut_no_restart_short() {
    let estate = Estate::new();
    let flood = "head -c 100000000 /dev/zero | tr '\\0' x";
    estate.tool("bin/nopclearfail", &format!("{flood}; echo retried >>done"));
    assert_eq!(
        estate.run(&attempt(1), "retry", &[]).text("answer"),
        "accepted"
    );
    let result = estate.comes_to(&attempt(1), "ended", SOON);
    assert_eq!(result["steps"][0]["exit"], "too_much_output", "{result}");
    estate.tool(
        "sbin/init.d-ncipher",
        &format!("{flood}; echo restarted >>done"),
    );
    let said = estate.run(&attempt(2), "restart", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    let result = estate.comes_to(&attempt(2), "ended", SOON);
    assert_eq!(result["steps"][0]["exit"]["code"], 0, "{result}");
    let done = fs::read_to_string(estate.path().join("done")).unwrap();
    assert_eq!(done, "restarted\n");
    let directory = fs::read_dir(estate.path().join("state/attempts")).unwrap();
    let kept: u64 = directory
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(kept < KEPT_MAX, "{kept}");
}
