use std::cell::RefCell;
use std::fmt::Debug;
use std::time::Duration;

use tokio::time::advance;
use tracing::field::{Field, Visit};
use tracing::span;

use super::*;

const SPACING: Duration = Duration::from_secs(15);
const THREE: &[u8] =
    include_bytes!("../../../nshield/tests/fixtures/enquiry-one-of-three-failed.txt");

fn state() -> State {
    State::new(SPACING)
}

fn words(state: &State) -> Vec<&'static str> {
    state
        .module_conditions()
        .values()
        .map(|condition| condition.state.as_str())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_known_module_never_disappears() {
    let mut state = state();
    state.enquiry_ended(Enquiry::parse(THREE));
    assert_eq!(words(&state), ["failed", "operational", "operational"]);
    let without_third = String::from_utf8_lossy(THREE)
        .split("Module #3:")
        .next()
        .unwrap()
        .to_owned();
    state.enquiry_ended(Enquiry::parse(without_third.as_bytes()));
    assert_eq!(words(&state), ["failed", "operational", "unknown"]);
    state.enquiry_ended(Enquiry::parse(b""));
    assert_eq!(words(&state), ["unknown", "unknown", "unknown"]);
    let esn = state
        .modules
        .get(3.try_into().unwrap())
        .unwrap()
        .esn
        .clone();
    assert_eq!(
        esn.unwrap().as_str(),
        "3C4D-05E0-D947",
        "the last known identity is kept"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_never_shown_as_fresh() {
    let mut state = state();
    state.enquiry_ended(Enquiry::parse(THREE));
    state.stattree_ended(Some(StatTree::parse(
        b"+ServerGlobals:\n   -Uptime               5\n",
    )));
    state.hardserver_looked(LookResult::Up);
    let moment = Duration::from_millis(1);
    advance(SPACING + OVERDUE).await;
    assert_eq!(words(&state), ["failed", "operational", "operational"]);
    assert!(state.stattree().is_some());
    advance(moment).await;
    assert_eq!(words(&state), ["unknown", "unknown", "unknown"]);
    assert!(state.stattree().is_none());
    // `enquiry -m0` begins to look where the full one is overdue, and has as long for it.
    assert_eq!(state.hardserver_state(), HardserverState::Up);
    advance(OVERDUE).await;
    assert_eq!(state.hardserver_state(), HardserverState::Unknown);
}

/// Runs that are slow each time are no reason to drop the newest result before the next one.
#[tokio::test(start_paused = true)]
async fn a_result_is_shown_as_long_as_the_next_one_usually_takes() {
    let mut state = state();
    let took = SPACING * 2;
    state.collector_ended(CollectorName::Enquiry, None, took);
    state.enquiry_ended(Enquiry::parse(THREE));
    advance(took + OVERDUE).await;
    assert_eq!(words(&state), ["failed", "operational", "operational"]);
    advance(Duration::from_millis(1)).await;
    assert_eq!(words(&state), ["unknown", "unknown", "unknown"]);
}

/// A scrape that waited for a run in vain must not be told what the run before showed.
#[tokio::test(start_paused = true)]
async fn what_is_overdue_is_dropped() {
    let mut state = state();
    state.enquiry_ended(Enquiry::parse(THREE));
    state.hardserver_looked(LookResult::Up);
    advance(Duration::from_secs(1)).await;
    state.overdue(CollectorName::Stattree, Instant::now());
    assert_eq!(words(&state), ["failed", "operational", "operational"]);
    state.overdue(CollectorName::Enquiry, Instant::now());
    assert_eq!(words(&state), ["unknown", "unknown", "unknown"]);
    assert_eq!(state.hardserver_state(), HardserverState::Unknown);
    state.hardserver_looked(LookResult::Unresponsive);
    advance(Duration::from_secs(1)).await;
    state.overdue(CollectorName::Enquiry, Instant::now());
    assert_eq!(state.hardserver_state(), HardserverState::Unresponsive);
}

/// A run that ends just as a scrape gives up answers those who wait longer, and `enquiry -m0` tells
/// of the hardserver while the full one is held.
#[tokio::test(start_paused = true)]
async fn what_was_seen_while_a_scrape_waited_stays() {
    let mut state = state();
    let asked = Instant::now();
    state.enquiry_ended(Enquiry::parse(THREE));
    state.hardserver_looked(LookResult::Up);
    advance(Duration::from_secs(1)).await;
    state.overdue(CollectorName::Enquiry, asked);
    assert_eq!(words(&state), ["failed", "operational", "operational"]);
    assert_eq!(state.hardserver_state(), HardserverState::Up);
}

#[tokio::test(start_paused = true)]
async fn a_collector_stands_still_once_it_is_due() {
    let mut state = state();
    let names = |state: &State| state.standing_still().collect::<Vec<_>>();
    state.progress(CollectorName::Enquiry, Some(Instant::now() + SPACING));
    state.progress(CollectorName::Stattree, None);
    advance(SPACING).await;
    assert_eq!(names(&state), []);
    advance(Duration::from_millis(1)).await;
    assert_eq!(names(&state), [CollectorName::Enquiry]);
    state.switch_off(CollectorName::Enquiry);
    assert_eq!(names(&state), []);
}

#[tokio::test(start_paused = true)]
async fn modules_are_unknown_once_the_hardserver_stops_answering() {
    let mut state = state();
    state.enquiry_ended(Enquiry::parse(THREE));
    state.hardserver_looked(LookResult::Up);
    advance(Duration::from_secs(5)).await;
    state.hardserver_looked(LookResult::Unresponsive);
    assert_eq!(words(&state), ["unknown", "unknown", "unknown"]);
    advance(Duration::from_secs(1)).await;
    state.enquiry_ended(Enquiry::parse(THREE));
    assert_eq!(words(&state), ["failed", "operational", "operational"]);
}

#[tokio::test(start_paused = true)]
async fn down_takes_two_looks_ten_seconds_apart() {
    let mut state = state();
    assert_eq!(
        state.hardserver_looked(LookResult::SuspectedDown),
        HardserverState::Unknown
    );
    advance(Duration::from_secs(9)).await;
    assert_eq!(
        state.hardserver_looked(LookResult::SuspectedDown),
        HardserverState::Unknown
    );
    advance(Duration::from_secs(1)).await;
    assert_eq!(
        state.hardserver_looked(LookResult::SuspectedDown),
        HardserverState::Down
    );
    assert_eq!(state.hardserver_looked(LookResult::Up), HardserverState::Up);
}

#[tokio::test(start_paused = true)]
async fn unknown_words_are_counted_once() {
    let mut state = state();
    let text = "Server:\nModule #1:\n enquiry reply flags  Bewitched\n mode                 odd\n \
                a new label          1\n";
    for _ in 0..3 {
        state.enquiry_ended(Enquiry::parse(text.as_bytes()));
        state.stattree_ended(Some(StatTree::parse(
            b"+PerModule:\n   +#1:\n      -New                  1\n",
        )));
    }
    assert_eq!(state.unknown_states.count(), 1);
    assert_eq!(state.unknown_statistics.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn statistics_belong_to_the_module_with_their_serial_number() {
    let mut state = state();
    state.enquiry_ended(Enquiry::parse(THREE));
    let tree = "+PerModule:\n   +#2:\n      +ModuleEnvStats:\n         \
                -SerialNumber         3C4D-05E0-D947\n         -Uptime               100\n";
    state.stattree_ended(Some(StatTree::parse(tree.as_bytes())));
    let owners: Vec<u16> = state
        .module_statistics()
        .keys()
        .map(|number| number.get())
        .collect();
    assert_eq!(owners, [3]);
    assert_eq!(
        state
            .module_start
            .keys()
            .map(|number| number.get())
            .collect::<Vec<_>>(),
        [3]
    );
}

thread_local! {
    static LOGGED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what this thread logs.
struct Log;

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LOGGED.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 = format!("{} {}={value:?}", self.0, field.name());
    }
}

#[test]
fn a_collector_that_goes_on_failing_is_one_warning_and_its_return_one_line() {
    tracing::subscriber::set_global_default(Log).unwrap();
    let mut state = state();
    let mut logged = |failure| {
        state.collector_ended(CollectorName::Enquiry, failure, Duration::ZERO);
        LOGGED.take()
    };
    let works = r#"INFO message=collector works collector="enquiry""#;
    let fails = r#"WARN message=collector fails collector="enquiry" error="exit status 7""#;
    assert_eq!(logged(Some("exit status 7")), [fails]);
    assert!(logged(Some("exit status 7")).is_empty());
    assert!(logged(Some("timed out")).is_empty());
    assert_eq!(logged(None), [works]);
    assert!(logged(None).is_empty());
    assert_eq!(logged(Some("exit status 7")), [fails]);
}

/// Every module remembered is ten series for ever, over restarts too.
#[test]
fn damaged_output_cannot_name_modules_without_end() {
    let mut state = state();
    state.enquiry_ended(Enquiry::parse(THREE));
    let headers: String = (1..=60_000).map(|n| format!("Module #{n}:\n")).collect();
    state.enquiry_ended(Enquiry::parse(format!("Server:\n{headers}").as_bytes()));
    assert_eq!(state.module_conditions().len(), 1_000);
    assert_eq!(state.enquiry().unwrap().value.modules.len(), 1_000);
    state.enquiry_ended(Enquiry::parse(THREE));
    assert_eq!(state.modules.iter().count(), 1_000);
}

#[test]
fn damaged_output_cannot_fill_memory_with_unknown_words() {
    let mut unknown = Unknown::default();
    let long = "x".repeat(1_000_000);
    unknown.learn((0..5_000).map(|n| format!("{n} {}", &long[..n])));
    unknown.learn([format!("0 {long}")]);
    assert_eq!(unknown.count(), UNKNOWN_REMEMBERED as u64);
    assert!(unknown.seen.iter().all(|word| word.len() <= UNKNOWN_LENGTH));
}
