//! Collects problems while raw values are turned into checked ones.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::Problem;
use super::raw::{Number, Text};

/// Finds every problem: a value that is wrong is replaced by its default and checking goes on.
#[derive(Debug, Default)]
pub(super) struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    /// The value, when nothing was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(self.problems)
        }
    }

    /// Something is wrong with the value at `key` as a whole.
    pub(super) fn problem(&mut self, key: impl Into<String>, message: impl Display) {
        let message = message.to_string();
        self.problems.push(Problem {
            key: key.into(),
            line: None,
            message,
        });
    }

    /// Something is wrong with this text.
    pub(super) fn problem_at(&mut self, key: &str, text: &Text, message: impl Display) {
        self.at(key, text.referenced.line(), message);
    }

    fn at(&mut self, key: &str, line: u64, message: impl Display) {
        let message = message.to_string();
        self.problems.push(Problem {
            key: key.to_owned(),
            line: Some(line),
            message,
        });
    }

    /// The value that the text stands for.
    pub(super) fn parse<T>(&mut self, key: &str, text: &Text) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let parsed = text.value.parse::<T>();
        parsed
            .inspect_err(|error| self.problem_at(key, text, error))
            .ok()
    }

    /// The value that the text stands for, where there is a text.
    pub(super) fn parse_optional<T>(&mut self, key: &str, text: Option<&Text>) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        text.and_then(|text| self.parse(key, text))
    }

    /// One word of a closed set.
    pub(super) fn word<T: Copy>(&mut self, key: &str, text: &Text, all: &[(&str, T)]) -> Option<T> {
        let found = all
            .iter()
            .find(|(word, _)| *word == text.value)
            .map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
            let message = format!("{:?} is none of {}", text.value, words.join(", "));
            self.problem_at(key, text, message);
        }
        found
    }

    /// A duration within `range`; `default` where there is none.
    pub(super) fn duration(
        &mut self,
        key: &str,
        text: Option<&Text>,
        range: &RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let Some(text) = text else { return default };
        let duration = match humantime::parse_duration(&text.value) {
            Ok(duration) => duration,
            Err(error) => {
                self.problem_at(
                    key,
                    text,
                    format!("{:?} is no duration: {error}", text.value),
                );
                return default;
            }
        };
        if !range.contains(&duration) {
            let shown = |duration| humantime::format_duration(duration);
            let message = format!(
                "{} is not within {} and {}",
                shown(duration),
                shown(*range.start()),
                shown(*range.end())
            );
            self.problem_at(key, text, message);
        }
        duration
    }

    /// A number within `range`; `default` where there is none.
    pub(super) fn number(
        &mut self,
        key: &str,
        number: Option<&Number>,
        range: &RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        let Some(number) = number else { return default };
        if !range.contains(&number.value) {
            let (low, high) = (range.start(), range.end());
            let message = format!("{} is not within {low} and {high}", number.value);
            self.at(key, number.referenced.line(), message);
        }
        number.value
    }

    /// An absolute path; `default` where there is none.
    pub(super) fn path(&mut self, key: &str, text: Option<&Text>, default: &str) -> PathBuf {
        let Some(text) = text else {
            return PathBuf::from(default);
        };
        let path = PathBuf::from(&text.value);
        if !path.is_absolute() {
            self.problem_at(
                key,
                text,
                format!("{:?} is not an absolute path", text.value),
            );
        }
        path
    }
}
