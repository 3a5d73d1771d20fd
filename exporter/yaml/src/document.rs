//! From a file to its tree, and from the tree to the caller's value or all problems.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Options};

use crate::node::{Content, Node};
use crate::section::{Problems, Section};

/// Largest accepted configuration file: 8 MiB. 1,000 hosts with 10 modules take about 1 MB.
pub const FILE_SIZE_MAX: u64 = 8 << 20;

/// Deepest nesting: no configuration comes near, and the parser goes down one stack frame a level.
const DEPTH_MAX: usize = 24;

/// Most nodes that aliases may add: some copies of a long list, and no bomb.
const ALIASED_NODES_MAX: usize = 100_000;

/// Bytes of text, that of aliases included.
const TEXT_BYTES_MAX: usize = 2 * FILE_SIZE_MAX as usize;

/// Shortest run of letters and digits that counts as a quotation of the file.
const QUOTATION_MIN: usize = 4;

/// One thing that is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {}{what}", file.display(), prefix(key))]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// The path of the key, such as `icmp.targets[0].address`; empty for the whole file.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

/// Why a YAML file gave no value.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is larger than [`FILE_SIZE_MAX`].
    #[error("{}: is larger than {FILE_SIZE_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The text is not YAML.
    #[error("{}:{line}: is not valid YAML: {what}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The parser's words, without any of the file's.
        what: String,
    },
    /// The values are not usable.
    #[error("{}", lines(problems))]
    Invalid {
        /// Everything that is wrong, in the order of the lines; never empty.
        problems: Vec<Problem>,
    },
}

impl YamlError {
    /// Returns one line for each problem, causes included, for people.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        match self {
            Self::Read { source, .. } => vec![format!("{self}: {source}")],
            Self::TooLarge { .. } | Self::Parse { .. } => vec![self.to_string()],
            Self::Invalid { problems } => problems.iter().map(ToString::to_string).collect(),
        }
        .into_iter()
    }
}

fn prefix(key: &str) -> String {
    match key {
        "" => String::new(),
        key => format!("{key}: "),
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A configuration file as a tree that knows its lines.
#[derive(Debug)]
pub struct Document {
    file: PathBuf,
    root: Node,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is larger than [`FILE_SIZE_MAX`] or is not YAML.
    pub fn load(path: &Path) -> Result<Self, YamlError> {
        let failed = |source| YamlError::Read {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(FILE_SIZE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(path, &text),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                Err(YamlError::Parse {
                    path: path.to_owned(),
                    line: 1 + valid.iter().filter(|byte| **byte == b'\n').count() as u64,
                    what: "it is not UTF-8 text".to_owned(),
                })
            }
        }
    }

    /// Reads a text; `file` is only for messages. An empty text is an empty mapping.
    ///
    /// # Errors
    ///
    /// If it is larger than [`FILE_SIZE_MAX`] or is not YAML.
    pub fn parse(file: &Path, text: &str) -> Result<Self, YamlError> {
        let path = file.to_owned();
        if text.len() as u64 > FILE_SIZE_MAX {
            return Err(YamlError::TooLarge { path });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match serde_saphyr::from_str_with_options::<Option<Node>>(text, options()) {
            Ok(root) => Ok(Self {
                file: path,
                root: root.unwrap_or(Node {
                    line: 1,
                    content: Content::Null,
                }),
            }),
            Err(error) => Err(parse_error(path, text, &error)),
        }
    }

    /// Reads the tree with the caller's words: either no problem was found and `reader` gave a
    /// value, or all problems come back.
    ///
    /// # Errors
    ///
    /// If the reader noted a problem, or gave nothing.
    pub fn read<T>(
        &self,
        reader: impl FnOnce(&mut Section<'_>) -> Option<T>,
    ) -> Result<T, YamlError> {
        let mut problems = Problems::new(&self.file);
        let value = Section::enter(&self.root, String::new(), &mut problems, reader);
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(YamlError::Invalid {
                problems: problems.sorted(self.root.line),
            }),
        }
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, max_documents: 1, max_total_scalar_bytes: TEXT_BYTES_MAX },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: ALIASED_NODES_MAX },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn parse_error(path: PathBuf, text: &str, error: &Error) -> YamlError {
    let line = error.location().map_or(1, |location| location.line());
    let error = error.without_snippet();
    let what = in_our_words(error).map_or_else(|| in_its_words(error, text, line), str::to_owned);
    YamlError::Parse { path, line, what }
}

/// The parser's own words, unless they quote the file.
fn in_its_words(error: &Error, text: &str, line: u64) -> String {
    let said = error.to_string();
    // It goes on with the place, which is said already.
    let said = said.split(" at line ").next().unwrap_or_default().trim();
    match said.is_empty() || quotes(said, text, line) {
        true => "this line cannot be understood".to_owned(),
        false => said.to_owned(),
    }
}

/// Says what the parser can only say in terms of its options and counters.
fn in_our_words(error: &Error) -> Option<&'static str> {
    if let Error::AliasError { error, .. } = error {
        return in_our_words(error);
    }
    let breach = if let Error::Budget { breach, .. } = error {
        Some(breach)
    } else {
        None
    };
    if matches!(breach, Some(BudgetBreach::Documents { .. })) {
        return Some("it is more than one document");
    }
    let aliases = matches!(
        error,
        Error::AliasReplayLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
    );
    if breach.is_some() || aliases {
        return Some("it has too many values, aliases or levels");
    }
    if matches!(error, Error::UnknownAnchor { .. }) {
        return Some("an alias (*) needs an anchor (&) before it; write text in quotes");
    }
    if matches!(error, Error::UnsupportedTag { .. }) {
        return Some("tags (!) are not supported; write text in quotes");
    }
    matches!(error, Error::MergeKeyNotAllowed { .. }).then_some("merge keys (<<) are not supported")
}

/// Whether a message has a word of the lines around `line`: an unquoted secret that begins like
/// an alias, a tag or a directive would be repeated by the parser.
fn quotes(message: &str, text: &str, line: u64) -> bool {
    let first = usize::try_from(line.saturating_sub(2)).unwrap_or(usize::MAX);
    text.lines()
        .skip(first)
        .take(3)
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
        .any(|word| word.chars().count() >= QUOTATION_MIN && message.contains(word))
}

#[cfg(test)]
mod tests;
