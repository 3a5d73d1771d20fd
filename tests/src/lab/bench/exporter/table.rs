//! The rows of the table, and how figures are written. Pure.

use std::fmt;

/// The table's head, in Markdown.
pub(super) const HEAD: &str =
    "| what | vcm-exporter | peer | peer / ours | how measured |\n|---|---|---|---|---|\n";

/// What stands where there is nothing to compare with.
const NOTHING: &str = "–";

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    what: String,
    ours: String,
    peer: String,
    ratio: String,
    how: String,
}

/// A peer's figure, or why there is none.
pub(super) type Figure = Result<f64, String>;

impl Row {
    /// A figure that has no counterpart.
    pub(super) fn alone(what: &str, ours: String, how: &str) -> Self {
        Self {
            what: what.to_owned(),
            ours,
            peer: NOTHING.to_owned(),
            ratio: NOTHING.to_owned(),
            how: how.to_owned(),
        }
    }

    /// What only a peer shows.
    pub(super) fn peer_alone(what: &str, peer: String, how: &str) -> Self {
        let row = Self::alone(what, NOTHING.to_owned(), how);
        Self { peer, ..row }
    }

    /// A question that could not be answered.
    pub(super) fn impossible(what: &str, why: &str) -> Self {
        let why = why.lines().map(str::trim).collect::<Vec<_>>().join(" / ");
        Self::alone(what, "not measured".to_owned(), &why.replace('|', "\\|"))
    }

    /// Our figure beside those of peers, each peer with its name; the ratio is peer to ours.
    pub(super) fn compared(
        what: &str,
        unit: Unit,
        ours: &Figure,
        peers: &[(&str, Figure)],
        how: &str,
    ) -> Self {
        let cell = |figure: &Figure| match figure {
            Ok(value) => unit.show(*value),
            Err(why) => format!("not available ({})", one_line(why)),
        };
        let peer = peers
            .iter()
            .map(|(name, figure)| format!("{name}: {}", cell(figure)));
        let ratio = peers.iter().map(|(_, figure)| match unit {
            // How many times as many were lost says nothing where none should be.
            Unit::Count => NOTHING.to_owned(),
            Unit::Percent | Unit::Megabytes | Unit::Milliseconds => ratio(ours, figure),
        });
        Self {
            what: what.to_owned(),
            ours: cell(ours),
            peer: peer.collect::<Vec<_>>().join("; "),
            ratio: ratio.collect::<Vec<_>>().join("; "),
            how: how.to_owned(),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            ours,
            peer,
            ratio,
            how,
        } = self;
        writeln!(f, "| {what} | {ours} | {peer} | {ratio} | {how} |")
    }
}

/// In what a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Percent of one core.
    Percent,
    /// Bytes, written as MB of 10^6.
    Megabytes,
    /// Seconds, written as milliseconds.
    Milliseconds,
    /// A number of things.
    Count,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{value:.1} %"),
            Self::Megabytes => format!("{:.1} MB", value / 1e6),
            Self::Milliseconds => format!("{:.3} ms", value * 1e3),
            Self::Count => format!("{value:.0}"),
        }
    }
}

fn ratio(ours: &Figure, peer: &Figure) -> String {
    match (ours, peer) {
        (Ok(ours), Ok(peer)) if *ours > 0.0 => format!("{:.1}", peer / ours),
        _ => NOTHING.to_owned(),
    }
}

/// The first line of an error: the rest is a program's log, which no cell can hold.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace('|', "\\|")
}

/// The middle one of several figures; the mean of the middle two of an even number.
pub(super) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let upper = figures.get(figures.len() / 2)?;
    let lower = figures.get((figures.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_peer_to_ours_and_absent_without_either() {
        let row = |ours: Figure, peer: Figure| {
            Row::compared("x", Unit::Percent, &ours, &[("p", peer)], "h").to_string()
        };
        assert_eq!(
            row(Ok(2.0), Ok(9.0)),
            "| x | 2.0 % | p: 9.0 % | 4.5 | h |\n"
        );
        assert!(row(Ok(0.0), Ok(9.0)).contains("| – | h"));
        let missing = row(Ok(2.0), Err("gone|away\nlog".to_owned()));
        assert!(
            missing.contains(r"p: not available (gone\|away) | – |"),
            "{missing}"
        );
    }

    #[test]
    fn a_reason_of_several_lines_stays_in_its_row() {
        let row = Row::impossible("x", "ended:\n a | b").to_string();
        assert_eq!(row, "| x | not measured | – | – | ended: / a \\| b |\n");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }

    #[test]
    fn units_are_written_as_people_read_them() {
        assert_eq!(Unit::Megabytes.show(12_345_678.0), "12.3 MB");
        assert_eq!(Unit::Milliseconds.show(0.000_25), "0.250 ms");
        assert_eq!(Unit::Count.show(10_004.0), "10004");
    }
}
