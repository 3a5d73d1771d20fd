use super::*;
use crate::config::Config;
use crate::config::tests::{EXAMPLE, load, problems, section, small_with};

fn loaded(section: &str) -> Load {
    load(&small_with(section)).unwrap().load.unwrap()
}

#[test]
fn without_the_section_the_gate_is_off() {
    assert_eq!(load(&small_with("")).unwrap().load, None);
    assert_eq!(load(EXAMPLE).unwrap().load, None);
}

#[test]
fn the_example_shows_every_key_with_its_default() {
    let text = section("load");
    let fields = include_str!("raw.rs").lines().filter_map(|line| {
        let field = line.trim().strip_prefix("pub(super) ")?;
        field.split_once(": ").map(|(name, _)| name)
    });
    for field in fields {
        assert!(text.contains(&format!("{field}:")), "{field} is missing");
    }
    // The files that it names are not on this machine.
    let files = ["bearer_token_file", "ca_file"];
    let lines = text.lines();
    let without = lines.filter(|line| !files.iter().any(|file| line.contains(file)));
    let text: String = without.map(|line| format!("{line}\n")).collect();
    // Nor need this machine have authorities.
    let shown = loaded(&text.replace("https:", "http:"));
    let small = "load: {hook: {http: {url: 'http://load.example/hook'}}}\n";
    assert_eq!(shown, loaded(small));
}

#[test]
fn a_command_or_the_provider_may_be_asked_instead() {
    let command = "load: {hook: {command: {shed: [/bin/sh, shed], restore: [/bin/sh, -c, x]}}}\n";
    let Some(Hook::Command(command)) = loaded(command).hook else {
        panic!("no command");
    };
    assert_eq!(command.shed, ["/bin/sh", "shed"]);
    assert_eq!(command.timeout, COMMAND_TIMEOUT);
    let asked = loaded("load: {provider: ask, threshold_percent: 80, restore_below_percent: 50}\n");
    assert_eq!(asked.hook, None);
    assert_eq!(
        (asked.threshold_percent, asked.restore_below_percent),
        (80, 50)
    );
}

#[test]
fn exactly_one_means_is_written_down() {
    let hook = "hook: {http: {url: 'http://127.0.0.1:1/'}}";
    for (section, expected) in [
        ("load: {}", "load: needs a hook, or provider: ask"),
        (
            "load: {provider: hope}",
            "line 6: load.provider: \"hope\" is none of ask",
        ),
        (
            &format!("load: {{provider: ask, {hook}}}"),
            "line 6: load.provider: there is a load.hook as well",
        ),
        (
            "load: {hook: {}}",
            "load.hook: needs exactly one of http and command",
        ),
        (
            "load: {hook: {http: {url: 'http://a/'}, command: {shed: [/bin/sh], restore: [/bin/sh]}}}",
            "load.hook: needs exactly one of http and command",
        ),
        (
            "load: {hook: {http: {shed_url: 'http://a/'}}}",
            "load.hook.http: needs either url, or shed_url and restore_url",
        ),
        (
            "load: {hook: {http: {url: 'http://a/', shed_url: 'http://a/', restore_url: 'http://a/'}}}",
            "load.hook.http: needs either url, or shed_url and restore_url",
        ),
    ] {
        let found = problems(&small_with(&format!("{section}\n")));
        assert_eq!(found.len(), 1, "{section}: {found:#?}");
        assert!(found[0].starts_with(expected), "{found:#?}");
    }
}

#[test]
fn every_problem_is_reported_with_its_key_and_line() {
    let text = small_with(
        "load:
  threshold_percent: 70
  restore_below_percent: 101
  hold: 3h
  max_shed: 2h
  hook:
    http:
      shed_url: ftp://a
      restore_url: http://u:secret@a/
      method: GET
      timeout: 2m
      attempts: 0
      backoff: soon
      deadline: 2h
      bearer_token_file: /nonexistent/token
      ca_file: ca.pem
",
    );
    let expected = [
        "line 8: load.restore_below_percent: 101 is not within 1 and 100",
        "load.restore_below_percent: 101 is not below load.threshold_percent, 70",
        "load.max_shed: 2h is shorter than load.hold, 3h",
        "line 13: load.hook.http.shed_url: begins with neither http:// nor https://",
        "line 14: load.hook.http.restore_url: holds credentials; they belong in a file",
        "line 15: load.hook.http.method: \"GET\" is none of POST, PUT",
        "line 16: load.hook.http.timeout: 2m is not within 100ms and 1m",
        "line 18: load.hook.http.backoff: \"soon\" is no duration",
        "line 19: load.hook.http.deadline: 2h is not within 100ms and 1h",
        "line 17: load.hook.http.attempts: 0 is not within 1 and 10",
        "line 20: load.hook.http.bearer_token_file: cannot read /nonexistent/token",
    ];
    let found = problems(&text);
    for start in expected {
        let known = found.iter().any(|problem| problem.starts_with(start));
        assert!(known, "{start}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert!(!found.concat().contains("secret@"));
}

#[test]
fn files_and_programs_are_looked_at() {
    for (section, expected) in [
        (
            "load: {hook: {http: {url: 'http://a/', ca_file: ca.pem}}}",
            "line 6: load.hook.http.ca_file: \"ca.pem\" is not an absolute path",
        ),
        (
            "load: {hook: {http: {url: 'https://a/', ca_file: /nonexistent/ca.pem}}}",
            "line 6: load.hook.http.ca_file: cannot read certificates from /nonexistent/ca.pem",
        ),
        (
            "load: {hook: {http: {url: 'http://a/', timeout: 10s, deadline: 5s}}}",
            "load.hook.http.deadline: 5s is shorter than load.hook.http.timeout, 10s",
        ),
        (
            "load: {hook: {command: {shed: [], restore: [/bin/sh]}}}",
            "load.hook.command.shed: is empty",
        ),
        (
            "load: {hook: {command: {shed: [/bin/sh], restore: [sh]}}}",
            "line 6: load.hook.command.restore[0]: \"sh\" is not an absolute path",
        ),
        (
            "load: {hook: {command: {shed: [/nonexistent/shed], restore: [/bin/sh]}}}",
            "line 6: load.hook.command.shed[0]: there is no file /nonexistent/shed",
        ),
        (
            "load: {hook: {command: {shed: [/bin/sh, \"a\\0b\"], restore: [/bin/sh]}}}",
            "line 6: load.hook.command.shed[1]: holds a NUL",
        ),
    ] {
        let found = problems(&small_with(&format!("{section}\n")));
        assert_eq!(found.len(), 1, "{section}: {found:#?}");
        assert!(found[0].starts_with(expected), "{found:#?}");
    }
}

#[test]
fn a_token_in_the_clear_is_named_as_loosened() {
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "s3cret").unwrap();
    let file = token.path().display();
    let said = |url: &str| {
        let text =
            format!("load: {{hook: {{http: {{url: '{url}', bearer_token_file: {file}}}}}}}\n");
        let config: Config = load(&small_with(&text)).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
        config.loosened()
    };
    assert_eq!(said("http://127.0.0.1:1/"), Vec::<String>::new());
    assert_eq!(
        said("http://load.example/T0KEN"),
        ["load.hook.http.bearer_token_file: the token is sent to load.example in the clear"]
    );
}
