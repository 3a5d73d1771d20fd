//! Store and listener.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::checker::Checker;
use super::raw::{self, Text};
use super::{Web, operators};
use crate::webhook::BODY_MAX;
use crate::webhook::auth::Token;

/// Default of `store.path`.
const STORE: &str = "/var/lib/vcm-remediator/remediator.sqlite";

/// Default of `web.listen_address`: this machine only.
const LISTEN_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9809);

/// Below 64 KiB a group of a few dozen alerts does not fit; above 256 MiB one body could take the
/// memory of a small machine.
const BODY_RANGE: std::ops::RangeInclusive<usize> = (64 << 10)..=(256 << 20);

/// Shorter tokens can be guessed.
const TOKEN_LENGTH_MIN: usize = 16;

pub(super) fn store(checker: &mut Checker, raw: raw::Store) -> PathBuf {
    checker.path("store.path", raw.path.as_ref(), STORE)
}

pub(super) fn web(checker: &mut Checker, raw: raw::Web) -> Web {
    let address = checker.parse_optional("web.listen_address", raw.listen_address.as_ref());
    let file = raw.bearer_token_file.as_ref();
    let token = file.and_then(|file| token(checker, "web.bearer_token_file", file));
    let operators = operators::checked(checker, raw.operators, token.as_ref());
    let body_max = raw
        .max_body
        .map_or(BODY_MAX, |text| body_max(checker, &text));
    Web {
        listen_address: address.unwrap_or(LISTEN_ADDRESS),
        token,
        body_max,
        operators,
    }
}

/// The token in the file, without the white space around it.
pub(super) fn token(checker: &mut Checker, key: &str, file: &Text) -> Option<Token> {
    let path = checker.path(key, Some(file), "");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            checker.problem_at(
                key,
                file,
                format!("cannot read {}: {error}", path.display()),
            );
            return None;
        }
    };
    let text = text.trim();
    if text.len() < TOKEN_LENGTH_MIN {
        let message = format!("the token is shorter than {TOKEN_LENGTH_MIN} characters");
        checker.problem_at(key, file, message);
        return None;
    }
    if text.contains(char::is_control) {
        let message = "the token is several lines or holds another control character: \
                       nobody can send it";
        checker.problem_at(key, file, message);
        return None;
    }
    Some(Token::new(text))
}

/// A number of bytes: `16MiB`, `512KiB` or `1048576`.
fn body_max(checker: &mut Checker, text: &Text) -> usize {
    let key = "web.max_body";
    let units = [("MiB", 20), ("KiB", 10), ("", 0)];
    let split = units
        .iter()
        .find_map(|&(unit, shift)| text.value.strip_suffix(unit).map(|digits| (digits, shift)));
    let bytes = split.and_then(|(digits, shift)| {
        digits
            .trim_end()
            .parse::<usize>()
            .ok()?
            .checked_mul(1 << shift)
    });
    match bytes {
        Some(bytes) if BODY_RANGE.contains(&bytes) => bytes,
        Some(bytes) => {
            let message = format!("{bytes} bytes are not within 64KiB and 256MiB");
            checker.problem_at(key, text, message);
            BODY_MAX
        }
        None => {
            let message = format!("{:?} is no size such as 16MiB", text.value);
            checker.problem_at(key, text, message);
            BODY_MAX
        }
    }
}
