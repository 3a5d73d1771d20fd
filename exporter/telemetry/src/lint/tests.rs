use super::*;
use crate::metric::{Counter, Described, Gauge, Histogram, Info, States};

const GOOD: &str = "\
# HELP a_things_total Things
# TYPE a_things_total counter
a_things_total{kind=\"x\"} 3
a_things_total{kind=\"y \\\"\\\\\\n\"} 0
# HELP a_build_info Build
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
# HELP a_size_bytes Size
# TYPE a_size_bytes gauge
a_size_bytes 7.5
# HELP a_switch Whether it is on
# TYPE a_switch gauge
a_switch{room=\"1\",state=\"on\"} 1
a_switch{room=\"1\",state=\"off\"} 0
# HELP a_wait_seconds Wait
# TYPE a_wait_seconds histogram
a_wait_seconds_sum 0.5
a_wait_seconds_count 2
a_wait_seconds_bucket{le=\"0.5\"} 1
a_wait_seconds_bucket{le=\"+Inf\"} 2
";

fn described() -> Vec<Descriptor> {
    const THINGS: Counter<1> = Counter::new("a_things_total", &["kind"], "Things");
    const BUILD: Info<1> = Info::new("a_build_info", &["version"], "Build");
    const SIZE: Gauge<0> = Gauge::new("a_size_bytes", &[], "Size");
    const WORD: fn(bool) -> &'static str = |on| if on { "on" } else { "off" };
    const SWITCH: States<bool, 1> = States::new(
        "a_switch",
        &["room"],
        &[true, false],
        WORD,
        "Whether it is on",
    );
    const WAIT: Histogram<0> = Histogram::new("a_wait_seconds", &[], "Wait");
    let metrics: [&dyn Described; 5] = [&THINGS, &BUILD, &SIZE, &SWITCH, &WAIT];
    metrics.map(Described::descriptor).to_vec()
}

#[test]
fn finds_nothing_wrong_with_either_format() {
    assert_eq!(problems(GOOD, &described()), Vec::<String>::new());
    let open_metrics = GOOD
        .replace(" a_things_total ", " a_things ")
        .replace(" a_build_info gauge", " a_build info")
        .replace(" a_build_info ", " a_build ")
        .replace(
            "a_size_bytes gauge\n",
            "a_size_bytes gauge\n# UNIT a_size_bytes bytes\n",
        )
        .replace("histogram\n", "histogram\n# UNIT a_wait_seconds seconds\n")
        + "# EOF\n";
    assert_eq!(problems(&open_metrics, &described()), Vec::<String>::new());
    for empty in ["", "# EOF\n"] {
        assert_eq!(problems(empty, &described()), Vec::<String>::new());
    }
}

#[test]
fn finds_each_thing_that_is_wrong() {
    for (good, bad) in [
        ("# HELP a_things_total Things\n", ""),
        ("# TYPE a_things_total counter\n", ""),
        ("TYPE a_things_total counter", "TYPE a_things_total gauge"),
        ("HELP a_size_bytes Size", "HELP a_size_bytes Extent"),
        ("a_size_bytes", "a_size_percent"),
        ("a_size_bytes 7.5\n", ""),
        ("a_size_bytes 7.5", "a_size_bytes NaN"),
        ("a_size_bytes 7.5", "a_size_bytes +Inf"),
        ("a_size_bytes 7.5", "a_size_bytes *"),
        ("a_size_bytes 7.5", "a_size_bytes 7.5\na_size_bytes 8"),
        ("a_size_bytes 7.5", "a_size_bytes{x=\"1\"} 7.5"),
        ("a_things_total{kind=\"x\"} 3", "a_things{kind=\"x\"} 3"),
        (
            "a_things_total{kind=\"x\"} 3",
            "a_things_total{kind=\"x\"} -3",
        ),
        ("{kind=\"x\"}", "{kind=\"x\",kind=\"x\"}"),
        ("{kind=\"x\"}", "{kind=\"\"}"),
        ("{kind=\"x\"}", "{kind=\"x\" }"),
        ("{kind=\"x\"}", "{kind=\"\\x\"}"),
        (
            "a_build_info{version=\"1\"} 1",
            "a_build_info{version=\"1\"} 2",
        ),
        ("state=\"off\"} 0", "state=\"off\"} 1"),
        ("state=\"on\"} 1", "state=\"on\"} 0"),
        ("a_switch{room=\"1\",state=\"off\"} 0\n", ""),
        ("state=\"off\"", "state=\"broken\""),
        ("le=\"+Inf\"} 2", "le=\"+Inf\"} 3"),
        ("le=\"0.5\"} 1", "le=\"0.5\"} 4"),
        ("a_wait_seconds_bucket{le=\"+Inf\"} 2\n", ""),
        ("a_wait_seconds_sum 0.5\n", ""),
        (
            "a_wait_seconds_count 2\n",
            "# EOF\na_wait_seconds_count 2\n",
        ),
    ] {
        assert!(GOOD.contains(good), "{good}");
        let text = GOOD.replacen(good, bad, if bad.contains("percent") { 9 } else { 1 });
        assert_ne!(
            problems(&text, &described()),
            Vec::<String>::new(),
            "{good} -> {bad}"
        );
    }
    let twice =
        format!("{GOOD}# HELP a_size_bytes Size\n# TYPE a_size_bytes gauge\na_size_bytes 1\n");
    assert_eq!(
        problems(&twice, &described()),
        ["a_size_bytes is in two pieces"]
    );
    let cut = GOOD.trim_end();
    assert_eq!(problems(cut, &described()).len(), 1);
}
