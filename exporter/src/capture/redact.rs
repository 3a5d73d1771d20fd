//! Puts placeholders where something identifies, the same one wherever the same thing stands.
//!
//! Serial numbers become `C0DE-0000-0001`, addresses those of the documentation ranges, hashes
//! counters of the same length, names of hosts `host1`. What is left is kept byte for byte, or
//! masked letter for letter where nobody knows what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::token::{self, Token, is_word, run};

/// Shortest name of a host that is looked for everywhere: shorter ones are words.
const NAME_MIN: usize = 3;

/// What is done with bytes that are no known token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// They stay.
    Keep,
    /// They stay, but words with both letters and digits count as names of hosts.
    Prose,
    /// Letters become `x`, digits `9`.
    Mask,
}

/// The placeholders given so far.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    esns: Numbering,
    v4: Numbering,
    v6: Numbering,
    others: Numbering,
    hosts: Numbering,
    /// The names of hosts that are looked for everywhere.
    names: BTreeSet<String>,
}

/// Numbers things from 1 in the order they are first seen.
#[derive(Debug, Default)]
struct Numbering(BTreeMap<String, usize>);

impl Numbering {
    fn number(&mut self, thing: String) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry(thing).or_insert(next)
    }
}

impl Redactor {
    /// Creates one that knows the names of this host.
    pub(super) fn knowing(names: &[String]) -> Self {
        let mut redactor = Self::default();
        for name in names {
            redactor.learn_host(name);
        }
        redactor
    }

    /// Appends `bytes` to `out` with placeholders.
    pub(super) fn write(&mut self, bytes: &[u8], rest: Rest, out: &mut Vec<u8>) {
        let mut at = 0;
        let mut fresh = true;
        while at < bytes.len() {
            let (written, length) = match self.found(bytes, at, fresh, rest) {
                Some((placeholder, length)) => (Some(placeholder), length),
                None => (None, self.plain(&bytes[at..], rest, out)),
            };
            // A colon that starts no address may stand before one.
            fresh = written.is_some() || bytes[at] == b':';
            out.extend_from_slice(written.unwrap_or_default().as_bytes());
            at += length;
        }
    }

    /// Returns the placeholder for what starts at `at`, if that identifies, and its length.
    fn found(
        &mut self,
        bytes: &[u8],
        at: usize,
        fresh: bool,
        rest: Rest,
    ) -> Option<(String, usize)> {
        if let Some(found) = self.bare_esn(bytes, at) {
            return Some(found);
        }
        let known = self.known_name(bytes, at);
        let longer = |length| known.as_ref().is_none_or(|(_, known)| *known <= length);
        if let Some((token, length)) =
            token::at(bytes, at, fresh).filter(|(_, length)| longer(*length))
        {
            let text = String::from_utf8_lossy(&bytes[at..at + length]).into_owned();
            return Some((self.placeholder(&token, &text), length));
        }
        if let Some((name, length)) = known {
            return Some((self.host(&name), length));
        }
        let (name, length) = prose_name(bytes, at).filter(|_| rest == Rest::Prose)?;
        Some((numbered(&mut self.hosts, &name), length))
    }

    /// Returns the placeholder of a name of a host, and looks for the name everywhere from now on.
    pub(super) fn host(&mut self, name: &str) -> String {
        if name.eq_ignore_ascii_case("localhost") {
            return name.to_owned();
        }
        self.learn_host(name);
        numbered(&mut self.hosts, name)
    }

    fn learn_host(&mut self, name: &str) {
        let short = short(name);
        if short.len() >= NAME_MIN && short != "localhost" {
            self.hosts.number(short.clone());
            self.names.insert(short);
        }
    }

    /// A known serial number without its dashes.
    fn bare_esn(&mut self, bytes: &[u8], at: usize) -> Option<(String, usize)> {
        const LENGTH: usize = 12;
        let hex = |byte: u8| byte.is_ascii_hexdigit();
        let starts = at.checked_sub(1).is_none_or(|before| !hex(bytes[before]));
        let digits = bytes.get(at..at + LENGTH).filter(|_| starts)?;
        let whole = run(&bytes[at..], hex) == LENGTH;
        let text = std::str::from_utf8(digits).ok().filter(|_| whole)?;
        let esn = format!("{}-{}-{}", &text[..4], &text[4..8], &text[8..]);
        let known = self.esns.0.contains_key(&esn.to_ascii_uppercase());
        known.then(|| (self.esn(&esn).replace('-', ""), LENGTH))
    }

    /// A name of a host that was seen elsewhere, with or without its domain.
    fn known_name(&self, bytes: &[u8], at: usize) -> Option<(String, usize)> {
        let starts = at
            .checked_sub(1)
            .is_none_or(|before| !is_word(bytes[before]));
        let word = starts.then(|| &bytes[at..at + run(&bytes[at..], is_word)])?;
        let word = std::str::from_utf8(word).ok()?.trim_end_matches(['.', '-']);
        let known = self.names.contains(&short(word));
        known.then(|| (word.to_owned(), word.len()))
    }

    fn placeholder(&mut self, token: &Token, text: &str) -> String {
        match token {
            Token::Esn => self.esn(text),
            Token::V4(address) => self.v4(*address),
            Token::V6(address) => self.v6(*address, text),
            Token::Uuid => {
                let number = self.others.number(text.to_ascii_lowercase());
                format!("00000000-0000-4000-8000-{number:012x}")
            }
            Token::Mac => {
                let number = self.others.number(text.to_ascii_lowercase());
                format!("00:00:5E:00:53:{:02X}", number % 256)
            }
            // All zeros means that there is none.
            Token::Hash if text.bytes().all(|byte| byte == b'0') => text.to_owned(),
            Token::Hash | Token::Secret => {
                let number = self.others.number(text.to_ascii_lowercase());
                format!("{number:0>width$x}", width = text.len())
            }
            Token::Host => self.host(text),
        }
    }

    fn esn(&mut self, text: &str) -> String {
        let number = self.esns.number(text.to_ascii_uppercase());
        let placeholder = format!("C0DE-{:04X}-{:04X}", number >> 16 & 0xFFFF, number & 0xFFFF);
        match text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            true => placeholder.to_ascii_lowercase(),
            false => placeholder,
        }
    }

    fn v4(&mut self, address: Ipv4Addr) -> String {
        if address.is_loopback() || address.is_unspecified() {
            return address.to_string();
        }
        let number = self.v4.number(address.to_string());
        documentation_v4(number).to_string()
    }

    fn v6(&mut self, address: Ipv6Addr, text: &str) -> String {
        let telling = !text
            .bytes()
            .any(|byte| byte.is_ascii_hexdigit() && byte != b'0');
        if IpAddr::from(address).is_loopback() && text.contains("::") || telling {
            return text.to_owned();
        }
        let name = match address.is_unspecified() {
            true => text.to_ascii_lowercase(),
            false => address.to_string(),
        };
        let number = self.v6.number(name) as u128;
        let range = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
        Ipv6Addr::from(u128::from(range) + number).to_string()
    }

    /// Copies or masks one character, or one byte that is none. Returns its length.
    fn plain(&self, bytes: &[u8], rest: Rest, out: &mut Vec<u8>) -> usize {
        let Some(byte) = bytes.first() else { return 0 };
        if rest != Rest::Mask || byte.is_ascii() {
            out.push(match byte {
                b'a'..=b'z' if rest == Rest::Mask => b'x',
                b'A'..=b'Z' if rest == Rest::Mask => b'X',
                b'0'..=b'9' if rest == Rest::Mask => b'9',
                byte => *byte,
            });
            return 1;
        }
        let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        match valid.chars().next() {
            Some(character) => {
                out.resize(out.len() + character.len_utf8(), b'x');
                character.len_utf8()
            }
            None => {
                out.push(*byte);
                1
            }
        }
    }
}

fn short(name: &str) -> String {
    let short = name.split('.').next().unwrap_or_default();
    short.to_ascii_lowercase()
}

fn numbered(hosts: &mut Numbering, name: &str) -> String {
    let number = hosts.number(short(name));
    match name.contains('.') {
        true => format!("host{number}.example"),
        false => format!("host{number}"),
    }
}

/// The three documentation ranges, and the benchmark range for what does not fit.
fn documentation_v4(number: usize) -> Ipv4Addr {
    const RANGES: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
    const HOSTS: usize = 254;
    let index = number - 1;
    match RANGES.get(index / HOSTS) {
        Some([a, b, c]) => Ipv4Addr::new(*a, *b, *c, (index % HOSTS + 1) as u8),
        None => {
            let range = u32::from(Ipv4Addr::new(198, 18, 0, 0));
            Ipv4Addr::from(range | (index % (1 << 17)) as u32)
        }
    }
}

/// A word with letters and digits, or the name of a home directory: no word of the vendor's prose.
fn prose_name(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let before = &bytes[..at];
    if before.last().is_some_and(|byte| is_word(*byte)) {
        return None;
    }
    let word = &bytes[at..at + run(&bytes[at..], is_word)];
    let word = std::str::from_utf8(word).ok()?.trim_end_matches(['.', '-']);
    let letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    let digits = word.bytes().any(|byte| byte.is_ascii_digit());
    let home = [b"/home/".as_slice(), b"/Users/"]
        .iter()
        .any(|home| before.ends_with(home));
    (letters && (digits || home)).then(|| (word.to_owned(), word.len()))
}
