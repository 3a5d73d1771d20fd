//! The estates that are checked.

use vcm_recovery::inventory::Inventory;
use vcm_recovery::policy::{Mode, OthersHealthy};
use vcm_recovery::tier::Rung;

use super::Estate;
use super::alerts::{Alert, Delivery};
use super::engine::Mishap;
use super::state::Left;
use super::troubles::{OnTheWay, Steps, Trouble, World};
use crate::Size;
use crate::scene::{self, Hardserver, Module, Ping, View};

/// Everything that may go wrong between the remediator and the steps on the host.
const SHELL: &[Trouble] = &[
    Trouble::Crash,
    Trouble::Stalls,
    Trouble::Turn(Mishap::Unanswered),
    Trouble::Turn(Mishap::LookFails),
    Trouble::Turn(Mishap::DiesAfterAnswers),
    Trouble::Turn(Mishap::DiesAfterDecision),
    Trouble::Order(OnTheWay::Lost),
    Trouble::Order(OnTheWay::Late),
    Trouble::Order(OnTheWay::Twice),
    Trouble::Order(OnTheWay::AnswerLost),
    Trouble::Order(OnTheWay::Refused),
    Trouble::Order(OnTheWay::NeverStarts),
    Trouble::Steps(Steps::CutShort),
    Trouble::Steps(Steps::CutShortBehind),
    Trouble::Steps(Steps::Slow),
    Trouble::Steps(Steps::Endless),
    Trouble::Steps(Steps::RecordLost),
];

/// What may change on the host.
const WORLD: &[Trouble] = &[
    Trouble::World(World::Heals),
    Trouble::World(World::Fails),
    Trouble::World(World::Reboots),
    Trouble::World(World::InService),
    Trouble::World(World::OtherFails),
    Trouble::World(World::OtherHeals),
    Trouble::World(World::Network(Ping::Bad)),
    Trouble::World(World::Network(Ping::Good)),
    Trouble::World(World::Network(Ping::Unknown)),
    Trouble::World(World::Renumbered),
    Trouble::World(World::HoldFile),
];

/// What may happen to its hardserver.
const SERVER: &[Trouble] = &[
    Trouble::World(World::Server(Hardserver::Up)),
    Trouble::World(World::Server(Hardserver::Down)),
    Trouble::World(World::Server(Hardserver::Hangs)),
];

/// What Alertmanager may get wrong.
const ALERTS: &[Trouble] = &[
    Trouble::Silence,
    Trouble::Alert(Alert::Failed, Delivery::Ends),
    Trouble::Alert(Alert::Failed, Delivery::BeginsAgain),
    Trouble::Alert(Alert::Failed, Delivery::FiresLate),
    Trouble::Alert(Alert::Failed, Delivery::EndedLate),
    Trouble::Alert(Alert::FailedLong, Delivery::Ends),
    Trouble::Alert(Alert::FailedLong, Delivery::BeginsAgain),
    Trouble::Alert(Alert::FailedLong, Delivery::FiresLate),
    Trouble::Alert(Alert::FailedLong, Delivery::EndedLate),
];

const CURES: [Option<Rung>; 4] = [
    Some(Rung::Retry),
    Some(Rung::Restart),
    Some(Rung::Clear),
    None,
];

/// The estates of a size, by name.
pub(super) fn of(size: Size) -> Vec<(&'static str, Estate)> {
    // Troubles; troubles of alerts alone; acts beside one trouble.
    let (few, some, acts) = match size {
        Size::Quick => (1, 2, 1),
        Size::Full => (2, 3, 2),
    };
    let cured_by = |mut estate: Estate, cures: &[Option<Rung>]| {
        let all = size == Size::Full;
        estate
            .begin
            .retain(|(_, cure, _)| all || cures.contains(cure));
        estate
    };
    let (retry, clear) = (Some(Rung::Retry), Some(Rung::Clear));
    vec![
        (
            "incident: the ladder, its remediator and host runner failing",
            ladder(few),
        ),
        ("incident: beside a healthy module", beside(few)),
        (
            "incident: approvals",
            cured_by(approvals(1, acts), &[clear, None]),
        ),
        (
            "incident: alerts late, twice and swapped",
            cured_by(alerts(some), &[retry, clear]),
        ),
        (
            "incident: pause, hold and resolution",
            cured_by(stops(1, acts), &[None]),
        ),
        ("incident: observe mode", observing(few)),
        ("incident: the hardserver is down", hardserver(few)),
    ]
}

/// One module that fails, and every rung permitted.
pub(super) fn ladder(troubles: u8) -> Estate {
    Estate {
        // To the end of the ladder, and of the health behind it.
        horizon: 14,
        troubles: [SHELL, &WORLD[..2]].concat(),
        possible: vec![
            "recovered by retry",
            "recovered by restart",
            "recovered by clear",
            "recovered by itself",
            "ended without having been seen failed",
            "exhausted",
            "healthy after it was exhausted",
            "an outcome is unknown",
            "unknown, and then a late report",
            "a clear completed after it was cut short",
            "a reserved rung does not stand when it is decided again",
            "the host refuses what the remediator ordered",
            "the host refuses an attempt that it knows",
            "a tombstone ends an attempt that never arrived",
            "the host refuses an older start of the remediator",
            "an incident opens behind a closed one",
            "a page for what is not known",
            "a page for an open section",
        ],
        ..estate(1, Left { troubles, acts: 0 })
    }
}

/// Another module beside it, which the policy lets a restart disrupt.
pub(super) fn beside(troubles: u8) -> Estate {
    let mut estate = Estate {
        troubles: [WORLD, &[Trouble::Crash]].concat(),
        possible: vec![
            "recovered by restart",
            "made worse",
            "handed over",
            "the host refuses what the remediator ordered",
            "a page for the network",
            "a page for a changed number",
            "a page for what is not known",
        ],
        ..estate(2, Left { troubles, acts: 0 })
    };
    estate.rules.others_healthy = OthersHealthy::Allow;
    let harms = [None, Some(Rung::Restart)];
    let with = |harm| {
        estate
            .begin
            .iter()
            .map(move |(view, cure, _)| (view.clone(), *cure, harm))
    };
    estate.begin = harms.into_iter().flat_map(with).collect();
    estate.decided_by_its_rules()
}

/// Restart and clear each need a person's word.
pub(super) fn approvals(troubles: u8, acts: u8) -> Estate {
    let mut estate = Estate {
        troubles: [
            Trouble::Crash,
            Trouble::Stalls,
            Trouble::Turn(Mishap::LookFails),
            Trouble::World(World::Heals),
            Trouble::World(World::OtherFails),
            Trouble::World(World::Network(Ping::Bad)),
        ]
        .to_vec(),
        possible: vec![
            "an approval is used",
            "a clear that a person approved recovers",
            "an approval is void because something changed",
            "a request expires",
            "a person decides against it",
            "exhausted",
        ],
        ..estate(2, Left { troubles, acts })
    };
    estate.rules.others_healthy = OthersHealthy::Ask;
    estate.rules.clear.approval = true;
    estate
        .begin
        .retain(|(_, cure, _)| *cure != Some(Rung::Retry));
    estate.decided_by_its_rules()
}

/// Alerts that live two ticks, of which one fires at first.
pub(super) fn alerts(troubles: u8) -> Estate {
    let mut estate = Estate {
        troubles: [ALERTS, &[Trouble::Crash, Trouble::World(World::Heals)]].concat(),
        ringing: vec![Alert::Failed],
        possible: vec![
            "recovered by retry",
            "recovered by clear",
            "a page for being stuck",
        ],
        ..estate(1, Left { troubles, acts: 0 })
    };
    estate.rules.alert_ttl = crate::ticks::ticks(2);
    estate
        .begin
        .retain(|(_, cure, _)| *cure != Some(Rung::Restart));
    estate.decided_by_its_rules()
}

/// People stop everything, or say what an attempt came to.
pub(super) fn stops(troubles: u8, acts: u8) -> Estate {
    let estate = Estate {
        troubles: [
            Trouble::Crash,
            Trouble::Steps(Steps::Endless),
            Trouble::Steps(Steps::RecordLost),
            Trouble::Steps(Steps::CutShort),
            Trouble::World(World::Heals),
            Trouble::World(World::InService),
        ]
        .to_vec(),
        possible: vec![
            "a pause or hold stops a rung that was reserved",
            "unknown, and then a person's word",
            "the fleet's share is released",
            "a latched incident begins anew",
            "closed by a person",
            "a page for being stuck",
        ],
        ..estate(1, Left { troubles, acts })
    };
    estate.decided_by_its_rules()
}

/// Nothing is run, and the whole ladder shows.
pub(super) fn observing(troubles: u8) -> Estate {
    let mut estate = Estate {
        troubles: [WORLD, ALERTS, &[Trouble::Crash]].concat(),
        possible: vec![
            "observe mode shows a rung",
            "recovered by itself",
            "a page for being stuck",
        ],
        ..estate(2, Left { troubles, acts: 0 })
    };
    estate.rules.mode = Mode::Observe;
    estate.begin.retain(|(_, cure, _)| cure.is_none());
    estate.decided_by_its_rules()
}

/// The host itself.
pub(super) fn hardserver(troubles: u8) -> Estate {
    let mut estate = Estate {
        troubles: [SHELL, SERVER].concat(),
        ringing: vec![Alert::HardserverDown],
        possible: vec![
            "recovered by restart",
            "exhausted",
            "a page for a hardserver that was stopped on purpose",
            "a page for a hardserver that does not answer",
        ],
        ..estate(1, Left { troubles, acts: 0 })
    };
    estate
        .begin
        .retain(|(_, cure, _)| matches!(cure, Some(Rung::Restart) | None));
    for (view, ..) in &mut estate.begin {
        view.hardserver = Hardserver::Down;
    }
    let (view, cure, harm) = estate.begin[0].clone();
    let on_purpose = View {
        on_purpose: true,
        ..view
    };
    estate.begin.push((on_purpose, cure, harm));
    estate.decided_by_its_rules()
}

/// A host whose module 1 has failed, and whose other modules work.
fn estate(modules: usize, left: Left) -> Estate {
    let hsms = ["hsm-1", "hsm-2", "hsm-3"];
    let entry = scene::host("tenant-1", &hsms[..modules]);
    let mut policy = scene::policy();
    let alerts = Alert::ALL.into_iter();
    policy.alerts = alerts
        .map(|alert| (alert.name().to_owned(), alert.rule()))
        .collect();
    let mut states = vec![Module::Operational; modules];
    states[0] = Module::Failed;
    let view = View {
        modules: states,
        ping: Ping::Good,
        renumbered: false,
        hardserver: Hardserver::Up,
        on_purpose: false,
        hold_file: false,
    };
    Estate {
        inventory: Inventory {
            hosts: [(entry.name.clone(), entry.clone())].into(),
        },
        entry,
        rules: policy.clone(),
        policy,
        begin: CURES.map(|cure| (view.clone(), cure, None)).to_vec(),
        ringing: vec![Alert::Failed, Alert::FailedLong],
        left,
        troubles: Vec::new(),
        horizon: 12,
        possible: Vec::new(),
        broken: None,
    }
}

impl Estate {
    fn decided_by_its_rules(mut self) -> Self {
        self.policy = self.rules.clone();
        self
    }
}
