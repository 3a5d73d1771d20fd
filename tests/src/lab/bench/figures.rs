//! What one run of the benchmark took, read from the simulator's log of calls, and the table of all
//! runs. Pure; `bench` calls it.

use std::{fmt::Write as _, time::Duration};

use crate::sim::{
    call_log::{CallId, CallRecord},
    clock::At,
};

/// What must be the first command that changes anything.
pub(super) const COMMAND: &str = "nopclearfail -m1 -r";

/// What the echoes of a look take by design: four waits of 200 ms between five of them.
const ECHOES: Duration = Duration::from_millis(4 * 200);

/// What one run took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// From the POST to the start of the command.
    pub(super) total: Duration,
    /// From the POST to the first look's tools.
    until_first: Duration,
    /// From the first look's tools to the second's.
    between: Duration,
    /// From the second look's tools to the command.
    after_second: Duration,
    /// The slowest tool of the first look, which is the remediator's.
    first_tools: Duration,
    /// The slowest tool of the second look, which is the host runner's own under its lock.
    second_tools: Duration,
}

impl Run {
    /// Reads it from the log; `None` if anything else was run than two looks and the command.
    pub(super) fn of(posted: At, records: &[CallRecord]) -> Option<Self> {
        let calls = calls(posted, records);
        let command = calls.iter().position(|call| call.line == COMMAND)?;
        let (looks, after) = calls.split_at(command);
        if looks
            .iter()
            .any(|call| !matches!(call.line.as_str(), "enquiry" | "stattree"))
        {
            return None;
        }
        let mut enquiries = (0..).zip(looks).filter(|(_, call)| call.line == "enquiry");
        let (Some(_), Some((second, _)), None) =
            (enquiries.next(), enquiries.next(), enquiries.next())
        else {
            return None;
        };
        // `stattree` starts beside the first `enquiry`, so it may stand before that one.
        let (first, second) = looks.split_at(second);
        let began = |look: &[Call]| look.iter().map(|call| call.at).min();
        let slowest = |look: &[Call]| look.iter().map(|call| call.took).max().flatten();
        let (first_at, second_at) = (began(first)?, began(second)?);
        let command_at = after.first()?.at;
        Some(Self {
            total: command_at.since(posted),
            until_first: first_at.since(posted),
            between: second_at.since(first_at),
            after_second: command_at.since(second_at),
            first_tools: slowest(first)?,
            second_tools: slowest(second)?,
        })
    }

    /// The waits by design. A look's tools run beside its echoes: the longer of both counts.
    fn floor(&self) -> Duration {
        self.first_tools.max(ECHOES) + self.second_tools.max(ECHOES)
    }

    /// The programs' own time.
    fn above_floor(&self) -> Duration {
        self.total.saturating_sub(self.floor())
    }
}

/// A call of a simulated tool.
struct Call {
    at: At,
    line: String,
    took: Option<Duration>,
}

/// The calls since `posted`, in the order of the log.
fn calls(posted: At, records: &[CallRecord]) -> Vec<Call> {
    let since = records.iter().filter(|record| at(record) >= posted);
    since
        .filter_map(|record| match record {
            CallRecord::Start {
                call, tool, argv, ..
            } => Some(Call {
                at: at(record),
                line: [
                    std::slice::from_ref(tool),
                    argv.get(1..).unwrap_or_default(),
                ]
                .concat()
                .join(" "),
                took: took(call, records),
            }),
            CallRecord::End { .. } => None,
        })
        .collect()
}

/// How long a call took; `None` while it runs.
fn took(of: &CallId, records: &[CallRecord]) -> Option<Duration> {
    records.iter().find_map(|record| match record {
        CallRecord::End {
            call, duration_ms, ..
        } if call == of => Some(Duration::from_millis(*duration_ms)),
        CallRecord::End { .. } | CallRecord::Start { .. } => None,
    })
}

/// The moment of a record.
pub(super) fn at(record: &CallRecord) -> At {
    match record {
        CallRecord::Start { boot_ms, .. } | CallRecord::End { boot_ms, .. } => At(*boot_ms),
    }
}

/// The table, in Markdown: what, median, how measured.
pub(super) fn table(runs: &[Run]) -> String {
    let ms = |of: fn(&Run) -> Duration, percent| quantile(runs.iter().map(of), percent).as_millis();
    let median = |of| ms(of, 50);
    let mut table = String::from("| what | median | how measured |\n|---|---|---|\n");
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        table,
        "| webhook to first vendor command | {} ms | `vcm-lab bench`: from just before the POST of one \
         `VcmFailed` alert to the start of `{COMMAND}`; {} runs, each with a new estate, store and \
         remediator; simulated tools, `not_before` and `spacing` 0 s; p90 {} ms |",
        median(|run| run.total),
        runs.len(),
        ms(|run| run.total, 90),
    );
    let _ = writeln!(
        table,
        "| of it waits by design | {} ms | two looks, the remediator's and the host runner's own, each \
         with five echoes 200 ms apart; `enquiry` ({} ms and {} ms here, simulated) runs beside the \
         echoes and counts where it takes longer |",
        median(Run::floor),
        median(|run| run.first_tools),
        median(|run| run.second_tools),
    );
    let _ = writeln!(
        table,
        "| of it the programs' own time | {} ms | the rest of each run; p90 {} ms; POST to first look \
         {} ms, first look to second {} ms, second look to command {} ms |",
        median(Run::above_floor),
        ms(Run::above_floor, 90),
        median(|run| run.until_first),
        median(|run| run.between),
        median(|run| run.after_second),
    );
    table
}

/// The smallest of `values` that at least `percent` of them do not exceed; zero without values.
fn quantile(values: impl Iterator<Item = Duration>, percent: usize) -> Duration {
    let mut values: Vec<Duration> = values.collect();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    let value = values.get(rank.saturating_sub(1));
    value.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A call that began at `at_ms` and took `took_ms`.
    fn call(at_ms: u64, line: &str, took_ms: u64) -> Vec<CallRecord> {
        let words: Vec<&str> = line.split(' ').collect();
        let end_ms = at_ms + took_ms;
        let records = json!([
            {"record": "start", "call": format!("{at_ms}-{line}"), "unix_ms": 0, "boot_ms": at_ms,
             "tool": words[0], "argv": words, "pid": 1, "ppid": 1, "uid": 0},
            {"record": "end", "call": format!("{at_ms}-{line}"), "unix_ms": 0, "boot_ms": end_ms,
             "tool": words[0], "pid": 1, "exit_code": 0, "duration_ms": took_ms},
        ]);
        serde_json::from_value(records).unwrap()
    }

    fn log(calls: &[(u64, &str, u64)]) -> Vec<CallRecord> {
        let calls = calls
            .iter()
            .flat_map(|(at, line, took)| call(*at, line, *took));
        calls.collect()
    }

    const ENQUIRY: &str = "enquiry";

    #[test]
    fn takes_a_run_apart_and_ignores_what_was_before_the_post() {
        let records = log(&[
            (40, ENQUIRY, 9),
            (110, "stattree", 5),
            (112, ENQUIRY, 30),
            (950, ENQUIRY, 2_000),
            (3_000, COMMAND, 1),
            (4_000, ENQUIRY, 2),
        ]);
        let run = Run::of(At(100), &records).unwrap();
        let ms = Duration::from_millis;
        assert_eq!(run.total, ms(2_900));
        assert_eq!(
            (run.until_first, run.between, run.after_second),
            (ms(10), ms(840), ms(2_050))
        );
        assert_eq!((run.first_tools, run.second_tools), (ms(30), ms(2_000)));
        assert_eq!(
            run.floor(),
            ms(2_800),
            "800 of echoes, 2,000 of a slow enquiry"
        );
        assert_eq!(run.above_floor(), ms(100));
    }

    #[test]
    fn a_run_of_another_shape_gives_no_figures() {
        let (one, two) = ((110, ENQUIRY, 5), (950, ENQUIRY, 5));
        let command = (1_900, COMMAND, 1);
        let of = |calls: &[_]| Run::of(At(100), &log(calls));
        assert!(of(&[one, two, command]).is_some());
        assert_eq!(of(&[one, two]), None, "no command");
        assert_eq!(of(&[one, command]), None, "one look");
        assert_eq!(of(&[one, two, (1_000, ENQUIRY, 5), command]), None, "three");
        assert_eq!(of(&[one, two, (1_000, "enquiry -m0", 5), command]), None);
        assert_eq!(
            of(&[one, two, (1_000, "nopclearfail -m2 -r", 5), command]),
            None
        );
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let of = |values: &[u64], percent| {
            let values = values.iter().copied().map(Duration::from_millis);
            quantile(values, percent).as_millis()
        };
        assert_eq!(of(&[3, 1, 2], 50), 2);
        assert_eq!(of(&[4, 1, 2, 3], 50), 2);
        assert_eq!(of(&[10, 1, 2, 3, 4, 5, 6, 7, 8, 9], 90), 9);
        assert_eq!(of(&[7], 90), 7);
        assert_eq!(of(&[], 50), 0);
    }
}
