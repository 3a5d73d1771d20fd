//! The bearer token of the webhook.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A bearer token, kept only as its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// The token with this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether the header `Authorization` holds this token.
    ///
    /// Hashes are compared: how long that takes says nothing about the token.
    #[must_use]
    pub fn permits(&self, header: Option<&[u8]>) -> bool {
        let Some((scheme, token)) = header.and_then(|header| header.split_at_checked(7)) else {
            return false;
        };
        let hash: [u8; 32] = Sha256::digest(token).into();
        scheme.eq_ignore_ascii_case(b"Bearer ") && hash == self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_its_own_text_and_nothing_else() {
        let token = Token::new("s3cret");
        for (header, permitted) in [
            (Some("Bearer s3cret"), true),
            (Some("bearer s3cret"), true),
            (Some("Bearer s3cret "), false),
            (Some("Bearer s3cre"), false),
            (Some("Bearer "), false),
            (Some("Basic s3cret"), false),
            (Some("s3cret"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(
                token.permits(header.map(str::as_bytes)),
                permitted,
                "{header:?}"
            );
        }
    }

    #[test]
    fn never_shows_itself() {
        assert!(!format!("{:?}", Token::new("s3cret")).contains("s3cret"));
    }
}
