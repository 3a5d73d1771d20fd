//! Tiers: two gates and three rungs, in the order of the vendor's recovery page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A stage of the vendor's recovery. The order is the order of the page, and of disruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Gate: the VCM answers the network.
    Network,
    /// Gate: the HSM is not overloaded.
    Load,
    /// Rung: `nopclearfail -m<N> -r`.
    Retry,
    /// Rung: restart (or start) the hardserver.
    Restart,
    /// Rung: `-M`, wait, `-c`.
    Clear,
}

impl Tier {
    /// Every tier, lowest first.
    pub const ALL: [Self; 5] = [
        Self::Network,
        Self::Load,
        Self::Retry,
        Self::Restart,
        Self::Clear,
    ];

    /// The word used in labels, configuration and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Load => "load",
            Self::Retry => "retry",
            Self::Restart => "restart",
            Self::Clear => "clear",
        }
    }
}

/// A tier that runs commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Asks the hardserver to retry the failed module.
    Retry,
    /// Restarts the hardserver, or starts it when it is down.
    Restart,
    /// Clears the module: every key loaded in it is lost.
    Clear,
}

impl Rung {
    /// Every rung, lowest first.
    pub const ALL: [Self; 3] = [Self::Retry, Self::Restart, Self::Clear];

    /// The tier of this rung.
    #[must_use]
    pub const fn tier(self) -> Tier {
        match self {
            Self::Retry => Tier::Retry,
            Self::Restart => Tier::Restart,
            Self::Clear => Tier::Clear,
        }
    }

    /// The word used in labels, configuration and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.tier().as_str()
    }

    /// Whether the rung takes something away from users that still work: one at a time in the fleet.
    #[must_use]
    pub const fn disruptive(self) -> bool {
        matches!(self, Self::Restart | Self::Clear)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no tier, or no rung where one is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of {expected}")]
pub struct TierError {
    text: String,
    expected: &'static str,
}

impl FromStr for Tier {
    type Err = TierError;

    fn from_str(text: &str) -> Result<Self, TierError> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or_else(|| TierError {
                text: text.chars().take(32).collect(),
                expected: "network, load, retry, restart, clear",
            })
    }
}

impl FromStr for Rung {
    type Err = TierError;

    fn from_str(text: &str) -> Result<Self, TierError> {
        Self::ALL
            .into_iter()
            .find(|rung| rung.as_str() == text)
            .ok_or_else(|| TierError {
                text: text.chars().take(32).collect(),
                expected: "retry, restart, clear",
            })
    }
}
