//! The scenarios of the guard mutation: each ends before anything but its guard could matter.

use std::collections::BTreeSet;
use std::time::Duration;

use nshield::ModuleState;

use super::lab::{self, Cure, Lab, begin_storm, number};
use crate::attempt::Intent;
use crate::control::{Hold, Pause};
use crate::event::{Change, Entry, Event};
use crate::fleet::{Ownership, Silences};
use crate::ids::{AttemptId, Epoch, HostName, IncidentId, ObservationId};
use crate::inventory::{HostEntry, Kind, Target};
use crate::observation::{HardserverLook, NetworkLook, StopSign};
use crate::policy::{AlertRule, Cap, LoadPolicy, Mode, OthersHealthy, Scope, Window};
use crate::state::HostState;
use crate::tier::Rung::{self, Restart, Retry};
use crate::tier::Tier;

/// Module 1 of one has failed for good, its alerts permit every rung, and clears are not asked for.
fn failing() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.permit_clear();
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab
}

/// As above, after a change and until shortly after the retry is due.
fn due(change: impl FnOnce(&mut Lab)) -> Lab {
    let mut lab = failing();
    change(&mut lab);
    lab.run(180);
    lab
}

/// As above, with a change that comes when the failure has been seen for long, and is seen by the time
/// the retry is due.
fn due_after_failure(change: impl FnOnce(&mut Lab)) -> Lab {
    let mut lab = failing();
    lab.run(115);
    change(&mut lab);
    lab.run(30);
    lab
}

/// As above, until shortly after the restart is due.
fn restart_due(change: impl FnOnce(&mut Lab)) -> Lab {
    let mut lab = failing();
    change(&mut lab);
    lab.run(700);
    lab
}

pub(super) fn not_owner() -> Lab {
    due(|lab| lab.ownership = Ownership::Lost("replaced".to_owned()))
}

pub(super) fn decision_stale() -> Lab {
    let mut lab = failing();
    lab.run(60);
    lab.now = lab.now.after(Duration::from_secs(360));
    lab.deliver();
    let decision = lab.decide();
    if let Some(proposal) = decision.proposal {
        lab.start(&proposal);
    }
    lab
}

pub(super) fn observation_unknown() -> Lab {
    due_after_failure(|lab| lab.module(1).state = ModuleState::Unknown)
}

pub(super) fn observation_incomplete() -> Lab {
    due_after_failure(|lab| lab.seen.complete = false)
}

pub(super) fn hardserver_unresponsive() -> Lab {
    let mut lab = Lab::new(1);
    lab.policy.others_healthy = OthersHealthy::Allow;
    lab.seen.hardserver = HardserverLook::Unresponsive;
    lab.seen.complete = false;
    lab.alerts.insert("HardserverDown", (None, Tier::Restart));
    lab.run(400);
    lab
}

pub(super) fn unknown_target() -> Lab {
    due_after_failure(|lab| drop(lab.host.modules.remove(&number(1))))
}

pub(super) fn module_healthy() -> Lab {
    due_after_failure(|lab| lab.module(1).state = ModuleState::Operational)
}

pub(super) fn module_in_service_mode() -> Lab {
    due_after_failure(|lab| lab.module(1).state = ModuleState::Offline)
}

pub(super) fn hardware_fault() -> Lab {
    due_after_failure(|lab| lab.module(1).hardware_ok = Some(false))
}

pub(super) fn esn_mismatch() -> Lab {
    due_after_failure(|lab| lab.module(1).esn = "9999-05E0-D947".parse().ok())
}

pub(super) fn kind() -> Lab {
    let mut lab = failing();
    lab.module(1).kind = Some(Kind::Nethsm);
    lab.run(2_100);
    lab
}

pub(super) fn host_policy() -> Lab {
    restart_due(|lab| lab.seen.max_tier = Tier::Retry)
}

pub(super) fn others_healthy() -> Lab {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run(700);
    lab
}

pub(super) fn network_unknown() -> Lab {
    due(|lab| lab.module(1).network = NetworkLook::Unknown("no permission".to_owned()))
}

pub(super) fn network_bad() -> Lab {
    let none = NetworkLook::Echo {
        sent: 5,
        replies: 0,
    };
    due(|lab| lab.module(1).network = none)
}

pub(super) fn load_high() -> Lab {
    due(|lab| {
        lab.policy.load = Some(LoadPolicy {
            threshold_percent: 90,
            restore_below_percent: 70,
            hold: Duration::from_secs(600),
            max_shed: Duration::from_secs(7_200),
            hook: true,
        });
        let rule = AlertRule {
            tier: Tier::Load,
            scope: Scope::Module,
        };
        lab.policy.alerts.insert("HsmLoadHigh".to_owned(), rule);
        lab.alerts.insert("HsmLoadHigh", (Some(1), Tier::Load));
    })
}

pub(super) fn storm() -> Lab {
    restart_due(begin_storm)
}

pub(super) fn boot_window() -> Lab {
    let mut lab = failing();
    lab.policy.restart.not_before = Duration::from_secs(120);
    lab.policy.retry.verify = Duration::from_secs(30);
    lab.run(290);
    lab
}

pub(super) fn stopped_on_purpose() -> Lab {
    let mut lab = Lab::new(1);
    lab.seen.hardserver = HardserverLook::SuspectedDown;
    lab.seen.stop = StopSign::OnPurpose("the unit was stopped cleanly".to_owned());
    lab.alerts.insert("HardserverDown", (None, Tier::Restart));
    lab.run(180);
    lab
}

pub(super) fn hold() -> Lab {
    due(|lab| {
        let hold = Hold {
            until: None,
            reason: "disk".to_owned(),
            by: "ada".parse().unwrap(),
        };
        let host = lab.target(None);
        lab.record(&host, Change::Held(hold));
    })
}

pub(super) fn paused() -> Lab {
    due(|lab| {
        let pause = Pause {
            until: None,
            reason: "freeze".to_owned(),
            by: "ada".parse().unwrap(),
        };
        lab.store(vec![lab::of_fleet(Change::Paused(pause))]);
    })
}

pub(super) fn silenced() -> Lab {
    due_after_failure(|lab| {
        let alerts = lab.state.facts.keys().copied();
        let by = alerts.map(|alert| (alert, "ada".to_owned())).collect();
        lab.silences = Silences::Known(by);
    })
}

pub(super) fn watchdog_silent() -> Lab {
    restart_due(|lab| lab.watchdog = false)
}

pub(super) fn observe_only() -> Lab {
    due(|lab| lab.policy.mode = Mode::Observe)
}

pub(super) fn above_ceiling() -> Lab {
    restart_due(|lab| {
        lab.alerts.remove("VcmFailedLong");
    })
}

pub(super) fn not_before() -> Lab {
    let mut lab = failing();
    lab.run(60);
    lab
}

pub(super) fn outside_window() -> Lab {
    due(|lab| {
        let (today, _) = lab.now.of_week();
        let days = crate::time::Weekday::ALL.into_iter();
        lab.policy.retry.windows = vec![Window {
            days: days.filter(|day| *day != today).collect(),
            from_minute: 23 * 60,
            length: Duration::from_secs(60),
        }];
    })
}

pub(super) fn flapping() -> Lab {
    let mut lab = Lab::failed(3, 1, Cure::Rung(Retry));
    for _ in 0..2 {
        lab.run(400);
        lab.fail(1, Cure::Rung(Retry));
    }
    lab.run(400);
    lab
}

pub(super) fn cap() -> Lab {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.policy.retry.caps = vec![Cap {
        attempts: 1,
        window: Duration::from_secs(3_600),
    }];
    lab.policy.retry.attempts_per_incident = 2;
    lab.run(1_000);
    lab
}

pub(super) fn spacing() -> Lab {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.run_until("an outcome", |lab| !lab.outcomes().is_empty());
    lab.run(30);
    lab
}

pub(super) fn budget_host() -> Lab {
    let mut lab = Lab::new(3);
    for n in [1, 2] {
        lab.fail(n, Cure::Nothing);
    }
    lab.alerts.insert("VcmFailed", (Some(1), Tier::Retry));
    lab.alerts.insert("VcmFailedLong", (Some(2), Tier::Retry));
    lab.run_until("the first retry", |lab| lab.running.is_some());
    // Nobody hears of it again.
    lab.running = None;
    lab.run(120);
    lab.running = None;
    lab
}

pub(super) fn budget_hsm() -> Lab {
    due(|lab| {
        open_elsewhere(lab, Retry);
        open_elsewhere(lab, Retry);
    })
}

pub(super) fn budget_fleet() -> Lab {
    restart_due(|lab| open_elsewhere(lab, Restart))
}

pub(super) fn approval_required() -> Lab {
    let mut lab = failing();
    lab.policy.clear.approval = true;
    lab.run(2_100);
    lab
}

/// An attempt of this rung is under way on another host, on the HSM of module 1.
fn open_elsewhere(lab: &mut Lab, rung: Rung) {
    let n = lab.others.len() + 2;
    let name: HostName = format!("tenant-{n}").parse().unwrap();
    let entry = HostEntry {
        name: name.clone(),
        ..lab.host.clone()
    };
    let target = Target::module(name.clone(), number(1));
    let hsm = lab.host.modules[&number(1)].hsm.clone();
    let intent = Intent {
        attempt: AttemptId::from_bits(u128::try_from(n).unwrap()),
        incident: IncidentId::new(&target, lab.now),
        target: target.clone(),
        rung,
        epoch: Epoch(1),
        observation: ObservationId::from_bits(0),
        ceiling: rung.tier(),
        esn: None,
        hsms: [hsm].into(),
        steps: Vec::new(),
        healthy_before: BTreeSet::new(),
        approval: None,
        asked: BTreeSet::new(),
    };
    let mut state = HostState::new(name.clone());
    state.apply(&Event {
        seq: 1,
        schema: 1,
        time: lab.now,
        epoch: Epoch(1),
        entry: Entry {
            host: Some(name),
            target: Some(target),
            incident: None,
            change: Change::IntentReserved(intent),
        },
    });
    lab.others.push((entry, state));
}
