//! What the simulated tools and the simulated hardserver say to each other: JSON lines.
//!
//! The hardserver sends a tool's output piece by piece, as it comes to know it, so that a tool
//! that is held by a silent module has already printed the sections before it.

use serde::{Deserialize, Serialize};

use super::{span::Span, world::Command};

/// The first and only line of a tool.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The tool's process.
    pub pid: u32,
    /// Its executable.
    pub process: String,
    /// What it wants.
    pub wants: Wants,
}

/// What a tool wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wants {
    /// `enquiry`: everything, or one section.
    Enquiry {
        /// The one section; 0 is the server's.
        module: Option<u32>,
    },
    /// `stattree`.
    Stattree {
        /// The node to begin at.
        path: Vec<String>,
    },
    /// `nfkminfo`.
    Nfkminfo,
    /// `nopclearfail`.
    Command {
        /// What is to be done.
        command: Command,
        /// To which modules; none: to all.
        modules: Option<Vec<u32>>,
        /// Whether to answer only when the modules are back.
        wait: bool,
        /// The part of a lie that the hardserver plays.
        trick: Trick,
    },
}

/// The part of a lie that the hardserver plays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Trick {
    /// Answer as if done, and do nothing.
    pub no_effect: bool,
    /// Answer with this status, and do nothing.
    pub status: Option<String>,
    /// Do it after this time.
    pub effect_after: Option<Span>,
}

/// A line of the hardserver.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// A piece of the tool's standard output.
    Out(String),
    /// The end.
    End {
        /// What the tool says on standard error.
        error: String,
        /// The tool's exit code.
        exit_code: u8,
    },
}
