//! A real Prometheus scrapes every golden file in both formats, and a running exporter.
//!
//! Needs the package prometheus of Debian (`tests/run` installs it).
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

#[path = "../exporter/estate.rs"]
mod estate;
#[path = "../exporter/process.rs"]
mod process;
mod prometheus;
mod targets;

use std::collections::BTreeMap;

use prometheus::Prometheus;
use targets::{Target, Targets};

/// Every state family of an object adds up to one.
const STATES: &str = "sum without (state) ({__name__=~\"nshield_.+_state\"})";

/// What Prometheus stored of a target, without what it adds itself.
const STORED: &str = "count by (target) ({target!=\"\", __name__!~\"up|scrape_.+\"})";

#[tokio::test]
async fn prometheus_takes_every_golden_in_both_formats() {
    let targets = Targets::goldens().await;
    let prometheus = Prometheus::scraping(&targets.all).await;
    let up = prometheus.settled("up", &targets.each(|_| 1.0)).await;
    assert_eq!(up.len(), targets.all.len());
    let samples = targets.each(Target::samples);
    prometheus.settled("scrape_samples_scraped", &samples).await;
    prometheus.settled(STORED, &samples).await;
    assert_states(&prometheus).await;
    assert_eq!(prometheus.types_unknown().await, Vec::<String>::new());
    assert_eq!(prometheus.stop().await, Vec::<String>::new(), "complaints");
}

/// The exporter itself on a host of 200 modules: Prometheus asks for OpenMetrics; the older format
/// is asked for on its behalf.
#[tokio::test]
async fn prometheus_takes_a_running_exporter_with_two_hundred_modules() {
    let (exporter, _host) = targets::exporter(200).await;
    let targets = Targets::of(&exporter).await;
    let prometheus = Prometheus::scraping(&targets.all).await;
    prometheus.settled("up", &targets.each(|_| 1.0)).await;
    let operational = "count by (target) (nshield_module_state{state=\"operational\"} == 1)";
    prometheus
        .settled(operational, &targets.each(|_| 200.0))
        .await;
    let loads = "count by (target) (nshield_module_cpu_load_ratio == 0.43)";
    prometheus.settled(loads, &targets.each(|_| 200.0)).await;
    assert_states(&prometheus).await;
    let stored = prometheus.query(STORED).await;
    let scraped = prometheus.query("scrape_samples_scraped").await;
    assert_eq!(by_target(stored), by_target(scraped));
    assert_eq!(prometheus.stop().await, Vec::<String>::new(), "complaints");
    exporter.stop().await;
}

async fn assert_states(prometheus: &Prometheus) {
    let states = prometheus.query(STATES).await;
    assert!(!states.is_empty());
    for (labels, value) in states {
        assert!(value == 1.0, "{labels} is in {value} states");
    }
}

fn by_target(samples: Vec<(serde_json::Value, f64)>) -> BTreeMap<String, f64> {
    samples
        .into_iter()
        .map(|(labels, value)| (labels["target"].as_str().unwrap().to_owned(), value))
        .collect()
}
