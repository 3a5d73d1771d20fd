//! The history of an episode, line by line, for whoever reads a violated property. Kept only when it
//! is asked for: a seed replays exactly.

use std::fmt::Write as _;

use vcm_recovery::evidence::Look;
use vcm_recovery::time::Time;

/// What happened, if anybody wants to know.
#[derive(Clone, Debug, Default)]
pub struct History {
    lines: Option<Vec<String>>,
    began: Time,
}

impl History {
    /// A history that is kept or not.
    #[must_use]
    pub fn new(kept: bool, began: Time) -> Self {
        Self {
            lines: kept.then(Vec::new),
            began,
        }
    }

    /// Adds a line.
    pub(crate) fn note(&mut self, now: Time, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{} {}", clock(now, self.began), line()));
        }
    }

    /// Every line.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}

/// Hours, minutes and seconds since the beginning.
#[must_use]
pub fn clock(now: Time, began: Time) -> String {
    let millis = now.since(began).as_millis();
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    format!(
        "{:02}:{:02}:{:02}.{millis:03}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// A look in one line.
#[must_use]
pub fn look(look: &Look) -> String {
    let seen = match &look.seen {
        Ok(seen) => seen,
        Err(why) => return format!("failed: {why}"),
    };
    let mut line = format!("hardserver {}", seen.hardserver.as_str());
    if !seen.complete {
        line.push_str(", incomplete");
    }
    if seen.hold.is_some() {
        line.push_str(", held");
    }
    for (number, module) in &seen.modules {
        let network = module.network.class().as_str();
        // Writing to a string does not fail.
        let _ = write!(
            line,
            "; module {number} {}, network {network}",
            module.state
        );
    }
    line
}
