//! The `Authorization` header (RFC 7617).

use std::fmt;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A user name and a password, as the client sent them.
pub(super) struct Credentials {
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Reads the credentials; nothing if they are missing, malformed or given twice, which leaves open
/// whose they are.
pub(super) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let mut decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.split_off(colon + 1);
    decoded.truncate(colon);
    Some(Credentials {
        user: decoded,
        password,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_bytes(value).unwrap(),
        );
        credentials(&headers).map(|read| (read.user, read.password))
    }

    #[test]
    fn takes_the_password_behind_the_first_colon() {
        let user = (b"alice".to_vec(), b"a:b".to_vec());
        assert_eq!(read(b"Basic YWxpY2U6YTpi"), Some(user.clone()));
        assert_eq!(read(b"basic YWxpY2U6YTpi"), Some(user));
        assert_eq!(read(b"Basic Og=="), Some((vec![], vec![])));
    }

    #[test]
    fn takes_nothing_from_a_malformed_header() {
        for value in [
            b"".as_slice(),
            b"Basic",
            b"Basic ",
            b"Basic  YWxpY2U6YTpi",
            b"Basic YWxpY2U6YTpi=",
            b"Basic YWxpY2U",
            b"Basic YWxpY2U=",
            b"Basic !!!!",
            b"Basic \xff\xfe",
            b"Bearer YWxpY2U6YTpi",
            b"YWxpY2U6YTpi",
        ] {
            assert_eq!(read(value), None, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn takes_nothing_when_two_headers_contradict_each_other() {
        let mut headers = HeaderMap::new();
        for value in ["Basic YTph", "Basic Yjpi"] {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        assert!(credentials(&headers).is_none());
    }
}
