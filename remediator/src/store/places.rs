//! How many different alerts of one target are kept.
//!
//! Alertmanager tells alerts apart by all their labels, so that one rule with a label that never stays
//! the same, or a sender of made-up alerts, could bring any number. Each holds a place of its target for
//! [`FACT_MEMORY`] after it was last delivered, ended or not: whoever fires and resolves in turn gains
//! nothing by it. What holds a place keeps it and is never refused: strangers push out nothing. The end
//! of what is stored is never refused either. Beyond the bound, and only there, it depends on the order
//! of deliveries which alerts are known.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use vcm_recovery::alert::FACT_MEMORY;
use vcm_recovery::inventory::Target;
use vcm_recovery::time::Time;

use super::StoreError;

/// Different alerts of one target. The shipped rules make fewer than 20, and as many again when a
/// label is added to them.
pub const PLACES: u32 = 64;

/// Different alerts of one target that have the same name: half of [`PLACES`], so that one rule whose
/// labels change all the time does not keep the others out.
pub const PLACES_OF_A_NAME: u32 = PLACES / 2;

/// The places as one transaction finds and takes them.
pub(super) struct Places {
    /// What was delivered before holds none.
    since: Time,
    /// Targets for which one was asked for.
    taken: BTreeMap<Target, Taken>,
}

/// The places of a target that are taken.
#[derive(Default)]
struct Taken {
    all: u32,
    by_name: BTreeMap<String, u32>,
}

impl Places {
    /// The places as they are now.
    pub(super) fn at(now: Time) -> Self {
        Self {
            since: now.before(FACT_MEMORY),
            taken: BTreeMap::new(),
        }
    }

    /// Whether what was last delivered then holds a place.
    pub(super) fn holds(&self, last_seen: Time) -> bool {
        last_seen >= self.since
    }

    /// Takes a place of `target` for an alert of this name that holds none; whether there was one.
    pub(super) fn take(
        &mut self,
        connection: &Connection,
        target: &Target,
        name: &str,
    ) -> Result<bool, StoreError> {
        if !self.taken.contains_key(target) {
            let taken = count(connection, target, self.since)?;
            self.taken.insert(target.clone(), taken);
        }
        let taken = self.taken.entry(target.clone()).or_default();
        if taken.all >= PLACES {
            return Ok(false);
        }
        let of_name = taken.by_name.entry(name.to_owned()).or_default();
        if *of_name >= PLACES_OF_A_NAME {
            return Ok(false);
        }
        taken.all += 1;
        *of_name += 1;
        Ok(true)
    }
}

fn count(connection: &Connection, target: &Target, since: Time) -> Result<Taken, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, count(*) FROM facts
         WHERE host = ?1 AND module IS ?2 AND last_seen >= ?3 GROUP BY name",
    )?;
    let module = target.module.map(|module| module.get());
    let key = params![target.host.as_str(), module, since.as_millis()];
    let mut taken = Taken::default();
    let mut rows = statement.query(key)?;
    while let Some(row) = rows.next()? {
        let (name, facts): (String, u32) = (row.get(0)?, row.get(1)?);
        taken.all += facts;
        taken.by_name.insert(name, facts);
    }
    Ok(taken)
}
