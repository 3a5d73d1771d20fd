use super::*;
use crate::config::tests::{EXAMPLE, load, problems, section, small_with};

fn loaded(section: &str) -> Alertmanager {
    load(&small_with(section)).unwrap().alertmanager.unwrap()
}

#[test]
fn without_the_section_nobody_is_asked() {
    assert_eq!(load(&small_with("")).unwrap().alertmanager, None);
    assert_eq!(load(EXAMPLE).unwrap().alertmanager, None);
}

#[test]
fn the_example_shows_every_key_with_its_default() {
    let text = section("alertmanager");
    let fields = include_str!("raw.rs").lines().filter_map(|line| {
        let field = line.trim().strip_prefix("pub(super) ")?;
        field.split_once(": ").map(|(name, _)| name)
    });
    for field in fields {
        assert!(text.contains(&format!("{field}:")), "{field} is missing");
    }
    // The files that it names are not on this machine.
    let lines = text.lines().filter(|line| !line.contains("_file:"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    assert_eq!(
        loaded(&text),
        loaded("alertmanager: {urls: ['http://127.0.0.1:9093']}\n")
    );
}

#[test]
fn every_problem_is_reported_with_its_key_and_line() {
    let text = small_with(
        "alertmanager:
  urls:
    - http://127.0.0.1:9093
    - 127.0.0.1:9094
    - http://127.0.0.1:9093
    - http://127.0.0.1:9095/?silenced=false
  matchers: ['']
  receiver: ''
  timeout: 40s
  interval: 11m
  basic_auth: {username: 'a:b', password_file: /nonexistent/password}
  ca_file: /nonexistent/ca.pem
",
    );
    let expected = [
        "line 9: alertmanager.urls[1]: begins with neither http:// nor https://",
        "line 10: alertmanager.urls[2]: stands twice",
        "line 11: alertmanager.urls[3]: has a query",
        "line 12: alertmanager.matchers[0]: has 0 bytes, not 1 to 1024",
        "line 13: alertmanager.receiver: has 0 bytes, not 1 to 1024",
        "line 15: alertmanager.interval: 11m is not within 1s and 10m",
        "line 16: alertmanager.basic_auth.username: is empty or has a colon",
        "line 16: alertmanager.basic_auth.password_file: cannot read /nonexistent/password",
        "line 17: alertmanager.ca_file: cannot read certificates from /nonexistent/ca.pem",
    ];
    let found = problems(&text);
    for start in expected {
        let known = found.iter().any(|problem| problem.starts_with(start));
        assert!(known, "{start}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn what_excludes_each_other_is_refused() {
    for (section, expected) in [
        ("urls: []", "alertmanager.urls: there is no URL"),
        (
            "urls: ['http://a'], interval: 5s",
            "alertmanager.timeout: 5s is not below alertmanager.interval, 5s",
        ),
        (
            "urls: ['http://a'], bearer_token_file: /a, basic_auth: {username: a, password_file: /b}",
            "line 6: alertmanager.bearer_token_file: there is an alertmanager.basic_auth as well",
        ),
    ] {
        let found = problems(&small_with(&format!("alertmanager: {{{section}}}\n")));
        assert_eq!(found.len(), 1, "{section}: {found:#?}");
        assert!(found[0].starts_with(expected), "{found:#?}");
    }
}

#[test]
fn a_password_in_the_clear_is_named_as_loosened_and_never_shown() {
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "s3cret").unwrap();
    let file = password.path().display();
    let said = |url: &str| {
        let text = format!(
            "alertmanager: {{urls: ['{url}'], basic_auth: {{username: a, password_file: {file}}}}}\n"
        );
        let config = load(&small_with(&text)).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
        config.loosened()
    };
    assert_eq!(said("http://127.0.0.1:9093"), Vec::<String>::new());
    assert_eq!(
        said("http://am.example:9093/"),
        ["alertmanager.urls: the credentials are sent to am.example:9093 in the clear"]
    );
}
