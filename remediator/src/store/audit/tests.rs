use rusqlite::params;
use vcm_recovery::ids::{Epoch, StoreId};

use super::*;
use crate::store::schema;

const IDENTITY: StoreIdentity = StoreIdentity {
    store_id: StoreId::from_bits(7),
    epoch: Epoch(5),
};

/// A chain whose hashes are right, whatever its rows say: as written by this program gone wrong,
/// or by somebody who chained them anew.
fn chained(rows: &[Row]) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(schema::TABLES).unwrap();
    let mut hash = ChainHead::origin(IDENTITY.store_id).hash;
    for row in rows {
        hash = chain::next(&hash, row);
        connection
            .execute(
                "INSERT INTO events (seq, schema, time, epoch, host, kind, body, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    row.seq,
                    row.schema,
                    row.time,
                    row.epoch,
                    row.host,
                    row.kind,
                    row.body,
                    hash.as_slice()
                ],
            )
            .unwrap();
    }
    connection
}

fn row(seq: i64, time: i64, epoch: i64) -> Row {
    Row {
        seq,
        schema: 1,
        time,
        epoch,
        host: Some("tenant-1".to_owned()),
        target_host: None,
        target_module: None,
        incident: None,
        kind: "IncidentOpened".to_owned(),
        body: "null".to_owned(),
    }
}

fn found(rows: &[Row], bodies: Bodies) -> Option<(i64, &'static str)> {
    let report = Walk::new(IDENTITY, bodies, &[])
        .over(&chained(rows))
        .unwrap();
    report
        .broken
        .map(|broken| (broken.seq, broken.fault.as_str()))
}

#[test]
fn time_and_epoch_never_go_back_and_no_start_is_invented() {
    type TimesAndEpochs = &'static [(i64, i64)];
    let table: [(TimesAndEpochs, Option<(i64, &str)>); 7] = [
        (&[(10, 1), (10, 1), (11, 5)], None),
        (&[(10, 1), (9, 1)], Some((2, "time_back"))),
        (&[(-3, 1), (-4, 1)], Some((2, "time_back"))),
        (&[(10, 2), (11, 1)], Some((2, "epoch"))),
        (&[(10, 6)], Some((1, "epoch"))),
        (&[(10, -1)], Some((1, "epoch"))),
        (&[(10, 1), (11, i64::MAX)], Some((2, "epoch"))),
    ];
    for (rows, expected) in table {
        let rows: Vec<Row> = (1..)
            .zip(rows)
            .map(|(seq, (time, epoch))| row(seq, *time, *epoch))
            .collect();
        assert_eq!(found(&rows, Bodies::OfAttempts), expected);
    }
}

#[test]
fn a_body_that_cannot_be_read_is_found_although_it_is_chained() {
    let of = |kind: &str| Row {
        kind: kind.to_owned(),
        body: "{}".to_owned(),
        ..row(2, 10, 1)
    };
    for kind in ["Decided", "IntentReserved", "SomethingNewer"] {
        let rows = [row(1, 10, 1), of(kind)];
        assert_eq!(found(&rows, Bodies::All), Some((2, "unreadable")), "{kind}");
    }
    let rows = [row(1, 10, 1), of("IntentReserved")];
    assert_eq!(found(&rows, Bodies::OfAttempts), Some((2, "unreadable")));
}
