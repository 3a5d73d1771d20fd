//! Converts OpenMetrics text, as prometheus-client writes it, to the Prometheus text format 0.0.4.
//!
//! The series and their values are the same. What differs is the frame: there, counters and info
//! metrics are described by the name of their family, here by the name of their samples; info and
//! unknown are no types here; there is neither UNIT nor EOF.

/// Converts a complete exposition.
pub(super) fn from_open_metrics(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            if let Some((name, kind)) = rest.split_once(' ') {
                describe(&mut text, name, kind, help.take());
            }
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn describe(text: &mut String, family: &str, kind: &str, help: Option<(&str, &str)>) {
    let (suffix, kind) = match kind {
        "counter" => ("_total", "counter"),
        "info" => ("_info", "gauge"),
        "unknown" => ("", "untyped"),
        other => ("", other),
    };
    if let Some((_, help)) = help.filter(|(name, _)| *name == family) {
        text.push_str(&format!("# HELP {family}{suffix} {help}\n"));
    }
    text.push_str(&format!("# TYPE {family}{suffix} {kind}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_counters_and_info_by_the_names_of_their_samples() {
        let open_metrics = "\
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
        let text = "\
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
        assert_eq!(from_open_metrics(open_metrics), text);
    }
}
