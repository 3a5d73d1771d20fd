//! Sorts the alerts of one body: facts, the watchdog, and what is not acted on and why.

use std::collections::{BTreeMap, btree_map};
use std::fmt;

use jiff::Timestamp;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use vcm_recovery::alert::{Alert, FACT_MEMORY, Fact, Ignored};
use vcm_recovery::ids::Fingerprint;
use vcm_recovery::inventory::{Inventory, Target};
use vcm_recovery::policy::Policy;
use vcm_recovery::time::Time;

use super::body::Body;
use crate::store::Refused;
use crate::store::places::{PLACES, PLACES_OF_A_NAME};

/// Alertmanager's way of saying that an alert has not ended.
const NOT_ENDED: &str = "0001-01-01T00:00:00Z";

/// What a body brought.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Alerts about targets of the inventory, until they are stored.
    pub(super) facts: Vec<Fact>,
    /// Whether the watchdog was among them, firing.
    pub(super) watchdog: bool,
    /// Alerts that are not acted on, by reason: how many, and the first one. A body of rubbish is
    /// not kept once more as text.
    pub(super) ignored: BTreeMap<&'static str, (usize, Ignored)>,
    /// Alerts in the body.
    pub(super) total: usize,
    /// Alerts that were cut off.
    pub(super) truncated: u64,
}

impl Intake {
    /// How many alerts were taken in.
    pub(super) fn accepted(&self) -> usize {
        let ignored: usize = self.ignored.values().map(|(alerts, _)| alerts).sum();
        self.total - ignored
    }

    /// How many alerts are not acted on, by reason.
    pub(super) fn ignored_by_reason(&self) -> BTreeMap<&'static str, usize> {
        let reasons = self.ignored.iter();
        reasons
            .map(|(reason, (alerts, _))| (*reason, *alerts))
            .collect()
    }

    /// Sets apart what the store had no place for.
    pub(super) fn refuse(&mut self, refused: BTreeMap<Target, Refused>) {
        for (target, Refused { facts, name }) in refused {
            self.ignore(facts, too_many(&target, &name));
        }
    }

    fn ignore(&mut self, more: usize, why: Ignored) {
        let (alerts, _) = self.ignored.entry(why.as_str()).or_insert((0, why));
        *alerts += more;
    }

    /// One line per reason, however many alerts there are.
    pub(super) fn log(&self) {
        for (reason, (alerts, example)) in &self.ignored {
            tracing::warn!(reason, alerts, %example, "alerts are not acted on");
        }
        if self.truncated > 0 {
            tracing::error!(
                alerts = self.truncated,
                "Alertmanager cut alerts off: set max_alerts to 0 for this receiver"
            );
        }
        tracing::debug!(
            alerts = self.total,
            accepted = self.accepted(),
            "alerts received"
        );
    }
}

/// Why an alert has no place.
pub(crate) fn too_many(target: &Target, name: &str) -> Ignored {
    let hours = FACT_MEMORY.as_secs() / 3600;
    Ignored::TooMany(format!(
        "{target} had {PLACES} different alerts, or {PLACES_OF_A_NAME} of one name, in {hours} h; \
         {name:?} has no place"
    ))
}

/// Reads each alert alone and looks up what it is about.
pub(super) fn sort(
    body: &Body<'_>,
    inventory: &Inventory,
    policy: &Policy,
    received_at: Time,
) -> Intake {
    let mut intake = Intake {
        total: body.alerts().len(),
        truncated: body.truncated(),
        ..Intake::default()
    };
    for sorted in each(body, inventory, policy, received_at) {
        match sorted {
            Ok(Sorted::Watchdog { firing }) => intake.watchdog |= firing,
            Ok(Sorted::Fact(fact)) => intake.facts.push(fact),
            Err(ignored) => intake.ignore(1, ignored),
        }
    }
    intake
}

/// What an alert is.
pub(super) enum Sorted {
    Watchdog { firing: bool },
    Fact(Fact),
}

/// The alerts of a body one by one.
pub(super) fn each<'a>(
    body: &'a Body<'_>,
    inventory: &'a Inventory,
    policy: &'a Policy,
    received_at: Time,
) -> impl Iterator<Item = Result<Sorted, Ignored>> + 'a {
    body.alerts().map(move |text| {
        let alert = read(text)?;
        if is_watchdog(&alert, policy) {
            let firing = alert.firing;
            return Ok(Sorted::Watchdog { firing });
        }
        let fact = alert.resolve(inventory, policy, received_at)?;
        Ok(Sorted::Fact(fact))
    })
}

fn is_watchdog(alert: &Alert, policy: &Policy) -> bool {
    let name = alert.labels.get("alertname");
    name.is_some() && name == policy.watchdog_alert.as_ref()
}

/// The fields of an alert that we read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    status: Status,
    labels: Labels,
    starts_at: String,
    #[serde(default)]
    ends_at: Option<String>,
    fingerprint: Fingerprint,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Firing,
    Resolved,
}

/// Reads one alert.
fn read(text: &str) -> Result<Alert, Ignored> {
    let raw: Raw = serde_json::from_str(text)
        .map_err(|error| Ignored::Malformed(format!("alert cannot be read: {error}")))?;
    let firing = raw.status == Status::Firing;
    let starts_at = instant("startsAt", &raw.starts_at)?;
    let ended = raw
        .ends_at
        .as_deref()
        .filter(|text| !firing && *text != NOT_ENDED);
    let ends_at = ended.map(|text| instant("endsAt", text)).transpose()?;
    Ok(Alert {
        fingerprint: raw.fingerprint,
        firing,
        labels: raw.labels.0,
        starts_at,
        ends_at,
    })
}

/// The instant in a field of an alert.
pub(crate) fn instant(field: &str, text: &str) -> Result<Time, Ignored> {
    let timestamp: Timestamp = text.parse().map_err(|_| {
        let text: String = text.chars().take(64).collect();
        Ignored::Malformed(format!("{field} {text:?} is no RFC 3339 instant"))
    })?;
    Ok(Time::from_millis(timestamp.as_millisecond()))
}

/// Labels, each name once.
pub(crate) struct Labels(pub(crate) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels by name, each once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            match labels.entry(name) {
                btree_map::Entry::Vacant(free) => free.insert(value),
                btree_map::Entry::Occupied(taken) => {
                    let name = taken.key();
                    return Err(A::Error::custom(format_args!(
                        "label {name:?} stands twice"
                    )));
                }
            };
        }
        Ok(Labels(labels))
    }
}

#[cfg(test)]
mod tests;
