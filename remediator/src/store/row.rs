//! An event as a row of the table, and back.

use std::borrow::Cow;

use nshield::ModuleNumber;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::StrDeserializer;
use serde_json::Value;
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::ids::{Epoch, IncidentId};
use vcm_recovery::inventory::Target;
use vcm_recovery::time::Time;

use super::StoreError;

/// The columns of an event, without its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) schema: u32,
    pub(super) time: i64,
    pub(super) epoch: i64,
    pub(super) host: Option<String>,
    pub(super) target_host: Option<String>,
    pub(super) target_module: Option<i64>,
    pub(super) incident: Option<String>,
    pub(super) kind: String,
    pub(super) body: String,
}

impl Row {
    /// The row of `event`.
    pub(super) fn encode(event: &Event) -> Result<Self, StoreError> {
        let entry = &event.entry;
        Ok(Self {
            seq: event.seq.cast_signed(),
            schema: event.schema,
            time: event.time.as_millis(),
            epoch: event.epoch.0.cast_signed(),
            host: entry.host.as_ref().map(ToString::to_string),
            target_host: entry.target.as_ref().map(|target| target.host.to_string()),
            target_module: entry
                .target
                .as_ref()
                .and_then(|t| t.module)
                .map(|n| n.get().into()),
            incident: entry.incident.as_ref().map(ToString::to_string),
            kind: entry.change.kind().to_owned(),
            body: body(&entry.change)?,
        })
    }

    /// The event of this row.
    pub(super) fn decode(&self) -> Result<Event, StoreError> {
        let seq = self.seq.cast_unsigned();
        let entry = self.entry().map_err(|source| StoreError::Unreadable {
            seq,
            source: source.into(),
        })?;
        Ok(Event {
            seq,
            schema: self.schema,
            time: Time::from_millis(self.time),
            epoch: Epoch(self.epoch.cast_unsigned()),
            entry,
        })
    }

    /// The columns in table order, as the hash chain takes them.
    pub(super) fn columns(&self) -> [Option<Cow<'_, str>>; 10] {
        let number = |number: i64| Cow::from(number.to_string());
        [
            Some(number(self.seq)),
            Some(number(self.schema.into())),
            Some(number(self.time)),
            Some(number(self.epoch)),
            self.host.as_deref().map(Cow::from),
            self.target_host.as_deref().map(Cow::from),
            self.target_module.map(number),
            self.incident.as_deref().map(Cow::from),
            Some(Cow::from(&self.kind)),
            Some(Cow::from(&self.body)),
        ]
    }

    /// The kind stands before the body, so that serde reads the body straight as what it is:
    /// read through a buffer, maps by module number would not be found again.
    fn entry(&self) -> Result<Entry, serde_json::Error> {
        let kind = Value::from(self.kind.as_str());
        let change: Change = match self.body.as_str() {
            "null" => serde_json::from_str(&format!("{{\"kind\":{kind}}}"))?,
            body => serde_json::from_str(&format!("{{\"kind\":{kind},\"body\":{body}}}"))?,
        };
        let target = match &self.target_host {
            Some(host) => Some(Target {
                host: text(host)?,
                module: self.module()?,
            }),
            None => None,
        };
        let incident = self
            .incident
            .as_deref()
            .map(text::<IncidentId>)
            .transpose()?;
        Ok(Entry {
            host: self.host.as_deref().map(text).transpose()?,
            target,
            incident,
            change,
        })
    }

    fn module(&self) -> Result<Option<ModuleNumber>, serde_json::Error> {
        self.target_module
            .map(|number| ModuleNumber::deserialize(number.into_deserializer()))
            .transpose()
    }
}

/// The JSON text of what happened, `null` for a kind that carries nothing.
fn body(change: &Change) -> Result<String, StoreError> {
    let mut value = serde_json::to_value(change).map_err(StoreError::Encode)?;
    Ok(value["body"].take().to_string())
}

/// A value whose JSON form is a string.
pub(super) fn text<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    T::deserialize(StrDeserializer::new(text))
}

#[cfg(test)]
mod tests;
