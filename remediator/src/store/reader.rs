//! Reads a store without changing anything, also beside the program that works on it: for replay and
//! reports.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};
use vcm_recovery::event::Event;
use vcm_recovery::ids::ObservationId;
use vcm_recovery::observation::Observation;

use super::StoreError;
use super::open::{self, OpenError};
use super::transaction::each_row;

/// A store that is only read.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the store at `path` for reading.
    ///
    /// # Errors
    /// [`OpenError`] when it is absent, unreadable, newer or not ours.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let connection = open::read_only(path)?;
        Ok(Self { connection })
    }

    /// Calls `visit` with every event, in order.
    ///
    /// # Errors
    /// When an event cannot be read.
    pub fn events(&self, mut visit: impl FnMut(Event)) -> Result<(), StoreError> {
        each_row(&self.connection, 0, u32::MAX, |row, _| {
            visit(row.decode()?);
            Ok(())
        })
    }

    /// A kept observation; `None` when its time to be kept is over.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn observation(&self, id: ObservationId) -> Result<Option<Observation>, StoreError> {
        let body: Option<String> = self
            .connection
            .prepare_cached("SELECT body FROM evidence WHERE observation = ?1")?
            .query_row([id.to_string()], |row| row.get(0))
            .optional()?;
        body.map(|body| {
            serde_json::from_str(&body).map_err(|source| StoreError::UnreadableObservation {
                observation: id,
                source,
            })
        })
        .transpose()
    }
}
