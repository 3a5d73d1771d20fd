//! The metrics are those that `docs/metrics.md` describes.
//!
//! After a wanted change: `UPDATE_REFERENCE=1 cargo test -p vcm-exporter reference`.

mod full;

use std::collections::BTreeSet;
use std::path::Path;

use vcm_exporter::families::{Exposition, reference};
use vcm_telemetry::exposition::Format;
use vcm_telemetry::lint::problems;
use vcm_telemetry::reference::{UPDATE, is_up_to_date};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_reference_is_that_of_the_code() {
    let file = Path::new(ROOT).join("docs/metrics.md");
    assert!(
        is_up_to_date(&file, "vcm-exporter", &reference()).unwrap(),
        "docs/metrics.md: {UPDATE}=1 cargo test -p vcm-exporter reference"
    );
}

#[test]
fn every_recording_rule_is_in_the_reference() {
    let read = |file| std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    let (rules, text) = (read("alerts/rules/recording.yaml"), read("docs/metrics.md"));
    let records: Vec<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    assert!(!records.is_empty());
    for record in records {
        assert!(text.contains(&format!("| `{record}` |")), "{record}");
    }
}

#[test]
fn what_is_exported_is_what_is_described_and_all_of_it() {
    for format in [Format::Text, Format::OpenMetrics] {
        let text = Exposition::new(full::shared(2)).encode(format).unwrap();
        assert_eq!(problems(&text, &reference()), Vec::<String>::new());
        let described: BTreeSet<_> = reference().iter().map(|metric| metric.name).collect();
        let missing: Vec<_> = described
            .into_iter()
            .filter(|name| !text.contains(&format!("\n{name}")) && !text.starts_with(name))
            .collect();
        assert_eq!(missing, Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn names_are_ours_and_none_of_keysafe_5() {
    const KEYSAFE_5: [&str; 12] = [
        "nshield_hsm",
        "nshield_hsm_liveness",
        "nshield_error_conditions",
        "nshield_uptime_seconds",
        "nshield_commands",
        "nshield_replies",
        "nshield_objects_stored",
        "nshield_objects_destroyed",
        "nshield_current_clients",
        "nshield_current_clients_limit",
        "nshield_fan_speed_rpm",
        "nshield_fan_speed_limit_rpm",
    ];
    let mut names = BTreeSet::new();
    for metric in reference() {
        let name = metric.name;
        assert!(names.insert(name), "{name} is described twice");
        assert!(
            name.starts_with("nshield_") || name.starts_with("process_"),
            "{name}"
        );
        let family = name
            .strip_suffix("_total")
            .or_else(|| name.strip_suffix("_info"));
        assert!(!KEYSAFE_5.contains(&family.unwrap_or(name)), "{name}");
    }
}

#[test]
fn a_module_has_at_most_80_series() {
    let text = Exposition::new(full::shared(3))
        .encode(Format::Text)
        .unwrap();
    for module in 1..=3 {
        let label = format!("module=\"{module}\"");
        let series = text.lines().filter(|line| line.contains(&label)).count();
        assert!(
            (60..=80).contains(&series),
            "{series} series of module {module}"
        );
    }
}
