//! What is seen, badly seen or not seen at all.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::fleet::{Ownership, Silences};
use vcm_recovery::guard::Guard;
use vcm_recovery::observation::{HardserverLook, NetworkLook, SourceStatus};
use vcm_recovery::policy::{OthersHealthy, Policy};
use vcm_recovery::tier::{Rung, Tier};

use crate::failing;
use crate::lab::{Cure, Lab, TICK, number};

/// C6: load made health checks slow, and what was slow was taken for dead.
#[test]
fn c6_what_is_slow_under_load_is_never_taken_for_dead() {
    for hardserver in [HardserverLook::Up, HardserverLook::Unresponsive] {
        let mut lab = Lab::new(3);
        lab.permit_clear();
        lab.policy.others_healthy = OthersHealthy::Allow;
        lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
        lab.alerts.insert("HardserverDown", (None, Tier::Restart));
        lab.seen.hardserver = hardserver;
        lab.seen.sources.enquiry = SourceStatus::TimedOut;
        lab.seen.complete = false;
        for n in 1..=3 {
            lab.module(n).state = ModuleState::Unknown;
            lab.module(n).load_percent = Some(100);
        }
        lab.run(4 * 3_600);
        assert_eq!(lab.rungs(), [], "{hardserver:?}");
        assert!(!lab.pages().is_empty(), "{hardserver:?}: nobody was told");
    }
}

/// C8: a promotion inside a blip of 43 s cost a day.
#[test]
fn c8_a_blip_shorter_than_the_wait_leads_to_nothing() {
    for seconds in [1, 43, 90, 110] {
        let mut lab = failing();
        for _ in 0..10 {
            lab.module(1).state = ModuleState::Failed;
            lab.run(seconds);
            lab.module(1).state = ModuleState::Operational;
            lab.run(300);
        }
        assert_eq!(lab.rungs(), [], "blips of {seconds} s");
        assert!(lab.count("IncidentOpened") > 0, "blips of {seconds} s");
    }
    let policy = Policy::default();
    let heals_alone = Duration::from_secs(90);
    assert!(policy.retry.not_before > heals_alone);
    for disruptive in [&policy.restart, &policy.clear] {
        assert!(disruptive.not_before > policy.boot_window);
    }
}

/// One of our own inputs, how it is lost, and the highest rung that may still run without it.
type Loss = (&'static str, fn(&mut Lab), Option<Rung>);

const LOSSES: [Loss; 9] = [
    ("the host", |lab| lab.visible = false, None),
    (
        "enquiry",
        |lab| {
            lab.seen.sources.enquiry = SourceStatus::Failed("exit status 1".to_owned());
            lab.seen.hardserver = HardserverLook::Unknown;
            lab.seen.complete = false;
        },
        None,
    ),
    (
        "the end of what enquiry printed",
        |lab| lab.seen.complete = false,
        None,
    ),
    (
        "the permission to ask",
        |lab| {
            lab.seen.sources.enquiry = SourceStatus::PermissionDenied;
            lab.seen.hardserver = HardserverLook::PermissionDenied;
            lab.seen.complete = false;
        },
        None,
    ),
    (
        "the module's section",
        |lab| {
            lab.seen.modules.remove(&number(1));
            lab.seen.complete = false;
        },
        None,
    ),
    (
        "ping",
        |lab| lab.module(1).network = NetworkLook::Unknown("no permission".to_owned()),
        None,
    ),
    (
        "Alertmanager's silences",
        |lab| lab.silences = Silences::Unknown("connection refused".to_owned()),
        None,
    ),
    (
        "our own store",
        |lab| lab.ownership = Ownership::Lost("it was replaced".to_owned()),
        None,
    ),
    (
        "the watchdog",
        |lab| lab.watchdog = false,
        Some(Rung::Retry),
    ),
];

/// C10: all nodes were rebooted because the API server was down.
#[test]
fn c10_loss_of_our_own_inputs_is_no_evidence_against_the_target() {
    for (input, lose, highest) in LOSSES {
        let mut lab = failing();
        lab.alerts.insert("HardserverDown", (None, Tier::Restart));
        lose(&mut lab);
        lab.run(3 * 3_600);
        assert_eq!(lab.rungs().last().copied(), highest, "without {input}");
        assert!(!lab.pages().is_empty(), "without {input} nobody was told");
    }
    let mut lab = failing();
    lab.run(3 * 3_600);
    assert_eq!(
        lab.rungs(),
        Rung::ALL,
        "with all of them the ladder is climbed"
    );
}

/// C11: one peer's "unhealthy" was enough.
#[test]
fn c11_one_look_is_never_enough_for_restart_or_clear() {
    let mut lab = failing();
    lab.run_until("the retry to have failed", |lab| !lab.outcomes().is_empty());
    assert_eq!(lab.rungs(), [Rung::Retry]);
    // From here on no two looks in a row agree that it has failed.
    let failed_last = |lab: &Lab| {
        let last = lab
            .evidence
            .observation()
            .map(|seen| &seen.modules[&number(1)]);
        last.is_some_and(|module| module.state == ModuleState::Failed)
    };
    for _ in 0..4 * 3_600 {
        lab.module(1).state = if failed_last(&lab) {
            ModuleState::Unknown
        } else {
            ModuleState::Failed
        };
        lab.turn();
        lab.now = lab.now.after(TICK);
    }
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert!(lab.recorded(Rung::Restart, Guard::ObservationUnknown, "refuse"));
    assert!(!lab.pages().is_empty(), "nobody was told");
    lab.fail(1, Cure::Nothing);
    lab.run(300);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart], "two agree");
}
