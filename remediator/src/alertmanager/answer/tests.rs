use vcm_recovery::time::Time;

use super::*;

/// An alert as Alertmanager 0.28 answers with it.
const WHOLE: &str = r#"{"annotations":{"summary":"a"},"endsAt":"2023-11-14T22:17:20.000Z","fingerprint":"00000000000000ff","receivers":[{"name":"remediator"}],"startsAt":"2023-11-14T22:00:00.123Z","status":{"inhibitedBy":["00000000000000aa"],"mutedBy":[],"silencedBy":["6f1a4c0e-0000-4000-8000-000000000001"],"state":"suppressed"},"updatedAt":"2023-11-14T22:13:20.000Z","generatorURL":"http://p","labels":{"alertname":"VcmFailed","host":"tenant-1","module":"1"}}"#;

fn changed(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from), "{from}");
    WHOLE.replacen(from, to, 1)
}

fn body(alerts: &[&str]) -> String {
    format!("[{}]\n", alerts.join(","))
}

fn one(text: &str) -> PulledAlert {
    let (mut alerts, problem) = read(body(&[text]).as_bytes()).unwrap();
    assert!(problem.is_none(), "{problem:?}");
    alerts.pop().unwrap()
}

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

#[test]
fn reads_an_alert_as_alertmanager_answers_with_it() {
    let pulled = one(WHOLE);
    assert!(pulled.alert.firing);
    assert_eq!(pulled.alert.fingerprint.to_string(), "00000000000000ff");
    assert_eq!(pulled.alert.labels.len(), 3);
    assert_eq!(pulled.alert.starts_at, at(1_699_999_200_123));
    assert_eq!(pulled.alert.ends_at, None, "it fires");
    assert_eq!(pulled.expires_at, Some(at(1_700_000_240_000)));
    assert_eq!(pulled.updated_at, Some(at(1_700_000_000_000)));
    assert_eq!(pulled.silenced_by.len(), 1);
    assert_eq!(pulled.inhibited_by.len(), 1);
}

#[test]
fn what_an_older_version_leaves_out_is_not_needed() {
    let times = r#""updatedAt":"2023-11-14T22:13:20.000Z","#;
    assert_eq!(one(&changed(times, "")).updated_at, None);
    assert_eq!(one(&changed(r#""mutedBy":[],"#, "")), one(WHOLE));
    let silences = r#","silencedBy":["6f1a4c0e-0000-4000-8000-000000000001"]"#;
    assert!(one(&changed(silences, "")).silenced_by.is_empty());
}

#[test]
fn a_bad_alert_takes_nothing_from_its_siblings() {
    for (from, to) in [
        (r#""status":{"#, r#""state":{"#),
        ("00000000000000ff", "ff"),
        ("2023-11-14T22:00:00.123Z", "yesterday"),
        ("2023-11-14T22:17:20.000Z", "tomorrow"),
        (r#""module":"1""#, r#""host":"tenant-2""#),
        (r#""tenant-1""#, "1"),
        (r#"["6f1a4c0e-0000-4000-8000-000000000001"]"#, "7"),
        (r#"["6f1a4c0e-0000-4000-8000-000000000001"]"#, "null"),
    ] {
        let bad = changed(from, to);
        let text = body(&[&bad, WHOLE, "7"]);
        let (alerts, problem) = read(text.as_bytes()).unwrap();
        assert_eq!(alerts, [one(WHOLE)], "{bad}");
        match problem {
            Some(PeerError::Unreadable { alerts: 2, .. }) => {}
            other => panic!("{bad}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_list_is_no_answer() {
    for text in ["", "{}", "null", "[", "<html>", "{\"status\":\"success\"}"] {
        let read = read(text.as_bytes());
        assert!(matches!(read, Err(PeerError::Json(_))), "{text}");
    }
    assert_eq!(read(b"[]").unwrap().0, []);
}

#[test]
fn an_alert_of_several_peers_is_silenced_if_one_has_it_silenced() {
    let here = one(WHOLE);
    let there = PulledAlert {
        alert: Alert {
            starts_at: at(1_000),
            ..here.alert.clone()
        },
        silenced_by: BTreeSet::from(["other".to_owned()]),
        inhibited_by: BTreeSet::new(),
        updated_at: Some(at(2_000_000_000_000)),
        expires_at: None,
    };
    let another = one(&changed("00000000000000ff", "000000000000000a"));
    let first = joined([here.clone(), another.clone(), there.clone()]);
    assert_eq!(
        first,
        joined([there.clone(), another.clone(), here.clone()])
    );
    assert_eq!(first.len(), 2);
    assert_eq!(first[0], another);
    let both = &first[1];
    assert_eq!(both.alert.starts_at, at(1_000));
    assert_eq!(both.silenced_by.len(), 2);
    assert_eq!(both.inhibited_by, here.inhibited_by);
    assert_eq!(both.updated_at, there.updated_at);
    assert_eq!(both.expires_at, here.expires_at);
}
