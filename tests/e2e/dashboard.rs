//! Every query of the shipped dashboard returns data from a loop that recovered a module.

use std::process::Stdio;

use vcm_lab::lab::{Lab, clock, command, drive, scenario::Scenario, shipped::repository};

use crate::must;

/// The queries as Grafana would send them, with ranges that suit a scrape a second.
fn queries() -> Vec<String> {
    let printed = command(&repository().join("dashboards/check"))
        .arg("--print")
        .env("RANGE", "10s")
        .stderr(Stdio::inherit())
        .output()
        .expect("dashboards/check runs");
    assert!(printed.status.success(), "dashboards/check --print failed");
    let text = String::from_utf8(printed.stdout).expect("queries are text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON string a line"))
        .collect()
}

#[tokio::test]
async fn every_query_of_the_dashboard_returns_data() {
    let scenario = Scenario::named("restart").expect("a scenario of this name");
    let begin = clock::now_ms();
    let lab = must(Lab::start(&scenario.setup()).await);
    must(drive::play(&lab, scenario).await);
    let prometheus = &lab
        .alerting
        .as_ref()
        .expect("this scenario has alerting")
        .prometheus;
    let queries = queries();
    assert!(queries.len() > 20, "only {} queries", queries.len());
    let mut empty = Vec::new();
    for query in queries {
        if must(prometheus.range(&query, begin).await).is_empty() {
            empty.push(query);
        }
    }
    assert!(empty.is_empty(), "no data for:\n{}", empty.join("\n"));
}
