//! Finds what identifies somebody in any bytes: serial numbers, addresses, hashes, names of hosts.
//!
//! Doubtful cases count as identifying. Knows nothing of lines and labels.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Shortest run of hexadecimal digits that is a hash. A counter has at most 20 digits, MD5 32.
const HASH_MIN: usize = 24;

/// Shortest word with a digit that is key material in another encoding.
const SECRET_MIN: usize = 32;

/// Last parts of dotted names that are files, not hosts; one is the vendor's `init.d-ncipher`.
const FILE_ENDINGS: [&str; 13] = [
    "bak",
    "cfg",
    "conf",
    "d-ncipher",
    "dll",
    "exe",
    "log",
    "pid",
    "service",
    "sh",
    "so",
    "sock",
    "txt",
];

/// Something that identifies, at the start of a piece of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// `XXXX-XXXX-XXXX`, as written.
    Esn,
    /// Thirty-two hexadecimal digits in five groups.
    Uuid,
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// Six pairs of hexadecimal digits.
    Mac,
    /// A long run of hexadecimal digits.
    Hash,
    /// A long word of letters and digits.
    Secret,
    /// A name with dots whose last part begins with a letter.
    Host,
}

/// Returns the token that starts at `at`, with its length.
pub(super) fn at(bytes: &[u8], at: usize, fresh: bool) -> Option<(Token, usize)> {
    let rest = bytes.get(at..)?;
    let starts = |class: fn(u8) -> bool| {
        fresh || at.checked_sub(1).is_none_or(|before| !class(bytes[before]))
    };
    let groups = |lengths: &[usize], separator| grouped(rest, lengths, separator);
    if let Some(length) = groups(&[8, 4, 4, 4, 12], b'-') {
        return Some((Token::Uuid, length));
    }
    if let Some(length) = groups(&[4, 4, 4], b'-') {
        return Some((Token::Esn, length));
    }
    if starts(is_v6)
        && let Some(found) = colons(rest, starts(is_word))
    {
        return Some(found);
    }
    if starts(is_v4)
        && let Some(found) = dotted_numbers(rest)
    {
        return Some(found);
    }
    if starts(|byte| byte.is_ascii_hexdigit()) {
        let length = run(rest, |byte| byte.is_ascii_hexdigit());
        if length >= HASH_MIN {
            return Some((Token::Hash, length));
        }
    }
    if starts(is_word) {
        return word(rest);
    }
    None
}

/// Returns the length of the run of bytes of a class.
pub(super) fn run(bytes: &[u8], class: fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| class(**byte)).count()
}

/// What names are made of.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

fn is_v6(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || b":.".contains(&byte)
}

fn is_v4(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

/// Groups of hexadecimal digits of these lengths, apart by `separator`.
fn grouped(bytes: &[u8], lengths: &[usize], separator: u8) -> Option<usize> {
    let mut end = 0;
    for (index, length) in lengths.iter().enumerate() {
        if index > 0 {
            (bytes.get(end) == Some(&separator)).then_some(())?;
            end += 1;
        }
        let group = bytes.get(end..end + length)?;
        group.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        end += length;
    }
    Some(end)
}

/// A run with two or more colons: an IPv6 or MAC address, a time, or something to be hidden.
fn colons(bytes: &[u8], whole_word: bool) -> Option<(Token, usize)> {
    let text = std::str::from_utf8(&bytes[..run(bytes, is_v6)]).ok()?;
    let alone = text.starts_with(':') && !text.starts_with("::");
    if alone || text.bytes().filter(|byte| *byte == b':').count() < 2 {
        return None;
    }
    if let Some(length) = grouped(bytes, &[2; 6], b':') {
        return Some((Token::Mac, length));
    }
    // In prose an address ends with a colon or a dot that is not its own.
    let mut shorter = text;
    loop {
        if let Ok(address) = shorter.parse() {
            // `std::` and the like: a part of a word with no digit.
            let a_word = !whole_word && !shorter.bytes().any(|byte| byte.is_ascii_digit());
            return (!a_word).then_some((Token::V6(address), shorter.len()));
        }
        match shorter.strip_suffix([':', '.']) {
            Some(rest) => shorter = rest,
            None => break,
        }
    }
    let a_time = shorter.split(':').count() == 3
        && shorter
            .split(':')
            .all(|part| part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit()));
    let with_v4 = shorter.contains('.');
    (!a_time && !with_v4 && shorter.contains(|c: char| c != ':'))
        .then_some((Token::V6(Ipv6Addr::UNSPECIFIED), shorter.len()))
}

/// Four or more numbers with dots; a version has three.
fn dotted_numbers(bytes: &[u8]) -> Option<(Token, usize)> {
    let text = std::str::from_utf8(&bytes[..run(bytes, is_v4)]).ok()?;
    let text = text.trim_end_matches('.');
    let parts: Vec<u8> = text
        .split('.')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    match parts.as_slice() {
        [a, b, c, d, ..] => Some((Token::V4(Ipv4Addr::new(*a, *b, *c, *d)), text.len())),
        _ => None,
    }
}

fn word(bytes: &[u8]) -> Option<(Token, usize)> {
    let word = &bytes[..run(bytes, is_word)];
    let word = word.trim_ascii_end();
    let name = std::str::from_utf8(word).ok()?.trim_end_matches(['.', '-']);
    let parts: Vec<&str> = name.split('.').collect();
    let last = parts.last().copied().unwrap_or_default();
    let named = last.len() >= 2 && last.starts_with(|c: char| c.is_ascii_alphabetic());
    let a_file = FILE_ENDINGS.contains(&last);
    if parts.len() > 1 && named && !a_file && parts.iter().all(|part| !part.is_empty()) {
        return Some((Token::Host, name.len()));
    }
    let digits = name.bytes().any(|byte| byte.is_ascii_digit());
    (digits && parts.len() == 1 && name.len() >= SECRET_MIN).then_some((Token::Secret, name.len()))
}
