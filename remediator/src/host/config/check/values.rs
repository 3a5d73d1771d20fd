//! The values that every section is made of: paths, words, durations, commands.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use vcm_recovery::tier::Tier;

use super::super::{FixedCommand, Problem};

/// Collects problems; a value that is wrong is replaced by its default and never used.
#[derive(Default)]
pub(super) struct Check {
    pub(super) problems: Vec<Problem>,
}

impl Check {
    pub(super) fn problem(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            key: key.into(),
            message: message.into(),
        });
    }

    pub(super) fn missing<T: Default>(&mut self, key: impl Into<String>) -> T {
        self.problem(key, "is missing");
        T::default()
    }

    pub(super) fn path(
        &mut self,
        key: &str,
        text: Option<String>,
        default: impl FnOnce() -> PathBuf,
    ) -> PathBuf {
        let path = text.map_or_else(default, PathBuf::from);
        if !path.is_absolute() && !path.as_os_str().is_empty() {
            self.problem(key, format!("{path:?} is not an absolute path"));
        }
        if path.as_os_str().is_empty() {
            self.problem(key, "is empty");
        }
        path
    }

    pub(super) fn word<T: Copy>(
        &mut self,
        key: &str,
        text: Option<String>,
        words: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(text) = text else { return default };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => *value,
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.problem(key, format!("{text:?} is none of {}", words.join(", ")));
                default
            }
        }
    }

    pub(super) fn tier(&mut self, key: &str, text: Option<String>) -> Tier {
        let allowed = [Tier::Network, Tier::Retry, Tier::Restart, Tier::Clear];
        self.word(
            key,
            text,
            &allowed.map(|tier| (tier.as_str(), tier)),
            Tier::Retry,
        )
    }

    pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &str,
        text: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    pub(super) fn duration(
        &mut self,
        key: &str,
        text: Option<String>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = text else { return default };
        match humantime::parse_duration(&text) {
            Ok(value) if range.contains(&value) => return value,
            Ok(_) => {
                let (low, high) = (*range.start(), *range.end());
                let (low, high) = (
                    humantime::format_duration(low),
                    humantime::format_duration(high),
                );
                self.problem(key, format!("{text} is not within {low} to {high}"));
            }
            Err(error) => {
                self.problem(
                    key,
                    format!("{text:?} is not a duration such as 30s: {error}"),
                );
            }
        }
        default
    }

    /// A command that is started as it is written: its program by absolute path, never by a shell.
    pub(super) fn command(
        &mut self,
        key: &str,
        vector: Option<Vec<String>>,
    ) -> Option<FixedCommand> {
        let command = FixedCommand::new(vector?);
        if command.is_none() {
            self.problem(key, "its first word must be the absolute path of a program");
        }
        command
    }
}
