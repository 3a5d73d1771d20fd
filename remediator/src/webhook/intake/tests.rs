use super::*;

fn alert(change: &str) -> String {
    let whole = r#"{"status":"firing","labels":{"alertname":"VcmFailed","host":"tenant-1"},"startsAt":"2023-11-14T22:00:00.123456789Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"00000000000000ff","generatorURL":"http://x","annotations":{"a":"b"}}"#;
    let (from, to) = change.split_once(" => ").unwrap_or_default();
    assert!(whole.contains(from));
    whole.replacen(from, to, 1)
}

fn ends_at(text: &str) -> Option<Time> {
    read(&alert(text)).unwrap().ends_at
}

#[test]
fn reads_an_alert_as_alertmanager_sends_it() {
    let read = read(&alert("")).unwrap();
    assert!(read.firing);
    assert_eq!(read.starts_at, Time::from_millis(1_699_999_200_123));
    assert_eq!(read.ends_at, None);
    assert_eq!(read.labels.len(), 2);
}

#[test]
fn an_end_counts_only_for_a_resolved_alert() {
    let resolved = r#"firing","labels":{"alertname":"VcmFailed","host":"tenant-1"},"startsAt":"2023-11-14T22:00:00.123456789Z","endsAt":"0001-01-01T00:00:00Z" => resolved","labels":{},"startsAt":"2023-11-14T22:00:00Z","endsAt":"#;
    let at = |text: &str| ends_at(&format!("{resolved}\"{text}\""));
    assert_eq!(
        at("2023-11-14T23:10:00+01:00"),
        Some(Time::from_millis(1_699_999_800_000))
    );
    assert_eq!(at(NOT_ENDED), None);
    assert_eq!(
        ends_at("0001-01-01T00:00:00Z => 2023-11-14T22:05:00Z"),
        None,
        "it fires"
    );
    assert_eq!(
        ends_at(r#","endsAt":"0001-01-01T00:00:00Z" => "#),
        None,
        "missing"
    );
}

#[test]
fn refuses_an_alert_that_is_not_one() {
    for change in [
        r#""firing" => "suppressed""#,
        r#""firing" => 1"#,
        r#""status":"firing", => "#,
        r#"00000000000000ff => 00000000000000fg"#,
        r#"00000000000000ff => ff"#,
        r#","fingerprint":"00000000000000ff" => "#,
        r#"2023-11-14T22:00:00.123456789Z => yesterday"#,
        r#"2023-11-14T22:00:00.123456789Z => 99999-11-14T22:00:00Z"#,
        r#""startsAt":"2023-11-14T22:00:00.123456789Z", => "#,
        r#""host":"tenant-1" => "host":"tenant-1","host":"tenant-2""#,
        r#""tenant-1" => 1"#,
        r#""tenant-1" => null"#,
        r#"{"alertname":"VcmFailed","host":"tenant-1"} => []"#,
    ] {
        assert!(
            matches!(read(&alert(change)), Err(Ignored::Malformed(_))),
            "{change}"
        );
    }
    for text in ["null", "[]", "\"VcmFailed\"", "{}"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn what_has_no_place_is_one_reason_that_names_a_target_and_how_many_there_are() {
    let refused = |facts| Refused {
        facts,
        name: "VcmFailed".to_owned(),
    };
    let of = |host: &str| Target::host(host.parse().unwrap());
    let mut intake = Intake {
        total: 5_000,
        ..Intake::default()
    };
    let both = [
        (of("tenant-1"), refused(4_000)),
        (of("tenant-2"), refused(900)),
    ];
    intake.refuse(both.into_iter().collect());
    assert_eq!(intake.accepted(), 100);
    let reasons: Vec<_> = intake.ignored.into_iter().collect();
    let [(reason, (alerts, example))] = &reasons[..] else {
        panic!("{reasons:?}");
    };
    assert_eq!((*reason, *alerts), ("too_many", 4_900));
    assert_eq!(
        example.to_string(),
        "too many: tenant-1 had 64 different alerts, or 32 of one name, in 24 h; \"VcmFailed\" has \
         no place"
    );
}
