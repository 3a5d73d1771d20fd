//! `vcm-remediator host ssh`: the forced command of the key that a remediator on another machine
//! comes with. What sshd was asked to run is read as one of six commands of the host runner, word by
//! word, and never reaches a shell.
//!
//! ```text
//! restrict,command="/usr/bin/vcm-remediator host ssh" ssh-ed25519 AAAA... remediator
//! ```

use std::env::{self, VarError};
use std::ffi::OsString;

use clap::Parser;

use super::HostCommand;
use super::order::ConfigArgs;
use crate::host::pin::FORCED_COMMAND;

/// Longest command, in bytes. An order has about 400.
const COMMAND_LENGTH_MAX: usize = 2048;

/// How much of a word is shown, in characters.
const SHOWN_MAX: usize = 40;

/// What a key may ask for.
const COMMANDS: [&str; 6] = ["observe", "newest", "run", "result", "resume", "tombstone"];

/// Why a command is not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum SshError {
    /// Nobody asked for a command.
    #[error(
        "{FORCED_COMMAND} is not set: this is the forced command of an SSH key, which gives no shell"
    )]
    NoCommand,
    /// It is too long, or not text.
    #[error("the command is longer than {COMMAND_LENGTH_MAX} bytes, or no text")]
    Unreadable,
    /// It is none of ours.
    #[error("{0:?} is none of the commands of this key: {listed}", listed = COMMANDS.join(", "))]
    Command(String),
    /// It has a word that none of ours has.
    #[error("{0:?} is not an argument of this command, or has characters that none has")]
    Word(String),
    /// Its arguments are not those of the command.
    #[error("the arguments are wrong: {0}")]
    Arguments(String),
}

/// The command as clap reads it.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Asked {
    #[command(subcommand)]
    command: HostCommand,
}

/// What the client asked for, with the configuration of this key's forced command.
pub(super) fn asked(config: &ConfigArgs) -> Result<HostCommand, SshError> {
    match env::var(FORCED_COMMAND) {
        Ok(command) => parsed(&command, config),
        Err(VarError::NotPresent) => Err(SshError::NoCommand),
        Err(VarError::NotUnicode(_)) => Err(SshError::Unreadable),
    }
}

fn parsed(command: &str, config: &ConfigArgs) -> Result<HostCommand, SshError> {
    if command.len() > COMMAND_LENGTH_MAX {
        return Err(SshError::Unreadable);
    }
    // A single space between two words, as our own client writes it.
    let mut words = command.split(' ');
    let verb = words.next().unwrap_or_default();
    if !COMMANDS.contains(&verb) {
        return Err(SshError::Command(shown(verb)));
    }
    let mut vector: Vec<OsString> = config.words(verb);
    for (place, word) in words.enumerate() {
        // Flags and values take turns, so that no value can be read as a flag and no flag can be
        // `--config.file`.
        let fits = if place % 2 == 0 { is_flag } else { is_value };
        if !fits(word) {
            return Err(SshError::Word(shown(word)));
        }
        vector.push(word.into());
    }
    let asked = Asked::try_parse_from(vector)
        .map_err(|error| SshError::Arguments(first_line(&error.to_string())))?;
    Ok(asked.command)
}

/// Two hyphens and a word: no dot and no `=`.
fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").unwrap_or_default();
    let fine = |c: char| c.is_ascii_lowercase() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fine)
}

/// An id, a number, a serial number, a duration, the name of a request.
fn is_value(word: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '#';
    let fine = |c: char| first(c) || "-._,".contains(c);
    word.starts_with(first) && word.chars().all(fine)
}

fn shown(word: &str) -> String {
    word.chars().take(SHOWN_MAX).collect()
}

/// What clap says, without its advice.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "run --attempt 01935bd4-0f3a-7c11-8000-00000000002a --epoch 7 \
        --store 01935bd4-0f3a-7c11-8000-000000000001 --tier clear --esn 1A2B-05E0-D947 \
        --observation 01935bd4-0f3a-7c11-8000-000000000002 --max-age 29500ms \
        --newest none --module 3 --approval #3 \
        --asked others_healthy,esn_mismatch";

    fn config() -> ConfigArgs {
        ConfigArgs {
            file: "/etc/the-hosts-own.yaml".into(),
        }
    }

    #[test]
    fn every_command_of_our_client_is_read_with_the_hosts_own_file() {
        let known = "--attempt 01935bd4-0f3a-7c11-8000-00000000002a --epoch 7 \
                     --store 01935bd4-0f3a-7c11-8000-000000000001";
        for (command, verb) in [
            ("observe".to_owned(), "observe"),
            ("newest".to_owned(), "newest"),
            (ORDER.to_owned(), "run"),
            (
                "result --attempt 01935bd4-0f3a-7c11-8000-00000000002a".to_owned(),
                "result",
            ),
            (format!("resume {known}"), "resume"),
            (
                format!("tombstone {known} --observation 01935bd4-0f3a-7c11-8000-000000000002"),
                "tombstone",
            ),
        ] {
            let read = parsed(&command, &config()).unwrap();
            let shown = format!("{read:?}").to_lowercase();
            assert!(shown.starts_with(&format!("{verb}(")), "{shown}");
            assert!(shown.contains("\"/etc/the-hosts-own.yaml\""), "{shown}");
        }
    }

    #[test]
    fn refuses_everything_that_is_not_exactly_one_of_them() {
        let with = |from: &str, to: &str| ORDER.replace(from, to);
        for command in [
            "".to_owned(),
            "/bin/sh".to_owned(),
            "sh -c id".to_owned(),
            "Observe".to_owned(),
            " observe".to_owned(),
            "observe ".to_owned(),
            "observe\n".to_owned(),
            "observe;id".to_owned(),
            "observe --config.file /tmp/mine.yaml".to_owned(),
            "observe --config-file /tmp/mine.yaml".to_owned(),
            "observe --help".to_owned(),
            "observe --help now".to_owned(),
            "check".to_owned(),
            "print-sudoers root".to_owned(),
            "pin --store 01935bd4-0f3a-7c11-8000-000000000001 --reason mine".to_owned(),
            "resume-open".to_owned(),
            "run-detached".to_owned(),
            "ssh".to_owned(),
            "run".to_owned(),
            with("--epoch 7", "--epoch=7"),
            with("--epoch 7", "--epoch  7"),
            with("--epoch 7", "--epoch 7 --epoch 8"),
            with("--epoch 7", "--epoch --epoch"),
            with("--epoch 7", "--epoch $(id)"),
            with("--epoch 7", "--epoch `id`"),
            with("--epoch 7", "--epoch 7;id"),
            with("--epoch 7", "--epoch 7|id"),
            with("--epoch 7", "--epoch 7\tid"),
            with("--epoch 7", "--epoch 7\u{a0}"),
            with("--epoch 7", "--epoch -7"),
            with("--epoch 7", "--epoch"),
            with("--tier clear", "--tier network"),
            with("--tier clear", "--tier clear --all all"),
            with("--module 3", "--module 1,2"),
            with("--module 3", "--module 0"),
            with("--module 3", "--module 3 --force now"),
            with("--module 3", "--module 3 --answer-to socket"),
            with("29500ms", "31s"),
            format!("{ORDER} --tier"),
            format!("{ORDER} {}", "x".repeat(COMMAND_LENGTH_MAX)),
        ] {
            assert!(parsed(&command, &config()).is_err(), "{command:?}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_shows_no_more_than_the_beginning_of_a_word() {
        for (command, said) in [
            (
                "scp -t /tmp".to_owned(),
                "\"scp\" is none of the commands of this key: observe, newest, run, result, resume, tombstone",
            ),
            (
                format!("observe {}\n", "x".repeat(60)),
                "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" is not an argument of this command, or has \
                 characters that none has",
            ),
            (
                "result --attempt 7".to_owned(),
                "the arguments are wrong: invalid value '7' for '--attempt <ATTEMPT>': ",
            ),
        ] {
            let error = parsed(&command, &config()).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
