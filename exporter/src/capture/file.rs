//! The file of a capture: text for people that reads back byte for byte.
//!
//! A first line with the version of the form, `name: value` lines, and for every part its own
//! lines and its bytes, each output after a line with its name and length. `end` closes the file, so
//! that a file cut short is not taken for a whole one.

use std::time::Duration;

/// The first line, with the version of the form.
const MAGIC: &str = "vcm-exporter capture 1";

/// The last line.
const END: &str = "end";

/// Everything that one host showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capture {
    /// What is said about the host and the program, in order.
    pub about: Vec<(String, String)>,
    /// The tools and files, in order.
    pub parts: Vec<Part>,
}

/// What one tool printed or one file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The command with its arguments, or the path of the file below the root.
    pub name: String,
    /// How it ended, in words: `exited 0`, `timed out`, `not started: ...`, `read`.
    pub outcome: String,
    /// How long it took, in whole milliseconds.
    pub took: Duration,
    /// Standard output, or the content of the file.
    pub stdout: Vec<u8>,
    /// Standard error; empty for a file.
    pub stderr: Vec<u8>,
}

/// The bytes are not a capture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The first line is another.
    #[error("does not begin with {MAGIC:?}")]
    NotACapture,
    /// Something is not as it is written, also where the file is cut short.
    #[error("line or byte count expected at byte {at}: {expected}")]
    Malformed {
        /// The offset in bytes.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
}

impl Capture {
    /// Returns a part by its name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// Returns the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = format!("{MAGIC}\n").into_bytes();
        for (name, value) in &self.about {
            file.extend(format!("{name}: {}\n", one_line(value)).bytes());
        }
        for part in &self.parts {
            file.extend(format!("\npart: {}\n", one_line(&part.name)).bytes());
            file.extend(format!("outcome: {}\n", one_line(&part.outcome)).bytes());
            file.extend(format!("milliseconds: {}\n", part.took.as_millis()).bytes());
            for (name, bytes) in [("stdout", &part.stdout), ("stderr", &part.stderr)] {
                file.extend(format!("{name} bytes: {}\n", bytes.len()).bytes());
                file.extend_from_slice(bytes);
                file.push(b'\n');
            }
        }
        file.extend(format!("\n{END}\n").bytes());
        file
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it is no whole capture of this version.
    pub fn parse(file: &[u8]) -> Result<Self, CaptureError> {
        let mut reader = Reader { file, at: 0 };
        if reader.line() != Ok(MAGIC) {
            return Err(CaptureError::NotACapture);
        }
        let mut capture = Self::default();
        loop {
            let line = reader.line()?;
            match line.split_once(": ") {
                _ if line.is_empty() => break,
                Some((name, value)) => capture.about.push((name.to_owned(), value.to_owned())),
                None => return Err(reader.expected("a line `name: value`")),
            }
        }
        loop {
            let line = reader.line()?;
            if line == END {
                break;
            }
            let Some(name) = line.strip_prefix("part: ") else {
                return Err(reader.expected("a line `part: name` or `end`"));
            };
            capture.parts.push(reader.part(name)?);
            if !reader.line()?.is_empty() {
                return Err(reader.expected("an empty line after a part"));
            }
        }
        match reader.at == file.len() {
            true => Ok(capture),
            false => Err(reader.expected("nothing after `end`")),
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn part(&mut self, name: &str) -> Result<Part, CaptureError> {
        let name = name.to_owned();
        let outcome = self.value("outcome: ")?.to_owned();
        let took = self.number("milliseconds: ")?;
        let stdout = self.bytes("stdout bytes: ")?;
        let stderr = self.bytes("stderr bytes: ")?;
        Ok(Part {
            name,
            outcome,
            took: Duration::from_millis(took),
            stdout,
            stderr,
        })
    }

    fn line(&mut self) -> Result<&'a str, CaptureError> {
        let rest = &self.file[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
        let line = line.ok_or_else(|| self.expected("a line of text"))?;
        self.at += line.len() + 1;
        Ok(line)
    }

    fn value(&mut self, name: &'static str) -> Result<&'a str, CaptureError> {
        let line = self.line()?;
        line.strip_prefix(name).ok_or_else(|| self.expected(name))
    }

    fn number(&mut self, name: &'static str) -> Result<u64, CaptureError> {
        let value = self.value(name)?;
        value.parse().map_err(|_| self.expected(name))
    }

    fn bytes(&mut self, name: &'static str) -> Result<Vec<u8>, CaptureError> {
        let length = self.number(name)?;
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length));
        let bytes = end.and_then(|end| self.file.get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.expected(name))?;
        self.at += bytes.len();
        match self.file.get(self.at) {
            Some(b'\n') => self.at += 1,
            _ => return Err(self.expected("a line end after the bytes")),
        }
        Ok(bytes.to_vec())
    }

    fn expected(&self, expected: &'static str) -> CaptureError {
        CaptureError::Malformed {
            at: self.at,
            expected,
        }
    }
}
