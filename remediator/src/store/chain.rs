//! The hash chain over the events: a row that was changed, dropped or slipped in is found.
//!
//! `hash = SHA-256(hash of the row before || canonical bytes of the row)`. The first row follows
//! `SHA-256("vcm-remediator events 1\n" || store id)`, so rows of another store do not fit. The
//! canonical bytes are the columns in table order, each as a presence byte, the length as 8 bytes
//! big-endian, and the text (numbers in decimal).

use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlResult, ValueRef};
use sha2::{Digest as _, Sha256};
use vcm_recovery::ids::StoreId;
use vcm_recovery::time::Time;

use super::row::Row;

/// The SHA-256 of a row and of all before it; as text 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash([u8; 32]);

/// A hash that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not 64 hexadecimal digits")]
pub struct HashError {
    /// What was given, cut to 80 characters.
    pub text: String,
}

/// The end of the chain. Logged now and then, it proves later that nothing before it was changed
/// or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The newest event, 0 when there is none.
    pub seq: u64,
    /// When it happened, `None` when there is none.
    pub time: Option<Time>,
    /// Its hash, or the chain's origin when there is none.
    pub hash: Hash,
}

impl ChainHead {
    /// The end of the chain of a store without events.
    pub(super) fn origin(store_id: StoreId) -> Self {
        Self {
            seq: 0,
            time: None,
            hash: origin(store_id),
        }
    }
}

/// `HASH@SEQ`, as `audit verify --head` takes it.
impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.hash, self.seq)
    }
}

/// What the first row follows.
pub(super) fn origin(store_id: StoreId) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"vcm-remediator events 1\n");
    hasher.update(store_id.to_string());
    Hash(hasher.finalize().into())
}

/// The hash of `row` after the one with hash `before`.
pub(super) fn next(before: &Hash, row: &Row) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before.0);
    for column in row.columns() {
        hasher.update([u8::from(column.is_some())]);
        let text = column.unwrap_or_default();
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    Hash(hasher.finalize().into())
}

impl Hash {
    /// The bytes as they are stored.
    pub(super) const fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl FromSql for Hash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let error = || HashError {
            text: text.chars().take(80).collect(),
        };
        let digit = |byte: &u8| {
            char::from(*byte)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        };
        let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
        let bytes: Option<Vec<u8>> = digits.filter(|digits| digits.len() == 64).map(|digits| {
            digits
                .chunks(2)
                .map(|pair| pair[0] << 4 | pair[1])
                .collect()
        });
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_back_from_its_text_and_nothing_else_is_one() {
        let hash = origin(StoreId::from_bits(1));
        let text = hash.to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse(), Ok(hash));
        for bad in [
            "",
            &text[1..],
            &format!("{text}0"),
            &text.replace(&text[..1], "+"),
            "ä",
        ] {
            assert!(bad.parse::<Hash>().is_err(), "{bad}");
        }
    }
}
