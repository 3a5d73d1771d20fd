//! Prints the timeline: in colour on a terminal, plain elsewhere.

use std::io::{IsTerminal, Write};

use super::{Entry, Mood, Source};

/// Prints entries with the seconds since the beginning and since the one before.
#[derive(Debug)]
pub struct Printer {
    colour: bool,
    begin_ms: u64,
    before_ms: u64,
    printed: Vec<Entry>,
}

impl Printer {
    /// A printer to standard output for a timeline that begins at `begin_ms`.
    #[must_use]
    pub fn stdout(begin_ms: u64) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            colour,
            begin_ms,
            before_ms: begin_ms,
            printed: Vec::new(),
        }
    }

    /// Prints one entry.
    pub fn print(&mut self, entry: &Entry) {
        let line = line(entry, self.begin_ms, self.before_ms, self.colour);
        self.say(&line);
        self.before_ms = self.before_ms.max(entry.time_ms);
        self.printed.push(entry.clone());
    }

    /// Prints a line that is no entry.
    pub fn say(&self, text: &str) {
        // Nobody reads on: nothing to do about it.
        writeln!(std::io::stdout(), "{text}").ok();
    }

    /// Prints a line in bold.
    pub fn head(&self, text: &str) {
        if self.colour {
            self.say(&format!("\x1b[1m{text}\x1b[0m"))
        } else {
            self.say(text)
        }
    }

    /// Prints the table of milestones: the first entry of each source, and the last good news.
    pub fn summary(&self) {
        self.head("\nSummary                      after the fault   after the step before");
        let mut before = self.begin_ms;
        for (name, entry) in milestones(&self.printed) {
            let (total, step) = (
                seconds(self.begin_ms, entry.time_ms),
                seconds(before, entry.time_ms),
            );
            self.say(&format!("  {name:<26} {total:>13} {step:>23}"));
            before = entry.time_ms;
        }
    }
}

fn line(entry: &Entry, begin_ms: u64, before_ms: u64, colour: bool) -> String {
    let at = seconds(begin_ms, entry.time_ms);
    let step = entry.time_ms.saturating_sub(before_ms);
    let since = if step >= 100 {
        format!("+{}", seconds(before_ms, entry.time_ms))
    } else {
        String::new()
    };
    let source = word(entry.source);
    let text = folded(&entry.text);
    if !colour {
        return format!("{at:>8} {since:>8}  {source:<9} {text}");
    }
    let paint = match entry.mood {
        Mood::Good => "\x1b[32m",
        Mood::Bad => "\x1b[31m",
        Mood::Act => "\x1b[1;36m",
        Mood::Plain => "",
    };
    format!("{at:>8} \x1b[2m{since:>8}  {source:<9}\x1b[0m {paint}{text}\x1b[0m")
}

/// How many characters of text stand on a line, beside the 29 of times and source.
const TEXT_WIDTH: usize = 100;

/// Where the text begins.
const INDENT: &str = "                             ";

/// Breaks a long text between words, each further line below the first.
fn folded(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(line) = lines.last_mut() {
            let fits = line.is_empty() || line.chars().count() + word.chars().count() < TEXT_WIDTH;
            if fits {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines.join(&format!("\n{INDENT}"))
}

fn seconds(from_ms: u64, to_ms: u64) -> String {
    let ms = to_ms.saturating_sub(from_ms);
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

const fn word(source: Source) -> &'static str {
    match source {
        Source::Estate => "estate",
        Source::Scrape => "scrape",
        Source::Alert => "alert",
        Source::Webhook => "webhook",
        Source::Evidence => "evidence",
        Source::Verdict => "verdict",
        Source::Attempt => "attempt",
        Source::Command => "COMMAND",
        Source::Incident => "incident",
        Source::Page => "PAGE",
    }
}

/// The steps of the loop that the summary times, in the order in which they first happened.
fn milestones(entries: &[Entry]) -> Vec<(&'static str, &Entry)> {
    let first = |source| entries.iter().find(|entry| entry.source == source);
    let last = |source, mood| {
        entries
            .iter()
            .rev()
            .find(|entry| entry.source == source && entry.mood == mood)
    };
    let mut found: Vec<(&'static str, &Entry)> = [
        ("fault", first(Source::Estate)),
        ("first bad scrape", first(Source::Scrape)),
        ("alert fires", first(Source::Alert)),
        ("webhook accepted", first(Source::Webhook)),
        ("first evidence", first(Source::Evidence)),
        ("person called", first(Source::Page)),
        ("first command", first(Source::Command)),
        ("last command", last(Source::Command, Mood::Act)),
        ("works again", last(Source::Estate, Mood::Good)),
        ("proven and closed", last(Source::Incident, Mood::Good)),
    ]
    .into_iter()
    .filter_map(|(name, entry)| Some((name, entry?)))
    .collect();
    found.sort_by_key(|(_, entry)| entry.time_ms);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(time_ms: u64, source: Source, mood: Mood) -> Entry {
        Entry {
            time_ms,
            order: 0,
            source,
            text: "x".to_owned(),
            mood,
        }
    }

    #[test]
    fn a_line_tells_seconds_from_the_beginning_and_from_the_line_before() {
        let late = entry(12_340, Source::Command, Mood::Act);
        assert_eq!(
            line(&late, 1_000, 10_000, false),
            "  11.3 s   +2.3 s  COMMAND   x"
        );
        assert_eq!(
            line(&late, 1_000, 12_300, false),
            "  11.3 s           COMMAND   x"
        );
        assert!(line(&late, 1_000, 10_000, true).contains("\x1b["));
    }

    #[test]
    fn a_long_text_goes_on_below_its_beginning() {
        let text = "word ".repeat(50);
        let folded = folded(text.trim());
        let lines: Vec<&str> = folded.split('\n').collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].len() <= TEXT_WIDTH && lines[1].starts_with(INDENT));
        assert_eq!(folded.split_whitespace().count(), 50);
        let line = line(&entry(0, Source::Page, Mood::Bad), 0, 0, false);
        assert_eq!(line.find('x'), Some(INDENT.len()));
    }

    #[test]
    fn milestones_are_the_firsts_in_their_order() {
        let entries = [
            entry(1, Source::Estate, Mood::Bad),
            entry(2, Source::Scrape, Mood::Bad),
            entry(3, Source::Command, Mood::Act),
            entry(4, Source::Estate, Mood::Good),
            entry(5, Source::Incident, Mood::Good),
        ];
        let names: Vec<_> = milestones(&entries)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            [
                "fault",
                "first bad scrape",
                "first command",
                "last command",
                "works again",
                "proven and closed"
            ]
        );
    }
}
