//! What the lines of each output say about themselves: which values are safe to keep.
//!
//! Labels, ids and node names are the vendor's words and stay; values stay where the label is
//! known to hold nothing of the site.

use nshield::enquiry::Enquiry;

use super::redact::{Redactor, Rest};
use super::token::{is_word, run};

/// Longest plain number that is kept where nobody knows what it is.
const NUMBER_MAX: usize = 6;

/// Values that are kept wherever they stand alone.
const WORDS: [&str; 20] = [
    "",
    "OK",
    "all",
    "disabled",
    "enabled",
    "error",
    "failed",
    "false",
    "info",
    "no",
    "none",
    "notice",
    "operational",
    "priv",
    "serious",
    "true",
    "unknown",
    "unpriv",
    "yes",
    "Failed",
];

/// Settings of the hardserver's configuration that name a host.
const HOST_SETTINGS: [&str; 5] = ["addr", "address", "host", "hostname", "ip"];

/// Which output it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Enquiry,
    Stattree,
    /// The hardserver's configuration file.
    Config,
    /// Anything a tool prints to standard error.
    Prose,
}

/// Returns `bytes` with placeholders, line by line; line ends stay as they are.
pub(super) fn redacted(bytes: &[u8], form: Form, redactor: &mut Redactor) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = line.len()
            - line
                .iter()
                .rev()
                .take_while(|b| b"\r\n".contains(b))
                .count();
        let (line, line_end) = line.split_at(end);
        match form {
            Form::Enquiry => enquiry(line, redactor, &mut out),
            Form::Stattree => stattree(line, redactor, &mut out),
            Form::Config => config(line, redactor, &mut out),
            Form::Prose => redactor.write(line, Rest::Prose, &mut out),
        }
        out.extend_from_slice(line_end);
    }
    out
}

fn enquiry(line: &[u8], redactor: &mut Redactor, out: &mut Vec<u8>) {
    let section = [b"Server:\n", line, b"\n"].concat();
    let parsed = Enquiry::parse(&section);
    let field = parsed
        .server
        .as_ref()
        .and_then(|fields| fields.iter().next());
    let indent = run(line, |byte| byte == b' ');
    let Some(field) = field.filter(|field| line[indent..].starts_with(field.label.as_bytes()))
    else {
        return redactor.write(line, Rest::Prose, out);
    };
    let label_end = indent + field.label.len();
    let value = label_end + run(&line[label_end..], |byte| byte == b' ');
    let (label, value) = line.split_at(value);
    redactor.write(label, Rest::Keep, out);
    match field.label.as_str() {
        "connection info" => connection_info(value, redactor, out),
        "serial number" | "kneti hash" => unknown(value, redactor, out),
        _ if parsed.unknown().next().is_some() => unknown(value, redactor, out),
        _ => redactor.write(value, Rest::Keep, out),
    }
}

/// `esn = ...; addr = INET/<host>/9004; ku hash = ..., mech = Any`.
fn connection_info(value: &[u8], redactor: &mut Redactor, out: &mut Vec<u8>) {
    for part in value.split_inclusive(|byte| b";,".contains(byte)) {
        let equals = part.iter().position(|byte| *byte == b'=');
        let (name, rest) = part.split_at(equals.map_or(0, |at| at + 1));
        redactor.write(name, Rest::Keep, out);
        match name.trim_ascii() {
            b"mech =" | b"time-limit =" | b"mech=" | b"time-limit=" => {
                redactor.write(rest, Rest::Keep, out);
            }
            b"addr =" | b"addr=" => address(rest, redactor, out),
            _ => unknown(rest, redactor, out),
        }
    }
}

/// `INET/192.0.2.11/9004`: family, host and port.
fn address(value: &[u8], redactor: &mut Redactor, out: &mut Vec<u8>) {
    for part in value.split_inclusive(|byte| b"/;, ".contains(byte)) {
        let end = part.len()
            - part
                .iter()
                .rev()
                .take_while(|b| b"/;, ".contains(b))
                .count();
        let (part, separator) = part.split_at(end);
        match part {
            b"INET" | b"INET6" | b"UNIX" => out.extend_from_slice(part),
            _ => host(part, redactor, out),
        }
        out.extend_from_slice(separator);
    }
}

/// An address, a name or a port.
fn host(value: &[u8], redactor: &mut Redactor, out: &mut Vec<u8>) {
    let named = value.iter().any(u8::is_ascii_alphabetic) && value.iter().all(|b| is_word(*b));
    match std::str::from_utf8(value).ok().filter(|_| named) {
        Some(name) => out.extend_from_slice(redactor.host(name).as_bytes()),
        None => unknown(value, redactor, out),
    }
}

fn stattree(line: &[u8], redactor: &mut Redactor, out: &mut Vec<u8>) {
    let indent = run(line, |byte| byte == b' ');
    let id_end = indent + run(&line[indent..], |byte| byte != b' ');
    let (id, value) = line.split_at(id_end + run(&line[id_end..], |byte| byte == b' '));
    match line.get(indent) {
        Some(b'-') => {
            redactor.write(id, Rest::Keep, out);
            match value {
                number if is_number(number) => out.extend_from_slice(number),
                path if path.starts_with(b"/opt/nfast/") => redactor.write(path, Rest::Prose, out),
                other => redactor.write(other, Rest::Mask, out),
            }
        }
        Some(b'+') => {
            let vendors =
                |byte: &u8| byte.is_ascii_alphabetic() || b"+#: 0123456789".contains(byte);
            let rest = if line.iter().all(vendors) {
                Rest::Keep
            } else {
                Rest::Mask
            };
            redactor.write(line, rest, out);
        }
        _ => redactor.write(line, Rest::Prose, out),
    }
}

fn config(line: &[u8], redactor: &mut Redactor, out: &mut Vec<u8>) {
    let text = line.trim_ascii_start();
    let equals = line.iter().position(|byte| *byte == b'=');
    match (text.first(), equals) {
        (Some(b'['), _) => redactor.write(line, Rest::Keep, out),
        (Some(b'#'), _) | (_, None) => redactor.write(line, Rest::Mask, out),
        (_, Some(at)) => {
            let (name, value) = line.split_at(at + 1);
            redactor.write(name, Rest::Keep, out);
            let name = String::from_utf8_lossy(&name[..at]);
            let last = name.trim().rsplit('_').next().unwrap_or_default();
            match HOST_SETTINGS.contains(&last) {
                true => host(value, redactor, out),
                false => unknown(value, redactor, out),
            }
        }
    }
}

/// A value that nobody knows: short numbers and a few words stay, the rest is masked.
fn unknown(value: &[u8], redactor: &mut Redactor, out: &mut Vec<u8>) {
    let text = value.trim_ascii();
    let text = text
        .strip_suffix(b";")
        .or(text.strip_suffix(b","))
        .unwrap_or(text);
    let word = WORDS.iter().any(|word| word.as_bytes() == text);
    let short = text.len() <= NUMBER_MAX && text.iter().all(u8::is_ascii_digit);
    let rest = if word || short {
        Rest::Keep
    } else {
        Rest::Mask
    };
    redactor.write(value, rest, out);
}

fn is_number(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'.').collect();
    let digits = |part: &&[u8]| part.iter().all(u8::is_ascii_digit);
    parts.len() <= 2 && parts.iter().all(digits)
}
