//! Where a peer is: an address of the configuration, checked once.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::{PathAndQuery, Scheme};

/// An `http` or `https` address with a host, and without credentials in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Uri);

/// A text that is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It cannot be read at all.
    #[error("is no URL")]
    Malformed,
    /// Its scheme is missing or another one.
    #[error("begins with neither http:// nor https://")]
    Scheme,
    /// There is a `user@` in it.
    #[error("holds credentials; they belong in a file")]
    Credentials,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError::Malformed)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(AddressError::Scheme);
        }
        let authority = uri.authority().ok_or(AddressError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::Credentials);
        }
        // `Url` is what a request is sent to. It mends much that `Uri` refuses, and knows addresses of
        // the Internet, which are only text to `Uri`.
        if authority.host().is_empty() || text.parse::<reqwest::Url>().is_err() {
            return Err(AddressError::Malformed);
        }
        Ok(Self(uri))
    }
}

impl Address {
    /// The address itself.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.0
    }

    /// Host and port as they were written. Path and query stay out of logs: a path may be a secret.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    /// The address below this one, whatever prefix it has.
    ///
    /// # Errors
    /// [`AddressError::Malformed`] if the two do not make an address.
    pub fn below(&self, path_and_query: &str) -> Result<Self, AddressError> {
        let path = format!("{}{path_and_query}", self.0.path().trim_end_matches('/'));
        let path: PathAndQuery = path.parse().map_err(|_| AddressError::Malformed)?;
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts)
            .map(Self)
            .map_err(|_| AddressError::Malformed)
    }

    /// Whether what is sent there can be read on its way: plain `http` to another machine.
    #[must_use]
    pub fn in_the_clear(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let ip = host.parse::<std::net::IpAddr>();
        let here = host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback());
        self.0.scheme() != Some(&Scheme::HTTPS) && !here
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_http_addresses_with_a_host_and_without_credentials() {
        for (text, expected) in [
            ("http://127.0.0.1:9093", Ok("127.0.0.1:9093")),
            ("https://[::1]:9093/alertmanager/", Ok("[::1]:9093")),
            ("HTTPS://hook.example/shed?team=hsm", Ok("hook.example")),
            ("ftp://hook.example", Err(AddressError::Scheme)),
            ("hook.example:9093", Err(AddressError::Scheme)),
            ("/api/v2", Err(AddressError::Scheme)),
            (
                "http://user:word@hook.example",
                Err(AddressError::Credentials),
            ),
            ("http://", Err(AddressError::Malformed)),
            ("http://999.0.0.1", Err(AddressError::Malformed)),
            ("http:hook.example", Err(AddressError::Scheme)),
            ("http://a b", Err(AddressError::Malformed)),
            ("", Err(AddressError::Malformed)),
        ] {
            let read = text.parse::<Address>();
            let host = read.as_ref().map(Address::host);
            assert_eq!(host.map_err(Clone::clone), expected, "{text}");
        }
    }

    #[test]
    fn a_path_goes_below_the_prefix() {
        for (base, whole) in [
            ("http://a:1", "http://a:1/api?x=1"),
            ("http://a:1/", "http://a:1/api?x=1"),
            ("http://a:1/am/", "http://a:1/am/api?x=1"),
        ] {
            let below = base.parse::<Address>().unwrap().below("/api?x=1").unwrap();
            assert_eq!(below.uri().to_string(), whole);
        }
    }

    #[test]
    fn shows_neither_path_nor_query() {
        let address: Address = "https://a.example/T0KEN?key=k".parse().unwrap();
        assert_eq!(address.to_string(), "a.example");
    }

    #[test]
    fn only_plain_http_to_another_machine_is_in_the_clear() {
        for (text, expected) in [
            ("http://127.0.0.1:1", false),
            ("http://[::1]:1", false),
            ("http://localhost:1", false),
            ("http://localhost.example:1", true),
            ("http://192.0.2.1", true),
            ("https://192.0.2.1", false),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.in_the_clear(), expected, "{text}");
        }
    }
}
