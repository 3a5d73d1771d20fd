//! Why a run of a collector failed, in words for the log. Nobody matches on them.

use std::path::Path;

use nshield::runner::{Ending, Exit, Run, StartError};
use vcm_telemetry::logging::chain;

use crate::commands::FailureReason;

/// At most this many things that an output lacks are listed.
const GAPS_SHOWN: usize = 5;

/// Says what came of a run of a tool that failed for `reason`; `gaps` is what its output lacks.
pub(super) fn of_tool(
    program: &Path,
    run: &Result<Run, StartError>,
    reason: FailureReason,
    gaps: &[String],
) -> String {
    let run = match run {
        Ok(run) => run,
        Err(error) => return chain(error),
    };
    let how = match (&run.ending, reason) {
        (Ending::Exited(_), FailureReason::Permission) => {
            "is not permitted to use the hardserver's socket".to_owned()
        }
        (Ending::Exited(Exit::Code(0)), _) => incomplete(run, gaps),
        (Ending::Exited(Exit::Code(code)), _) => format!("ended with exit status {code}"),
        (Ending::Exited(Exit::Signal(signal)), _) => format!("was ended by signal {signal}"),
        (Ending::Exited(Exit::Unknown), _) => "ended unseen".to_owned(),
        (Ending::TimedOut(_), _) => format!("timed out after {:.1?}", run.elapsed),
        (Ending::OutputLimit(_), _) => "printed more than the output limit".to_owned(),
    };
    format!("{program:?} {how}")
}

fn incomplete(run: &Run, gaps: &[String]) -> String {
    let mut gaps: Vec<&str> = gaps.iter().take(GAPS_SHOWN).map(String::as_str).collect();
    if !run.end_of_file {
        gaps.insert(0, "its output has no end");
    }
    format!("printed an incomplete answer: {}", gaps.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nshield::hardserver::SocketProbe;
    use nshield::runner::{Invocation, run};

    use super::*;

    /// Long enough that no healthy command reaches it on a loaded machine.
    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(100);

    async fn cause(invocation: Invocation, socket: Option<SocketProbe>, gaps: &[&str]) -> String {
        let program = invocation.program().to_owned();
        let run = run(invocation).await;
        let reason = FailureReason::of(&run, socket, gaps.is_empty()).unwrap();
        let gaps: Vec<String> = gaps.iter().map(ToString::to_string).collect();
        of_tool(&program, &run, reason, &gaps)
    }

    fn shell(script: &str, deadline: Duration) -> Invocation {
        Invocation::new("/bin/sh", ["-c", script], deadline)
    }

    #[tokio::test]
    async fn names_the_tool_and_what_came_of_it() {
        let refused = Some(SocketProbe::PermissionDenied);
        for (script, socket, gaps, expected) in [
            ("exit 7", None, &[][..], "ended with exit status 7"),
            ("kill -9 $$", None, &[], "was ended by signal 9"),
            (
                "exit 1",
                refused,
                &[],
                "is not permitted to use the hardserver's socket",
            ),
            (
                "exit 0",
                None,
                &["a is missing", "b is missing"],
                "printed an incomplete answer: a is missing, b is missing",
            ),
            (
                "cat /dev/zero",
                None,
                &[],
                "printed more than the output limit",
            ),
        ] {
            let cause = cause(shell(script, LONG), socket, gaps).await;
            assert_eq!(cause, format!("\"/bin/sh\" {expected}"), "{script}");
        }
        let slow = cause(shell("exec sleep 60", SHORT), None, &[]).await;
        assert!(slow.starts_with("\"/bin/sh\" timed out after "), "{slow}");
    }

    #[tokio::test]
    async fn says_why_a_tool_could_not_be_started() {
        for (program, expected) in [
            (
                "/nope/bin/enquiry",
                "\"/nope/bin/enquiry\" was not found: No such file or directory (os error 2)",
            ),
            (
                "/etc/passwd",
                "not permitted to start \"/etc/passwd\": Permission denied (os error 13)",
            ),
        ] {
            let invocation = Invocation::new(program, [] as [&str; 0], LONG);
            assert_eq!(cause(invocation, None, &[]).await, expected);
        }
    }
}
