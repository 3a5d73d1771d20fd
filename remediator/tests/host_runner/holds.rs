//! Pause and hold: files that keep everything from starting, with the host runner alone.

use std::fs;

use crate::estate::{Estate, HOST_TARGET, SOON, attempt};

#[test]
fn pause_and_hold_keep_everything_from_starting_and_a_module_is_held_by_its_own_file() {
    let estate = Estate::new();
    estate.with_second_module();
    // file, guard, whether it keeps from: retry of module 1, restart of the host
    for (index, (file, guard, retry, restart)) in [
        ("pause", "paused", true, true),
        ("hold", "hold", true, true),
        ("hold.1", "hold", true, true),
        ("hold.2", "hold", false, true),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u8::try_from(index).unwrap() * 2;
        fs::write(estate.path().join(file), "audit, jo").unwrap();
        let before = estate.changes();
        let said = estate.run(&attempt(number), "retry", &[]);
        if retry {
            assert_eq!(said.text("guard"), guard, "{file}: {}", said.document);
            assert!(
                said.text("reason").contains("audit, jo"),
                "{}",
                said.document
            );
            assert_eq!(estate.status(&attempt(number)), "refused");
        } else {
            assert_eq!(said.text("answer"), "accepted", "{file}: {}", said.document);
            estate.comes_to(&attempt(number), "ended", SOON);
            estate.set("failed");
        }
        let said = estate.run(&attempt(number + 1), "restart", &HOST_TARGET);
        assert_eq!(
            said.text("answer"),
            if restart { "refused" } else { "accepted" }
        );
        assert_eq!(said.text("guard"), guard, "{file}: {}", said.document);
        fs::remove_file(estate.path().join(file)).unwrap();
        assert_eq!(estate.changes().len(), before.len() + usize::from(!retry));
    }
}

#[test]
fn a_file_that_is_put_in_place_during_the_last_look_still_holds() {
    let estate = Estate::new();
    let observation = estate.observe();
    estate.tool("bin/enquiry", "echo now >pause; cat server.txt module.txt");
    let said = estate.run_on(&observation, &attempt(1), "retry", &[]);
    assert_eq!(said.text("guard"), "paused", "{}", said.document);
    assert_eq!(estate.status(&attempt(1)), "refused");
    assert!(estate.changes().is_empty());
}
