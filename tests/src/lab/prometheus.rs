//! A Prometheus of Debian's, with the shipped rules.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{
    LabError, Speed, Wiring,
    binaries::installed,
    http::Client,
    process::Process,
    shipped, wait,
    workspace::{Workspace, free_address},
};
use crate::arguments;

/// How long it may take to start.
const START: Duration = Duration::from_secs(30);

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    /// Where it listens.
    pub client: Client,
    /// Its process.
    pub process: Process,
}

/// One value of an instant query.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: Value,
    /// Its value.
    pub value: f64,
}

impl Prometheus {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// If it is not installed or does not become ready.
    pub async fn start(
        workspace: &mut Workspace,
        wiring: &Wiring,
        speed: Speed,
    ) -> Result<Self, LabError> {
        let program = installed("prometheus", "prometheus")?;
        for (name, rules) in shipped::rules(speed)? {
            workspace.write(&format!("prometheus/rules/{name}"), &rules)?;
        }
        let config = workspace.write(
            "prometheus/prometheus.yml",
            &shipped::prometheus(wiring, speed)?,
        )?;
        let address = free_address()?;
        let process = workspace.start(
            "prometheus",
            &program,
            &flags(&config, &address.to_string(), speed),
        )?;
        let mut prometheus = Self {
            client: Client::new(address),
            process,
        };
        prometheus
            .client
            .ready("/-/ready", &mut prometheus.process, START)
            .await?;
        Ok(prometheus)
    }

    /// The result of an instant query.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn query(&self, expression: &str) -> Result<Vec<Sample>, LabError> {
        let answer = self
            .client
            .json("/api/v1/query", &[("query", expression)])
            .await?;
        let result = answer["data"]["result"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok(result
            .into_iter()
            .map(|sample| Sample {
                value: sample["value"][1]
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(f64::NAN),
                labels: sample["metric"].clone(),
            })
            .collect())
    }

    /// When, in milliseconds since 1970, an expression first had a value since `since_ms`.
    ///
    /// # Errors
    /// If the query is refused.
    pub async fn first(&self, expression: &str, since_ms: u64) -> Result<Option<u64>, LabError> {
        let series = self.range(expression, since_ms).await?;
        let first = series
            .iter()
            .filter_map(|series| series["values"][0][0].as_f64())
            .min_by(f64::total_cmp);
        Ok(first.map(milliseconds))
    }

    /// Every series of an expression from `since_ms` until now, in steps of 250 ms.
    ///
    /// # Errors
    /// If the query is refused.
    pub async fn range(&self, expression: &str, since_ms: u64) -> Result<Vec<Value>, LabError> {
        let now = super::clock::now_ms();
        // Prometheus refuses more than 11,000 points.
        let step = (now.saturating_sub(since_ms) / 10_000).max(250);
        let seconds = |ms: u64| format!("{}.{:03}", ms / 1_000, ms % 1_000);
        let query = [
            ("query", expression),
            ("start", &seconds(since_ms)),
            ("end", &seconds(now)),
            ("step", &seconds(step)),
        ];
        let answer = self.client.json("/api/v1/query_range", &query).await?;
        Ok(answer["data"]["result"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    }

    /// Waits until an instant query returns at least one value.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn wait(&self, expression: &str, patience: Duration) -> Result<Sample, LabError> {
        let what = format!("Prometheus to find {expression}");
        wait::until(&what, patience, async || {
            Ok(self.query(expression).await?.into_iter().next())
        })
        .await
    }
}

fn flags(config: &Path, address: &str, speed: Speed) -> [std::ffi::OsString; 5] {
    let mut file = std::ffi::OsString::from("--config.file=");
    file.push(config);
    let mut data = std::ffi::OsString::from("--storage.tsdb.path=");
    data.push(config.with_file_name("data"));
    // The default of 1 min, as fast as the rest.
    let resend = speed.of(Duration::from_secs(60)).as_millis();
    arguments![
        file,
        data,
        format!("--web.listen-address={address}"),
        format!("--rules.alert.resend-delay={resend}ms"),
        "--log.level=warn",
    ]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time since 1970 in seconds is positive and small"
)]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1_000.0).round() as u64
}
