//! The electronic serial number of a module: the only name of a module that never changes.
//!
//! Everything that must survive a renumbering of modules is keyed by it.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Length of a serial number in bytes: three groups of four and two dashes.
const LENGTH: usize = 14;

/// An electronic serial number in the form `XXXX-XXXX-XXXX`, upper-case hexadecimal.
///
/// Parsing accepts exactly the form that `enquiry` prints and nothing else, so that two spellings
/// of one module can never stand beside each other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Esn(Box<str>);

impl Esn {
    /// Returns the serial number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not an electronic serial number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an electronic serial number of the form XXXX-XXXX-XXXX")]
pub struct EsnError {
    text: String,
}

impl FromStr for Esn {
    type Err = EsnError;

    fn from_str(text: &str) -> Result<Self, EsnError> {
        if is_esn(text) {
            Ok(Self(text.into()))
        } else {
            Err(EsnError {
                text: text.to_owned(),
            })
        }
    }
}

fn is_esn(text: &str) -> bool {
    text.len() == LENGTH
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 9 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'A'..=b'F'),
        })
}

impl fmt::Display for Esn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Esn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Esn({})", self.0)
    }
}

impl AsRef<str> for Esn {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Esn {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Esn {
    type Error = EsnError;

    fn try_from(text: &str) -> Result<Self, EsnError> {
        text.parse()
    }
}

impl Serialize for Esn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Esn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_form_that_enquiry_prints() {
        let esn: Esn = "1A2B-03E0-D947".parse().unwrap();
        assert_eq!(esn.to_string(), "1A2B-03E0-D947");
        assert_eq!(esn.as_ref(), "1A2B-03E0-D947");
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "",
            "unknown",
            "1a2b-03e0-d947",
            "1A2B03E0D947",
            "1A2B-03E0-D94",
            "1A2B-03E0-D9478",
            " 1A2B-03E0-D947",
            "1A2B-03E0-D947\n",
            "1A2B-03E0-G947",
            "1A2B_03E0_D947",
            "1A2B-03E0-D947 2B3C-05E0-D947",
            "ÄÄ-ÄÄ-ÄÄÄ",
        ] {
            assert!(text.parse::<Esn>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn is_a_validated_string_in_serde() {
        let esn: Esn = serde_json::from_str("\"1A2B-03E0-D947\"").unwrap();
        assert_eq!(serde_json::to_string(&esn).unwrap(), "\"1A2B-03E0-D947\"");
        assert!(serde_json::from_str::<Esn>("\"1a2b-03e0-d947\"").is_err());
    }
}
