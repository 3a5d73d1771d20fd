//! What to run, and what to do when it does not end.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most output kept, standard output and standard error together, in bytes.
///
/// A full `enquiry` of 200 modules is half a megabyte.
pub const OUTPUT_LIMIT: usize = 8 * 1024 * 1024;

/// How long a process may take to end after TERM before it is killed.
pub const GRACE: Duration = Duration::from_secs(2);

/// One program with its argument vector, deadline and limits. There is no shell anywhere.
#[derive(Debug)]
pub struct Invocation {
    /// The program first, then its arguments.
    vector: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) deadline: Duration,
    pub(super) output_limit: usize,
    pub(super) discipline: Discipline,
}

/// What happens at the deadline and to processes that are left behind.
#[derive(Debug)]
pub(super) enum Discipline {
    /// The whole group is ended: by TERM, and then by KILL where that is allowed.
    Stop { grace: Duration, kill: bool },
    /// Nothing is ever signalled; the output goes to a file, because a pipe that nobody reads any
    /// more would end the process by SIGPIPE.
    Leave { output: File },
}

impl Discipline {
    pub(super) fn stops(&self) -> bool {
        matches!(self, Self::Stop { .. })
    }

    pub(super) fn kills(&self) -> bool {
        matches!(self, Self::Stop { kill: true, .. })
    }
}

impl Invocation {
    /// Creates an invocation of the program at an absolute path, with the default limits
    /// [`OUTPUT_LIMIT`] and [`GRACE`].
    pub fn new<A>(program: impl Into<PathBuf>, args: A, deadline: Duration) -> Self
    where
        A: IntoIterator,
        A::Item: Into<OsString>,
    {
        let program: PathBuf = program.into();
        let args = args.into_iter().map(Into::into);
        Self {
            vector: std::iter::once(program.into_os_string())
                .chain(args)
                .collect(),
            env: Vec::new(),
            deadline,
            output_limit: OUTPUT_LIMIT,
            discipline: Discipline::Stop {
                grace: GRACE,
                kill: true,
            },
        }
    }

    /// Puts fixed words such as `/usr/bin/sudo -n` in front; an empty prefix changes nothing.
    #[must_use]
    pub fn prefixed<P>(mut self, prefix: P) -> Self
    where
        P: IntoIterator,
        P::Item: Into<OsString>,
    {
        self.vector.splice(0..0, prefix.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to the environment, which is empty but for a fixed locale and search path.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets the most output kept, in bytes.
    #[must_use]
    pub fn with_output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// Sets the time between TERM and KILL.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        if let Discipline::Stop { grace: current, .. } = &mut self.discipline {
            *current = grace;
        }
        self
    }

    /// Ends the group by TERM only. For a command behind sudo: sudo passes a TERM on to what it
    /// runs for root, while a KILL would end sudo alone, and nobody would know of its command any
    /// more or end it when the time of its rule is over.
    #[must_use]
    pub fn never_killed(mut self) -> Self {
        if let Discipline::Stop { kill, .. } = &mut self.discipline {
            *kill = false;
        }
        self
    }

    /// Makes it a command that nobody may cut short, such as a restart of the hardserver.
    ///
    /// It is never signalled, not at the deadline, not when the future is dropped, and what it
    /// leaves behind (a started daemon) lives on. Both outputs go to `output`.
    #[must_use]
    pub fn uninterruptible(mut self, output: File) -> Self {
        self.discipline = Discipline::Leave { output };
        self
    }

    /// Returns the program that is started.
    #[must_use]
    pub fn program(&self) -> &Path {
        self.vector.first().map_or(Path::new(""), Path::new)
    }

    /// Returns the arguments after the program.
    #[must_use]
    pub fn args(&self) -> &[OsString] {
        self.vector.get(1..).unwrap_or_default()
    }

    /// Returns the time from TERM to KILL; zero where nothing is ever signalled.
    #[must_use]
    pub fn grace(&self) -> Duration {
        match self.discipline {
            Discipline::Stop { grace, .. } => grace,
            Discipline::Leave { .. } => Duration::ZERO,
        }
    }
}
