//! Turns OpenMetrics text into the Prometheus text format 0.0.4 while prometheus-client writes it.
//!
//! The series and their values are the same. What differs is the frame: there, counters and info
//! metrics are described by the name of their family, here by the name of their samples; info and
//! unknown are no types here; there is neither UNIT nor EOF.

use std::fmt;

/// Takes in OpenMetrics. It relies on one thing: a comment starts a piece of its own, which holds
/// for an encoder that writes names, labels and line ends one by one.
#[derive(Debug)]
pub(super) struct TextWriter<'t, W> {
    text: &'t mut W,
    /// The comment that is being written, as far as it came.
    comment: String,
    /// What HELP said, until the type is known: name and help.
    help: Option<String>,
    at_line_start: bool,
}

impl<'t, W: fmt::Write> TextWriter<'t, W> {
    /// Appends to a text.
    pub(super) fn new(text: &'t mut W) -> Self {
        Self {
            text,
            comment: String::new(),
            help: None,
            at_line_start: true,
        }
    }

    fn comment_ended(&mut self) -> fmt::Result {
        let comment = std::mem::take(&mut self.comment);
        let line = comment.trim_end_matches('\n');
        if let Some(rest) = line.strip_prefix("# HELP ") {
            self.help = Some(rest.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ")
            && let Some((name, kind)) = rest.split_once(' ')
        {
            self.describe(name, kind)?;
        }
        Ok(())
    }

    fn describe(&mut self, family: &str, kind: &str) -> fmt::Result {
        let (suffix, kind) = match kind {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "unknown" => ("", "untyped"),
            other => ("", other),
        };
        let help = self.help.take();
        let help = help.as_deref().and_then(|help| help.split_once(' '));
        if let Some((_, help)) = help.filter(|(name, _)| *name == family) {
            writeln!(self.text, "# HELP {family}{suffix} {help}")?;
        }
        writeln!(self.text, "# TYPE {family}{suffix} {kind}")
    }
}

impl<W: fmt::Write> fmt::Write for TextWriter<'_, W> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let Some(last) = piece.as_bytes().last() else {
            return Ok(());
        };
        let in_comment = !self.comment.is_empty() || self.at_line_start && piece.starts_with('#');
        self.at_line_start = *last == b'\n';
        if !in_comment {
            return self.text.write_str(piece);
        }
        self.comment.push_str(piece);
        if self.at_line_start {
            self.comment_ended()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const OPEN_METRICS: &str = "\
# HELP a_things Things.
# TYPE a_things counter
a_things_total{x=\"# HELP no\"} 3
# HELP a_build What it is.
# TYPE a_build info
a_build_info{version=\"1\"} 1
# HELP a_size_bytes Size.
# TYPE a_size_bytes gauge
# UNIT a_size_bytes bytes
a_size_bytes 7
# HELP a_wait_seconds Wait.
# TYPE a_wait_seconds histogram
a_wait_seconds_sum 0.5
a_wait_seconds_count 1
a_wait_seconds_bucket{le=\"+Inf\"} 1
# TYPE a_odd unknown
a_odd 1
# EOF
";
    const TEXT: &str = "\
# HELP a_things_total Things.
# TYPE a_things_total counter
a_things_total{x=\"# HELP no\"} 3
# HELP a_build_info What it is.
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
# HELP a_size_bytes Size.
# TYPE a_size_bytes gauge
a_size_bytes 7
# HELP a_wait_seconds Wait.
# TYPE a_wait_seconds histogram
a_wait_seconds_sum 0.5
a_wait_seconds_count 1
a_wait_seconds_bucket{le=\"+Inf\"} 1
# TYPE a_odd untyped
a_odd 1
";

    #[test]
    fn describes_counters_and_info_by_the_names_of_their_samples() {
        let by_line: Vec<&str> = OPEN_METRICS.split_inclusive('\n').collect();
        let by_word: Vec<&str> = OPEN_METRICS
            .split_inclusive('\n')
            .flat_map(|line| line.split_inclusive([' ', '"', '\n']))
            .collect();
        for pieces in [by_line, by_word] {
            let mut text = String::new();
            let mut writer = TextWriter::new(&mut text);
            for piece in pieces {
                writer.write_str(piece).unwrap();
                writer.write_str("").unwrap();
            }
            assert_eq!(text, TEXT);
        }
    }
}
