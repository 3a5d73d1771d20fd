//! The hash chain over the events: a row that was changed, dropped or slipped in is found.
//!
//! `hash = SHA-256(hash of the row before || canonical bytes of the row)`. The first row follows
//! `SHA-256("vcm-remediator events 1\n" || store id)`, so rows of another store do not fit. The
//! canonical bytes are the columns in table order, each as a presence byte, the length as 8 bytes
//! big-endian, and the text (numbers in decimal).

use sha2::{Digest as _, Sha256};
use vcm_recovery::ids::StoreId;

use super::row::Row;

/// The SHA-256 of a row and of all before it.
pub(super) type Hash = [u8; 32];

/// What the first row follows.
pub(super) fn origin(store_id: StoreId) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"vcm-remediator events 1\n");
    hasher.update(store_id.to_string());
    hasher.finalize().into()
}

/// The hash of `row` after the one with hash `before`.
pub(super) fn next(before: &Hash, row: &Row) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before);
    for column in row.columns() {
        hasher.update([u8::from(column.is_some())]);
        let text = column.unwrap_or_default();
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    hasher.finalize().into()
}
