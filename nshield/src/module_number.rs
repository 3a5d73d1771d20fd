//! The number by which a host's tools name a module.
//!
//! It is the only thing taken from an alert that may ever reach an argument vector, so that its
//! parser is stricter than `u16::from_str`.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The number of a module on one host, from 1.
///
/// Numbers can change when the hardserver restarts: identity is the [`Esn`](crate::Esn).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ModuleNumber(NonZeroU16);

impl ModuleNumber {
    /// Returns the number, which is never 0.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

/// The text or number does not name a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleNumberError {
    /// Something other than decimal digits, or a leading zero.
    #[error("{text:?} is not a module number: decimal digits without a leading zero are expected")]
    NotANumber {
        /// The text as given.
        text: String,
    },
    /// Number 0 is the hardserver itself, not a module.
    #[error("module numbers start at 1")]
    Zero,
    /// More than 65535.
    #[error("{text:?} is larger than any module number")]
    TooLarge {
        /// The text as given.
        text: String,
    },
}

impl FromStr for ModuleNumber {
    type Err = ModuleNumberError;

    fn from_str(text: &str) -> Result<Self, ModuleNumberError> {
        if text == "0" {
            return Err(ModuleNumberError::Zero);
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || text.starts_with('0') {
            return Err(ModuleNumberError::NotANumber {
                text: text.to_owned(),
            });
        }
        text.parse()
            .map(Self)
            .map_err(|_| ModuleNumberError::TooLarge {
                text: text.to_owned(),
            })
    }
}

impl TryFrom<u16> for ModuleNumber {
    type Error = ModuleNumberError;

    fn try_from(number: u16) -> Result<Self, ModuleNumberError> {
        NonZeroU16::new(number)
            .map(Self)
            .ok_or(ModuleNumberError::Zero)
    }
}

impl From<ModuleNumber> for u16 {
    fn from(number: ModuleNumber) -> Self {
        number.get()
    }
}

impl fmt::Display for ModuleNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for ModuleNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_decimal_digits() {
        for (text, number) in [("1", 1), ("10", 10), ("200", 200), ("65535", 65535)] {
            let parsed: ModuleNumber = text.parse().unwrap();
            assert_eq!(parsed.get(), number);
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn refuses_everything_a_shell_or_a_lenient_parser_would_take() {
        for text in [
            "",
            "0",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1\n",
            "1.0",
            "0x1",
            "1; rm -rf /",
            "65536",
            "99999999999999999999",
            "١",
            "１",
            "#1",
            "1,2",
            "all",
        ] {
            assert!(
                text.parse::<ModuleNumber>().is_err(),
                "{text:?} was accepted"
            );
        }
    }

    #[test]
    fn is_a_validated_number_in_serde() {
        let number: ModuleNumber = serde_json::from_str("3").unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "3");
        for text in ["0", "-1", "65536", "\"1\"", "1.5", "null"] {
            assert!(
                serde_json::from_str::<ModuleNumber>(text).is_err(),
                "{text} was accepted"
            );
        }
    }
}
