//! What `enquiry` prints, as a value.
//!
//! The exporter, the remediator's observation and the host runner's own re-check all read it from
//! here. The parser is total: it takes any bytes, keeps every label it does not know, and puts
//! what it could not place into [`Enquiry::problems`].
//!
//! Layout of the text (byte level, as the vendor's samples and the tools that read them show it):
//! section headers at column 0, `Server:` and `Module #1:`; one field per line,
//! `" %-20s %s"`, so that the value starts at column 22 and a label of exactly 20 characters
//! leaves a single space; CRLF on Windows; blank lines between sections in some releases.

mod completeness;
mod connection_info;
mod line;
mod module;

use std::collections::HashSet;
use std::fmt;

pub use completeness::Gap;
pub use connection_info::ConnectionInfo;
pub use module::{EsnSource, ModuleSection, RecommendedQueue};

use crate::ModuleNumber;
use line::Line;

/// The most problems that are kept with their text; the rest is only counted.
///
/// Output is capped by the runner at megabytes, and each byte of garbage could be a problem.
pub const PROBLEMS_KEPT: usize = 1_000;

/// One run of `enquiry`, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enquiry {
    /// The section about the hardserver itself.
    pub server: Option<Fields>,
    /// The modules in the order printed. Numbers may have gaps, and two modules may have the same
    /// serial number.
    pub modules: Vec<ModuleSection>,
    /// Sections whose header is not known, with their header.
    pub other: Vec<(String, Fields)>,
    /// What could not be placed, at most [`PROBLEMS_KEPT`].
    pub problems: Vec<Problem>,
    /// How many problems there were beyond those kept.
    pub further_problems: usize,
    /// Whether the text ended with a newline: without one it was cut short, and its last line is
    /// among the problems.
    pub final_newline: bool,
    /// Sections that came more than once; only their first occurrence is kept in place.
    pub repeated: Vec<SectionName>,
}

impl Enquiry {
    /// Parses the standard output of `enquiry`.
    ///
    /// Never fails: see [`gaps`](Self::gaps) for whether the result is whole.
    #[must_use]
    pub fn parse(output: &[u8]) -> Self {
        let mut parser = Parser::default();
        let mut lines = 0;
        for raw in output.split_inclusive(|byte| *byte == b'\n') {
            lines += 1;
            match raw.strip_suffix(b"\n") {
                Some(line) => parser.line(lines, line),
                None => parser.problem(lines, ProblemKind::NoEnd, raw),
            }
        }
        let mut enquiry = parser.enquiry;
        enquiry.final_newline = output.last() == Some(&b'\n');
        enquiry
    }

    /// Returns the section of a module, if it was printed.
    #[must_use]
    pub fn module(&self, number: ModuleNumber) -> Option<&ModuleSection> {
        self.modules.iter().find(|module| module.number == number)
    }

    /// Returns what the text lacks to be acted on; empty means that the text is whole.
    ///
    /// This is the part of *complete* that the text itself can show. The caller adds the exit
    /// status, the end of file before the deadline and the presence of every module it expects: a
    /// text that was cut at the end of a line inside its last section looks whole from here.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        completeness::gaps(self)
    }

    /// Returns the fields whose label is not known, over all sections.
    pub fn unknown(&self) -> impl Iterator<Item = &Field> {
        let modules = self.modules.iter().map(|module| &module.fields);
        let other = self.other.iter().map(|(_, fields)| fields);
        let sections = self.server.iter().chain(modules).chain(other);
        sections
            .flat_map(Fields::iter)
            .filter(|field| !line::is_known(&field.label))
    }
}

/// The lines of one section in the order printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<Field>);

/// One `label value` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The label as printed, without padding.
    pub label: String,
    /// The value as printed, without surrounding white space; may be empty.
    pub value: String,
}

impl Fields {
    /// Returns every line, also those whose label is not known or came before.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    /// Returns the value of the first line with this label.
    #[must_use]
    pub fn get(&self, label: &str) -> Option<&str> {
        self.all(label).next()
    }

    /// Returns the values of every line with this label.
    pub fn all<'a>(&'a self, label: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |field| field.label == label)
            .map(|field| field.value.as_str())
    }

    /// Returns the value with this label unless it is printed twice with different values.
    ///
    /// Whatever decides about health is read this way: a contradiction is not an observation.
    #[must_use]
    pub fn agreed(&self, label: &str) -> Option<&str> {
        let mut values = self.all(label);
        let first = values.next()?;
        values.all(|value| value == first).then_some(first)
    }
}

/// The name of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionName {
    /// The hardserver's own section.
    Server,
    /// The section of one module.
    Module(ModuleNumber),
}

impl fmt::Display for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("Server"),
            Self::Module(number) => write!(f, "Module #{number}"),
        }
    }
}

/// Something in the text that could not be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ProblemKind,
    /// The line as printed; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// A line at column 0 that is neither `Server:` nor `Module #n:`.
    UnknownSection,
    /// A section that was printed before; its lines are kept among the other sections.
    RepeatedSection,
    /// A field before any section header.
    OutsideSection,
    /// A line whose label and value cannot be told apart.
    Unsplit,
    /// Bytes that are not UTF-8, replaced in the value.
    NotUtf8,
    /// A last line without its end: a value cut short reads as another value, so none is taken.
    NoEnd,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ProblemKind::UnknownSection => "unknown section",
            ProblemKind::RepeatedSection => "repeated section",
            ProblemKind::OutsideSection => "field outside of any section",
            ProblemKind::Unsplit => "label and value cannot be told apart",
            ProblemKind::NotUtf8 => "not UTF-8",
            ProblemKind::NoEnd => "line without its end",
        };
        write!(f, "line {}: {what}: {:?}", self.line, self.text)
    }
}

/// Where the fields that follow belong.
#[derive(Default)]
enum Place {
    #[default]
    Nowhere,
    Server,
    /// The last module.
    Module,
    /// The last of the other sections.
    Other,
}

#[derive(Default)]
struct Parser {
    enquiry: Enquiry,
    place: Place,
    seen: HashSet<SectionName>,
    repeated: HashSet<SectionName>,
}

impl Parser {
    fn line(&mut self, number: usize, raw: &[u8]) {
        if std::str::from_utf8(raw).is_err() {
            self.problem(number, ProblemKind::NotUtf8, raw);
        }
        match Line::read(raw) {
            Line::Blank => {}
            Line::Server => self.server(number, raw),
            Line::Module(module) => self.module(number, module, raw),
            Line::OtherHeader => {
                self.problem(number, ProblemKind::UnknownSection, raw);
                self.other(raw);
            }
            Line::Field(field) => self.field(number, field, raw),
            Line::Unsplit => self.problem(number, ProblemKind::Unsplit, raw),
        }
    }

    fn server(&mut self, line: usize, raw: &[u8]) {
        if !self.seen.insert(SectionName::Server) {
            return self.repeat(line, SectionName::Server, raw);
        }
        self.enquiry.server = Some(Fields::default());
        self.place = Place::Server;
    }

    fn module(&mut self, line: usize, number: ModuleNumber, raw: &[u8]) {
        if !self.seen.insert(SectionName::Module(number)) {
            return self.repeat(line, SectionName::Module(number), raw);
        }
        self.enquiry.modules.push(ModuleSection::new(number));
        self.place = Place::Module;
    }

    fn repeat(&mut self, line: usize, name: SectionName, raw: &[u8]) {
        self.problem(line, ProblemKind::RepeatedSection, raw);
        if self.repeated.insert(name) {
            self.enquiry.repeated.push(name);
        }
        self.other(raw);
    }

    fn other(&mut self, raw: &[u8]) {
        self.enquiry.other.push((text(raw), Fields::default()));
        self.place = Place::Other;
    }

    fn field(&mut self, line: usize, field: Field, raw: &[u8]) {
        let fields = match self.place {
            Place::Nowhere => None,
            Place::Server => self.enquiry.server.as_mut(),
            Place::Module => self
                .enquiry
                .modules
                .last_mut()
                .map(|module| &mut module.fields),
            Place::Other => self.enquiry.other.last_mut().map(|(_, fields)| fields),
        };
        match fields {
            Some(fields) => fields.0.push(field),
            None => self.problem(line, ProblemKind::OutsideSection, raw),
        }
    }

    fn problem(&mut self, line: usize, kind: ProblemKind, raw: &[u8]) {
        if self.enquiry.problems.len() < PROBLEMS_KEPT {
            self.enquiry.problems.push(Problem {
                line,
                kind,
                text: text(raw),
            });
        } else {
            self.enquiry.further_problems += 1;
        }
    }
}

fn text(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).trim_end().to_owned()
}

#[cfg(test)]
mod tests;
