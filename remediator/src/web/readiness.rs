//! Whether the program can do its work, and if not, why not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A part without which the program is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The store is open and its writer lives.
    Store,
    /// Every host's state is folded and its actor lives.
    Engine,
    /// The program is not on its way down.
    Running,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::Engine => "engine",
            Self::Running => "running",
        })
    }
}

/// The parts that are not ready, each with a reason.
#[derive(Debug)]
pub struct Readiness {
    missing: Mutex<BTreeMap<Part, String>>,
}

impl Readiness {
    /// A program of which nothing is ready yet.
    #[must_use]
    pub fn starting() -> Self {
        let parts = [Part::Store, Part::Engine];
        let missing = parts.map(|part| (part, "has not started yet".to_owned()));
        Self {
            missing: Mutex::new(BTreeMap::from(missing)),
        }
    }

    /// The part works.
    pub fn ready(&self, part: Part) {
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&part);
    }

    /// The part does not work (any more): why.
    pub fn unready(&self, part: Part, why: impl Into<String>) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.insert(part, why.into());
    }

    /// What is not ready, and why.
    #[must_use]
    pub fn missing(&self) -> BTreeMap<Part, String> {
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
