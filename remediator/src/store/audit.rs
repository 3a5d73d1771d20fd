//! Walks the whole chain of events and names the first record that is not as it was written.
//!
//! `open` walks it before anything is done with a store; `audit verify` prints what it finds, also
//! beside the running program: it only reads, in one transaction.

use std::error::Error;
use std::path::Path;
use std::str::FromStr;

use rusqlite::Connection;
use vcm_recovery::time::Time;

use super::StoreIdentity;
use super::chain::{self, ChainHead, Hash, HashError};
use super::open::{self, OpenError};
use super::row::Row;
use super::transaction::each_stored;

mod mirror;

use mirror::Mirror;
pub use mirror::MirrorFault;

/// What a walk over the whole chain has found.
#[derive(Debug)]
pub struct Report {
    /// The store, and the newest start of the program on it.
    pub identity: StoreIdentity,
    /// How many events are as they were written, counted up to the first that is not.
    pub events: u64,
    /// When the first of them happened.
    pub first: Option<Time>,
    /// The last of them.
    pub head: ChainHead,
    /// The first record that is not as it was written.
    pub broken: Option<Broken>,
}

/// A record that is not as it was written.
#[derive(Debug, thiserror::Error)]
#[error("event {seq} is not as it was written")]
pub struct Broken {
    /// Its place in the chain, as it says itself.
    pub seq: i64,
    /// When it happened, as far as that can be read.
    pub time: Option<Time>,
    /// The kind of event, as far as that can be read.
    pub kind: Option<String>,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Records are missing before it, or it stands where another was.
    #[error("event {expected} is missing before it")]
    Gap {
        /// What should have come.
        expected: u64,
    },
    /// It, or its hash, was changed.
    #[error(
        "its hash does not follow from the events before it and its own contents: it was changed, slipped in, or one before it was taken out"
    )]
    Hash,
    /// It is older than the one before.
    #[error("its time is before that of the event before it")]
    TimeBack,
    /// It was written by an older start than the one before, or by one that never was.
    #[error(
        "its epoch {epoch} does not lie between that of the event before it ({before}) and that of the store ({newest})"
    )]
    Epoch {
        /// Of the record.
        epoch: u64,
        /// Of the one before.
        before: u64,
        /// Of the newest start.
        newest: u64,
    },
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
    /// The tables that budgets are counted by do not say what the events say.
    #[error("the tables of attempts do not mirror the events")]
    Mirror(#[source] MirrorFault),
    /// The chain ended before a head that was logged: its tail was cut off, or it is an older copy.
    #[error(
        "a head was logged here, but the chain ends at event {last}: its tail was cut off, or this is an older copy"
    )]
    CutOff {
        /// The last event of the chain.
        last: u64,
    },
    /// The chain has another hash at the place of a head that was logged.
    #[error("another head was logged here: the chain was written anew, or this is another store")]
    OtherHead,
    /// The hash of a logged head is nowhere on the chain.
    #[error(
        "the logged head {0} is nowhere on the chain that ends here: its tail was cut off, it was written anew, or this is another store"
    )]
    HeadNowhere(Hash),
}

impl Fault {
    /// The word in machine-readable output.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Gap { .. } => "gap",
            Self::Hash => "hash",
            Self::TimeBack => "time_back",
            Self::Epoch { .. } => "epoch",
            Self::Unreadable(_) => "unreadable",
            Self::Mirror(_) => "attempts",
            Self::CutOff { .. } => "cut_off",
            Self::OtherHead => "other_head",
            Self::HeadNowhere(_) => "head_nowhere",
        }
    }
}

/// A head that was logged earlier, `HEX` or `HEX@SEQ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedHead {
    hash: Hash,
    seq: Option<u64>,
}

/// A logged head that is not one.
#[derive(Debug, thiserror::Error)]
pub enum LoggedHeadError {
    /// What stands before the `@`.
    #[error("the hash is not one")]
    Hash(#[from] HashError),
    /// What stands after the `@`.
    #[error("after the @ there is no number of an event")]
    Seq(#[from] std::num::ParseIntError),
}

/// Verifies the store at `path` without changing anything; whether each of `heads` is on its chain.
///
/// # Errors
/// [`OpenError`] when it cannot be read at all. What is broken in it stands in the report.
pub fn verify(path: &Path, heads: &[LoggedHead]) -> Result<Report, OpenError> {
    let unreadable = |source| OpenError::unreadable(path, source);
    let mut connection = open::read_only(path)?;
    let transaction = connection.transaction().map_err(unreadable)?;
    let identity = open::read_identity(path, &transaction)?;
    let report = Walk::new(identity, Bodies::All, heads).over(&transaction);
    let report = report.map_err(unreadable)?;
    if report.broken.is_none() {
        open::check_pages(path, &transaction)?;
    }
    Ok(report)
}

/// The walk before a store is used: everything but the bodies, which are read soon after.
pub(super) fn walk(connection: &Connection, identity: StoreIdentity) -> rusqlite::Result<Report> {
    Walk::new(identity, Bodies::OfAttempts, &[]).over(connection)
}

/// Whose bodies are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bodies {
    /// Only those that the tables of attempts mirror.
    OfAttempts,
    /// Every one.
    All,
}

struct Walk<'a> {
    identity: StoreIdentity,
    bodies: Bodies,
    heads: &'a [LoggedHead],
    /// Which of `heads` were found so far.
    found: Vec<bool>,
    mirror: Mirror,
    first: Option<Time>,
    epoch: i64,
    head: ChainHead,
}

/// Why a walk ended early.
enum Stop {
    Broken(Broken),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl<'a> Walk<'a> {
    fn new(identity: StoreIdentity, bodies: Bodies, heads: &'a [LoggedHead]) -> Self {
        let head = ChainHead::origin(identity.store_id);
        let mut walk = Self {
            identity,
            bodies,
            heads,
            found: vec![false; heads.len()],
            mirror: Mirror::default(),
            first: None,
            epoch: 0,
            head,
        };
        walk.find_heads();
        walk
    }

    fn over(mut self, connection: &Connection) -> rusqlite::Result<Report> {
        let walked = each_stored(connection, i64::MIN, u32::MAX, |seq, stored| {
            self.step(seq, stored)
        });
        let compared = walked.and_then(|()| self.finish(connection));
        let broken = match compared {
            Ok(()) => None,
            Err(Stop::Broken(broken)) => Some(broken),
            Err(Stop::Database(error)) => return Err(error),
        };
        Ok(Report {
            identity: self.identity,
            events: self.head.seq,
            first: self.first,
            head: self.head,
            broken,
        })
    }

    /// Goes on to the next record.
    fn step(&mut self, seq: i64, stored: rusqlite::Result<(Row, Hash)>) -> Result<(), Stop> {
        let (row, hash) = stored.map_err(|error| unreadable_row(seq, error))?;
        let broken = |fault| Stop::Broken(broken(&row, fault));
        self.follows(&row, hash).map_err(broken)?;
        if self.bodies == Bodies::All || Mirror::concerns(&row) {
            let event = row.decode();
            let event = event.map_err(|error| broken(Fault::Unreadable(Box::new(error))))?;
            self.mirror.apply(&event);
        }
        let time = Time::from_millis(row.time);
        self.first.get_or_insert(time);
        self.epoch = row.epoch;
        self.head = ChainHead {
            seq: seq.cast_unsigned(),
            time: Some(time),
            hash,
        };
        if self.find_heads() {
            Ok(())
        } else {
            Err(broken(Fault::OtherHead))
        }
    }

    /// Whether a record can stand after the one before.
    fn follows(&self, row: &Row, hash: Hash) -> Result<(), Fault> {
        let expected = self.head.seq + 1;
        if row.seq != expected.cast_signed() {
            return Err(Fault::Gap { expected });
        }
        if chain::next(&self.head.hash, row) != hash {
            return Err(Fault::Hash);
        }
        if let Some(before) = self.head.time
            && row.time < before.as_millis()
        {
            return Err(Fault::TimeBack);
        }
        let newest = self.identity.epoch.0;
        if row.epoch < self.epoch || row.epoch > newest.cast_signed() {
            return Err(Fault::Epoch {
                epoch: row.epoch.cast_unsigned(),
                before: self.epoch.cast_unsigned(),
                newest,
            });
        }
        Ok(())
    }

    /// Ticks off the logged heads that are here; `false` when another one was logged here.
    fn find_heads(&mut self) -> bool {
        for (logged, found) in self.heads.iter().zip(&mut self.found) {
            let same = logged.hash == self.head.hash;
            match logged.seq {
                Some(seq) if seq == self.head.seq && !same => return false,
                Some(seq) if seq != self.head.seq => {}
                Some(_) | None => *found |= same,
            }
        }
        true
    }

    /// What can only be said at the end.
    fn finish(&self, connection: &Connection) -> Result<(), Stop> {
        let missing = self
            .heads
            .iter()
            .zip(&self.found)
            .find(|(_, found)| !**found);
        if let Some((logged, _)) = missing {
            let last = self.head.seq;
            let (seq, fault) = match logged.seq {
                Some(0) => (0, Fault::OtherHead),
                Some(seq) => (seq, Fault::CutOff { last }),
                None => (last, Fault::HeadNowhere(logged.hash)),
            };
            return Err(Stop::Broken(Broken {
                seq: seq.cast_signed(),
                time: None,
                kind: None,
                fault,
            }));
        }
        match self.mirror.compare(connection)? {
            None => Ok(()),
            Some(broken) => Err(Stop::Broken(broken)),
        }
    }
}

fn broken(row: &Row, fault: Fault) -> Broken {
    Broken {
        seq: row.seq,
        time: Some(Time::from_millis(row.time)),
        kind: Some(row.kind.clone()),
        fault,
    }
}

/// A row whose columns are not what they should be is a broken record; the database's own
/// failures are not about one record.
fn unreadable_row(seq: i64, error: rusqlite::Error) -> Stop {
    if error.sqlite_error_code().is_some() {
        return Stop::Database(error);
    }
    Stop::Broken(Broken {
        seq,
        time: None,
        kind: None,
        fault: Fault::Unreadable(Box::new(error)),
    })
}

impl FromStr for LoggedHead {
    type Err = LoggedHeadError;

    fn from_str(text: &str) -> Result<Self, LoggedHeadError> {
        let (hash, seq) = match text.split_once('@') {
            Some((hash, seq)) => (hash, Some(seq.parse()?)),
            None => (text, None),
        };
        Ok(Self {
            hash: hash.parse()?,
            seq,
        })
    }
}

#[cfg(test)]
mod tests;
