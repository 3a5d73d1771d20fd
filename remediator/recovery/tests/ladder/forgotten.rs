//! Alerts that are forgotten when nothing depends on them any more: two memories of one host, of which
//! one never forgets, decide the same.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use vcm_recovery::alert::{FACT_MEMORY, Fact, FactRecord, OLD_FACTS_MAX};
use vcm_recovery::decide::Decision;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::fleet::Silences;
use vcm_recovery::ids::Fingerprint;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;

use crate::lab::{Cure, Lab};

/// The alerts: two about each of two modules, one that permits nothing, and one about the host.
const ALERTS: [(&str, Option<u16>); 6] = [
    ("VcmFailed", Some(1)),
    ("VcmFailedLong", Some(1)),
    ("VcmFailed", Some(2)),
    ("VcmFailedLong", Some(2)),
    ("Unlisted", Some(1)),
    ("HardserverDown", None),
];

fn fingerprint(alert: usize) -> Fingerprint {
    format!("{:016x}", alert + 1).parse().unwrap()
}

/// What happens before some time passes.
#[derive(Clone, Debug)]
enum Act {
    /// An alert is delivered, and tells of what was so long ago.
    Fires {
        alert: usize,
        anew: bool,
        late: u64,
    },
    Ends {
        alert: usize,
        late: u64,
    },
    /// Somebody silences it: it is delivered until then if it fires, and not from then on.
    Silence(usize),
    Speak(usize),
    /// Whether Alertmanager says what is silenced.
    Hear(bool),
    Fails(u16),
    Heals(u16),
    /// Whether the host can be looked at.
    Look(bool),
    /// The remediator ends and starts again.
    Restart,
}

/// Up to two days late, which is longer than anything is remembered.
fn late() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0_u64..600, 1 => 0_u64..48 * 3_600]
}

fn any_act() -> impl Strategy<Value = Act> {
    let alert = || 0..ALERTS.len();
    prop_oneof![
        6 => (alert(), any::<bool>(), late()).prop_map(|(alert, anew, late)| Act::Fires { alert, anew, late }),
        3 => (alert(), late()).prop_map(|(alert, late)| Act::Ends { alert, late }),
        2 => alert().prop_map(Act::Silence),
        1 => alert().prop_map(Act::Speak),
        1 => any::<bool>().prop_map(Act::Hear),
        2 => (1_u16..3).prop_map(Act::Fails),
        2 => (1_u16..3).prop_map(Act::Heals),
        1 => any::<bool>().prop_map(Act::Look),
        1 => Just(Act::Restart),
    ]
}

/// Seconds at work, then hours in which nothing is delivered.
fn any_step() -> impl Strategy<Value = (Act, u64, u64)> {
    let hours = prop_oneof![4 => Just(0_u64), 1 => 1_u64..60];
    (any_act(), 1_u64..200, hours)
}

/// A host in two memories.
struct Both {
    remembers: Lab,
    forgets: Lab,
    /// What the store keeps.
    rows: BTreeMap<Fingerprint, FactRecord>,
    silenced: BTreeMap<Fingerprint, String>,
    heard: bool,
    forgotten: usize,
}

impl Both {
    fn new() -> Self {
        Self {
            remembers: Lab::new(2),
            forgets: Lab::new(2),
            rows: BTreeMap::new(),
            silenced: BTreeMap::new(),
            heard: true,
            forgotten: 0,
        }
    }

    fn each(&mut self, act: impl Fn(&mut Lab)) {
        act(&mut self.remembers);
        act(&mut self.forgets);
    }

    fn deliver(&mut self, alert: usize, starts_at: Time, ends_at: Option<Time>) {
        let (name, module) = ALERTS[alert];
        let lab = &self.remembers;
        let fact = Fact {
            fingerprint: fingerprint(alert),
            name: name.to_owned(),
            target: lab.target(module),
            tier: None,
            lowered: None,
            firing: ends_at.is_none(),
            starts_at,
            ends_at,
            delivered_at: lab.now,
        };
        let row = self
            .rows
            .entry(fact.fingerprint)
            .or_insert_with(|| FactRecord::new(&fact));
        row.join(&fact);
        self.remembers.state.deliver(&fact);
        self.forgets.state.learn(fact.fingerprint, row);
    }

    fn ago(&self, seconds: u64) -> Time {
        self.remembers.now.before(Duration::from_secs(seconds))
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Fires { alert, anew, late } => {
                let known = self
                    .rows
                    .get(&fingerprint(alert))
                    .and_then(|row| row.newest_start);
                let starts_at = known.filter(|_| !anew).unwrap_or_else(|| self.ago(late));
                self.deliver(alert, starts_at, None);
            }
            Act::Ends { alert, late } => {
                let at = self.ago(late);
                self.deliver(alert, at, Some(at));
            }
            Act::Silence(alert) => {
                let row = self
                    .rows
                    .get(&fingerprint(alert))
                    .filter(|row| row.firing());
                if let Some(start) = row.and_then(|row| row.newest_start) {
                    self.deliver(alert, start, None);
                    self.silenced.insert(fingerprint(alert), "ada".to_owned());
                }
            }
            Act::Speak(alert) => drop(self.silenced.remove(&fingerprint(alert))),
            Act::Hear(heard) => self.heard = heard,
            Act::Fails(n) => self.each(|lab| lab.fail(n, Cure::Rung(Rung::Retry))),
            Act::Heals(n) => self.each(|lab| {
                lab.cures.remove(&n);
                lab.module(n).state = nshield::ModuleState::Operational;
            }),
            Act::Look(visible) => self.each(|lab| lab.visible = visible),
            Act::Restart => self.each(Lab::restart_remediator),
        }
        let silences = match self.heard {
            true => Silences::Known(self.silenced.clone()),
            false => Silences::Unknown("connection refused".to_owned()),
        };
        self.each(|lab| lab.silences = silences.clone());
    }

    /// A turn of both, of which one forgets what it can.
    fn turn(&mut self) {
        let lab = &mut self.forgets;
        let silences = || lab.silences.clone();
        let outlived = lab.state.outlived_facts(&lab.policy, silences, lab.now);
        self.forgotten += outlived.len();
        lab.state.forget_facts(&outlived);
        let (kept, forgot) = (self.remembers.turn(), self.forgets.turn());
        assert_eq!(comparable(kept), comparable(forgot));
        self.each(|lab| lab.now = lab.now.after(crate::lab::TICK));
    }
}

/// All of it but which alerts a closing incident used up: those that have ended need not be told of.
fn comparable(mut decision: Decision) -> Decision {
    for Entry { change, .. } in &mut decision.changes {
        if let Change::IncidentClosed(closing) = change {
            closing.spent.clear();
        }
    }
    decision
}

fn decided(steps: &[(Act, u64, u64)]) -> Both {
    let mut both = Both::new();
    for (act, seconds, hours) in steps {
        both.act(act);
        (0..*seconds).for_each(|_| both.turn());
        let quiet = Duration::from_secs(hours * 3_600);
        both.each(|lab| lab.now = lab.now.after(quiet));
        both.turn();
    }
    both
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However late alerts come, as long as the store keeps them.
    #[test]
    fn who_forgets_decides_as_who_never_does(
        steps in proptest::collection::vec(any_step(), 1..25),
    ) {
        decided(&steps);
    }
}

/// That the property above is about something: an alert that fires, one that ends and one that is
/// silenced, days apart, with incidents of them.
#[test]
fn a_long_story_is_mostly_forgotten_and_decided_the_same() {
    let fires = |alert| {
        (
            Act::Fires {
                alert,
                anew: true,
                late: 0,
            },
            150,
            0,
        )
    };
    let again = |alert| {
        (
            Act::Fires {
                alert,
                anew: false,
                late: 0,
            },
            150,
            30,
        )
    };
    let ends = |alert| (Act::Ends { alert, late: 0 }, 150, 30);
    let mut story = Vec::new();
    for _ in 0..3 {
        story.extend([(Act::Fails(1), 5, 0), fires(0), again(0), ends(0)]);
        story.extend([fires(4), fires(2), (Act::Silence(2), 100, 40)]);
        story.extend([
            (Act::Fails(2), 5, 0),
            fires(3),
            again(2),
            (Act::Speak(2), 5, 0),
            again(2),
        ]);
    }
    let both = decided(&story);
    assert!(both.forgotten >= 6, "{} were forgotten", both.forgotten);
    assert!(both.forgets.log.len() >= 2, "{:?}", both.forgets.log);
}

/// A host that was told once, long ago, of an alert that fires and of one that has ended.
fn long_ago() -> Both {
    let mut both = Both::new();
    let now = both.remembers.now;
    both.deliver(0, now, None);
    both.deliver(1, now, None);
    both.deliver(1, now, Some(now.after(Duration::from_millis(1))));
    both.each(|lab| lab.now = lab.now.after(FACT_MEMORY));
    both
}

fn outlived(both: &Both, silences: Silences) -> Vec<Fingerprint> {
    let lab = &both.forgets;
    lab.state.outlived_facts(&lab.policy, || silences, lab.now)
}

#[test]
fn an_alert_is_forgotten_a_day_after_it_was_last_heard_of_and_comes_back_whole() {
    let mut both = long_ago();
    assert_eq!(
        outlived(&both, Silences::NotAsked),
        [],
        "not a moment too early"
    );
    both.each(|lab| lab.now = lab.now.after(Duration::from_millis(2)));
    let mut all = outlived(&both, Silences::NotAsked);
    all.sort();
    assert_eq!(all, [fingerprint(0), fingerprint(1)]);
    both.forgets.state.forget_facts(&all);
    assert!(both.forgets.state.facts.is_empty());
    // A late firing of what has ended is known to have ended.
    both.deliver(1, Time::from_millis(0), None);
    let known = &both.forgets.state.facts[&fingerprint(1)];
    assert_eq!(known, &both.remembers.state.facts[&fingerprint(1)]);
    assert!(!known.firing());
}

#[test]
fn what_fires_is_remembered_while_it_may_be_silenced_or_its_incident_is_open() {
    let mut both = long_ago();
    both.each(|lab| lab.now = lab.now.after(Duration::from_millis(2)));
    let silenced = BTreeMap::from([(fingerprint(0), "ada".to_owned())]);
    let ended = [fingerprint(1)];
    assert_eq!(outlived(&both, Silences::Known(silenced)), ended);
    assert_eq!(outlived(&both, Silences::Unknown(String::new())), ended);
    assert_eq!(outlived(&both, Silences::Known(BTreeMap::new())).len(), 2);
    let target = both.forgets.target(Some(1));
    both.forgets.record(&target, Change::IncidentOpened(None));
    assert_eq!(outlived(&both, Silences::NotAsked), ended);
}

#[test]
fn of_what_is_remembered_for_long_the_newest_stay() {
    let mut both = Both::new();
    let fact = both
        .forgets
        .fact("VcmFailed", Some(1), vcm_recovery::tier::Tier::Retry);
    let begun = both.forgets.now;
    for number in 0..OLD_FACTS_MAX + 10 {
        let after = Duration::from_secs(u64::try_from(number).unwrap());
        both.forgets.state.deliver(&Fact {
            fingerprint: fingerprint(number),
            delivered_at: begun.after(after),
            ..fact.clone()
        });
    }
    both.forgets.now = begun.after(FACT_MEMORY * 2);
    let mut outlived = outlived(&both, Silences::Unknown(String::new()));
    outlived.sort();
    assert_eq!(outlived, (0..10).map(fingerprint).collect::<Vec<_>>());
}
