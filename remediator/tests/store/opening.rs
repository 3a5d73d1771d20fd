//! What [`open`] makes of a path: absent, unreadable, foreign, newer and corrupt are told apart,
//! each in words that an operator can act on.

use std::fs;
use std::os::unix::net::UnixListener;

use rusqlite::Connection;
use vcm_recovery::ids::Epoch;
use vcm_remediator::store::Store as _;
use vcm_remediator::store::open::{OpenError, open};
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_telemetry::logging::chain;

use crate::place::{Place, fact};

#[tokio::test]
async fn each_start_has_the_next_epoch_and_the_same_store_id() {
    let place = Place::new();
    let first = place.store().identity();
    let second = place.store().identity();
    let third = place.store().identity();
    assert_eq!(
        [first.epoch, second.epoch, third.epoch],
        [Epoch(1), Epoch(2), Epoch(3)]
    );
    assert_eq!(first.store_id, third.store_id);
    assert_ne!(first.store_id, Place::new().store().identity().store_id);
}

#[test]
fn a_second_process_on_the_same_store_is_refused_until_the_first_has_ended() {
    let place = Place::new();
    let store = place.store();
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal}");
    assert!(refusal.to_string().contains("remediator.sqlite"));
    drop(store);
    drop(place.store());
}

#[test]
fn an_absent_store_is_made_and_says_so() {
    let place = Place::new();
    assert!(open(&place.file()).unwrap().created);
    assert!(!open(&place.file()).unwrap().created);
}

#[test]
fn each_way_a_path_cannot_be_a_store_is_unreadable_and_said_in_words() {
    let place = Place::new();
    let at = |name: &str| place.directory.path().join(name);
    fs::create_dir(at("directory")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::write(at("file"), "").unwrap();
    let table = [
        ("missing/store", "No such file or directory"),
        ("file/store", "Not a directory"),
        (
            "directory",
            "it is a directory; `store.path` names the file",
        ),
        ("socket", "it is no regular file"),
    ];
    for (name, words) in table {
        let refusal = open(&at(name)).unwrap_err();
        assert!(
            matches!(refusal, OpenError::Unreadable { .. }),
            "{refusal:?}"
        );
        let text = chain(&refusal);
        assert!(text.contains(words) && text.contains(name), "{text}");
    }
}

#[test]
fn a_link_to_nothing_is_absent_and_not_taken_for_a_place_to_make_one() {
    let place = Place::new();
    std::os::unix::fs::symlink("nowhere", place.file()).unwrap();
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::Absent { .. }), "{refusal}");
}

#[test]
fn an_empty_file_is_corrupt_and_not_taken_for_an_absent_one() {
    let place = Place::new();
    fs::write(place.file(), "").unwrap();
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::Corrupt { .. }), "{refusal}");
    assert!(refusal.to_string().contains("it is empty"), "{refusal}");
}

#[test]
fn a_file_that_is_no_database_is_corrupt() {
    let place = Place::new();
    fs::write(place.file(), "mode: observe\n".repeat(1000)).unwrap();
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::Corrupt { .. }), "{refusal}");
    assert!(refusal.to_string().contains("not a database"), "{refusal}");
}

#[test]
fn a_database_of_another_program_is_foreign_and_left_alone() {
    let place = Place::new();
    place.sql("CREATE TABLE recipes (name TEXT);");
    assert!(matches!(place.refusal(), OpenError::Foreign { .. }));
    place.sql("INSERT INTO recipes VALUES ('soup');");
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_named_so() {
    let place = Place::new();
    drop(place.store());
    place.sql("PRAGMA user_version = 99;");
    let refusal = place.refusal();
    let newer = matches!(refusal, OpenError::Newer { found: 99, .. });
    assert!(newer, "{refusal}");
    assert!(
        refusal
            .to_string()
            .contains("has version 99, this program knows up to")
    );
}

#[tokio::test]
async fn a_torn_file_is_corrupt() {
    let place = Place::new();
    let store = place.store();
    for number in 0..50 {
        store.accept(vec![fact(number, 1_000)]).await.unwrap();
    }
    drop(store);
    let length = fs::metadata(place.file()).unwrap().len();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(place.file())
        .unwrap();
    file.set_len(length / 2).unwrap();
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::Corrupt { .. }), "{refusal}");
    assert!(refusal.to_string().contains("bump-epoch"), "{refusal}");
}

/// The store as a crash leaves it: the file and SQLite's log of what is not in it yet.
async fn after_a_crash(place: &Place, commits: u64) {
    let store = place.store();
    for number in 0..commits {
        store.accept(vec![fact(number, 1_000)]).await.unwrap();
    }
    let copies = ["", "-wal"].map(|suffix| {
        let name = format!("remediator.sqlite{suffix}");
        (
            place.directory.path().join(&name),
            fs::read(place.directory.path().join(&name)).unwrap(),
        )
    });
    drop(store);
    assert!(!copies[1].0.exists(), "an orderly end leaves no log");
    for (path, contents) in copies {
        fs::write(path, contents).unwrap();
    }
}

#[tokio::test]
async fn what_a_crash_left_in_the_log_is_there_at_the_next_start() {
    let place = Place::new();
    after_a_crash(&place, 20).await;
    let alone = Connection::open_with_flags(
        format!("file:{}?immutable=1", place.file().display()),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI,
    );
    let without_log: u32 = alone
        .unwrap()
        .query_row("SELECT count(*) FROM events", [], |row| row.get(0))
        .unwrap();
    assert!(
        without_log < 20,
        "all is in the file already: nothing is proven"
    );
    let events = place.store().events_after(0, 100).await.unwrap();
    assert_eq!(events.len(), 20);
}

#[tokio::test]
async fn a_log_that_was_cut_short_in_a_crash_loses_only_what_nobody_was_told_of() {
    let place = Place::new();
    after_a_crash(&place, 20).await;
    let log = place.directory.path().join("remediator.sqlite-wal");
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(fs::metadata(&log).unwrap().len() - 1000)
        .unwrap();
    let store = place.store();
    assert_eq!(store.events_after(0, 100).await.unwrap().len(), 19);
    store.accept(vec![fact(100, 1_000)]).await.unwrap();
}

#[tokio::test]
async fn a_copy_restored_beside_the_log_of_the_lost_store_is_never_taken_for_whole() {
    let place = Place::new();
    let write = async |store: &SqliteStore, numbers: std::ops::Range<u64>| {
        for number in numbers {
            store.accept(vec![fact(number, 1_000)]).await.unwrap();
        }
    };
    write(&place.store(), 0..200).await;
    let copy = fs::read(place.file()).unwrap();
    write(&place.store(), 200..400).await;
    let store = place.store();
    write(&store, 400..420).await;
    let log = place.directory.path().join("remediator.sqlite-wal");
    let stale = fs::read(&log).unwrap();
    drop(store);
    fs::write(place.file(), copy).unwrap();
    fs::write(&log, stale).unwrap();
    match open(&place.file()) {
        Err(OpenError::Corrupt { .. } | OpenError::Broken { .. }) => {}
        other => panic!("{other:?}"),
    }
}
