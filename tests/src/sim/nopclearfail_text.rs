//! What `nopclearfail` takes and prints, written from the fact sheet's sections 3 and 9.6.
//!
//! It takes everything that the vendor's takes, dangerous as that is: a wrong call by the software
//! under test is to do its damage here, and to show.

use super::{
    knobs::{Knobs, Lie},
    world::{Command, Status},
};

/// A call of `nopclearfail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What is to be done.
    pub command: Command,
    /// To which modules.
    pub target: Target,
    /// Whether to wait until the modules are back.
    pub wait: bool,
}

/// The modules of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every module of the hardserver.
    All,
    /// These.
    Modules(Vec<u32>),
}

/// A command line that the tool does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No such option.
    #[error("unknown option `{0}`")]
    Option(String),
    /// A module number that is none.
    #[error("`{0}` is not a module number")]
    Module(String),
    /// Nothing to do.
    #[error("no command given")]
    NoCommand,
}

/// The line about one module.
#[must_use]
pub fn reply_line(module: u32, command: Command, status: &Status) -> String {
    format!(
        "Module {module}, command {}: {status}\n",
        command.core_name()
    )
}

/// Understands an argument vector (without the tool's own name).
///
/// Without `-m` every module is meant: what the vendor's tool does then is not known, and this is
/// the worst that it could.
///
/// # Errors
/// If the tool would not take it.
pub fn parse(arguments: &[String]) -> Result<Call, UsageError> {
    let (mut command, mut wait, mut all, mut modules) = (None, false, false, Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let word = word.as_str();
        if let Some(number) = word.strip_prefix("--module=") {
            modules.push(number_of(number)?);
        } else if word == "-m" || word == "--module" {
            modules.push(number_of(words.next().map_or("", String::as_str))?);
        } else if let Some(number) = word.strip_prefix("-m") {
            modules.push(number_of(number)?);
        } else if matches!(word, "-a" | "--all") {
            all = true;
        } else if matches!(word, "-w" | "--wait") {
            wait = true;
        } else {
            command = Some(command_of(word)?);
        }
    }
    let command = command.ok_or(UsageError::NoCommand)?;
    let target = if all || modules.is_empty() {
        Target::All
    } else {
        Target::Modules(modules)
    };
    Ok(Call {
        command,
        target,
        wait,
    })
}

/// The lie about this kind of call.
pub fn lie_about(command: Command, knobs: &mut Knobs) -> &mut Lie {
    match command {
        Command::Retry => &mut knobs.lies.retry,
        Command::Clear => &mut knobs.lies.clear,
        Command::Maintenance => &mut knobs.lies.maintenance,
        Command::Fail | Command::NoOp | Command::Operational | Command::Initialization => {
            &mut knobs.lies.nopclearfail
        }
    }
}

fn command_of(word: &str) -> Result<Command, UsageError> {
    match word {
        "-r" | "--retry" => Ok(Command::Retry),
        "-c" | "--clear" => Ok(Command::Clear),
        "-F" | "--fail" => Ok(Command::Fail),
        "-n" | "--no-op" => Ok(Command::NoOp),
        "-O" | "--operational" => Ok(Command::Operational),
        "-I" | "--initialization" => Ok(Command::Initialization),
        "-M" | "--maintenance" => Ok(Command::Maintenance),
        _ => Err(UsageError::Option(word.to_owned())),
    }
}

fn number_of(text: &str) -> Result<u32, UsageError> {
    text.parse()
        .map_err(|_| UsageError::Module(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Call, UsageError> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn takes_the_forms_that_the_vendor_takes() {
        let one = |command| {
            Ok(Call {
                command,
                target: Target::Modules(vec![1]),
                wait: false,
            })
        };
        for line in [
            "-m1 -r",
            "-r -m 1",
            "--module=1 --retry",
            "--retry --module 1",
        ] {
            assert_eq!(parsed(line), one(Command::Retry), "{line}");
        }
        assert_eq!(parsed("-m1 -M"), one(Command::Maintenance));
        assert_eq!(parsed("-m1 -c"), one(Command::Clear));
        let many = Target::Modules(vec![1, 3]);
        assert_eq!(
            parsed("-m1 -m3 -c -w").map(|call| (call.target, call.wait)),
            Ok((many, true))
        );
    }

    #[test]
    fn means_every_module_when_told_so_or_told_nothing() {
        assert_eq!(
            parsed("--all --clear").map(|call| call.target),
            Ok(Target::All)
        );
        assert_eq!(parsed("-c").map(|call| call.target), Ok(Target::All));
    }

    #[test]
    fn refuses_what_is_no_command_line() {
        assert_eq!(parsed("-m1"), Err(UsageError::NoCommand));
        assert_eq!(
            parsed("-m 1;reboot -r"),
            Err(UsageError::Module("1;reboot".to_owned()))
        );
        assert_eq!(parsed("-z"), Err(UsageError::Option("-z".to_owned())));
    }

    #[test]
    fn prints_status_after_the_command_s_core_name() {
        let ok = Status::ok();
        assert_eq!(
            reply_line(1, Command::Clear, &ok),
            "Module 1, command ClearUnitEx: OK\n"
        );
        assert_eq!(
            reply_line(12, Command::Retry, &ok),
            "Module 12, command RetryFailedModule: OK\n"
        );
    }
}
