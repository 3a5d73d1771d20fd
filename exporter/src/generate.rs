//! The manual page and the shell completions, from the command line as the code has it.
//!
//! `vcm-exporter man` and `vcm-exporter completions` print them, so that a package never ships
//! flags that the program does not have.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Args;

/// Writes the completions of one shell.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn completions(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    let mut command = Args::command();
    let name = command.get_name().to_owned();
    // The generator panics where it cannot write, on a closed pipe for one.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    out.write_all(&script)
}

/// Writes one manual page with everything: no page of a subcommand stands alone.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn man(out: &mut impl Write) -> io::Result<()> {
    let mut command = Args::command();
    command.build();
    let page = Man::new(command.clone()).manual("vcm-exporter");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    let visible = |command: &&Command| command.get_name() != "help" && !command.is_hide_set();
    for subcommand in command.get_subcommands().filter(visible) {
        write_subcommand(subcommand, out)?;
    }
    let status = text(command.get_after_long_help());
    let status = status.strip_prefix("Exit status: ").unwrap_or(&status);
    section("EXIT STATUS", status, out)
}

fn write_subcommand(command: &Command, out: &mut impl Write) -> io::Result<()> {
    let about = command.get_long_about().or_else(|| command.get_about());
    section(
        &format!("COMMAND {}", command.get_name()),
        &text(about),
        out,
    )?;
    // Flags of the whole program stand in its own section.
    let own = command.clone().mut_args(|arg| {
        let hidden = arg.is_global_set();
        arg.hide(hidden)
    });
    let mut options = Vec::new();
    Man::new(own).render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options).replace(".SH OPTIONS\n", "");
    out.write_all(options.as_bytes())
}

fn section(heading: &str, paragraphs: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, ".SH \"{}\"", heading.to_uppercase())?;
    for line in paragraphs.lines() {
        match line.trim() {
            "" => writeln!(out, ".PP")?,
            line => writeln!(out, "{}", escaped(line))?,
        }
    }
    Ok(())
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

/// A backslash, a dash and a leading dot or quote mean something else in a manual page.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    match line.chars().next() {
        Some('.' | '\'') => format!("\\&{line}"),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    /// Every flag, of the program and of every subcommand.
    fn flags() -> Vec<String> {
        let mut command = Args::command();
        command.build();
        let subcommands = command.get_subcommands();
        let visible = subcommands.filter(|command| command.get_name() != "help");
        let all = visible.chain([&command]).flat_map(Command::get_arguments);
        let mut flags: Vec<_> = all
            .filter(|arg| !arg.is_hide_set())
            .filter_map(|arg| arg.get_long().map(str::to_owned))
            .collect();
        flags.sort_unstable();
        flags.dedup();
        flags
    }

    #[test]
    fn completions_of_every_shell_know_every_flag() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            completions(*shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for flag in flags() {
                assert!(script.contains(&flag), "{shell}: --{flag}");
            }
        }
    }

    fn page() -> String {
        let mut page = Vec::new();
        man(&mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn the_manual_page_describes_every_flag() {
        let page = page();
        let plain = page.replace("\\-", "-");
        for flag in flags() {
            assert!(plain.contains(&format!("--{flag}")), "--{flag}");
        }
        let lines: Vec<&str> = page.lines().collect();
        let options = lines.iter().enumerate().filter(|(_, line)| **line == ".TP");
        let mut count = 0;
        for (index, _) in options {
            let [name, description] = [lines[index + 1], lines[index + 2]];
            assert!(name.contains("\\fB") || name.contains("\\fI"), "{name}");
            assert!(
                description.starts_with(|c: char| c.is_alphabetic()),
                "no description of {name}: {description:?}"
            );
            count += 1;
        }
        assert!(count >= flags().len(), "{count} options are described");
    }

    #[test]
    fn the_manual_page_has_its_sections() {
        let page = page();
        for heading in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"COMMAND CAPTURE\"",
            "\"COMMAND MAN\"",
            "\"EXIT STATUS\"",
        ] {
            assert!(
                page.contains(&format!("\n.SH {heading}\n")),
                "{heading}: {page}"
            );
        }
        assert!(page.contains("78"), "{page}");
    }
}
