//! The name of the request by which a person approved an attempt, as the remediator gives it.
//!
//! The host cannot ask a person. It takes the remediator's word that one was asked, and writes down
//! which request it was; who answered stands in the remediator's record under that name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in characters: a host name and a number have plenty of room.
const LENGTH_MAX: usize = 128;

/// The name of a request, such as `tenant-1#3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApprovalName(String);

/// A text that names no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not 1 to {LENGTH_MAX} letters, digits and .:_#@- without a - in front")]
pub struct ApprovalNameError(String);

impl FromStr for ApprovalName {
    type Err = ApprovalNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fine = |c: char| c.is_ascii_alphanumeric() || ".:_#@-".contains(c);
        let length = 1..=LENGTH_MAX;
        if length.contains(&text.len()) && text.chars().all(fine) && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            let shown = text.chars().take(LENGTH_MAX).collect();
            Err(ApprovalNameError(shown))
        }
    }
}

impl TryFrom<String> for ApprovalName {
    type Error = ApprovalNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ApprovalName> for String {
    fn from(name: ApprovalName) -> Self {
        name.0
    }
}

impl fmt::Display for ApprovalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_plain_word() {
        for text in ["tenant-1#3", "a", "host.example:9#12", &"x".repeat(128)] {
            assert_eq!(text.parse::<ApprovalName>().unwrap().to_string(), text);
        }
        for text in ["", "-F", "a b", "a\n", "ü", "a;b", "$(a)", &"x".repeat(129)] {
            assert!(text.parse::<ApprovalName>().is_err(), "{text:?}");
        }
    }
}
