//! A Prometheus with a configuration of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::process::{PATIENCE, Process, http_client};
use crate::targets::Target;

/// Where Debian installs it.
const PROGRAM: &str = "/usr/bin/prometheus";

pub(crate) struct Prometheus {
    process: Process,
    http: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one that scrapes these every second.
    pub(crate) async fn scraping(targets: &[Target]) -> Self {
        assert!(
            std::path::Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: apt-get install prometheus (or run the tests by tests/run)"
        );
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, configuration(targets)).unwrap();
        let flags = [
            format!("--config.file={}", file.display()),
            format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ),
            "--log.level=debug".to_owned(),
        ];
        Self {
            process: Process::start(PathBuf::from(PROGRAM), &flags, "/-/ready").await,
            http: http_client(),
            _directory: directory,
        }
    }

    /// Waits until a query gives these values by target, and returns them.
    pub(crate) async fn settled(
        &self,
        expression: &str,
        expected: &BTreeMap<String, f64>,
    ) -> BTreeMap<String, f64> {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = crate::by_target(self.query(expression).await);
            if found == *expected {
                return found;
            }
            let differs = |(target, value): &(&String, &f64)| found.get(*target) != Some(value);
            let missing: Vec<_> = expected.iter().filter(differs).collect();
            assert!(
                Instant::now() < until,
                "{expression}: expected {missing:?}, found {found:?}; {:?}",
                self.scrape_errors().await
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The result of an instant query.
    pub(crate) async fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let answer = self.api("query", &[("query", expression)]).await;
        let samples = answer["result"].as_array().unwrap().iter();
        samples
            .map(|sample| {
                let value = sample["value"][1].as_str().unwrap().parse().unwrap();
                (sample["metric"].clone(), value)
            })
            .collect()
    }

    /// Metrics whose type Prometheus did not understand, with their targets.
    pub(crate) async fn types_unknown(&self) -> Vec<String> {
        let answer = self.api("targets/metadata", &[]).await;
        let metrics = answer.as_array().unwrap();
        assert!(!metrics.is_empty());
        metrics
            .iter()
            .filter(|metric| metric["type"] == "unknown" || metric["help"] == "")
            .map(ToString::to_string)
            .collect()
    }

    /// Ends it and returns what it complained about while scraping.
    pub(crate) async fn stop(self) -> Vec<String> {
        let log = self.process.stop().await;
        let complains = |line: &&str| {
            let scraping = line.contains("component=\"scrape manager\"");
            // A scrape that the end of Prometheus cuts short is none of the target's.
            let cut = line.contains("context canceled");
            let grave = line.contains("level=warn") || line.contains("level=error");
            scraping && !cut && (grave || line.contains("ppend failed"))
        };
        log.lines().filter(complains).map(str::to_owned).collect()
    }

    async fn scrape_errors(&self) -> Vec<Value> {
        let answer = self.api("targets", &[]).await;
        let targets = answer["activeTargets"].as_array().unwrap().iter();
        targets
            .map(|target| target["lastError"].clone())
            .filter(|error| error != "")
            .collect()
    }

    async fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = self.process.url(&format!("/api/v1/{path}"));
        let url = reqwest::Url::parse_with_params(&url, parameters).unwrap();
        let answer: Value = self
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].clone()
    }
}

/// One scrape job with a label and a path for each target. JSON is YAML.
fn configuration(targets: &[Target]) -> String {
    let targets: Vec<Value> = targets
        .iter()
        .map(|target| {
            json!({
                "targets": [target.address.to_string()],
                "labels": {"target": target.name, "__metrics_path__": target.path},
            })
        })
        .collect();
    // Time enough for a build without optimization to encode 200 modules.
    json!({
        "global": {"scrape_interval": "5s", "scrape_timeout": "5s"},
        "scrape_configs": [{"job_name": "exporter", "static_configs": targets}],
    })
    .to_string()
}
