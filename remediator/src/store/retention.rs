//! Forgets old facts and evidence, a little at a time. The events are kept for ever.
//!
//! The writer asks between its transactions, so that nobody waits for longer than one small
//! portion takes.

use std::time::Duration;

use rusqlite::{Connection, params};
use vcm_recovery::time::Time;

/// Facts that were last delivered, and evidence that was taken, longer ago than this are forgotten.
pub const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// From the end of one sweep to the next. What is a moment older than [`KEPT`] harms nobody.
const SWEPT_EVERY: Duration = Duration::from_secs(3600);

/// Observations in one portion: some 300 kB of pages, a few milliseconds.
const EVIDENCE_AT_ONCE: u32 = 64;

/// Facts in one portion: a few milliseconds.
const FACTS_AT_ONCE: u32 = 256;

/// When to forget.
#[derive(Debug)]
pub(super) struct Retention {
    next: Time,
}

impl Retention {
    /// The first portion is due at once.
    pub(super) const fn new() -> Self {
        Self {
            next: Time::from_millis(i64::MIN),
        }
    }

    /// Whether a portion is due.
    pub(super) fn due(&self, now: Time) -> bool {
        now >= self.next
    }

    /// Forgets one portion; after the last one, and when it fails, the next is due in an hour.
    pub(super) fn forget(&mut self, connection: &mut Connection, now: Time) {
        match portion(connection, now) {
            Ok(More::Yes) => {}
            Ok(More::No) => self.next = now.after(SWEPT_EVERY),
            Err(error) => {
                let detail: &dyn std::error::Error = &error;
                tracing::warn!(
                    error = detail,
                    "old evidence and facts could not be removed"
                );
                self.next = now.after(SWEPT_EVERY);
            }
        }
    }
}

/// Whether there may be more to forget.
#[derive(Debug, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

fn portion(connection: &mut Connection, now: Time) -> rusqlite::Result<More> {
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    let oldest = now.as_millis().saturating_sub(kept);
    let transaction = connection.transaction()?;
    let evidence = transaction
        .prepare_cached(
            "DELETE FROM evidence WHERE observation IN
                 (SELECT observation FROM evidence WHERE time < ?1 ORDER BY time LIMIT ?2)",
        )?
        .execute(params![oldest, EVIDENCE_AT_ONCE])?;
    let facts = transaction
        .prepare_cached(
            "DELETE FROM facts WHERE (host, fingerprint) IN
                 (SELECT host, fingerprint FROM facts WHERE last_seen < ?1
                  ORDER BY last_seen LIMIT ?2)",
        )?
        .execute(params![oldest, FACTS_AT_ONCE])?;
    transaction.commit()?;
    let none_left = evidence < EVIDENCE_AT_ONCE as usize && facts < FACTS_AT_ONCE as usize;
    Ok(if none_left { More::No } else { More::Yes })
}
