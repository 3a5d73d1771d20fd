//! The engine in virtual time: a store in memory, a scripted host runner, the real decisions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use nshield::ModuleNumber;
use tokio::time::Instant;
use vcm_recovery::alert::FACT_MEMORY;
use vcm_recovery::approval::Choice;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::command::{self, Giver, HostOrder};
use vcm_recovery::event::{Change, LoadClass};
use vcm_recovery::evidence::Evidence;
use vcm_recovery::ids::{AttemptId, Epoch};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::{AlertRule, LoadPolicy, Mode, Scope};
use vcm_recovery::tier::{Rung, Tier};

use super::*;
use crate::host::document::Status;
use crate::host::fence::Newest;
use bench::{Bench, Script, number, script, target};

mod bench;

#[tokio::test(start_paused = true)]
async fn alert_leads_to_one_order_that_is_reserved_first_and_verified_afterwards() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(4).await;
    assert_eq!(bench.orders(), 1);
    let order = bench.script(|script| script.orders[0].clone());
    assert_eq!(
        (order.rung, order.module, order.epoch),
        (Rung::Retry, Some(number()), Epoch(1))
    );
    bench.script(|script| {
        script.status = Some(Status::Ended {
            detail: "OK".to_owned(),
            steps: Vec::new(),
        });
        script.failed = false;
    });
    bench.run(3).await;
    assert_eq!(bench.outcomes(), [Outcome::Succeeded]);
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn order_whose_answer_is_lost_is_asked_after_and_never_given_twice() {
    let bench = Bench::start(script(false)).await;
    bench.script(|script| script.status = Some(Status::Running));
    let pages = || -> Vec<PageReason> {
        let state = bench.parts.board.all();
        state[0].pages.keys().map(|(_, reason)| *reason).collect()
    };
    bench.run(12).await;
    assert_eq!(bench.outcomes(), []);
    assert_eq!(pages(), [PageReason::HostRunner]);
    bench.run(10).await;
    assert_eq!(bench.outcomes(), [Outcome::Unknown]);
    let both = [PageReason::AttemptUnknown, PageReason::HostRunner];
    assert_eq!(pages(), both);
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn late_report_ends_an_unknown_outcome() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(25).await;
    assert_eq!(bench.outcomes(), [Outcome::Unknown]);
    bench.script(|script| {
        script.status = Some(Status::Ended {
            detail: "OK".to_owned(),
            steps: Vec::new(),
        });
        script.failed = false;
    });
    bench.run(4).await;
    assert_eq!(bench.outcomes(), [Outcome::Unknown, Outcome::Succeeded]);
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn order_that_never_arrived_is_tombstoned_before_another_is_given() {
    let bench = Bench::start(script(false)).await;
    bench.run(6).await;
    let (orders, tombstones) =
        bench.script(|script| (script.orders.clone(), script.tombstones.clone()));
    assert_eq!(bench.outcomes()[0], Outcome::Cancelled);
    assert_eq!(tombstones[0], orders[0].attempt);
    assert!(orders.len() >= 2);
    assert_ne!(orders[0].attempt, orders[1].attempt);
}

#[tokio::test(start_paused = true)]
async fn attempt_of_which_a_host_without_its_record_knows_nothing_may_have_run() {
    let lost = Script {
        forgetful: true,
        ..script(false)
    };
    let bench = Bench::start(lost).await;
    bench.run(6).await;
    assert_eq!(bench.outcomes()[0], Outcome::Unknown);
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn restarted_process_asks_after_the_open_attempt_and_does_not_run_the_rung_again() {
    let mut bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(4).await;
    assert_eq!(bench.orders(), 1);
    bench.restart().await;
    bench.run(10).await;
    assert_eq!(bench.orders(), 1);
    bench.script(|script| {
        script.status = Some(Status::Ended {
            detail: "OK".to_owned(),
            steps: Vec::new(),
        });
        script.failed = false;
    });
    bench.run(3).await;
    assert_eq!(bench.outcomes(), [Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn open_critical_section_is_resumed() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(4).await;
    let detail = "died".to_owned();
    bench.script(|script| {
        script.status = Some(Status::Interrupted {
            section_open: true,
            steps_started: 2,
            detail,
        });
    });
    bench.run(1).await;
    let attempt = bench.script(|script| script.orders[0].attempt);
    assert_eq!(bench.script(|script| script.resumes.clone()), [attempt]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_ordered_while_the_store_fails() {
    let bench = Bench::start(script(true)).await;
    bench.store.fails.store(true, Ordering::SeqCst);
    bench.run(10).await;
    assert_eq!(bench.orders(), 0);
    bench.store.fails.store(false, Ordering::SeqCst);
    bench.run(5).await;
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn host_is_looked_at_at_the_agreed_pace() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(2).await;
    let looks = bench.script(|script| script.looks);
    assert!((3..=8).contains(&looks), "{looks} looks in two minutes");
}

#[tokio::test(start_paused = true)]
async fn accepted_attempt_of_which_no_step_began_counts_for_nothing() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| {
        let detail = "accepted; no step was started".to_owned();
        script.status = Some(Status::Interrupted {
            section_open: false,
            steps_started: 0,
            detail,
        });
    });
    bench.run(4).await;
    assert_eq!(bench.outcomes()[0], Outcome::Cancelled);
    assert!(!bench.outcomes().contains(&Outcome::Failed));
}

#[tokio::test(start_paused = true)]
async fn accepted_attempt_that_the_host_has_lost_is_unknown_and_pages() {
    let bench = Bench::start(script(true)).await;
    bench.run(4).await;
    assert_eq!(bench.orders(), 1);
    assert_eq!(bench.outcomes()[0], Outcome::Unknown);
    let pages = bench.parts.board.all()[0].pages.clone();
    assert!(
        pages
            .keys()
            .any(|(_, reason)| *reason == PageReason::AttemptUnknown)
    );
}

#[tokio::test(start_paused = true)]
async fn alert_that_ends_during_a_look_does_not_permit_what_is_decided_on_it() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.look_takes = Duration::from_secs(4));
    let begin = Instant::now();
    bench.deliver(true);
    let not_before = bench.parts.policy.retry.not_before;
    while begin.elapsed() < not_before || !bench.script(|script| script.looking) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        bench.orders(),
        0,
        "the rung was not started before the alert ended"
    );
    bench.deliver(false);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(bench.orders(), 0);
}

/// The actor that it was delivered to is busy for as long as a look takes.
#[tokio::test(start_paused = true)]
async fn what_is_stored_counts_for_the_whole_fleet_before_its_own_host_has_taken_it_in() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.look_takes = Duration::from_secs(40));
    bench.run(1).await;
    while !bench.script(|script| script.looking) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let load = LoadPolicy {
        threshold_percent: 90,
        restore_below_percent: 70,
        hold: Duration::from_secs(600),
        max_shed: Duration::from_secs(7_200),
        hook: false,
    };
    let rule = AlertRule {
        tier: Tier::Load,
        scope: Scope::Module,
    };
    let mut policy = (*bench.parts.policy).clone();
    policy.load = Some(load);
    policy.alerts.insert("HsmLoadHigh".to_owned(), rule);
    let asks = EngineParts {
        policy: Arc::new(policy),
        ..bench.parts.clone()
    };
    assert!(asks.fleet_view(asks.clock.now()).loads.hsms.is_empty());
    bench.deliver_alert("HsmLoadHigh", Tier::Load, true);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bench.script(|script| script.looking));
    let loads = asks.fleet_view(asks.clock.now()).loads;
    assert!(
        loads
            .hsms
            .values()
            .any(|load| load.class == LoadClass::High),
        "{loads:?}"
    );
}

/// The program may have been away for hours: so old may an answer be, and an alert.
#[tokio::test(start_paused = true)]
async fn after_an_unknown_time_away_alerts_and_answers_begin_anew() {
    for away_known in [true, false] {
        let mut bench = Bench::start(script(true)).await;
        let mut policy = (*bench.parts.policy).clone();
        policy.mode = Mode::Approve;
        bench.parts.policy = Arc::new(policy);
        bench.script(|script| script.status = Some(Status::Running));
        bench.restart().await;
        bench.run(4).await;
        let answered = |bench: &Bench| {
            let host = bench.parts.board.host(&target().host).unwrap();
            let request = host.incidents[&target()].request.as_ref();
            request.map(|request| (request.id, request.answer.is_some()))
        };
        let (request, _) = answered(&bench).unwrap();
        // Stored by the process that ends now, and not used.
        let host = bench.parts.board.host(&target().host).unwrap();
        let giver = Giver {
            by: "operator".parse().unwrap(),
            reason: "seen".to_owned(),
        };
        let choice = Choice::Approve(Rung::Retry);
        let order = HostOrder::Answer { request, choice };
        let (nothing, now) = (Evidence::default(), bench.parts.clock.now());
        let entries = command::of_host(&order, &giver, &host, &nothing, |_| true, now).unwrap();
        bench.store.append(entries).await.unwrap();
        let clock = &bench.store.clock;
        clock.away_known.store(away_known, Ordering::SeqCst);
        bench.restart().await;
        let still = answered(&bench).is_some_and(|(id, answered)| id == request && answered);
        assert_eq!(still, away_known);
        let events = bench.store.events.lock().unwrap();
        let starts = events.iter().filter_map(|event| {
            let Change::Started(start) = &event.entry.change else {
                return None;
            };
            Some(start.away_known)
        });
        assert_eq!(starts.collect::<Vec<_>>(), [true, true, away_known]);
    }
}

#[tokio::test(start_paused = true)]
async fn restarted_process_looks_before_it_decides_and_pages_nobody_meanwhile() {
    let mut bench = Bench::start(script(true)).await;
    bench.run(1).await;
    bench.script(|script| script.look_takes = Duration::from_secs(40));
    bench.restart().await;
    bench.run(1).await;
    let events = bench.store.events.lock().unwrap();
    let paged = events
        .iter()
        .filter(|event| matches!(event.entry.change, Change::PageRaised { .. }));
    assert_eq!(paged.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn hold_is_obeyed_at_once_and_nothing_starts_on_the_host() {
    let bench = Bench::start(script(true)).await;
    bench.run(1).await;
    let order = HostOrder::Hold {
        target: target(),
        until: None,
    };
    let giver = Giver {
        by: "alice".parse().unwrap(),
        reason: "the provider works on it".to_owned(),
    };
    let stored = bench
        .door
        .order_host(&target().host, order, giver.clone())
        .await;
    assert_eq!(stored.unwrap().len(), 1);
    bench.run(10).await;
    assert_eq!(bench.orders(), 0);
    let order = HostOrder::Release { target: target() };
    bench
        .door
        .order_host(&target().host, order, giver)
        .await
        .unwrap();
    bench.run(2).await;
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn pause_survives_a_restart_and_nothing_starts_until_it_ends() {
    let mut bench = Bench::start(script(true)).await;
    let giver = Giver {
        by: "alice".parse().unwrap(),
        reason: "change freeze".to_owned(),
    };
    let pause = command::FleetOrder::Pause { until: None };
    bench.door.order_fleet(pause, giver.clone()).await.unwrap();
    bench.run(5).await;
    bench.restart().await;
    bench.run(5).await;
    assert_eq!(bench.orders(), 0);
    let resume = command::FleetOrder::Resume;
    bench.door.order_fleet(resume, giver).await.unwrap();
    bench.run(2).await;
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_accepted_what_the_store_does_not_know_gets_no_order_and_a_person_is_told_why()
{
    let bench = Bench::start(script(true)).await;
    let accepted = AttemptId::from_bits(77);
    let epoch = Epoch(1);
    bench.script(|script| {
        script.newest = Some(Newest {
            attempt: accepted,
            epoch,
        });
    });
    bench.run(8).await;
    assert_eq!(bench.orders(), 0);
    let outcomes = bench.outcomes();
    assert!(outcomes.len() >= 3, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Refused));
    let events = bench.store.events.lock().unwrap();
    let page = |event: &Event| {
        if let Change::PageRaised { reason, text, .. } = &event.entry.change {
            Some((*reason, text.clone()))
        } else {
            None
        }
    };
    let pages: Vec<_> = events.iter().filter_map(page).collect();
    let [(PageReason::HostRunner, told)] = &pages[..] else {
        panic!("{pages:?}");
    };
    for part in ["not_owner", &accepted.to_string(), "store bump-epoch"] {
        assert!(told.contains(part), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_names_the_attempt_that_the_host_accepted_last() {
    let bench = Bench::start(script(false)).await;
    bench.run(3).await;
    let first = bench.script(|script| script.orders[0].clone());
    assert_eq!(first.newest, None);
    bench.script(|script| {
        let (attempt, epoch) = (first.attempt, first.epoch);
        script.newest = Some(Newest { attempt, epoch });
    });
    let before = bench.orders();
    bench.run(6).await;
    let orders = bench.script(|script| script.orders.clone());
    assert!(orders.len() > before, "{orders:?}");
    assert_eq!(orders[before].newest, Some(first.attempt));
}

/// Out of the inventory goes the host, or its module, in place of which another one stands.
fn taken_out(parts: &mut EngineParts, host: bool) {
    let mut inventory = Inventory::clone(&parts.inventory);
    let name = target().host;
    if host {
        inventory.hosts.remove(&name);
        parts.runners.remove(&name);
    } else if let Some(entry) = inventory.hosts.get_mut(&name) {
        let module = entry.modules.remove(&number()).unwrap();
        entry
            .modules
            .insert(ModuleNumber::try_from(9).unwrap(), module);
    }
    parts.inventory = Arc::new(inventory);
}

async fn order(bench: &Bench, order: HostOrder) -> Result<Vec<Event>, OrderFailure> {
    let giver = Giver {
        by: "ada".parse().unwrap(),
        reason: "taken out".to_owned(),
    };
    bench.door.order_host(&target().host, order, giver).await
}

#[tokio::test(start_paused = true)]
async fn what_is_open_of_a_host_or_module_taken_out_is_paged_resolved_and_closed() {
    for host in [true, false] {
        let mut bench = Bench::start(script(true)).await;
        bench.script(|script| script.status = Some(Status::Running));
        bench.run(4).await;
        assert_eq!(bench.orders(), 1);
        taken_out(&mut bench.parts, host);
        bench.restart().await;
        bench.run(1).await;
        let pages = |bench: &Bench| bench.parts.board.all()[0].pages.clone();
        let drift = (target(), PageReason::InventoryDrift);
        assert!(pages(&bench).contains_key(&drift), "host {host}");

        bench.run(20).await;
        assert_eq!(bench.outcomes(), [Outcome::Unknown], "host {host}");
        let unknown = (target(), PageReason::AttemptUnknown);
        assert!(pages(&bench).contains_key(&unknown), "host {host}");
        let close = || HostOrder::Close { target: target() };
        assert!(order(&bench, close()).await.is_err(), "an attempt is open");

        let attempt = bench.script(|script| script.orders[0].attempt);
        let resolve = HostOrder::ResolveAttempt {
            attempt,
            outcome: Outcome::Failed,
        };
        order(&bench, resolve).await.unwrap();
        bench.run(30).await;
        assert_eq!(bench.parts.board.all()[0].unsettled().count(), 0);
        order(&bench, close()).await.unwrap();
        bench.run(5).await;
        let state = &bench.parts.board.all()[0];
        assert!(
            state.incidents.is_empty(),
            "none opens for what is not listed"
        );
        assert!(state.pages.is_empty(), "host {host}");
        assert_eq!(bench.orders(), 1, "nothing was started");
    }
}

#[tokio::test(start_paused = true)]
async fn host_taken_out_of_which_nothing_is_open_has_no_actor() {
    let mut bench = Bench::start(script(true)).await;
    taken_out(&mut bench.parts, true);
    bench.restart().await;
    let close = HostOrder::Close { target: target() };
    let refused = order(&bench, close).await;
    assert!(matches!(refused, Err(OrderFailure::UnknownHost(_))));
}

#[tokio::test(start_paused = true)]
async fn alert_that_ended_a_day_ago_is_forgotten_when_the_next_comes() {
    let bench = Bench::start(script(false)).await;
    bench.deliver(false);
    let known = || {
        let host = bench.parts.board.host(&target().host).unwrap();
        host.facts.keys().copied().collect::<Vec<_>>()
    };
    while known().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let first = known();
    tokio::time::sleep(FACT_MEMORY + Duration::from_secs(60)).await;
    let next: Fingerprint = "00000000000000bb".parse().unwrap();
    let host = bench.parts.board.host(&target().host).unwrap();
    let record = FactRecord {
        newest_end: Some(bench.parts.clock.now()),
        ..host.facts[&first[0]].clone()
    };
    bench.door.deliver(vec![(next, record)], Vec::new());
    while known() != [next] {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Metrics ask what was open when an alert began to fire: also of those that nobody could wait for.
#[tokio::test(start_paused = true)]
async fn every_alert_that_begins_to_fire_is_told_once_with_the_state_of_its_host() {
    for alerts in [1, 300] {
        let mut bench = Bench::start(script(true)).await;
        let told: Arc<std::sync::Mutex<Vec<u64>>> = Arc::default();
        let notes = Arc::clone(&told);
        bench.parts.on_event = Arc::new(move |event, before| {
            if let Change::FactChanged(_) = event.entry.change {
                assert_eq!(before.unwrap().host, target().host);
                notes.lock().unwrap().push(event.seq);
            }
        });
        bench.restart().await;
        let events = (1..=alerts).map(|seq| Event {
            seq,
            ..bench.fact_changed()
        });
        bench.door.deliver(Vec::new(), events.collect());
        while told.lock().unwrap().len() < usize::try_from(alerts).unwrap() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(told.lock().unwrap().iter().copied().eq(1..=alerts));
    }
}
