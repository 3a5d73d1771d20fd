//! Takes the epoch of a restored store past everything that hosts have heard of, and pauses.
//!
//! Each start of the program increments the epoch, and a host refuses one that is lower than the
//! highest it has heard of. A restored copy carries the epoch of when it was made, so its starts
//! are refused. How many starts there were since, nobody knows any more; nor which attempts, so that
//! caps and budgets would count too few. The pause lasts until a person has looked.

use std::path::Path;

use rusqlite::TransactionBehavior;
use vcm_recovery::control::Pause;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::ids::{Epoch, Person, StoreId};
use vcm_recovery::start::Start;

use super::open::{Checked, OpenError, last_time, open_existing};
use super::transaction::Operation;
use super::{StoreError, StoreIdentity};
use crate::clock::{Clock as _, SystemClock};

/// A leap is never shorter. A program that crashed and was started again every second needs eleven
/// days to make as many starts, and epochs are only compared: a leap that is too long costs
/// nothing, one that is too short leaves hosts that refuse.
pub const LEAP: u64 = 1_000_000;

/// No leap goes further (2 to the power of 53, what every JSON reader can hold): a typing error
/// must not use up all epochs that there will ever be.
pub const EPOCH_MAX: u64 = 1 << 53;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bumped {
    /// Of which store.
    pub store_id: StoreId,
    /// The epoch of the newest start that the store knew of.
    pub before: Epoch,
    /// What it is now; the next start has the one after it.
    pub after: Epoch,
}

/// Why the epoch was not changed.
#[derive(Debug, thiserror::Error)]
pub enum BumpError {
    /// The store cannot be used.
    #[error("the store cannot be used")]
    Open(#[from] OpenError),
    /// Further than any leap goes.
    #[error("epoch {wanted} is above {EPOCH_MAX}, the highest that can be asked for")]
    TooHigh {
        /// What it would have become.
        wanted: u64,
    },
    /// It could not be written.
    #[error("the epoch could not be written")]
    Write(#[from] StoreError),
}

/// Raises the epoch of the store at `path` by [`LEAP`], and to `at_least` where that is higher,
/// and records a pause by `person` that only a person ends, and that how long the program was away is not
/// known; all or nothing. The next start does not know it either: answers and alerts of the copy are void.
///
/// `at_least` makes no leap shorter: another host may have heard of a higher epoch than the one
/// that told.
///
/// # Errors
/// [`BumpError`], among others when the program runs on the store; nothing was changed.
pub fn bump(path: &Path, at_least: Option<Epoch>, person: Person) -> Result<Bumped, BumpError> {
    let mut checked = open_existing(path)?;
    let before = checked.identity.epoch;
    let after = leap(before, at_least)?;
    write(&mut checked, after, pause(before, after, person))?;
    Ok(Bumped {
        store_id: checked.identity.store_id,
        before,
        after,
    })
}

fn leap(before: Epoch, at_least: Option<Epoch>) -> Result<Epoch, BumpError> {
    let far_enough = before.0.saturating_add(LEAP);
    let wanted = at_least.map_or(far_enough, |at_least| far_enough.max(at_least.0));
    if wanted > EPOCH_MAX {
        return Err(BumpError::TooHigh { wanted });
    }
    Ok(Epoch(wanted))
}

fn pause(before: Epoch, after: Epoch, by: Person) -> Entry {
    let reason = format!(
        "the store was restored and its epoch raised from {before} to {after}: what was attempted \
         since the copy was made is not in it; look at the hosts, then resume"
    );
    Entry {
        host: None,
        target: None,
        incident: None,
        change: Change::Paused(Pause {
            until: None,
            reason,
            by,
        }),
    }
}

fn write(checked: &mut Checked, epoch: Epoch, pause: Entry) -> Result<(), BumpError> {
    let last = last_time(&checked.connection).map_err(StoreError::from)?;
    let clock = SystemClock::resume(last, None);
    let start = Start {
        boot: None,
        ..clock.start()
    };
    let now = clock.now();
    let transaction = checked
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(StoreError::from)?;
    transaction
        .execute("UPDATE meta SET epoch = ?1", [epoch.0.cast_signed()])
        .map_err(StoreError::from)?;
    let mut operation = Operation {
        connection: &transaction,
        identity: StoreIdentity {
            epoch,
            ..checked.identity
        },
        head: &mut checked.head,
        now,
    };
    operation.append(pause)?;
    for entry in start.entries(std::iter::empty(), now) {
        operation.append(entry)?;
    }
    Ok(transaction.commit().map_err(StoreError::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_is_never_shorter_than_the_default_and_never_out_of_range() {
        let after = |before, at_least: Option<u64>| {
            leap(Epoch(before), at_least.map(Epoch))
                .ok()
                .map(|epoch| epoch.0)
        };
        assert_eq!(after(3, None), Some(LEAP + 3));
        assert_eq!(after(3, Some(7)), Some(LEAP + 3));
        assert_eq!(after(3, Some(LEAP + 4)), Some(LEAP + 4));
        assert_eq!(after(3, Some(EPOCH_MAX)), Some(EPOCH_MAX));
        assert_eq!(after(3, Some(EPOCH_MAX + 1)), None);
        assert_eq!(after(EPOCH_MAX, None), None);
        assert_eq!(after(u64::MAX, None), None);
    }
}
