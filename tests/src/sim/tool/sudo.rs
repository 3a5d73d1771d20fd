//! `sudo -n`: permits or denies whole command lines, so that rules which allow `-M` but not `-c`
//! can be tried.

use std::{os::unix::process::CommandExt, path::Path};

use super::Run;
use crate::sim::process;

impl Run<'_> {
    /// Understands `sudo -n [--] COMMAND...`, `sudo -n -l [--] COMMAND...` and `sudo -n -v`.
    pub(super) fn sudo(&mut self) -> Result<u8, Box<dyn std::error::Error>> {
        let is_option = |word: &&String| matches!(word.as_str(), "-n" | "-l" | "-v" | "--");
        let options = self.arguments.iter().take_while(is_option).count();
        let (options, command) = self.arguments.split_at(options);
        if options == ["-n", "-v"] && command.is_empty() {
            return Ok(0);
        }
        let Some((program, arguments)) = command.split_first() else {
            self.output
                .complain("usage: sudo -n [-l] command, sudo -n -v");
            return Ok(1);
        };
        let line = command.join(" ");
        let denied = &self.knobs.hardserver.sudo_denies;
        if denied.iter().any(|part| line.contains(part)) {
            self.output.complain("sudo: a password is required");
            return Ok(1);
        }
        if options.iter().any(|word| word == "-l") {
            self.output.write(&format!("{line}\n"))?;
            return Ok(0);
        }
        Err(process::command(Path::new(program))
            .args(arguments)
            .exec()
            .into())
    }
}
