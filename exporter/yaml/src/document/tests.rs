//! Tables of texts and what is said about them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Scalar, boolean, duration_in, integer, parsed, text};

#[derive(Debug, PartialEq)]
struct Example {
    name: String,
    wait: Option<Duration>,
    on: Option<bool>,
    ports: Vec<u16>,
    users: Vec<(String, String)>,
}

fn example(root: &mut Section<'_>) -> Option<Example> {
    let name = root.required("name", text);
    let range = Duration::from_secs(1)..=Duration::from_secs(60);
    let wait = root.optional("wait", duration_in(range));
    let on = root.optional("on", boolean);
    let ports = root.sequence("ports", integer(1..=65_535_u16));
    let users = root.mapping("users", |_, secret| text(secret));
    if on == Some(true) && wait.is_none() {
        root.problem("on", "needs wait");
    }
    Some(Example {
        name: name?,
        wait,
        on,
        ports: ports.unwrap_or_default(),
        users: users.unwrap_or_default(),
    })
}

fn read(text: &str) -> Result<Example, Vec<String>> {
    let all = |error: YamlError| error.lines().collect::<Vec<_>>();
    Document::parse(Path::new("f"), text)
        .map_err(all)?
        .read(example)
        .map_err(all)
}

#[test]
fn reads_what_is_right() {
    let text = "name: a\nwait: 1m\non: false\nports: [1, 0x10]\nusers: {b: c, d: 'true'}\n";
    let expected = Example {
        name: "a".to_owned(),
        wait: Some(Duration::from_secs(60)),
        on: Some(false),
        ports: vec![1, 16],
        users: vec![("b".into(), "c".into()), ("d".into(), "true".into())],
    };
    assert_eq!(read(text), Ok(expected));
}

#[test]
fn byte_order_mark_windows_line_ends_and_nulls_change_nothing() {
    for text in [
        "\u{feff}name: a\n",
        "name: a\r\nwait:\r\n",
        "name: a\nports: ~\nusers:\n",
        "---\nname: a\n...\n",
        "# comment\n\nname: a",
    ] {
        assert_eq!(read(text).map(|read| read.name), Ok("a".into()), "{text:?}");
    }
}

#[test]
fn an_empty_text_is_an_empty_mapping() {
    for text in [
        "",
        "\u{feff}",
        "# nothing\n",
        "{}",
        "---\n",
        "~",
        "\r\n\r\n",
    ] {
        assert_eq!(
            read(text),
            Err(vec!["f:1: name: is required".into()]),
            "{text:?}"
        );
    }
}

#[test]
fn says_what_is_wrong_with_line_and_key() {
    for (text, expected) in [
        ("name: 5", "f:1: name: is a number; write text in quotes"),
        ("name: 1.5", "f:1: name: is a number; write text in quotes"),
        ("name: .inf", "f:1: name: is a number; write text in quotes"),
        (
            "name: true",
            "f:1: name: is a boolean; write text in quotes",
        ),
        ("name: [a]", "f:1: name: is a sequence, not a single value"),
        (
            "name: {a: b}",
            "f:1: name: is a mapping, not a single value",
        ),
        ("name:", "f:1: name: is required"),
        ("name: a\non: yes", "f:2: on: is not true or false"),
        ("name: a\non: 1", "f:2: on: is not true or false"),
        ("name: a\non: true", "f:2: on: needs wait"),
        (
            "name: a\nwait: 5",
            "f:2: wait: has no unit: write a duration such as 30s",
        ),
        (
            "name: a\nwait: soon",
            "f:2: wait: is not a duration such as 30s",
        ),
        ("name: a\nwait: 2h", "f:2: wait: is not from 1s to 1m"),
        ("name: a\nports: 80", "f:2: ports: is not a sequence"),
        (
            "name: a\nports:\n - 1\n - 0",
            "f:4: ports[1]: is not a whole number from 1 to 65535",
        ),
        (
            "name: a\nports: [070]",
            "f:2: ports[0]: is not a whole number from 1 to 65535",
        ),
        (
            "name: a\nports: [1_0]",
            "f:2: ports[0]: is not a whole number from 1 to 65535",
        ),
        (
            "name: a\nports: [1, ]\nports: [2]",
            "f:3: ports: is given again; it stands first in line 2",
        ),
        ("name: a\nports: [~]", "f:2: ports[0]: is empty"),
        (
            "name: a\nusers: {b: 1}",
            "f:2: users.b: is a number; write text in quotes",
        ),
        (
            "name: a\nusers: {b: c, b: d}",
            "f:2: users.b: is given again; it stands first in line 2",
        ),
        (
            "name: a\nusers: [b]",
            "f:2: users: is not a mapping of keys to values",
        ),
        (
            "name: a\nnaem: b",
            "f:2: naem: is not a known key; known here: name, wait, on, ports, users",
        ),
        ("[a]", "f:1: is not a mapping of keys to values"),
        ("a", "f:1: is not a mapping of keys to values"),
    ] {
        assert_eq!(read(text), Err(vec![expected.to_owned()]), "{text:?}");
    }
}

#[test]
fn reports_everything_at_once_in_the_order_of_the_lines() {
    let text = "x: 1\nwait: 2h\nports:\n  - 0\n  - a\nwait: 1s\nusers: 5\n";
    let lines = read(text).unwrap_err();
    let places: Vec<_> = lines
        .iter()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        places,
        [
            "f:1 name",
            "f:1 x",
            "f:2 wait",
            "f:4 ports[0]",
            "f:5 ports[1]",
            "f:6 wait",
            "f:7 users"
        ]
    );
}

#[test]
fn what_is_not_yaml_is_said_with_its_line() {
    for (text, line, words) in [
        ("name: a\n\twait: 1s\n", 1, "found a tab"),
        ("name:\n\twait: 1s\n", 2, "tabs disallowed"),
        ("name: 'a\n", 2, "quoted scalar"),
        ("name: a\nports: [1\n", 2, "unclosed bracket"),
        ("name: a\n---\nname: b\n", 2, "it is more than one document"),
        (
            "name: a\nusers: *b\n",
            2,
            "an alias (*) needs an anchor (&) before it",
        ),
        ("name: &a [*a]\n", 1, "recursive"),
        ("name: !secret x\n", 1, "tags (!) are not supported"),
        (
            "a: &a {b: c}\nd:\n  <<: *a\n",
            3,
            "merge keys (<<) are not supported",
        ),
    ] {
        let lines = read(text).unwrap_err();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let place = format!("f:{line}: is not valid YAML: ");
        assert!(lines[0].starts_with(&place), "{text:?}: {lines:?}");
        assert!(lines[0].contains(words), "{text:?}: {lines:?}");
        assert!(!lines[0].contains(" at line "), "{text:?}: {lines:?}");
    }
}

/// Whatever an unquoted secret begins with, and wherever it stands.
#[test]
fn no_message_quotes_the_file() {
    const SECRET: &str = "hunter2seekrit";
    for sign in [
        "", "*", "&", "!", "!!", "%", "@", "`", "'", "\"", "|", ">", "?", "- ", "[", "{", "\t",
        ": ", "#", "\\x",
    ] {
        for text in [
            format!("name: {sign}{SECRET}\n"),
            format!("name: {sign}{SECRET}"),
            format!("{sign}{SECRET}: a\n"),
            format!("{sign}{SECRET}\n"),
            format!("name: a\nports: {sign}{SECRET}\n"),
            format!("name: a\nports:\n  - {sign}{SECRET}\n"),
            format!("name: a\nusers: {{b:{sign}{SECRET}}}\n"),
            format!("name: a\nwait: {sign}{SECRET}"),
            format!("{{name:{sign}{SECRET}, a: 1, {sign}{SECRET}@x}}"),
        ] {
            let lines = read(&text).err().unwrap_or_default();
            let known = lines.iter().filter(|line| line.contains(SECRET));
            let known: Vec<_> = known.collect();
            // A key is a name and is said; that it holds a secret cannot be known.
            let is_key = known.iter().all(|line| line.contains("is not a known key"));
            assert!(is_key, "{text:?}: {known:?}");
        }
    }
    assert!(!format!("{:?}", Scalar::Text(SECRET.into())).contains(SECRET));
}

#[test]
fn alias_bombs_are_refused_and_plain_aliases_are_not() {
    let mut nodes = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut bytes = format!("b: &b {}\nc: [*b", "x".repeat(1 << 20));
    for level in 1..10 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        nodes += &format!("a{level}: &a{level} [{before}]\n");
    }
    bytes += &", *b".repeat(40);
    bytes += "]\n";
    for text in [nodes, bytes] {
        let lines = read(&text).unwrap_err();
        assert!(
            lines[0].contains("too many values, aliases or levels"),
            "{:?}",
            lines[0]
        );
    }
    assert_eq!(
        read("name: &a b\nusers: {c: *a}\n").unwrap().users[0].1,
        "b"
    );
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{a: ".repeat(10_000),
    ] {
        assert!(read(&text).unwrap_err()[0].contains("is not valid YAML"));
    }
}

#[test]
fn files_that_are_none_are_refused_clearly() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.yml");
    let load = || {
        let error = Document::load(&path).unwrap_err();
        let line = error.lines().next().unwrap();
        line.replace(path.to_str().unwrap(), "f")
    };
    assert!(load().starts_with("f: cannot be read: No such file"));
    std::fs::write(&path, b"name: a\nwait: \xff\n").unwrap();
    assert_eq!(load(), "f:2: is not valid YAML: it is not UTF-8 text");
    std::fs::write(&path, vec![b'#'; FILE_SIZE_MAX as usize + 1]).unwrap();
    assert_eq!(load(), "f: is larger than 8388608 bytes");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(load().starts_with("f: cannot be read: Is a directory"));
}

#[test]
fn parsed_takes_anything_with_from_str() {
    let document = Document::parse(Path::new("f"), "a: 192.0.2.1\nb: x\n").unwrap();
    let error = document.read(|root| {
        let good = root.required("a", parsed::<std::net::IpAddr>("an address"));
        assert_eq!(good, Some([192, 0, 2, 1].into()));
        root.required("b", parsed::<std::net::IpAddr>("an address"))
    });
    assert_eq!(error.unwrap_err().to_string(), "f:2: b: is not an address");
}

proptest! {
    #[test]
    fn takes_any_text(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn takes_anything_like_yaml(text in "([a-c~<0-9]{1,3}|[\\[\\]{}:,&*!|>'\"#?%-]|: |- |\n|  |\t|\r\n|name: |---\n){0,40}") {
        if let Err(lines) = read(&text) {
            prop_assert!(!lines.is_empty());
        }
    }
}
