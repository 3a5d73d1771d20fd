//! What is said about configuration files, good and bad.

use crate::host::Host;

/// Exit status for a bad configuration file.
const BAD: i32 = 78;

async fn check(content: impl AsRef<[u8]>) -> (i32, String) {
    let host = Host::bare();
    let file = host.file("f.yml", content);
    let printed = host.run(&["--config.check", "--config.file", &file]).await;
    (printed.status, printed.stdout + &printed.stderr)
}

#[tokio::test]
async fn usable_files_are_named() {
    for content in [
        "",
        "\u{feff}",
        "\u{feff}icmp: {}\n",
        "# nothing\r\n",
        "icmp:\r\n  interval: 2s\r\n",
        "---\nicmp: {discover: false}\n...\n",
        include_str!("../../vcm-exporter.example.yml"),
    ] {
        let checked = check(content).await;
        assert_eq!(checked, (0, "DIR/f.yml: valid\n".to_owned()), "{content:?}");
    }
}

#[tokio::test]
async fn every_problem_is_one_line_with_file_line_and_key() {
    let content = "icmp:\n  interval: 5\n  discover: yes\n  interval: 2h\n  tagets: []\n\
                   colour: red\n";
    let (status, said) = check(content).await;
    assert_eq!(status, BAD);
    let places: Vec<_> = said
        .lines()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        places,
        [
            ["DIR/f.yml:2", "icmp.interval"],
            ["DIR/f.yml:3", "icmp.discover"],
            ["DIR/f.yml:4", "icmp.interval"],
            ["DIR/f.yml:5", "icmp.tagets"],
            ["DIR/f.yml:6", "colour"],
        ],
        "{said}"
    );
}

#[tokio::test]
async fn what_is_no_configuration_is_said_clearly() {
    let bomb: String = (1..12).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        let before = format!("*a{}, ", level - 1).repeat(9);
        text + &format!("a{level}: &a{level} [{before}]\n")
    });
    for (content, expected) in [
        (
            b"icmp:\n\tinterval: 1s\n".to_vec(),
            "DIR/f.yml:2: is not valid YAML: ",
        ),
        (
            b"icmp: {}\n---\nicmp: {}\n".to_vec(),
            "DIR/f.yml:2: is not valid YAML: ",
        ),
        (
            b"icmp: \xff\n".to_vec(),
            "DIR/f.yml:1: is not valid YAML: it is not UTF-8 text\n",
        ),
        (
            b"\xff\xfei\0c\0m\0p\0".to_vec(),
            "DIR/f.yml:1: is not valid YAML: it is not UTF-8 text\n",
        ),
        (b"\x7fELF\0\0".to_vec(), "DIR/f.yml:1: is not valid YAML: "),
        (
            b"icmp\n".to_vec(),
            "DIR/f.yml:1: is not a mapping of keys to values\n",
        ),
        (
            b"- icmp\n".to_vec(),
            "DIR/f.yml:1: is not a mapping of keys to values\n",
        ),
        (bomb.into_bytes(), "DIR/f.yml:"),
        (
            vec![b'#'; 9 << 20],
            "DIR/f.yml: is larger than 8388608 bytes\n",
        ),
        (
            "[".repeat(9_000).into_bytes(),
            "DIR/f.yml:1: is not valid YAML: ",
        ),
    ] {
        let (status, said) = check(&content).await;
        let shown = String::from_utf8_lossy(&content[..content.len().min(40)]).into_owned();
        assert_eq!(status, BAD, "{shown:?}: {said}");
        assert!(said.starts_with(expected), "{shown:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{shown:?}: {said}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let host = Host::bare();
    for (name, expected) in [
        (
            "missing.yml",
            "DIR/missing.yml: cannot be read: No such file or directory",
        ),
        (".", "DIR/.: cannot be read: Is a directory"),
    ] {
        let args = ["--config.check", "--config.file", &host.name(name)];
        let printed = host.run(&args).await;
        assert_eq!(printed.status, BAD);
        assert!(printed.stderr.starts_with(expected), "{}", printed.stderr);
    }
}

#[tokio::test]
async fn problems_of_both_files_come_together() {
    let host = Host::bare();
    let ours = host.file("f.yml", "colour: red\n");
    let webs = host.file("web.yml", "\n\nbasic_auth_user: {}\n");
    let args = [
        "--config.check",
        "--config.file",
        &ours,
        "--web.config.file",
        &webs,
    ];
    let printed = host.run(&args).await;
    assert_eq!(printed.status, BAD);
    let lines: Vec<&str> = printed.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("DIR/f.yml:1: colour: is not a known key"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("DIR/web.yml:3: basic_auth_user: is not a known key"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn both_files_or_one_may_be_checked() {
    let host = Host::bare();
    let ours = host.file("f.yml", "");
    let webs = host.file("web.yml", "");
    let both = [
        "--config.check",
        "--config.file",
        &ours,
        "--web.config.file",
        &webs,
    ];
    for (args, expected) in [
        (&both[..], "DIR/f.yml: valid\nDIR/web.yml: valid\n"),
        (
            &["--config.check", "--web.config.file", &webs],
            "DIR/web.yml: valid\n",
        ),
    ] {
        let printed = host.run(args).await;
        assert_eq!(
            (printed.status, printed.stdout.as_str()),
            (0, expected),
            "{args:?}"
        );
    }
}

/// The check and the start say the same.
#[tokio::test]
async fn a_bad_file_ends_the_start_too() {
    let host = Host::bare();
    let file = host.file("f.yml", "colour: red\n");
    let started = host.run(&["--config.file", &file]).await;
    let checked = host.run(&["--config.check", "--config.file", &file]).await;
    assert_eq!(started.status, BAD);
    assert_eq!(started.stderr, checked.stderr);
}
