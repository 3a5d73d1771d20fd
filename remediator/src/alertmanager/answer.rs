//! Reads what a peer answers, and joins the answers of several. Pure.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use serde::Deserialize;
use serde_json::value::RawValue;
use vcm_recovery::alert::{Alert, Ignored};
use vcm_recovery::ids::Fingerprint;

use super::{PeerError, PulledAlert};
use crate::webhook::{Labels, instant};

/// The fields of an alert that we read; newer versions may have more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    fingerprint: Fingerprint,
    labels: Labels,
    starts_at: String,
    #[serde(default)]
    ends_at: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    silenced_by: BTreeSet<String>,
    #[serde(default)]
    inhibited_by: BTreeSet<String>,
}

/// The alerts of an answer, each read alone, and what is wrong with the others.
pub(super) fn read(body: &[u8]) -> Result<(Vec<PulledAlert>, Option<PeerError>), PeerError> {
    let texts: Vec<&RawValue> = serde_json::from_slice(body)?;
    let mut alerts = Vec::with_capacity(texts.len());
    let mut unreadable = Vec::new();
    for text in texts {
        match alert(text.get()) {
            Ok(alert) => alerts.push(alert),
            Err(why) => unreadable.push(why),
        }
    }
    let count = unreadable.len();
    let problem = unreadable
        .into_iter()
        .next()
        .map(|first| PeerError::Unreadable {
            alerts: count,
            first,
        });
    Ok((alerts, problem))
}

fn alert(text: &str) -> Result<PulledAlert, Ignored> {
    let raw: Raw = serde_json::from_str(text)
        .map_err(|error| Ignored::Malformed(format!("alert cannot be read: {error}")))?;
    let optional = |field, text: Option<String>| text.map(|text| instant(field, &text)).transpose();
    Ok(PulledAlert {
        alert: Alert {
            fingerprint: raw.fingerprint,
            firing: true,
            labels: raw.labels.0,
            starts_at: instant("startsAt", &raw.starts_at)?,
            ends_at: None,
        },
        silenced_by: raw.status.silenced_by,
        inhibited_by: raw.status.inhibited_by,
        updated_at: optional("updatedAt", raw.updated_at)?,
        expires_at: optional("endsAt", raw.ends_at)?,
    })
}

/// The alerts that at least one peer holds. One that several hold began when the first of them saw
/// it, as in Alertmanager itself, and is silenced if one of them has it silenced.
pub(super) fn joined(answers: impl IntoIterator<Item = PulledAlert>) -> Vec<PulledAlert> {
    let mut alerts = BTreeMap::new();
    for pulled in answers {
        match alerts.entry(pulled.alert.fingerprint) {
            btree_map::Entry::Vacant(free) => {
                free.insert(pulled);
            }
            btree_map::Entry::Occupied(mut known) => known.get_mut().join(pulled),
        }
    }
    alerts.into_values().collect()
}

impl PulledAlert {
    fn join(&mut self, other: Self) {
        let starts_at = other.alert.starts_at;
        self.alert.starts_at = self.alert.starts_at.min(starts_at);
        self.silenced_by.extend(other.silenced_by);
        self.inhibited_by.extend(other.inhibited_by);
        self.updated_at = self.updated_at.max(other.updated_at);
        self.expires_at = self.expires_at.max(other.expires_at);
    }
}

#[cfg(test)]
mod tests;
