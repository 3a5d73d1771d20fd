//! `sim/calls.jsonl`: every call of a simulated tool, and how it ended.
//!
//! Tests decide on this log what was run against the estate; it is written before anything else
//! is done, so that a call that is killed at once still stands in it.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    clock::{self, At},
    root::Root,
    store::append,
};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum CallRecord {
    /// A call began.
    Start {
        /// Identifies the call.
        call: CallId,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
        /// When, by the boot clock.
        boot_ms: u64,
        /// The tool's name.
        tool: String,
        /// The full argument vector, from the name it was called by.
        argv: Vec<String>,
        /// Its process.
        pid: u32,
        /// Its parent.
        ppid: u32,
        /// Its effective user.
        uid: u32,
    },
    /// A call ended by itself.
    End {
        /// Identifies the call.
        call: CallId,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
        /// When, by the boot clock.
        boot_ms: u64,
        /// The tool's name.
        tool: String,
        /// Its process.
        pid: u32,
        /// Its exit code.
        exit_code: u8,
        /// How long it took.
        duration_ms: u64,
    },
}

/// Identifies a call: process and moment of start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(String);

/// A call under way.
#[derive(Debug)]
pub struct Call {
    root: Root,
    id: CallId,
    tool: String,
    started: At,
}

impl Call {
    /// Writes the record of a call's beginning.
    ///
    /// # Errors
    /// If the log cannot be written.
    pub fn start(root: &Root, tool: &str) -> io::Result<Self> {
        let pid = std::process::id();
        let started = clock::now();
        let id = CallId(format!("{pid}-{}", started.0));
        let record = CallRecord::Start {
            call: id.clone(),
            unix_ms: clock::unix_ms(),
            boot_ms: started.0,
            tool: tool.to_owned(),
            argv: std::env::args_os()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
            pid,
            ppid: std::os::unix::process::parent_id(),
            uid: rustix::process::geteuid().as_raw(),
        };
        append(&root.calls(), &record)?;
        Ok(Self {
            root: root.clone(),
            id,
            tool: tool.to_owned(),
            started,
        })
    }

    /// When it began.
    #[must_use]
    pub fn started(&self) -> At {
        self.started
    }

    /// Writes the record of the call's end.
    ///
    /// # Errors
    /// If the log cannot be written.
    pub fn end(self, exit_code: u8) -> io::Result<()> {
        let now = clock::now();
        let record = CallRecord::End {
            call: self.id,
            unix_ms: clock::unix_ms(),
            boot_ms: now.0,
            tool: self.tool,
            pid: std::process::id(),
            exit_code,
            duration_ms: clock::millis(now.since(self.started)),
        };
        append(&self.root.calls(), &record)
    }
}

/// The records of a root's log, in their order.
///
/// # Errors
/// If the log cannot be read or a line is not a record.
pub fn read(path: &Path) -> io::Result<Vec<CallRecord>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(io::Error::from))
        .collect()
}
