//! The metric reference: a table of each program's metrics in one file, generated from their
//! descriptions. Tests of the programs keep their own part of it.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::metric::{Descriptor, Kind};

/// The environment variable with which the tests write the file instead of comparing.
pub const UPDATE: &str = "UPDATE_REFERENCE";

/// Compares the part of `program` in the reference with the descriptions, or writes it where
/// [`UPDATE`] is set. Returns whether it is up to date.
///
/// # Errors
///
/// If the file cannot be read or written, or has no part for the program.
pub fn is_up_to_date(file: &Path, program: &str, described: &[Descriptor]) -> io::Result<bool> {
    let old = fs::read_to_string(file)?;
    let new = with_part(&old, program, &table(described)).ok_or_else(|| {
        let missing = format!("{} has no part for {program}", file.display());
        io::Error::new(io::ErrorKind::InvalidData, missing)
    })?;
    if std::env::var_os(UPDATE).is_some() {
        fs::write(file, &new)?;
        return Ok(true);
    }
    Ok(old == new)
}

/// Replaces what stands between the two marks of a program.
fn with_part(text: &str, program: &str, part: &str) -> Option<String> {
    let begin = format!("<!-- {program}: generated, begin -->\n");
    let end = format!("<!-- {program}: generated, end -->\n");
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{part}{end}{after}"))
}

/// One row per metric, in Markdown.
fn table(described: &[Descriptor]) -> String {
    let mut table = "\n| name | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in described {
        let (name, kind, labels) = (metric.name, metric.kind.as_str(), labels(metric));
        let help = metric.help.replace('|', "\\|");
        // Writing to a string does not fail.
        let _ = writeln!(table, "| `{name}` | {kind} | {labels} | {help} |");
    }
    table.push('\n');
    table
}

fn labels(metric: &Descriptor) -> String {
    let mut labels: Vec<_> = metric
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    if let (Kind::States, Some(state)) = (metric.kind, labels.last_mut()) {
        state.push_str(&format!(" ({})", metric.states.join(", ")));
    }
    labels.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Counter, Described, States};

    #[test]
    fn a_part_is_replaced_and_the_rest_stays() {
        const ON: States<bool, 1> = States::new(
            "a_on",
            &["room"],
            &[true, false],
            |on| if on { "yes" } else { "no" },
            "A | B",
        );
        const THINGS: Counter<0> = Counter::new("a_things_total", &[], "Things");
        let text = "# Title\n<!-- a: generated, begin -->\nold\n<!-- a: generated, end -->\nrest\n";
        let table = table(&[ON.descriptor(), THINGS.descriptor()]);
        let new = with_part(text, "a", &table).unwrap();
        let rows = "| `a_on` | states | `room`, `state` (yes, no) | A \\| B |\n\
                    | `a_things_total` | counter |  | Things |\n";
        assert!(new.contains(rows) && !new.contains("old"), "{new}");
        assert!(new.starts_with("# Title\n<!-- a") && new.ends_with("end -->\nrest\n"));
        assert_eq!(with_part(&new, "a", &table), Some(new));
        assert_eq!(with_part(text, "b", &table), None);
    }
}
