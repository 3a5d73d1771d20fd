//! What can go wrong with the lab itself, as opposed to what is under test.

use std::{ffi::OsString, path::PathBuf, process::ExitStatus, time::Duration};

/// Why the lab could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A program that the lab needs is not there.
    #[error("{program} is missing: {remedy}")]
    Missing {
        /// The program.
        program: String,
        /// How to get it.
        remedy: String,
    },
    /// The lab may not do what this scenario needs.
    #[error("{0}")]
    NotPermitted(String),
    /// A program could not be started.
    #[error("starting {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program took too long.
    #[error("{} did not end within {patience:?}", program.display())]
    TooLong {
        /// The program.
        program: PathBuf,
        /// How long was waited.
        patience: Duration,
    },
    /// A program ended with an error.
    #[error("{} {arguments:?} ended with {status}: {message}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<OsString>,
        /// How it ended.
        status: ExitStatus,
        /// What it printed to standard error.
        message: String,
    },
    /// A long-lived process ended.
    #[error("{name} ended with {status}:\n{log}")]
    Ended {
        /// Its name.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// The guard is gone, so nothing more may be started.
    #[error("the lab's guard is gone")]
    GuardGone,
    /// A condition did not come true in time.
    #[error("waited {patience:?} in vain for {what}")]
    NotYet {
        /// The condition.
        what: String,
        /// How long was waited.
        patience: Duration,
    },
    /// A condition came true that must not.
    #[error("{what} must not happen, and did: {found}")]
    Unwanted {
        /// The condition.
        what: String,
        /// What was seen.
        found: String,
    },
    /// A file could not be read or written.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A shipped file is not what the lab expects to rewrite.
    #[error("{file}: {problem}")]
    Shipped {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A program under test could not be asked over HTTP.
    #[error("asking {url}")]
    Http {
        /// The address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// A program answered something else than expected.
    #[error("{asked} answered {answer}")]
    Answer {
        /// What was asked.
        asked: String,
        /// The answer.
        answer: String,
    },
}

impl LabError {
    /// Reading a file failed.
    pub(super) fn reading(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            doing: "reading",
            path,
            source,
        }
    }

    /// Writing a file failed.
    pub(super) fn writing(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            doing: "writing",
            path,
            source,
        }
    }
}
