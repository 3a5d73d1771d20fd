//! How operators name things: `tenant-1`, `tenant-1/2`, and `tenant-1#3` for a request.
//!
//! The API, the page and the command line read and write the same spellings.

use std::fmt;
use std::str::FromStr;

use nshield::ModuleNumberError;
use vcm_recovery::ids::{HostName, NameError, RequestId};
use vcm_recovery::inventory::Target;

/// Why a text names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NamedError {
    /// The part before `/` or `#` is no host.
    #[error("the host cannot be read")]
    Host(#[from] NameError),
    /// The part after `/` is no module.
    #[error("the module cannot be read")]
    Module(#[from] ModuleNumberError),
    /// There is no `#number`, or none that is one.
    #[error("a request is named host#number, such as tenant-1#3")]
    Request,
}

/// A host, or a module of one.
pub(crate) fn target(text: &str) -> Result<Target, NamedError> {
    Ok(match text.split_once('/') {
        None => Target::host(text.parse()?),
        Some((host, module)) => Target::module(host.parse()?, module.parse()?),
    })
}

/// A request for approval, as it is named everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestName {
    /// The host that it is about.
    pub(crate) host: HostName,
    /// Its number there.
    pub(crate) id: RequestId,
}

impl RequestName {
    /// The request with this number on this host.
    pub(crate) fn new(host: &HostName, id: RequestId) -> Self {
        Self {
            host: host.clone(),
            id,
        }
    }
}

impl FromStr for RequestName {
    type Err = NamedError;

    fn from_str(text: &str) -> Result<Self, NamedError> {
        let (host, number) = text.split_once('#').ok_or(NamedError::Request)?;
        Ok(Self {
            host: host.parse()?,
            id: request_id(number)?,
        })
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, self.id)
    }
}

/// The number of a request: one spelling, from 1.
pub(crate) fn request_id(text: &str) -> Result<RequestId, NamedError> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| plain);
    number.map(RequestId).ok_or(NamedError::Request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows_and_nothing_else() {
        for text in ["tenant-1#1", "10.0.0.1:9808#4294967295"] {
            assert_eq!(text.parse::<RequestName>().unwrap().to_string(), text);
        }
        for text in [
            "tenant-1",
            "#1",
            "tenant-1#",
            "tenant-1#0",
            "tenant-1#01",
            "tenant-1#+1",
        ] {
            assert!(text.parse::<RequestName>().is_err(), "{text}");
        }
        for text in [
            "tenant-1#4294967296",
            "tenant 1#1",
            "tenant-1#1#2",
            "tenant-1#-1",
        ] {
            assert!(text.parse::<RequestName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_target_is_a_host_or_one_of_its_modules() {
        for text in ["tenant-1", "tenant-1/2"] {
            assert_eq!(target(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "/1",
            "tenant-1/",
            "tenant-1/0",
            "tenant-1/01",
            "tenant-1/1/2",
            "a b",
        ] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
