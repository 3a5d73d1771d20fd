//! PEM that is given in the file itself or in a file of its own.

use std::path::Path;

use vcm_yaml::{Section, text};

use crate::config::file::Reading;

/// What was read, and the key where problems with it belong.
pub(super) struct Pem {
    pub(super) key: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// The two keys under which the same may be given.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    pub(super) inline: &'static str,
    pub(super) in_file: &'static str,
}

/// What became of a key.
enum Value {
    /// Missing or blank, which is the same in the toolkit.
    Missing,
    /// Its problem is noted.
    Unusable,
    Text(String),
}

/// Reads what is given under either key. As in the toolkit, the file wins.
pub(super) fn read(
    section: &mut Section<'_>,
    keys: Keys,
    required: bool,
    reading: &mut Reading,
) -> Option<Pem> {
    let inline = value(section, keys.inline);
    let path = match value(section, keys.in_file) {
        Value::Text(path) => path,
        Value::Unusable => return None,
        Value::Missing => return read_inline(section, keys, inline, required),
    };
    if matches!(inline, Value::Text(_)) {
        let key = format!("tls_server_config.{}", keys.inline);
        reading.remark(&key, &format!("is not used, for {} is given", keys.in_file));
    }
    match reading.read(Path::new(&path)) {
        Ok(bytes) => Some(Pem {
            key: keys.in_file,
            bytes,
        }),
        Err(error) => {
            section.problem(keys.in_file, format!("cannot be read: {error}"));
            None
        }
    }
}

fn read_inline(
    section: &mut Section<'_>,
    keys: Keys,
    inline: Value,
    required: bool,
) -> Option<Pem> {
    match inline {
        Value::Text(text) => Some(Pem {
            key: keys.inline,
            bytes: text.into_bytes(),
        }),
        Value::Missing if required => {
            section.problem(keys.in_file, format!("is required, or {}", keys.inline));
            None
        }
        Value::Missing | Value::Unusable => None,
    }
}

fn value(section: &mut Section<'_>, key: &str) -> Value {
    match section.optional(key, text) {
        Some(text) if text.is_empty() => Value::Missing,
        Some(text) => Value::Text(text),
        None if section.contains(key) => Value::Unusable,
        None => Value::Missing,
    }
}
