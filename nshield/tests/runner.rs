//! The child-process runner against real processes that misbehave.
#![cfg(feature = "runner")]
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

use std::io::{Read, Seek};
use std::time::Duration;

use nshield::runner::{
    Ending, Exit, Fate, Invocation, ProcessIdentity, Run, StartError, run, start,
};
use tokio::time::Instant;

/// Long enough that no healthy command of these tests reaches it on a loaded machine.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

fn shell(script: &str, deadline: Duration) -> Invocation {
    Invocation::new("/bin/sh", ["-c", script], deadline).with_grace(Duration::from_millis(300))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Reads the process id that a script printed, and waits until that process has ended.
async fn assert_ends(output: &[u8]) {
    let pid: i32 = text(output)
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let until = Instant::now() + LONG;
    while ProcessIdentity::of(pid).is_some_and(|process| process.is_alive()) {
        assert!(Instant::now() < until, "process {pid} was left behind");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn assert_timed_out_and_gone(run: &Run) {
    assert!(
        matches!(run.ending, Ending::TimedOut(Fate::Gone)),
        "{:?}",
        run.ending
    );
    assert!(!run.left_behind);
}

#[tokio::test]
async fn reports_output_and_exit_status_apart() {
    let run = run(shell("echo good; echo bad >&2; exit 1", LONG))
        .await
        .unwrap();
    assert!(
        matches!(run.ending, Ending::Exited(Exit::Code(1))),
        "{:?}",
        run.ending
    );
    assert!(!run.succeeded());
    assert_eq!((text(&run.stdout), text(&run.stderr)), ("good\n", "bad\n"));
    assert!(run.end_of_file && !run.left_behind);
}

#[tokio::test]
async fn reports_the_signal_that_ended_a_process() {
    let run = run(shell("kill -9 $$", LONG)).await.unwrap();
    assert!(
        matches!(run.ending, Ending::Exited(Exit::Signal(9))),
        "{:?}",
        run.ending
    );
}

#[tokio::test]
async fn passes_arguments_verbatim_and_nothing_of_our_environment() {
    let script = "printf '%s|' \"$@\"; env | sort; cat; pwd";
    let invocation = Invocation::new("/bin/sh", ["-c", script, "sh", "a b", "$(id)", ""], LONG)
        .with_env("NFAST_SERVER", "/tmp/socket");
    let run = run(invocation).await.unwrap();
    let (arguments, rest) = text(&run.stdout).split_at("a b|$(id)||".len());
    assert_eq!(arguments, "a b|$(id)||");
    let own = rest
        .lines()
        .filter(|line| !line.starts_with("_=") && !line.starts_with("PWD="));
    assert_eq!(
        own.filter(|line| !line.starts_with("SHLVL="))
            .collect::<Vec<_>>(),
        [
            "LC_ALL=C",
            "NFAST_SERVER=/tmp/socket",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "/"
        ],
        "standard input is closed, the locale fixed and nothing inherited"
    );
}

#[tokio::test]
async fn prefix_words_come_before_the_program() {
    let invocation = Invocation::new("/bin/echo", ["-m1"], LONG).prefixed(["/usr/bin/env", "-i"]);
    assert_eq!(invocation.program(), "/usr/bin/env");
    let run = run(invocation).await.unwrap();
    assert_eq!(text(&run.stdout), "-m1\n");
}

#[tokio::test]
async fn never_searches_for_a_program() {
    let relative = Invocation::new("sh", ["-c", "true"], LONG);
    assert!(matches!(
        run(relative).await,
        Err(StartError::NotAbsolute { .. })
    ));
    let absent = Invocation::new("/nonexistent/enquiry", [""; 0], LONG);
    assert!(matches!(
        run(absent).await,
        Err(StartError::NotFound { .. })
    ));
    let not_executable = Invocation::new("/etc/passwd", [""; 0], LONG);
    assert!(matches!(
        run(not_executable).await,
        Err(StartError::PermissionDenied { .. })
    ));
    let directory = Invocation::new("/etc", [""; 0], LONG);
    assert!(matches!(
        run(directory).await,
        Err(StartError::Other { .. })
    ));
}

#[tokio::test]
async fn ends_a_process_that_hangs_and_keeps_what_it_printed() {
    let run = run(shell("echo $$; exec sleep 600", SHORT)).await.unwrap();
    assert_timed_out_and_gone(&run);
    assert!(run.elapsed < LONG, "TERM was enough");
    assert_ends(&run.stdout).await;
}

#[tokio::test]
async fn kills_a_process_that_ignores_term() {
    let run = run(shell(
        "trap '' TERM; echo $$; while :; do sleep 600; done",
        SHORT,
    ))
    .await;
    let run = run.unwrap();
    assert_timed_out_and_gone(&run);
    assert_ends(&run.stdout).await;
}

#[tokio::test]
async fn a_command_that_is_never_killed_is_still_running_until_it_ends_itself() {
    let directory = tempfile::tempdir().unwrap();
    let go = directory.path().join("go");
    let script = format!(
        "trap '' TERM; while ! [ -e {} ]; do sleep 0.05; done",
        go.display()
    );
    let ignores = run(shell(&script, SHORT).never_killed()).await.unwrap();
    let Ending::TimedOut(Fate::StillRunning(outliving)) = ignores.ending else {
        panic!("{:?}", ignores.ending)
    };
    assert!(outliving.identity().unwrap().is_alive());
    std::fs::write(&go, "").unwrap();
    assert_eq!(outliving.gone().await, Exit::Code(0));
    let obeys = run(shell("sleep 60", SHORT).never_killed()).await.unwrap();
    assert_timed_out_and_gone(&obeys);
}

#[tokio::test]
async fn ends_the_children_of_a_process_that_hangs() {
    let run = run(shell("sleep 600 & echo $!; wait", SHORT))
        .await
        .unwrap();
    assert_timed_out_and_gone(&run);
    assert_ends(&run.stdout).await;
}

#[tokio::test]
async fn does_not_hang_on_a_grandchild_that_holds_the_pipe() {
    let run = run(shell("sleep 600 & echo $!; exit 0", LONG))
        .await
        .unwrap();
    assert!(
        matches!(run.ending, Ending::Exited(Exit::Code(0))),
        "{:?}",
        run.ending
    );
    assert!(!run.end_of_file, "the output may be cut short");
    assert!(run.elapsed < LONG);
    assert_ends(&run.stdout).await;
}

#[tokio::test]
async fn ends_a_grandchild_that_ignores_term_and_closed_the_pipe() {
    let script = "(trap '' TERM; exec sleep 600) >/dev/null 2>&1 & echo $!; exit 0";
    let run = run(shell(script, LONG)).await.unwrap();
    assert!(run.succeeded() && run.end_of_file && !run.left_behind);
    assert_ends(&run.stdout).await;
}

#[tokio::test]
async fn stops_a_process_that_prints_without_end() {
    let script = "echo $$; exec head -c 100000000 /dev/zero";
    let run = run(shell(script, LONG)).await.unwrap();
    assert!(
        matches!(run.ending, Ending::OutputLimit(Fate::Gone)),
        "{:?}",
        run.ending
    );
    assert_eq!(run.stdout.len(), nshield::runner::OUTPUT_LIMIT);
    let pid_line = run.stdout.split(|byte| *byte == b'\n').next().unwrap();
    assert_ends(pid_line).await;
}

#[tokio::test]
async fn output_of_exactly_the_limit_is_whole() {
    for (bytes, over) in [(999, false), (1_000, false), (1_001, true)] {
        let script = format!("head -c {bytes} /dev/zero");
        let run = run(shell(&script, LONG).with_output_limit(1_000))
            .await
            .unwrap();
        assert_eq!(
            matches!(run.ending, Ending::OutputLimit(_)),
            over,
            "{bytes}: {:?}",
            run.ending
        );
        assert_eq!(run.end_of_file, !over);
    }
}

/// It goes on being read, so that it can end; what it closes meanwhile does not make whole what was
/// cut. It may do so in the moment between its last byte and its end, too.
#[tokio::test]
async fn output_over_the_limit_is_never_whole() {
    let script = "trap '' TERM; head -c 1001 /dev/zero; exec >&- 2>&-; exec sleep 600";
    let run = run(shell(script, LONG).with_output_limit(1_000))
        .await
        .unwrap();
    let ending = &run.ending;
    assert!(matches!(ending, Ending::OutputLimit(_)), "{ending:?}");
    assert_eq!(run.stdout.len(), 1_000);
    assert!(!run.end_of_file);
}

#[tokio::test]
async fn both_outputs_share_one_limit() {
    let script = "head -c 600 /dev/zero; head -c 600 /dev/zero >&2";
    let run = run(shell(script, LONG).with_output_limit(1_000))
        .await
        .unwrap();
    assert!(
        matches!(run.ending, Ending::OutputLimit(_)),
        "{:?}",
        run.ending
    );
    assert_eq!(run.stdout.len() + run.stderr.len(), 1_000);
}

#[tokio::test]
async fn dropping_a_run_kills_the_group() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let script = format!("sleep 600 & echo $! >{}; wait", file.path().display());
    let running = tokio::time::timeout(SHORT, run(shell(&script, LONG))).await;
    assert!(running.is_err(), "still running when dropped");
    let mut pid = Vec::new();
    file.read_to_end(&mut pid).unwrap();
    assert_ends(&pid).await;
}

#[tokio::test]
async fn leaves_an_uninterruptible_command_running_at_its_deadline() {
    let mut output = tempfile::tempfile().unwrap();
    let script = "echo before; sleep 1; echo after; exit 3";
    let invocation = shell(script, SHORT).uninterruptible(output.try_clone().unwrap());
    let run = run(invocation).await.unwrap();
    assert!(run.left_behind);
    let Ending::TimedOut(Fate::StillRunning(outliving)) = run.ending else {
        panic!("{:?}", run.ending)
    };
    assert!(outliving.identity().unwrap().is_alive());
    assert_eq!(outliving.gone().await, Exit::Code(3));
    let mut printed = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut printed).unwrap();
    assert_eq!(
        printed, "before\nafter\n",
        "the file outlives the run, as a pipe would not"
    );
}

#[tokio::test]
async fn leaves_the_daemon_that_an_uninterruptible_command_started() {
    let mut output = tempfile::tempfile().unwrap();
    let invocation = shell("sleep 2 & echo $!", LONG);
    let run = run(invocation.uninterruptible(output.try_clone().unwrap()))
        .await
        .unwrap();
    assert!(run.succeeded() && run.left_behind);
    let mut pid = Vec::new();
    output.rewind().unwrap();
    output.read_to_end(&mut pid).unwrap();
    let pid: i32 = text(&pid).trim().parse().unwrap();
    assert!(ProcessIdentity::of(pid).unwrap().is_alive());
}

#[tokio::test]
async fn names_a_process_before_it_has_ended() {
    let running = start(shell("exec sleep 600", SHORT)).unwrap();
    let identity = running.identity().unwrap();
    assert!(identity.is_alive());
    assert_timed_out_and_gone(&running.finish().await);
    assert!(!identity.is_alive());
}
