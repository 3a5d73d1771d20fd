//! Restart and start of the hardserver.

use std::fs;

use nshield::runner::ProcessIdentity;
use vcm_recovery::ids::{Epoch, ObservationId};
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;
use vcm_remediator::host::journal::line::{self, Sum};
use vcm_remediator::host::journal::record::{Accepted, Entry, Record, SCHEMA};

use crate::estate::{Estate, HOST_TARGET, SOON, STORE, attempt, eventually, lives};

#[test]
fn a_hardserver_that_is_down_is_started_and_not_restarted() {
    let mut estate = Estate::new();
    estate.stop_hardserver();
    let said = estate.run(&attempt(1), "restart", &HOST_TARGET);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    let result = estate.comes_to(&attempt(1), "ended", SOON);
    assert_eq!(estate.changes(), ["init.d-ncipher start"]);
    assert!(
        result["detail"].as_str().unwrap().contains("answers"),
        "{result}"
    );
}

#[test]
fn a_hardserver_that_was_stopped_on_purpose_is_not_started() {
    for (word, locked) in [("inactive", false), ("reloading", false), ("failed", true)] {
        let mut estate = Estate::new();
        estate.stop_hardserver();
        let lock = fs::File::create(estate.path().join("dpkg-lock")).unwrap();
        if locked {
            rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        }
        estate.configure(&format!(
            "stopped_on_purpose: {{unit_state: [/bin/echo, {word}], host_up_min: 0s, \
             package_manager_locks: [{}/dpkg-lock]}}",
            estate.path().display()
        ));
        let said = estate.run(&attempt(1), "restart", &HOST_TARGET);
        assert_eq!(
            said.text("guard"),
            "stopped_on_purpose",
            "{word}: {}",
            said.document
        );
        assert!(estate.changes().is_empty());
    }
}

#[test]
fn a_restart_that_leaves_the_hardserver_down_starts_it_again_three_times_at_most() {
    for (works_at, starts, words) in [(2, 2, "answers"), (9, 3, "a person must look")] {
        let mut estate = Estate::new();
        estate.stop_hardserver();
        fs::remove_file(estate.path().join("down")).unwrap();
        estate.start_hardserver();
        estate.tool(
            "sbin/init.d-ncipher",
            &format!(
                "if [ \"$1\" = restart ]; then touch down; rm sockets/nserver; exit 1; fi\n\
                 echo x >>starts; [ $(wc -l <starts) -ge {works_at} ] && rm down; exit 0"
            ),
        );
        let said = estate.run(&attempt(1), "restart", &[]);
        assert_eq!(said.text("answer"), "accepted", "{}", said.document);
        let result = estate.comes_to(&attempt(1), "ended", SOON);
        assert!(
            result["detail"].as_str().unwrap().contains(words),
            "{result}"
        );
        let changes = estate.changes();
        assert_eq!(changes[0], "init.d-ncipher restart");
        assert_eq!(
            changes[1..],
            vec!["init.d-ncipher start"; starts],
            "{works_at}"
        );
        let at: Vec<u64> = estate.calls().iter().map(|call| call.0).collect();
        assert!(
            at[1..].windows(2).all(|pair| pair[1] - pair[0] >= 300),
            "{at:?}"
        );
    }
}

#[test]
fn a_restart_whose_runner_died_is_finished_by_resume() {
    let mut estate = Estate::new();
    estate.start_hardserver();
    estate.tool(
        "sbin/init.d-ncipher",
        "if [ \"$1\" = restart ]; then touch down; rm sockets/nserver; kill -9 $PPID; exit 1; fi; rm down",
    );
    assert_eq!(
        estate.run(&attempt(1), "restart", &[]).text("answer"),
        "accepted"
    );
    let runner = estate.runner(&attempt(1));
    eventually("the runner is dead", SOON, || !lives(runner));
    let result = estate.comes_to(&attempt(1), "interrupted", SOON);
    assert_eq!(result["section_open"], true);
    let said = estate.run(&attempt(2), "restart", &HOST_TARGET);
    assert!(
        said.text("reason").contains("not finished"),
        "{}",
        said.document
    );
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "accepted");
    estate.comes_to(&attempt(1), "ended", SOON);
    assert_eq!(
        estate.changes(),
        ["init.d-ncipher restart", "init.d-ncipher start"]
    );
}

/// The journal of a restart that a reboot cut between stop and start. Its process has the id and
/// start time of one that lives in this boot.
fn cut_by_a_reboot() -> String {
    let own = i32::try_from(std::process::id()).unwrap();
    let runner = ProcessIdentity::of(own).unwrap();
    let step = Step::RestartHardserver;
    let accepted = Accepted {
        attempt: attempt(1).parse().unwrap(),
        epoch: Epoch(5),
        store: STORE.parse().unwrap(),
        tier: Rung::Restart,
        module: None,
        esn: None,
        observation: ObservationId::from_bits(1),
        fresh: ObservationId::from_bits(2),
        approval: None,
        snapshot: None,
        plan: vec![step],
        runner,
    };
    let records = [
        Record::Accepted(Box::new(accepted)),
        Record::StepStarted { index: 0, step },
        Record::Process(runner),
    ];
    let mut sum = Sum::default();
    let mut journal = Vec::new();
    for (seq, record) in (0..).zip(records) {
        let entry = Entry {
            schema: SCHEMA,
            seq,
            wall_ms: 0,
            boottime_ms: 1,
            boot_id: "another boot".to_owned(),
            record,
        };
        let (line, next) = line::write(&entry, &sum).unwrap();
        journal.extend(line);
        sum = next;
    }
    String::from_utf8(journal).unwrap()
}

#[test]
fn a_restart_that_a_reboot_cut_is_finished_at_boot() {
    for down in [true, false] {
        let mut estate = Estate::new();
        // Pins the store, so that the fence is there.
        let refused = estate.run(&attempt(9), "retry", &["--max-age", "0s"]);
        assert_eq!(refused.text("answer"), "refused");
        if down {
            estate.stop_hardserver();
        }
        fs::write(estate.journal(&attempt(1)), cut_by_a_reboot()).unwrap();
        let result = estate.result(&attempt(1)).document;
        assert_eq!(result["status"], "interrupted", "{result}");
        assert_eq!(result["section_open"], true);
        let said = estate.host(&["resume-open"]);
        assert_eq!(
            said.document["resumed"][0]["answer"], "accepted",
            "{}",
            said.document
        );
        let result = estate.result(&attempt(1)).document;
        assert_eq!(result["status"], "ended", "{result}");
        let expected: &[&str] = if down { &["init.d-ncipher start"] } else { &[] };
        assert_eq!(estate.changes(), expected);
    }
}

/// Else the hardserver would stay down behind a restart that left it so.
#[test]
fn a_restart_whose_additional_start_is_not_permitted_never_begins() {
    for (permitted, answer) in [("", "refused"), ("*' start') exit 0;;", "accepted")] {
        let estate = Estate::new();
        let root = estate.path().display();
        estate.configure(&format!("tools: {{sudo_prefix: [{root}/sudo, -n]}}"));
        let script = format!(
            "case \" $*\" in {permitted} *' -l '*' start') exit 1;; *' -l '*|*' -v') exit 0;; esac\n\
             shift; \"$@\""
        );
        estate.tool("sudo", &script);
        let said = estate.run(&attempt(1), "restart", &[]);
        assert_eq!(said.text("answer"), answer, "{}", said.document);
        if answer == "refused" {
            assert!(
                said.text("reason")
                    .contains("does not permit init.d-ncipher start"),
                "{}",
                said.document
            );
            let changes = estate.changes();
            assert!(changes.iter().all(|call| call.starts_with("sudo")));
        } else {
            estate.comes_to(&attempt(1), "ended", SOON);
        }
    }
}
