//! What a guard says.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// The answer of one guard for one rung. Every reason is a text that an operator reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The rung may start as far as this guard is concerned.
    Pass,
    /// The guard has nothing to say here.
    NotApplicable(String),
    /// The rung is left out for this incident; the ladder may go on.
    Skip(String),
    /// Only a person may let the rung start.
    Ask(String),
    /// The rung must not start now; the ladder does not go on.
    Refuse {
        /// Why.
        reason: String,
        /// When the guard ends by itself, where that is known.
        until: Option<Time>,
    },
}

impl Verdict {
    /// A refusal whose end is not known.
    pub fn refuse(reason: impl Into<String>) -> Self {
        Self::Refuse {
            reason: reason.into(),
            until: None,
        }
    }

    /// A refusal that ends by itself at `until`.
    pub fn refuse_until(until: Time, reason: impl Into<String>) -> Self {
        Self::Refuse {
            reason: reason.into(),
            until: Some(until),
        }
    }

    /// A verdict that does not stand in the way.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Pass | Self::NotApplicable(_))
    }

    /// The word for the kind of verdict.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotApplicable(_) => "not_applicable",
            Self::Skip(_) => "skip",
            Self::Ask(_) => "ask",
            Self::Refuse { .. } => "refuse",
        }
    }

    /// The reason, empty for a pass.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Pass => "",
            Self::NotApplicable(reason) | Self::Skip(reason) | Self::Ask(reason) => reason,
            Self::Refuse { reason, .. } => reason,
        }
    }
}

/// How often, as an operator reads it.
pub(crate) fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// How many of what takes a plural s, as an operator reads it.
pub(crate) fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
