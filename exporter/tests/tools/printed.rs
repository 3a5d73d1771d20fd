//! The manual page, the completions and the help as the program prints them.

use crate::host::Host;

#[tokio::test]
async fn prints_manual_page_and_completions() {
    let host = Host::bare();
    for (args, begins) in [
        (&["man"][..], ".ie "),
        (&["completions", "bash"], "_vcm__exporter() {"),
        (&["completions", "zsh"], "#compdef vcm-exporter"),
        (&["completions", "fish"], "# Print an optspec"),
    ] {
        let printed = host.run(args).await;
        assert_eq!(
            (printed.status, printed.stderr.as_str()),
            (0, ""),
            "{args:?}"
        );
        assert!(
            printed.stdout.starts_with(begins),
            "{args:?}: {}",
            printed.stdout
        );
        assert!(printed.stdout.contains("nfast.root"), "{args:?}");
    }
}

#[tokio::test]
async fn help_shows_every_subcommand_and_the_exit_statuses() {
    let host = Host::bare();
    let help = host.run(&["--help"]).await;
    assert_eq!(help.status, 0);
    for word in ["capture", "completions", "man", "--config.check", "78 for"] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    let help = host.run(&["capture", "--help"]).await;
    for word in [
        "C0DE-0000-0001",
        "read the file before you pass it on",
        "--output <FILE>",
    ] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
}

#[tokio::test]
async fn an_unusable_command_line_is_status_2() {
    let host = Host::bare();
    for args in [
        &["--config.check"][..],
        &["capture"],
        &["completions"],
        &["completions", "cmd"],
        &["--web.listen-address", "9808"],
        &["--collector.interval", "5"],
        &["--unknown"],
        &["serve"],
    ] {
        let printed = host.run(args).await;
        assert_eq!(printed.status, 2, "{args:?}");
        assert!(
            printed.stderr.starts_with("error: "),
            "{args:?}: {}",
            printed.stderr
        );
    }
}
