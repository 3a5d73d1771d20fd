//! The attempts table: which attempts hold budgets, counted inside the reserving transaction.

use rusqlite::{Connection, params};
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::control::Resolved;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::guard::{Guard, budget};
use vcm_recovery::ids::{AttemptId, Epoch, HsmName};
use vcm_recovery::policy::Budgets;
use vcm_recovery::tier::Rung;

use super::epoch::LEAP;
use super::transaction::Operation;
use super::{Reservation, StoreError};

/// How the modules of unknown HSM are grouped; never the name of a real one, which is not empty.
const HSM_UNKNOWN: &str = "";

/// Reserves budgets and intent, or says which budget is used up.
pub(super) fn reserve(
    operation: &mut Operation<'_>,
    entry: &Entry,
    budgets: Budgets,
) -> Result<Reservation, StoreError> {
    let Change::IntentReserved(intent) = &entry.change else {
        return Err(StoreError::NotAnIntent);
    };
    let target = entry.target.as_ref();
    let ours = intent.epoch == operation.identity.epoch
        && target == Some(&intent.target)
        && entry.host.as_ref() == Some(&intent.target.host);
    if !ours {
        return Err(StoreError::NotAnIntent);
    }
    if known(operation.connection, intent.attempt)? {
        return Err(StoreError::AttemptKnown(intent.attempt));
    }
    if let Some((guard, reason)) = used_up(operation.connection, intent, budgets)? {
        return Ok(Reservation::Refused(guard, reason));
    }
    let mut events = vec![operation.append(entry.clone())?];
    insert(operation.connection, events[0].seq, intent)?;
    if let Some(request) = intent.approval {
        let attempt = intent.attempt;
        let change = Change::ApprovalUsed { request, attempt };
        events.push(operation.append(Entry {
            change,
            ..entry.clone()
        })?);
    }
    Ok(Reservation::Reserved(events))
}

/// Keeps the table in step with an event that says something else of an attempt than its intent.
pub(super) fn follow(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    if let Change::AttemptReported { attempt, report } = change {
        reported(connection, *attempt, report)?;
    }
    if let Change::HumanResolved(resolution) = change
        && let Resolved::Attempt { attempt, outcome } = resolution.what
    {
        settled(connection, attempt, outcome)?;
    }
    if let Change::FleetShareReleased { attempt } = change {
        connection
            .prepare_cached("UPDATE attempts SET released = 1 WHERE attempt = ?1")?
            .execute([attempt.to_string()])?;
    }
    Ok(())
}

/// Records an outcome. One other than unknown is final: a later report changes nothing.
fn reported(connection: &Connection, attempt: AttemptId, report: &Report) -> rusqlite::Result<()> {
    let Report::Settled { outcome, .. } = report else {
        return Ok(());
    };
    settled(connection, attempt, *outcome)
}

fn settled(connection: &Connection, attempt: AttemptId, outcome: Outcome) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE attempts SET outcome = ?2
             WHERE attempt = ?1 AND (outcome IS NULL OR outcome = 'unknown')",
        )?
        .execute(params![attempt.to_string(), outcome.as_str()])
        .map(drop)
}

/// Whether the intent of an attempt is here, or the epoch was raised over the start that ordered it.
pub(super) fn accounted_for(
    operation: &Operation<'_>,
    attempt: AttemptId,
    ordered_by: Epoch,
) -> rusqlite::Result<bool> {
    let connection = operation.connection;
    Ok(known(connection, attempt)? || ordered_by <= raised_to(connection)?)
}

/// What the epoch was raised to last by a person; 0 when it never was. Raising records a pause under
/// the epoch that it raises to, which no start comes near by counting. Rarely asked, so that it may
/// read through the events.
fn raised_to(connection: &Connection) -> rusqlite::Result<Epoch> {
    let raised: Option<i64> = connection
        .prepare_cached(
            "SELECT max(pause.epoch)
             FROM events AS pause LEFT JOIN events AS before ON before.seq = pause.seq - 1
             WHERE pause.kind = 'Paused' AND pause.epoch - coalesce(before.epoch, 0) >= ?1",
        )?
        .query_row([LEAP.cast_signed()], |row| row.get(0))?;
    Ok(Epoch(raised.unwrap_or_default().cast_unsigned()))
}

fn known(connection: &Connection, attempt: AttemptId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM attempts WHERE attempt = ?1")?
        .exists([attempt.to_string()])
}

fn insert(connection: &Connection, seq: u64, intent: &Intent) -> rusqlite::Result<()> {
    let attempt = intent.attempt.to_string();
    connection
        .prepare_cached("INSERT INTO attempts (attempt, seq, host, rung) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            attempt,
            seq.cast_signed(),
            intent.target.host.as_str(),
            intent.rung.as_str()
        ])?;
    let mut statement =
        connection.prepare_cached("INSERT INTO attempt_hsms (attempt, hsm) VALUES (?1, ?2)")?;
    for hsm in &intent.hsms {
        statement.execute(params![attempt, group(hsm.as_ref())])?;
    }
    Ok(())
}

/// The name that an HSM is counted under.
pub(super) fn group(hsm: Option<&HsmName>) -> &str {
    hsm.map_or(HSM_UNKNOWN, HsmName::as_str)
}

/// The first budget that has no place left for this intent, and why.
fn used_up(
    connection: &Connection,
    intent: &Intent,
    budgets: Budgets,
) -> rusqlite::Result<Option<(Guard, String)>> {
    let host = &intent.target.host;
    let open = open_on_host(connection, host.as_str())?;
    if open >= budgets.host {
        let reason = budget::full_on_host(open, budgets.host);
        return Ok(Some((Guard::BudgetHost, reason)));
    }
    if intent.rung.disruptive() {
        let open = open_in_fleet(connection)?;
        let limit = budgets.fleet_disruptive;
        let reason = || budget::full_in_fleet(open, limit);
        return Ok((open >= limit).then(|| (Guard::BudgetFleet, reason())));
    }
    for hsm in &intent.hsms {
        let open = open_on_hsm(connection, group(hsm.as_ref()))?;
        let limit = budgets.hsm_retry;
        if open >= limit {
            let reason = budget::full_on_hsm(hsm.as_ref(), open, limit);
            return Ok(Some((Guard::BudgetHsm, reason)));
        }
    }
    Ok(None)
}

fn open_on_host(connection: &Connection, host: &str) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM attempts
             WHERE (outcome IS NULL OR outcome = 'unknown') AND host = ?1",
        )?
        .query_row([host], |row| row.get(0))
}

fn open_in_fleet(connection: &Connection) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM attempts
             WHERE (outcome IS NULL OR outcome = 'unknown') AND rung IN (?1, ?2)
                   AND released = 0",
        )?
        .query_row([Rung::Restart.as_str(), Rung::Clear.as_str()], |row| {
            row.get(0)
        })
}

fn open_on_hsm(connection: &Connection, hsm: &str) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM attempts JOIN attempt_hsms USING (attempt)
             WHERE (outcome IS NULL OR outcome = 'unknown') AND rung = ?1 AND hsm = ?2",
        )?
        .query_row([Rung::Retry.as_str(), hsm], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn the_word_for_unknown_in_the_queries_is_the_outcomes_own() {
        assert_eq!(Outcome::Unknown.as_str(), "unknown");
    }
}
