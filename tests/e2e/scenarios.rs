//! Every scenario of the demo, and those that only a test wants to see.

use vcm_lab::lab::{Lab, drive, scenario::Scenario};

use crate::must;

async fn played(name: &str) -> Lab {
    let scenario = Scenario::named(name).expect("a scenario of this name");
    let lab = must(Lab::start(&scenario.setup()).await);
    must(drive::play(&lab, scenario).await);
    lab
}

#[tokio::test]
async fn a_failed_module_is_retried_and_nothing_else_is_run() {
    played("retry").await;
}

#[tokio::test]
async fn the_hardserver_is_restarted_when_a_retry_does_not_help_and_every_module_is_failed() {
    played("restart").await;
}

#[tokio::test]
async fn a_clear_waits_thirty_seconds_and_a_restart_that_would_cut_healthy_modules_is_left_out() {
    played("clear").await;
}

#[tokio::test]
async fn nothing_is_changed_while_ping_is_lost_and_the_ladder_goes_on_when_it_returns() {
    played("network").await;
}

#[tokio::test]
async fn a_router_that_answers_unreachable_counts_as_no_reply() {
    let lab = played("unreachable-router").await;
    let alerting = lab.alerting.as_ref().expect("this scenario has alerting");
    let seen = r#"sum(nshield_icmp_errors_total{reason="unreachable"}) > 0"#;
    let samples = must(alerting.prometheus.query(seen).await);
    assert!(
        !samples.is_empty(),
        "the router's answers never reached the exporter"
    );
}

#[tokio::test]
async fn a_dead_hardserver_is_started_and_not_restarted() {
    played("hardserver-down").await;
}

#[tokio::test]
async fn a_hardserver_that_was_stopped_on_purpose_is_not_started() {
    played("stopped-on-purpose").await;
}

#[tokio::test]
async fn one_dead_module_of_three_costs_no_restart_and_calls_a_person() {
    let lab = played("one-of-three").await;
    assert!(
        !lab.people
            .told("pager", "VcmRemediatorNeedsHuman")
            .is_empty(),
        "the page never reached the pager"
    );
}
