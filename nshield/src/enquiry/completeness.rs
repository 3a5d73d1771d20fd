//! Whether an `enquiry` text is whole enough to be acted on.
//!
//! An incomplete text is still shown, but nothing that disrupts may be decided on it.

use std::fmt;

use super::{Enquiry, Fields, SectionName};

/// Something that a whole text has and this one lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// The text does not end with a newline.
    NoFinalNewline,
    /// There is no `Server:` section.
    NoServer,
    /// A section has no reply flags, or contradicting ones.
    NoReplyFlags(SectionName),
    /// A section has no `mode` line, or contradicting ones. An empty value is whole: failed
    /// modules may print one.
    NoMode(SectionName),
    /// A section was printed more than once.
    Repeated(SectionName),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFinalNewline => f.write_str("the text ends without a newline"),
            Self::NoServer => f.write_str("there is no Server section"),
            Self::NoReplyFlags(section) => write!(f, "{section} has no agreed enquiry reply flags"),
            Self::NoMode(section) => write!(f, "{section} has no agreed mode"),
            Self::Repeated(section) => write!(f, "{section} is printed more than once"),
        }
    }
}

pub(super) fn gaps(enquiry: &Enquiry) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if !enquiry.final_newline {
        gaps.push(Gap::NoFinalNewline);
    }
    match &enquiry.server {
        None => gaps.push(Gap::NoServer),
        Some(fields) => section(SectionName::Server, fields, &mut gaps),
    }
    for module in &enquiry.modules {
        section(
            SectionName::Module(module.number),
            &module.fields,
            &mut gaps,
        );
    }
    gaps.extend(enquiry.repeated.iter().map(|name| Gap::Repeated(*name)));
    gaps
}

fn section(name: SectionName, fields: &Fields, gaps: &mut Vec<Gap>) {
    if fields
        .agreed("enquiry reply flags")
        .is_none_or(str::is_empty)
    {
        gaps.push(Gap::NoReplyFlags(name));
    }
    if fields.agreed("mode").is_none() {
        gaps.push(Gap::NoMode(name));
    }
}
