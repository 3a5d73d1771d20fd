//! Identifiers, each its own type, so that neighbouring parameters cannot be swapped.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::inventory::Target;
use crate::time::Time;

/// Longest accepted host or HSM name, in bytes (the limit of a DNS name).
pub const NAME_LENGTH_MAX: usize = 253;

/// A name that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "name {text:?} is empty, longer than {NAME_LENGTH_MAX} bytes, or holds other than letters, digits and . _ : -"
)]
pub struct NameError {
    /// What was given.
    pub text: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                checked(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A tenant machine, as the inventory names it.
    HostName
}
name! {
    /// A physical device that carries VCMs, as the inventory names it.
    HsmName
}

name! {
    /// Who gave an order or an answer, as the program that took it knows them.
    Person
}

/// Checks a name: letters, digits and `. _ : -`, and never a leading `-` (it would read as a flag).
fn checked(text: &str) -> Result<String, NameError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    let fits = !text.is_empty() && text.len() <= NAME_LENGTH_MAX;
    if fits && !text.starts_with('-') && text.chars().all(legal) {
        Ok(text.to_owned())
    } else {
        Err(NameError {
            text: text.chars().take(NAME_LENGTH_MAX).collect(),
        })
    }
}

/// The identity of an incident: its target and when it was opened.
///
/// Unique without randomness, because a target has at most one open incident and time never goes
/// back; readable, because people quote it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(String);

impl IncidentId {
    /// The id of the incident of `target` that opens at `opened_at`.
    #[must_use]
    pub fn new(target: &Target, opened_at: Time) -> Self {
        Self(format!("{target}@{}", opened_at.as_millis()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a request for approval on its host, from 1. `host#number` names it everywhere.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RequestId(pub u32);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A 128-bit identifier that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("identifier {text:?} is not a lower-case hyphenated UUID")]
pub struct UuidError {
    /// What was given, cut to 64 characters.
    pub text: String,
}

macro_rules! uuid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u128);

        impl $name {
            /// The identifier with these 128 bits.
            #[must_use]
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }
        }

        impl FromStr for $name {
            type Err = UuidError;

            fn from_str(text: &str) -> Result<Self, UuidError> {
                parse_uuid(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = UuidError;

            fn try_from(text: String) -> Result<Self, UuidError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(self.0, f)
            }
        }
    };
}

uuid! {
    /// One run of one rung (a UUIDv7 made by the program).
    AttemptId
}
uuid! {
    /// The store that a remediator writes to; a host runner pins the first one it sees.
    StoreId
}
uuid! {
    /// One kept observation of a host.
    ObservationId
}

/// Parses the one accepted spelling, so that an id compares equal as text and as a file name.
fn parse_uuid(text: &str) -> Result<u128, UuidError> {
    let error = || UuidError {
        text: text.chars().take(64).collect(),
    };
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if lengths != [8, 4, 4, 4, 12] || !groups.concat().bytes().all(lower_hex) {
        return Err(error());
    }
    u128::from_str_radix(&groups.concat(), 16).map_err(|_| error())
}

fn write_uuid(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let hex = format!("{bits:032x}");
    write!(
        f,
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Counts the starts of the remediator on one store; a host runner refuses an older one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Epoch {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Alertmanager's hash of an alert's labels: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(u64);

/// A fingerprint that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fingerprint {text:?} is not 16 hexadecimal digits")]
pub struct FingerprintError {
    /// What was given, cut to 32 characters.
    pub text: String,
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| FingerprintError {
                text: text.chars().take(32).collect(),
            })
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: String) -> Result<Self, FingerprintError> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_could_be_read_as_anything_else() {
        for text in ["", "-m1", "a b", "a;b", "a/b", "a\n", "ä", &"x".repeat(254)] {
            assert!(text.parse::<HostName>().is_err(), "{text:?}");
        }
        for text in ["tenant-1", "10.0.0.1:9808", "a_b.example"] {
            assert_eq!(text.parse::<HostName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn attempt_ids_have_one_spelling() {
        let text = "01935bd4-0f3a-7c11-8000-00000000002a";
        assert_eq!(text.parse::<AttemptId>().unwrap().to_string(), text);
        for bad in [
            &text.to_uppercase(),
            &text.replace('-', ""),
            "",
            "../../etc",
            "+1935bd4-0f3a-7c11-8000-00000000002a",
        ] {
            assert!(bad.parse::<AttemptId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn fingerprints_are_sixteen_digits() {
        assert_eq!(
            "00ff00ff00ff00ff"
                .parse::<Fingerprint>()
                .unwrap()
                .to_string(),
            "00ff00ff00ff00ff"
        );
        for bad in ["", "ff", "+0ff00ff00ff00ff", "zzzzzzzzzzzzzzzz"] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad:?}");
        }
    }
}
