//! Reads one mapping of the tree and notes what is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::document::Problem;
use crate::node::{Content, Entry, Node, Scalar};

/// Longest key that a message repeats.
const SHOWN_KEY_MAX: usize = 64;

/// What was found so far.
pub(crate) struct Problems {
    file: PathBuf,
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            list: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns everything noted, by line; never empty.
    pub(crate) fn sorted(mut self, line: u64) -> Vec<Problem> {
        if self.list.is_empty() {
            self.note(line, "", "is not usable");
        }
        self.list.sort_by_key(|problem| problem.line);
        self.list
    }

    fn note(&mut self, line: u64, key: &str, what: &str) {
        self.list.push(Problem {
            file: self.file.clone(),
            line,
            key: key.to_owned(),
            what: what.to_owned(),
        });
    }
}

/// One mapping of the file, while it is read. A key that nobody asks for is a problem.
pub struct Section<'a> {
    entries: &'a [Entry],
    line: u64,
    path: String,
    asked: Vec<String>,
    problems: &'a mut Problems,
}

impl Section<'_> {
    /// Reads the value of a key, which may be absent (or null).
    ///
    /// `None` is an absent key as well as a value that `parse` refused: the latter is noted.
    pub fn optional<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&Scalar) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.find(key)?;
        let path = self.path_of(key);
        self.scalar(node, &path, parse)
    }

    /// Reads the value of a key that must be there.
    pub fn required<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&Scalar) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.optional(key, parse);
        if !self.contains(key) {
            self.problem(key, "is required");
        }
        value
    }

    /// Reads a sequence of values, leaving out the refused ones.
    pub fn sequence<T>(
        &mut self,
        key: &str,
        mut parse: impl FnMut(&Scalar) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let items = self.items(key)?;
        let values = items
            .into_iter()
            .filter_map(|(node, path)| self.scalar(node, &path, &mut parse));
        Some(values.collect())
    }

    /// Reads a mapping with free keys, such as names of users, in the order of the file.
    pub fn mapping<T>(
        &mut self,
        key: &str,
        mut parse: impl FnMut(&str, &Scalar) -> Result<T, String>,
    ) -> Option<Vec<(String, T)>> {
        let node = self.find(key)?;
        let path = self.path_of(key);
        let entries = self.entries_of(node, &path)?;
        repeated(entries, &path, self.problems);
        let values = entries.iter().filter_map(|entry| {
            let path = join(&path, &entry.key);
            let value = self.scalar(&entry.value, &path, |scalar| parse(&entry.key, scalar))?;
            Some((entry.key.clone(), value))
        });
        Some(values.collect())
    }

    /// Reads the mapping below a key, if it is there.
    pub fn section<T>(
        &mut self,
        key: &str,
        reader: impl FnOnce(&mut Section<'_>) -> Option<T>,
    ) -> Option<T> {
        let node = self.find(key)?;
        Section::enter(node, self.path_of(key), self.problems, reader)
    }

    /// Reads a sequence of mappings, leaving out those that gave nothing.
    pub fn sections<T>(
        &mut self,
        key: &str,
        mut reader: impl FnMut(&mut Section<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.items(key)?;
        let values = items
            .into_iter()
            .filter_map(|(node, path)| Section::enter(node, path, self.problems, &mut reader));
        Some(values.collect())
    }

    /// Returns whether a key is there with a value.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Notes a problem at a key of this section, present or not: for contradictions and everything
    /// else that only the caller knows. `what` must not quote the file.
    pub fn problem(&mut self, key: &str, what: impl AsRef<str>) {
        let line = self.value(key).map_or(self.line, |node| node.line);
        let path = self.path_of(key);
        self.problems.note(line, &path, what.as_ref());
    }

    /// Notes a problem of this section as a whole.
    pub fn problem_here(&mut self, what: impl AsRef<str>) {
        self.problems.note(self.line, &self.path, what.as_ref());
    }
}

impl<'a> Section<'a> {
    /// Reads a node as a mapping; an empty one may be null.
    pub(crate) fn enter<T>(
        node: &'a Node,
        path: String,
        problems: &'a mut Problems,
        reader: impl FnOnce(&mut Section<'_>) -> Option<T>,
    ) -> Option<T> {
        let entries = match &node.content {
            Content::Null => [].as_slice(),
            Content::Mapping(entries) => entries.as_slice(),
            Content::Scalar(_) | Content::Sequence(_) => {
                problems.note(node.line, &path, "is not a mapping of keys to values");
                return None;
            }
        };
        let mut section = Section {
            entries,
            line: node.line,
            path,
            asked: Vec::new(),
            problems,
        };
        let value = reader(&mut section);
        section.finish();
        value
    }

    fn finish(self) {
        repeated(self.entries, &self.path, self.problems);
        let what = match self.asked.as_slice() {
            [] => "is not a known key".to_owned(),
            asked => format!("is not a known key; known here: {}", asked.join(", ")),
        };
        for entry in self.entries {
            if !self.asked.contains(&entry.key) {
                let path = join(&self.path, &entry.key);
                self.problems.note(entry.line, &path, &what);
            }
        }
    }

    fn find(&mut self, key: &str) -> Option<&'a Node> {
        if !self.asked.iter().any(|asked| asked == key) {
            self.asked.push(key.to_owned());
        }
        self.value(key)
    }

    fn value(&self, key: &str) -> Option<&'a Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (!matches!(entry.value.content, Content::Null)).then_some(&entry.value)
    }

    fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    fn scalar<T>(
        &mut self,
        node: &Node,
        path: &str,
        parse: impl FnOnce(&Scalar) -> Result<T, String>,
    ) -> Option<T> {
        let parsed = match &node.content {
            Content::Scalar(scalar) => parse(scalar),
            Content::Null => Err("is empty".to_owned()),
            Content::Sequence(_) => Err("is a sequence, not a single value".to_owned()),
            Content::Mapping(_) => Err("is a mapping, not a single value".to_owned()),
        };
        parsed
            .map_err(|what| self.problems.note(node.line, path, &what))
            .ok()
    }

    fn items(&mut self, key: &str) -> Option<Vec<(&'a Node, String)>> {
        let node = self.find(key)?;
        let path = self.path_of(key);
        let Content::Sequence(nodes) = &node.content else {
            self.problems.note(node.line, &path, "is not a sequence");
            return None;
        };
        let indexed = nodes.iter().enumerate();
        Some(
            indexed
                .map(|(index, node)| (node, format!("{path}[{index}]")))
                .collect(),
        )
    }

    fn entries_of(&mut self, node: &'a Node, path: &str) -> Option<&'a [Entry]> {
        if let Content::Mapping(entries) = &node.content {
            return Some(entries);
        }
        let what = "is not a mapping of keys to values";
        self.problems.note(node.line, path, what);
        None
    }
}

/// Two values of one key contradict each other: neither is preferred silently.
fn repeated(entries: &[Entry], path: &str, problems: &mut Problems) {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        if let Some(line) = first.get(entry.key.as_str()) {
            let what = format!("is given again; it stands first in line {line}");
            problems.note(entry.line, &join(path, &entry.key), &what);
        } else {
            first.insert(&entry.key, entry.line);
        }
    }
}

/// What does not look like a key is not repeated: it may be a value that lost its key.
fn join(path: &str, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let shown = match key {
        "" => "\"\"",
        key if key.len() <= SHOWN_KEY_MAX && key.chars().all(plain) => key,
        _ => "?",
    };
    match path {
        "" => shown.to_owned(),
        path => format!("{path}.{shown}"),
    }
}
