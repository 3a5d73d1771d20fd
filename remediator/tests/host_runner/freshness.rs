//! What the host has seen itself grows old while it asks sudo.

use crate::estate::{AFTER_THE_WAIT, Estate, attempt};

/// Three questions, about both commands of a clear and about passwords, take 33 s together.
#[test]
fn a_look_that_grows_old_while_sudo_is_asked_begins_nothing() {
    let estate = Estate::new();
    let root = estate.path().display();
    estate.configure(&format!(
        "tools: {{sudo_prefix: [{root}/sudo, -n]}}\n\
         deadlines: {{enquiry: 5s, probe: 20s, ping: 1s}}"
    ));
    let slow = "case \" $* \" in *' -l '*|*' -v '*) sleep 11; exit;; esac; shift; \"$@\"";
    estate.tool("sudo", slow);
    // Whoever ordered it does not wait that long for an answer.
    estate.run(&attempt(1), "clear", &[]);
    let result = estate.comes_to(&attempt(1), "refused", AFTER_THE_WAIT);
    assert_eq!(result["guard"], "decision_stale", "{result}");
    let changes = estate.changes();
    assert!(
        changes.iter().all(|call| call.starts_with("sudo")),
        "{changes:?}"
    );
}
