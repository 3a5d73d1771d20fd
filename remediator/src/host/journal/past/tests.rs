use vcm_recovery::ids::{Epoch, ObservationId, StoreId};

use super::*;
use crate::host::document::Status;
use crate::host::fence::{self, Caller, FenceError};
use crate::host::journal::record::Record;
use crate::host::journal::{Journal, known};
use crate::host::kernel::Moment;
use crate::host::result;
use crate::host::tombstone::{self, TombstoneError};

const CALLER: Caller = Caller {
    epoch: Epoch(1),
    store: StoreId::from_bits(1),
};

fn id(bits: u128) -> AttemptId {
    AttemptId::from_bits(bits)
}

/// A refused attempt with a log beside its journal.
fn over(state_dir: &Path, bits: u128) {
    let mut journal = Journal::create(state_dir, id(bits)).unwrap();
    let refused = Record::Refused {
        guard: None,
        reason: format!("the {bits}. was refused: ü"),
    };
    journal.append(refused).unwrap();
    fs::write(log_path(state_dir, id(bits)), "log").unwrap();
}

/// Prunes as it will be after this time.
fn prune_after(state_dir: &Path, time: Duration) -> usize {
    let ended = |attempt| result::story(state_dir, attempt).unwrap()?.end;
    let now = Moment::now().unwrap().wall() + time;
    prune(state_dir, now, ended).unwrap()
}

const LATER: Duration = KEPT_FOR.saturating_add(Duration::from_secs(3600));

#[test]
fn only_what_is_over_and_old_goes_and_its_id_stays() {
    let directory = tempfile::tempdir().unwrap();
    let state_dir = directory.path();
    fence::admit(state_dir, CALLER).unwrap();
    over(state_dir, 1);
    over(state_dir, 2);
    // Nothing is known of its end.
    Journal::create(state_dir, id(3)).unwrap();
    fs::write(log_path(state_dir, id(3)), "log").unwrap();
    // An order that was refused before it had a journal.
    fs::write(log_path(state_dir, id(4)), "log").unwrap();
    fs::write(super::directory(state_dir).join("notes"), "not ours").unwrap();
    assert_eq!(prune_after(state_dir, KEPT_FOR / 2), 0);
    assert_eq!(known(state_dir).unwrap().len(), 3);
    assert!(load(state_dir).unwrap().is_empty());

    assert_eq!(prune_after(state_dir, LATER), 2);
    assert_eq!(known(state_dir).unwrap(), [id(3)]);
    assert!(log_path(state_dir, id(3)).exists());
    for gone in [1, 2, 4] {
        assert!(!log_path(state_dir, id(gone)).exists(), "{gone}");
    }
    assert!(super::directory(state_dir).join("notes").exists());
    let again = Journal::create(state_dir, id(1));
    assert!(matches!(again, Err(JournalError::Known { .. })));
    let Status::Refused(refusal) = ruled_out(state_dir, id(2)).unwrap() else {
        panic!("what ended is not ruled out");
    };
    assert_eq!(refusal.reason, "the 2. was refused: ü");
    assert_eq!(prune_after(state_dir, LATER), 0);
    assert_eq!(load(state_dir).unwrap().len(), 2);
}

fn ruled_out(state_dir: &Path, attempt: AttemptId) -> Result<Status, TombstoneError> {
    tombstone::tombstone(state_dir, attempt, ObservationId::from_bits(0), CALLER)
}

#[test]
fn those_beyond_the_number_go_oldest_first() {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let count = u64::try_from(KEPT_MAX).unwrap() + 2;
    let files: Vec<_> = (0..count)
        .map(|age| (id(u128::from(age)), at(count - age)))
        .collect();
    let last = [id(u128::from(count - 2)), id(u128::from(count - 1))];
    assert_eq!(surplus(&files, at(count)).collect::<Vec<_>>(), last);
    assert_eq!(surplus(&files[..KEPT_MAX], at(count)).count(), 0);
    // A clock that went back makes nothing old.
    assert_eq!(surplus(&files[..KEPT_MAX], at(0)).count(), 0);
    let old = at(count) + KEPT_FOR;
    assert_eq!(surplus(&files[..2], old).collect::<Vec<_>>(), [id(1)]);
}

#[test]
fn a_torn_line_is_written_over_and_a_changed_one_stops_everything() {
    let directory = tempfile::tempdir().unwrap();
    let state_dir = directory.path();
    over(state_dir, 1);
    prune_after(state_dir, LATER);
    let path = file(state_dir);
    let mut bytes = fs::read(&path).unwrap();
    // In the middle of a character, too.
    let torn = bytes.iter().rposition(|&byte| byte == 0xc3).unwrap() + 1;
    let tail = bytes[..torn].to_vec();
    bytes.extend(tail);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(load(state_dir).unwrap().len(), 1);
    over(state_dir, 2);
    prune_after(state_dir, LATER);
    assert_eq!(load(state_dir).unwrap().len(), 2);

    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("refused", "refuse", 1)).unwrap();
    let broken = load(state_dir);
    assert!(
        matches!(broken, Err(JournalError::PastBroken { line: 1, .. })),
        "{broken:?}"
    );
    // Nobody knows whether it has started before.
    assert!(Journal::create(state_dir, id(9)).is_err());
    assert!(result::result(state_dir, id(9)).is_err());
}

#[test]
fn the_ids_alone_tell_that_the_fence_was_lost() {
    let directory = tempfile::tempdir().unwrap();
    let state_dir = directory.path();
    over(state_dir, 1);
    prune_after(state_dir, LATER);
    assert!(known(state_dir).unwrap().is_empty());
    let lost = fence::admit(state_dir, CALLER);
    assert!(matches!(lost, Err(FenceError::Lost { .. })), "{lost:?}");
}

#[test]
fn what_cannot_be_kept_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let state_dir = directory.path();
    over(state_dir, 1);
    fs::create_dir(file(state_dir)).unwrap();
    let ended = |_| Some(End::Tombstoned);
    let now = Moment::now().unwrap().wall() + LATER;
    assert!(prune(state_dir, now, ended).is_err());
    assert_eq!(known(state_dir).unwrap(), [id(1)]);
}
