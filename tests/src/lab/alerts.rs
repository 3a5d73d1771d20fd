//! Alertmanager's webhook bodies, written by hand: for tests that post their own alerts.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::{Value, json};

use super::clock;

/// One alert of a body.
#[derive(Debug, Clone)]
pub struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_ms: u64,
    ends_ms: Option<u64>,
}

impl Alert {
    /// An alert of this name that fires since a minute.
    #[must_use]
    pub fn firing(name: &str) -> Self {
        Self {
            labels: BTreeMap::from([("alertname".to_owned(), name.to_owned())]),
            annotations: BTreeMap::new(),
            starts_ms: minutes_ago(1),
            ends_ms: None,
        }
    }

    /// With this label, in place of one of the same name.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With this annotation.
    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With this beginning.
    #[must_use]
    pub fn starts_minutes_ago(mut self, minutes: u64) -> Self {
        self.starts_ms = minutes_ago(minutes);
        self
    }

    /// Resolved at this time.
    #[must_use]
    pub fn resolved_minutes_ago(mut self, minutes: u64) -> Self {
        self.ends_ms = Some(minutes_ago(minutes));
        self
    }

    fn json(&self) -> Value {
        let mut hasher = DefaultHasher::new();
        self.labels.hash(&mut hasher);
        json!({
            "status": if self.ends_ms.is_some() { "resolved" } else { "firing" },
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": rfc3339(self.starts_ms),
            "endsAt": self.ends_ms.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), rfc3339),
            "generatorURL": "http://prometheus.example.com/graph",
            "fingerprint": format!("{:016x}", hasher.finish()),
        })
    }
}

/// A body as Alertmanager 0.25 sends it.
#[must_use]
pub fn body(alerts: &[Alert]) -> String {
    let firing = alerts.iter().any(|alert| alert.ends_ms.is_none());
    json!({
        "receiver": "remediator",
        "status": if firing { "firing" } else { "resolved" },
        "alerts": alerts.iter().map(Alert::json).collect::<Vec<_>>(),
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "version": "4",
        "groupKey": "{}/{alertname=~\"Vcm.*\"}:{}",
        "truncatedAlerts": 0,
    })
    .to_string()
}

fn minutes_ago(minutes: u64) -> u64 {
    clock::now_ms().saturating_sub(minutes * 60_000)
}

fn rfc3339(ms: u64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms);
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_labels_have_the_same_fingerprint_whenever_they_start() {
        let alert = Alert::firing("VcmFailed").label("host", "tenant-1");
        let later = alert.clone().starts_minutes_ago(5).resolved_minutes_ago(1);
        assert_eq!(alert.json()["fingerprint"], later.json()["fingerprint"]);
        let other = alert.clone().label("host", "tenant-2");
        assert_ne!(alert.json()["fingerprint"], other.json()["fingerprint"]);
        assert_eq!(later.json()["status"], "resolved");
        assert_eq!(alert.json()["endsAt"], "0001-01-01T00:00:00Z");
    }

    #[test]
    fn times_are_written_as_alertmanager_writes_them() {
        assert_eq!(rfc3339(1_437_708_806_000), "2015-07-24T03:33:26.000Z");
    }
}
