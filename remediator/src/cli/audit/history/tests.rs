use std::sync::Arc;

use clap::Parser;
use tempfile::TempDir;
use vcm_recovery::control::Pause;
use vcm_recovery::event::{Closing, Entry, Ruling, RungVerdict};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::IncidentId;
use vcm_recovery::incident::{Actor, Ending, Standing};
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

use super::*;
use crate::clock::ManualClock;
use crate::store::Store as _;
use crate::store::open::open;
use crate::store::sqlite::SqliteStore;

#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    history: HistoryArgs,
}

/// A store, and whatever is asked of it.
struct Place {
    directory: TempDir,
    store: SqliteStore,
    clock: Arc<ManualClock>,
}

fn target(text: &str) -> Target {
    named::target(text).unwrap()
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let opened = open(&directory.path().join("store.sqlite")).unwrap();
        let clock = Arc::new(ManualClock::at(Time::from_millis(1_700_000_000_000)));
        let store = SqliteStore::start(opened, Arc::clone(&clock) as _).unwrap();
        Self {
            directory,
            store,
            clock,
        }
    }

    async fn record(&self, about: Option<(&str, &str)>, change: Change) {
        let target = about.map(|(name, _)| target(name));
        let opened = about.map(|(_, opened)| Time::from_millis(opened.parse().unwrap()));
        let incident = target.as_ref().zip(opened);
        let entry = Entry {
            host: target.as_ref().map(|target| target.host.clone()),
            incident: incident.map(|(target, opened)| IncidentId::new(target, opened)),
            target,
            change,
        };
        self.store.append(vec![entry]).await.unwrap();
        self.clock.advance(Duration::from_secs(60));
    }

    /// Two incidents on one host, one after the other and beside a third, and a pause.
    async fn filled() -> Self {
        let place = Self::new();
        let waits = |at: Option<Time>| Ruling {
            standing: Standing::Waiting(Rung::Retry),
            observation: None,
            verdicts: vec![
                RungVerdict {
                    rung: Rung::Retry,
                    guard: Guard::NotBefore,
                    verdict: Verdict::Refuse {
                        reason: "not yet".to_owned(),
                        until: at,
                    },
                },
                RungVerdict {
                    rung: Rung::Clear,
                    guard: Guard::LoadHigh,
                    verdict: Verdict::NotApplicable("the load gate is off".to_owned()),
                },
            ],
        };
        let first = Some(("tenant-1/1", "1"));
        let beside = Some(("tenant-1/2", "2"));
        let closing = Closing {
            ending: Ending::Recovered,
            actor: Actor::None,
            rung: None,
            recovery_millis: None,
            reason: "healthy again".to_owned(),
            spent: std::collections::BTreeMap::default(),
        };
        place.record(first, Change::IncidentOpened(None)).await;
        place.record(beside, Change::IncidentOpened(None)).await;
        let at = Some(Time::from_millis(1_700_000_240_000));
        place.record(first, Change::Decided(waits(at))).await;
        let pause = Pause {
            by: "alice".parse().unwrap(),
            reason: "works on the network".to_owned(),
            until: None,
        };
        place.record(None, Change::Paused(pause)).await;
        place.record(first, Change::IncidentClosed(closing)).await;
        place
            .record(Some(("tenant-1/1", "3")), Change::IncidentOpened(None))
            .await;
        place
            .record(Some(("tenant-2/1", "4")), Change::IncidentOpened(None))
            .await;
        place
    }

    fn tell(&self, arguments: &[&str]) -> String {
        let store = self.directory.path().join("store.sqlite");
        let words = ["history", "--store", store.to_str().unwrap()];
        let typed = Typed::try_parse_from(words.iter().chain(arguments)).unwrap();
        let mut text = Vec::new();
        typed.history.tell(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// The numbers of the events that are told.
    fn told(&self, arguments: &[&str]) -> Vec<u64> {
        let lines = self.tell(&[arguments, &["--json"]].concat());
        let number = |line: &str| -> u64 {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["seq"].as_u64().unwrap()
        };
        lines.lines().map(number).collect()
    }
}

#[tokio::test]
async fn every_verdict_of_a_decision_is_told_from_the_store_alone() {
    let place = Place::filled().await;
    let text = place.tell(&["tenant-1/1"]);
    assert!(
        text.contains(
            "2023-11-14T22:15:20Z #3 tenant-1/1: retry has to wait, without an observation\n    \
             retry   refuse         not_before               not yet (until 2023-11-14T22:17:20Z)\n    \
             clear   not_applicable load_high                the load gate is off\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("#4 fleet: everything is paused by alice until somebody ends it: works on"),
        "{text}"
    );
}

#[tokio::test]
async fn what_bears_on_a_module_a_host_and_an_incident_is_told_and_nothing_else() {
    let place = Place::filled().await;
    assert_eq!(place.told(&[]), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(place.told(&["tenant-1"]), [1, 2, 3, 4, 5, 6]);
    assert_eq!(place.told(&["tenant-1/1"]), [1, 3, 4, 5, 6]);
    assert_eq!(place.told(&["tenant-1/2"]), [2, 4]);
    // The pause was ordered while this one was open, and not that one.
    assert_eq!(place.told(&["--incident", "tenant-1/1@1"]), [1, 3, 4, 5]);
    assert_eq!(place.told(&["--incident", "tenant-1/1@3"]), [6]);
    assert_eq!(place.told(&["--incident", "tenant-9/1@3"]), [0; 0]);
    assert_eq!(
        place.told(&["tenant-1/1", "--since", "1h"]),
        [0; 0],
        "long ago"
    );
}

#[tokio::test]
async fn a_store_that_is_none_is_named() {
    let place = Place::new();
    std::fs::write(place.directory.path().join("other"), "no store").unwrap();
    for name in ["absent", "other"] {
        let path = place.directory.path().join(name);
        let words = ["history", "--store", path.to_str().unwrap()];
        let typed = Typed::try_parse_from(words).unwrap();
        let error = typed.history.tell(&mut Vec::new()).unwrap_err();
        assert!(chain(&error).contains(name), "{}", chain(&error));
    }
}
