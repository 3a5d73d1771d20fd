//! Another configuration while the prober runs, and its end.

use std::time::Duration;

use tokio::time::timeout;

use crate::namespace::Namespace;
use crate::prober::{Running, config, replies, runtime};

#[test]
fn counters_of_unchanged_targets_survive_a_reload() {
    let Some(_namespace) = Namespace::enter_new() else {
        return;
    };
    let running = Running::start(config(
        "{interval: 60s, targets: [{name: gone, address: 127.0.0.2}, \
         {name: stays, address: 127.0.0.3}]}",
    ));
    let first =
        |samples: &[vcm_exporter::icmp::Sample]| samples.iter().all(|sample| replies(sample) == 1);
    running.until("one reply from each", first);
    running.prober.reconfigure(config(
        "{interval: 100ms, targets: [{name: stays, address: 127.0.0.3}, \
         {name: new, address: 127.0.0.4}]}",
    ));
    let samples = running.until("the new interval", |samples| {
        samples.iter().all(|sample| sample.key().0 != "gone")
            && samples.iter().all(|sample| replies(sample) >= 5)
    });
    let names: Vec<&str> = samples
        .iter()
        .map(|sample| sample.key().0.as_str())
        .collect();
    assert_eq!(names, ["new", "stays"]);
    let of = |name: &str| {
        samples
            .iter()
            .find(|sample| sample.key().0 == name)
            .unwrap()
    };
    assert!(
        of("stays").requests > of("new").requests,
        "kept what it had counted"
    );
    assert!(samples.iter().all(|sample| sample.timeouts == 0));
}

#[test]
fn the_thread_ends_with_its_handle_and_answers_nobody_any_more() {
    let Some(_namespace) = Namespace::enter_new() else {
        return;
    };
    let running = Running::start(config("{targets: [{name: a, address: 127.0.0.2}]}"));
    running.until_of("a", "a reply", |sample| replies(sample) == 1);
    let echo = config("{}").echo;
    let board = running.board.clone();
    let one = || board.echo("127.0.0.9".parse().unwrap(), echo.clone(), 1);
    runtime().block_on(one()).unwrap();
    drop(running.prober);
    let after = runtime().block_on(async { timeout(Duration::from_secs(60), one()).await });
    let error = after.unwrap().unwrap_err();
    assert_eq!(error, vcm_exporter::icmp::OneError::NoProber);
}

#[test]
fn it_is_alive_without_any_target() {
    let Some(_namespace) = Namespace::enter_new() else {
        return;
    };
    let running = Running::start(config("{discover: false}"));
    running.until("a slot", |_| running.board.progress().is_some());
    let first = running.board.progress();
    running.until("another slot", |_| running.board.progress() > first);
}

/// What is wrong with a target goes with it, or the collector would fail for ever.
#[test]
fn a_target_that_is_removed_takes_its_trouble_with_it() {
    let Some(_namespace) = Namespace::enter_new() else {
        return;
    };
    let running = Running::start(config(
        "{interval: 100ms, targets: [{name: no-route, address: 198.51.100.1}, \
         {name: stays, address: 127.0.0.3}]}",
    ));
    running.until("trouble", |_| running.board.trouble().is_some());
    running.prober.reconfigure(config(
        "{interval: 100ms, targets: [{name: stays, address: 127.0.0.3}]}",
    ));
    running.until("no trouble", |_| running.board.trouble().is_none());
}
