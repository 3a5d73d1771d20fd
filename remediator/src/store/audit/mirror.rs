//! Whether the tables that budgets are counted by say what the events say.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::control::Resolved;
use vcm_recovery::event::{Change, Event};
use vcm_recovery::ids::AttemptId;
use vcm_recovery::time::Time;

use super::{Broken, Fault};
use crate::store::attempts;
use crate::store::row::Row;

/// How the tables differ from the events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorFault {
    /// An intent is in the events only: its budgets are not counted.
    #[error("attempt {attempt} is not in them")]
    Missing {
        /// Which attempt.
        attempt: String,
    },
    /// An attempt is in the tables only.
    #[error("attempt {attempt} is in them, but no event says so")]
    Extra {
        /// Which attempt.
        attempt: String,
    },
    /// Both know the attempt and say different things of it.
    #[error("attempt {attempt} has another {column} in them")]
    Differs {
        /// Which attempt.
        attempt: String,
        /// What of it.
        column: &'static str,
    },
}

/// The tables as the events would fill them.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    attempts: BTreeMap<String, Attempt>,
    /// When each intent was recorded.
    times: BTreeMap<i64, Time>,
}

/// A row of `attempts` and its rows of `attempt_hsms`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Attempt {
    seq: i64,
    host: String,
    rung: String,
    outcome: Option<String>,
    released: bool,
    hsms: BTreeSet<String>,
}

impl Mirror {
    /// Whether an event of this row changes the tables.
    pub(super) fn concerns(row: &Row) -> bool {
        let kinds = [
            "IntentReserved",
            "AttemptReported",
            "HumanResolved",
            "FleetShareReleased",
        ];
        kinds.contains(&row.kind.as_str())
    }

    /// Does what the writer did to the tables when it stored `event`.
    pub(super) fn apply(&mut self, event: &Event) {
        if let Change::IntentReserved(intent) = &event.entry.change {
            self.reserved(event, intent);
        }
        if let Change::AttemptReported { attempt, report } = &event.entry.change
            && let Report::Settled { outcome, .. } = report
        {
            self.settled(*attempt, *outcome);
        }
        if let Change::HumanResolved(resolution) = &event.entry.change
            && let Resolved::Attempt { attempt, outcome } = resolution.what
        {
            self.settled(attempt, outcome);
        }
        if let Change::FleetShareReleased { attempt } = &event.entry.change
            && let Some(known) = self.attempts.get_mut(&attempt.to_string())
        {
            known.released = true;
        }
    }

    fn settled(&mut self, attempt: AttemptId, outcome: Outcome) {
        let open =
            |outcome: &Option<String>| outcome.as_deref().is_none_or(|known| known == "unknown");
        if let Some(known) = self.attempts.get_mut(&attempt.to_string())
            && open(&known.outcome)
        {
            known.outcome = Some(outcome.as_str().to_owned());
        }
    }

    fn reserved(&mut self, event: &Event, intent: &Intent) {
        let seq = event.seq.cast_signed();
        self.times.insert(seq, event.time);
        let attempt = Attempt {
            seq,
            host: intent.target.host.to_string(),
            rung: intent.rung.as_str().to_owned(),
            outcome: None,
            released: false,
            hsms: intent
                .hsms
                .iter()
                .map(|hsm| attempts::group(hsm.as_ref()).to_owned())
                .collect(),
        };
        self.attempts.insert(intent.attempt.to_string(), attempt);
    }

    /// The first attempt that the tables of `connection` have differently.
    pub(super) fn compare(&self, connection: &Connection) -> rusqlite::Result<Option<Broken>> {
        let stored = stored(connection)?;
        let names: BTreeSet<&String> = self.attempts.keys().chain(stored.keys()).collect();
        let faults = names.into_iter().filter_map(|attempt| {
            let (ours, theirs) = (self.attempts.get(attempt), stored.get(attempt));
            let seq = ours.or(theirs).map_or(0, |attempt| attempt.seq);
            fault(attempt, ours, theirs).map(|fault| (seq, fault))
        });
        Ok(faults.min_by_key(|(seq, _)| *seq).map(|(seq, fault)| {
            let time = self.times.get(&seq).copied();
            Broken {
                seq,
                time,
                kind: time.map(|_| "IntentReserved".to_owned()),
                fault: Fault::Mirror(fault),
            }
        }))
    }
}

fn fault(name: &str, ours: Option<&Attempt>, theirs: Option<&Attempt>) -> Option<MirrorFault> {
    let attempt = name.to_owned();
    let (ours, theirs) = match (ours, theirs) {
        (Some(ours), Some(theirs)) => (ours, theirs),
        (Some(_), None) => return Some(MirrorFault::Missing { attempt }),
        (None, _) => return Some(MirrorFault::Extra { attempt }),
    };
    let columns = [
        ("seq", ours.seq == theirs.seq),
        ("host", ours.host == theirs.host),
        ("rung", ours.rung == theirs.rung),
        ("outcome", ours.outcome == theirs.outcome),
        (
            "release of the fleet's share",
            ours.released == theirs.released,
        ),
        ("set of HSMs", ours.hsms == theirs.hsms),
    ];
    let (column, _) = columns.into_iter().find(|(_, same)| !same)?;
    Some(MirrorFault::Differs { attempt, column })
}

fn stored(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Attempt>> {
    let mut attempts = BTreeMap::new();
    let released = if has_releases(connection)? {
        "released"
    } else {
        "0"
    };
    let query = format!("SELECT attempt, seq, host, rung, outcome, {released} FROM attempts");
    let mut statement = connection.prepare(&query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let attempt = Attempt {
            seq: row.get(1)?,
            host: row.get(2)?,
            rung: row.get(3)?,
            outcome: row.get(4)?,
            released: row.get(5)?,
            hsms: BTreeSet::new(),
        };
        attempts.insert(row.get(0)?, attempt);
    }
    let mut statement = connection.prepare("SELECT attempt, hsm FROM attempt_hsms")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // One without its attempt is not a valid row either; it shows as an attempt of no event.
        let attempt: &mut Attempt = attempts.entry(row.get(0)?).or_default();
        attempt.hsms.insert(row.get(1)?);
    }
    Ok(attempts)
}

/// Tables of version 1 have none; they are verified as they are.
fn has_releases(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM pragma_table_info('attempts') WHERE name = 'released'")?
        .exists([])
}
