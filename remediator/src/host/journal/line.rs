//! Records as lines of text, and back.
//!
//! A line is `{"sum":"<32 hex digits>","entry":{...}}`. The sum covers the text of the entry and
//! the sum of the line before, so that a flipped bit, a lost line and a swapped one all show. Only
//! the very last line may be cut short: it was not synced when the machine stopped, so that what it
//! announces never happened.

use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::record::{Entry, SCHEMA};

const PREFIX: &[u8] = b"{\"sum\":\"";
const MIDDLE: &[u8] = b"\",\"entry\":";
const SUFFIX: &[u8] = b"}";

/// Hexadecimal digits of a sum: 128 bits are enough to find accidents.
const SUM_DIGITS: usize = 32;

/// The sum of a line; that of the line before the first is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum(String);

/// Everything in a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The records.
    pub entries: Vec<Entry>,
    /// Bytes of the intact lines.
    pub length: u64,
    /// The sum of the last intact line.
    pub last_sum: Sum,
}

/// A line that is not what was written, so that nobody knows what happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It was changed, or one before it is missing.
    #[error("line {line} is not what was written")]
    Changed {
        /// The line, from 1.
        line: usize,
    },
    /// A later version wrote it.
    #[error("line {line} has schema {schema}, this version reads {SCHEMA}")]
    Newer {
        /// The line, from 1.
        line: usize,
        /// Its schema.
        schema: u32,
    },
}

/// Writes one record as a line.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn write(entry: &Entry, before: &Sum) -> serde_json::Result<(Vec<u8>, Sum)> {
    let json = serde_json::to_vec(entry)?;
    let sum = sum(before, &json);
    let line = [PREFIX, sum.0.as_bytes(), MIDDLE, &json, SUFFIX, b"\n"].concat();
    Ok((line, sum))
}

/// Reads all lines.
///
/// # Errors
/// If any line but a torn last one is not what was written.
pub fn read(bytes: &[u8]) -> Result<Contents, LineError> {
    let mut contents = Contents::default();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        contents.add(&rest[..end])?;
        rest = &rest[end + 1..];
    }
    contents.end(rest)?;
    Ok(contents)
}

impl Contents {
    /// A line that ends with its newline was written whole.
    fn add(&mut self, line: &[u8]) -> Result<(), LineError> {
        let number = self.entries.len() + 1;
        let changed = LineError::Changed { line: number };
        let (entry, sum) = intact(line, &self.last_sum).ok_or_else(|| changed.clone())?;
        let entry = parse(entry, number)?.ok_or(changed.clone())?;
        if entry.seq != self.entries.len() as u64 {
            return Err(changed);
        }
        self.entries.push(entry);
        self.length += line.len() as u64 + 1;
        self.last_sum = sum;
        Ok(())
    }

    /// What stands behind the last newline is torn, unless its record is whole: then only its
    /// newline was changed, and the record was written.
    fn end(&self, rest: &[u8]) -> Result<(), LineError> {
        let whole = |line: &[u8]| intact(line, &self.last_sum).is_some();
        if whole(rest) || rest.split_last().is_some_and(|(_, line)| whole(line)) {
            return Err(LineError::Changed {
                line: self.entries.len() + 1,
            });
        }
        Ok(())
    }
}

/// The text of the entry and the sum, if the line is what was written.
fn intact<'a>(line: &'a [u8], before: &Sum) -> Option<(&'a [u8], Sum)> {
    let rest = line.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let (written, rest) = rest.split_at_checked(SUM_DIGITS)?;
    let entry = rest.strip_prefix(MIDDLE)?;
    let sum = sum(before, entry);
    (sum.0.as_bytes() == written).then_some((entry, sum))
}

fn parse(entry: &[u8], line: usize) -> Result<Option<Entry>, LineError> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    match serde_json::from_slice::<Version>(entry) {
        Ok(Version { schema }) if schema != SCHEMA => Err(LineError::Newer { line, schema }),
        Ok(_) => Ok(serde_json::from_slice(entry).ok()),
        Err(_) => Ok(None),
    }
}

fn sum(before: &Sum, entry: &[u8]) -> Sum {
    let hash = Sha256::new()
        .chain_update(before.0.as_bytes())
        .chain_update(entry)
        .finalize();
    let mut text = String::with_capacity(SUM_DIGITS);
    for byte in hash.iter().take(SUM_DIGITS / 2) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Sum(text)
}
