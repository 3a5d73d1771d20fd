//! What `nopclearfail` prints, as a value.
//!
//! One line per module, `Module 1, command RetryFailedModule: OK`, with the nCore status name in
//! place of `OK` on error; the form for errors is inferred from one capture of success. What it
//! says is never the outcome of a rung: only a fresh observation is.

use crate::ModuleNumber;

/// The replies of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replies {
    /// The lines that could be read, in the order printed.
    pub replies: Vec<Reply>,
    /// Every other line, as printed.
    pub other_lines: Vec<String>,
}

/// One line of reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The module that answered.
    pub module: ModuleNumber,
    /// The nCore command that was sent, such as `ClearUnitEx`.
    pub command: String,
    /// The nCore status name, `OK` or for example `InvalidState`.
    pub status: String,
}

/// What the replies say about one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// At least one line, and every line for the module says `OK`.
    Ok,
    /// The first status that is not `OK`.
    Status(&'a str),
    /// There is no line for the module.
    Nothing,
}

impl Replies {
    /// Parses the standard output of `nopclearfail`.
    #[must_use]
    pub fn parse(output: &[u8]) -> Self {
        let mut replies = Self::default();
        let text = String::from_utf8_lossy(output);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match Reply::read(line) {
                Some(reply) => replies.replies.push(reply),
                None => replies.other_lines.push(line.to_owned()),
            }
        }
        replies
    }

    /// Returns what was said about a module.
    #[must_use]
    pub fn about(&self, module: ModuleNumber) -> Said<'_> {
        let mut lines = self
            .replies
            .iter()
            .filter(|reply| reply.module == module)
            .peekable();
        if lines.peek().is_none() {
            return Said::Nothing;
        }
        lines
            .find(|reply| reply.status != "OK")
            .map_or(Said::Ok, |reply| Said::Status(&reply.status))
    }
}

impl Reply {
    fn read(line: &str) -> Option<Self> {
        let (module, rest) = line.strip_prefix("Module ")?.split_once(", command ")?;
        let (command, status) = rest.split_once(": ")?;
        Some(Self {
            module: module.parse().ok()?,
            command: command.to_owned(),
            status: status.trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn about(output: &str, module: u16) -> String {
        let replies = Replies::parse(output.as_bytes());
        match replies.about(module.try_into().unwrap()) {
            Said::Ok => "ok".to_owned(),
            Said::Status(status) => status.to_owned(),
            Said::Nothing => "nothing".to_owned(),
        }
    }

    // `ClearUnitEx: OK` is a capture of software 12.20.51; the other lines are inferred from it.
    #[test]
    fn reads_the_status_for_one_module() {
        for (output, module, expected) in [
            ("Module 1, command ClearUnitEx: OK\n", 1, "ok"),
            ("Module 1, command RetryFailedModule: OK\r\n", 1, "ok"),
            (
                "Module 1, command RetryFailedModule: InvalidState\n",
                1,
                "InvalidState",
            ),
            (
                "Module 1, command ClearUnitEx: AccessDenied\n",
                1,
                "AccessDenied",
            ),
            (
                "Module 9, command ClearUnitEx: InvalidModule\n",
                9,
                "InvalidModule",
            ),
            ("Module 2, command ClearUnitEx: OK\n", 1, "nothing"),
            (
                "Module 1, command A: OK\nModule 1, command B: NetworkError\n",
                1,
                "NetworkError",
            ),
            (
                "Module 1, command A: NetworkError\nModule 1, command B: OK\n",
                1,
                "NetworkError",
            ),
            (
                "Module 2, command A: Failed\nModule 1, command A: OK\n",
                1,
                "ok",
            ),
            ("Module 1, command A: OK", 1, "ok"),
            ("Module 1, command A: O", 1, "O"),
            ("Module 1, command A: NOT OK\n", 1, "NOT OK"),
            ("", 1, "nothing"),
            ("OK\n", 1, "nothing"),
            ("Module 10, command A: OK\n", 1, "nothing"),
        ] {
            assert_eq!(about(output, module), expected.trim(), "{output:?}");
        }
    }

    #[test]
    fn keeps_lines_it_cannot_read() {
        let replies = Replies::parse(b"warning: \xff\nModule x, command A: OK\n\n");
        assert_eq!(replies.replies, []);
        assert_eq!(
            replies.other_lines,
            ["warning: \u{fffd}", "Module x, command A: OK"]
        );
    }

    proptest! {
        #[test]
        fn takes_any_bytes(output in proptest::collection::vec(any::<u8>(), 0..400)) {
            let replies = Replies::parse(&output);
            let _ = replies.about(1.try_into().unwrap());
        }

        #[test]
        fn never_succeeds_when_cut_before_the_status_is_whole(cut in 0_usize..33) {
            let whole = "Module 1, command ClearUnitEx: OK";
            prop_assert_ne!(about(&whole[..cut], 1), "ok");
        }
    }
}
