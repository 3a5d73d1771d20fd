//! The command line against a program with a scripted host: what it prints, and its exit codes.

#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is started here"
)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use nshield::ModuleState;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, spawn_blocking};
use vcm_recovery::policy::Mode;
use vcm_remediator::config::operators::Operators;
use vcm_remediator::host::document::Status;
use vcm_remediator::web::server;

use crate::program::{ALICE, Program, Setting};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-remediator");

/// A program that listens, and the token of alice in a file.
struct Served {
    program: Program,
    url: String,
    token: NamedTempFile,
    _serving: JoinSet<()>,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Served {
    async fn start(setting: Setting) -> Self {
        let program = Program::start(setting).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(server::run(
            listener,
            program.router(),
            std::future::pending(),
        ));
        let mut token = NamedTempFile::new().unwrap();
        writeln!(token, "{ALICE}").unwrap();
        Self {
            program,
            url,
            token,
            _serving: serving,
        }
    }

    /// Runs a command line, with the token where `known`.
    async fn run_as(&self, known: bool, line: &[&str]) -> Said {
        let mut command = Command::new(PROGRAM);
        command.args(line).args(["--server", &self.url]);
        command.env_remove("VCM_REMEDIATOR_TOKEN_FILE");
        if known {
            command.env("VCM_REMEDIATOR_TOKEN_FILE", self.token.path());
        }
        said(command).await
    }

    async fn run(&self, line: &[&str]) -> Said {
        self.run_as(true, line).await
    }
}

async fn said(mut command: Command) -> Said {
    command.stdin(Stdio::null());
    let Output {
        status,
        stdout,
        stderr,
    } = spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    Said {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

async fn asking() -> Served {
    let served = Served::start(Setting {
        mode: Mode::Approve,
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await;
    served.program.fire().await;
    let asked = |incident: &Value| incident["request"].is_object();
    served.program.incident(asked).await;
    served
}

#[tokio::test]
async fn approve_without_a_rung_shows_whom_each_choice_disrupts_and_does_nothing() {
    let served = asking().await;
    let said = served.run_as(false, &["approve", "tenant-1#1"]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    for part in [
        "request tenant-1#1 about tenant-1/1",
        "retry: disrupts nobody that is known of",
        "runs nopclearfail -m1 -r",
        "asks because",
        "Nothing was done",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in {said:?}");
    }
    assert!(served.program.runner.orders().is_empty());
    let said = served
        .run(&["approve", "tenant-1#1", "--format", "json"])
        .await;
    let request: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &request["id"]), (Some(2), &json!("tenant-1#1")));
    let said = served.run(&["approve", "tenant-1#2"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err.contains("request tenant-1#2 is not open"),
        "{said:?}"
    );
}

#[tokio::test]
async fn approve_with_a_rung_lets_it_start_and_says_what_was_recorded() {
    let served = asking().await;
    let line = [
        "approve",
        "tenant-1#1",
        "--rung",
        "clear",
        "--reason",
        "seen",
    ];
    let said = served.run(&line).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err.contains("request #1 does not offer clear"),
        "{said:?}"
    );
    let line = [
        "approve",
        "tenant-1#1",
        "--rung",
        "retry",
        "--reason",
        "seen",
    ];
    let said = served.run(&line).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("request #1: alice approves retry: seen"),
        "{said:?}"
    );
    let ordered = || (!served.program.runner.orders().is_empty()).then_some(());
    served.program.seen("/api/v1/fleet", |_| ordered()).await;
}

#[tokio::test]
async fn deny_leaves_the_alternatives_out() {
    let served = asking().await;
    let said = served.run(&["deny", "tenant-1#1", "--reason", "no"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("alice decides for nothing: no"),
        "{said:?}"
    );
    let said = served.run(&["incidents", "show", "tenant-1/1"]).await;
    assert!(
        said.out
            .contains("retry is left out: alice decided against it"),
        "{said:?}"
    );
}

#[tokio::test]
async fn pause_hold_and_their_ends_are_one_line_each_and_show_in_the_list() {
    let served = Served::start(Setting::default()).await;
    let orders = [
        (
            &["pause", "--for", "2h", "--reason", "change"][..],
            "everything is paused by alice until 2",
        ),
        (
            &["hold", "tenant-1/2", "--reason", "case"],
            "tenant-1/2: held by alice until somebody ends it: case",
        ),
        (
            &[
                "hold",
                "tenant-1",
                "--until",
                "2099-01-01T00:00:00Z",
                "--reason",
                "far",
            ],
            "",
        ),
    ];
    for (line, part) in orders {
        let said = served.run(line).await;
        let refused = part.is_empty();
        assert_eq!(said.code, Some(i32::from(refused)), "{said:?}");
        assert!(said.out.contains(part), "{said:?}");
        assert_eq!(said.err.contains("at most"), refused, "{said:?}");
    }
    let list = served.run_as(false, &["incidents", "list"]).await;
    assert_eq!(list.code, Some(0), "{list:?}");
    for part in [
        "PAUSED by alice until 2",
        "HELD tenant-1/2 by alice until somebody ends it: case",
        "no open incidents; mode act",
    ] {
        assert!(list.out.contains(part), "{part:?} is not in {list:?}");
    }
    let ends = [
        (
            &["release", "tenant-1/2", "--reason", "done"][..],
            "tenant-1/2: the hold is ended by alice: done",
        ),
        (
            &["resume", "--reason", "done"],
            "the pause is ended by alice: done",
        ),
    ];
    for (line, part) in ends {
        let said = served.run(line).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains(part), "{said:?}");
        let again = served.run(line).await;
        assert_eq!(again.code, Some(1), "{again:?}");
    }
    let list = served.run(&["incidents", "list", "--format", "json"]).await;
    let list: Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(list["holds"], json!([]));
}

#[tokio::test]
async fn attempts_are_listed_and_the_unknown_one_resolved() {
    let served = Served::start(Setting {
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await;
    let program = &served.program;
    program
        .runner
        .script(|script| script.status = Status::NotFound);
    program.fire().await;
    let unknown = |list: &Value| {
        let attempt = &list["attempts"][0];
        let settled = attempt["outcome"] == json!("unknown");
        settled.then(|| attempt["attempt"].as_str().unwrap().to_owned())
    };
    let id = program.seen("/api/v1/attempts", unknown).await;
    let list = served.run(&["attempts", "list"]).await;
    assert!(list.out.starts_with(&id), "{list:?}");
    assert!(
        list.out.contains("tenant-1/1  retry  unknown: "),
        "{list:?}"
    );
    let line = [
        "attempts", "resolve", &id, "--as", "failed", "--reason", "looked",
    ];
    let said = served.run(&line).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("has failed: looked"), "{said:?}");
    let again = served.run(&line).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.err.contains("is not of unknown outcome"), "{again:?}");
}

#[tokio::test]
async fn incidents_are_shown_reopened_and_closed() {
    let served = Served::start(Setting {
        state: ModuleState::Maintenance,
        ..Setting::default()
    })
    .await;
    served.program.fire().await;
    let latched = |incident: &Value| {
        let pattern = &incident["diagnosis"]["patterns"][0]["name"];
        incident["latch"] == json!("handed_over") && pattern == "in_service"
    };
    served.program.incident(latched).await;
    let shown = served.run(&["incidents", "show", "tenant-1/1"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in [
        "tenant-1/1  handed_over",
        "left to people: ",
        "VCM payments <1>",
        "means: somebody is working on it",
        "  3 clients are connected to the hardserver",
    ] {
        assert!(shown.out.contains(part), "{part:?} is not in {shown:?}");
    }
    let said = served
        .run(&["incidents", "reopen", "tenant-1/1", "--reason", "done"])
        .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("alice has the ladder begin anew: done"),
        "{said:?}"
    );
    let said = served
        .run(&["incidents", "close", "tenant-1/1", "--reason", "gone"])
        .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("alice closes the incident: gone"),
        "{said:?}"
    );
    let said = served.run(&["incidents", "show", "tenant-1/2"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let said = served.run(&["confirm-gap", "--reason", "r"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("no unconfirmed time"), "{said:?}");
}

#[tokio::test]
async fn wrong_arguments_are_2_and_reach_nobody() {
    let served = Served::start(Setting::default()).await;
    for line in [
        &["pause"][..],
        &["pause", "--reason", "r", "--for", "soon"],
        &["pause", "--reason", "r", "--until", "soon"],
        &[
            "pause",
            "--reason",
            "r",
            "--for",
            "1h",
            "--until",
            "2099-01-01T00:00:00Z",
        ],
        &["approve", "tenant-1", "--rung", "retry", "--reason", "r"],
        &[
            "approve",
            "tenant-1#1",
            "--rung",
            "network",
            "--reason",
            "r",
        ],
        &["approve", "tenant-1#1", "--rung", "retry"],
        &["hold", "tenant-1/x", "--reason", "r"],
        &[
            "attempts", "resolve", "7", "--as", "failed", "--reason", "r",
        ],
        &[
            "attempts",
            "resolve",
            "01935bd4-0f3a-7c11-8000-00000000002a",
            "--as",
            "unknown",
            "--reason",
            "r",
        ],
        &["resume", "--reason", "r", "--server", "ftp://x"],
    ] {
        let said = served.run(line).await;
        assert_eq!(said.code, Some(2), "{line:?}: {said:?}");
    }
    let said = served.run_as(false, &["pause", "--reason", "r"]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.err
            .contains("--token-file or $VCM_REMEDIATOR_TOKEN_FILE"),
        "{said:?}"
    );
    assert_eq!(
        served.program.get("/api/v1/fleet").await["pause"],
        json!(null)
    );
}

#[tokio::test]
async fn the_servers_own_words_are_shown_when_it_refuses() {
    let served = Served::start(Setting {
        operators: Operators::default(),
        ..Setting::default()
    })
    .await;
    let said = served.run(&["pause", "--reason", "r"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("under web.operators"), "{said:?}");
    assert!(!said.err.contains(ALICE), "{said:?}");
    let missing = [
        "pause",
        "--reason",
        "r",
        "--token-file",
        "/nonexistent/token",
    ];
    let said = served.run(&missing).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err.contains("cannot read /nonexistent/token"),
        "{said:?}"
    );
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["incidents", "list", "--server", &format!("http://{nobody}")]);
    let unheard = self::said(command).await;
    assert_eq!(unheard.code, Some(1), "{unheard:?}");
    assert!(
        unheard
            .err
            .contains(&format!("{nobody} cannot be asked: cannot connect")),
        "{unheard:?}"
    );
}

#[tokio::test]
async fn every_command_explains_itself_with_an_example() {
    for words in [
        &["approve"][..],
        &["deny"],
        &["pause"],
        &["resume"],
        &["hold"],
        &["release"],
        &["attempts", "list"],
        &["attempts", "resolve"],
        &["incidents", "list"],
        &["incidents", "show"],
        &["incidents", "reopen"],
        &["incidents", "close"],
        &["confirm-gap"],
    ] {
        let mut command = Command::new(PROGRAM);
        command.args(words).arg("--help");
        let help = said(command).await;
        assert_eq!(help.code, Some(0), "{help:?}");
        let example = format!("Example:\n  vcm-remediator {}", words.join(" "));
        assert!(
            help.out.contains(&example),
            "{example:?} is not in {help:?}"
        );
    }
}
