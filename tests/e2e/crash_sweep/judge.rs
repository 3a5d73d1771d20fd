//! The properties (design, section 7), judged by what nobody under test can have made up: the
//! simulator's log of calls against the journals and the store's chain.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;
use vcm_lab::lab::{estate::Call, remediator::Event};

use super::{
    chain::Chain,
    journal::Journal,
    kill::{Kill, NEVER, Point, With},
    ladder::Ladder,
};

/// The vendor's wait between `-M` and `-c`, and between two `-c`.
const CLEAR_WAIT_MS: u64 = 30_000;

/// What L4 allows beyond that wait.
const CLEAR_GRACE_MS: u64 = 60_000;

/// How often the resume table repeats what loses nothing.
const REPEATS_MAX: usize = 3;

/// Everything that one end is judged by.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    /// Every call that may have changed something, in order.
    pub(super) calls: Vec<Call>,
    pub(super) journals: Vec<Journal>,
    pub(super) chain: Chain,
    /// Whether every module works.
    pub(super) healthy: bool,
    pub(super) files: PathBuf,
}

impl Evidence {
    /// Every property that does not hold, with what was seen.
    pub(super) fn violations(&self, ladder: &Ladder, point: Point) -> Vec<String> {
        let events = match &self.chain {
            Ok(events) => events,
            Err(error) => return vec![format!("S11: {error}")],
        };
        let found = [
            self.started_once(),
            self.never_hasty(),
            self.sections_are_alone(),
            self.cleared_or_paged(events),
            self.announced(events),
            settled_or_paged(events),
            self.ended(events, ladder, point),
        ];
        found.into_iter().flatten().collect()
    }

    /// S2: no command of an attempt, and none of a rung, is issued again, but for what the resume
    /// table repeats.
    fn started_once(&self) -> Vec<String> {
        let lines: BTreeSet<String> = self.calls.iter().map(Call::line).collect();
        let too_often = |line: &String| {
            let times = self
                .calls
                .iter()
                .filter(|call| call.line() == *line)
                .count();
            let allowed = if repeats(line) { REPEATS_MAX } else { 1 };
            (times > allowed).then(|| format!("S2: {line} was issued {times} times"))
        };
        let several = |line: &String| {
            let issuers = self.calls.iter().filter(|call| call.line() == *line);
            let attempts: BTreeSet<_> = issuers
                .filter_map(|call| Some(&self.journal_of(call)?.attempt))
                .collect();
            (attempts.len() > 1).then(|| format!("S2: {line} was issued by {attempts:?}"))
        };
        let often = lines.iter().filter_map(too_often);
        often.chain(lines.iter().filter_map(several)).collect()
    }

    /// S8: the vendor's wait stands before every `-c`.
    fn never_hasty(&self) -> Vec<String> {
        let section = |call: &&Call| is_enter(call) || is_clear(call);
        let calls: Vec<&Call> = self.calls.iter().filter(section).collect();
        let hasty = |pair: &[&Call]| {
            let span = pair[1].boot_ms.saturating_sub(pair[0].boot_ms);
            (span < CLEAR_WAIT_MS).then(|| {
                format!(
                    "S8: {} came {span} ms after {}",
                    pair[1].line(),
                    pair[0].line()
                )
            })
        };
        calls.windows(2).filter_map(hasty).collect()
    }

    /// S8: from `-M`, and from the stop of the hardserver, until the attempt's journal says that it
    /// is over, only steps of the resume table run.
    fn sections_are_alone(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (index, begin) in self.calls.iter().enumerate() {
            let Some(journal) = self.journal_of(begin).filter(|_| opens_section(begin)) else {
                continue;
            };
            let end = journal.ended.unwrap_or(u64::MAX);
            let inside = self.calls[index + 1..]
                .iter()
                .filter(|call| call.boot_ms <= end);
            found.extend(inside.filter(|call| !belongs(call, begin)).map(|call| {
                format!(
                    "S8: {} ran inside the section of {}",
                    call.line(),
                    begin.line()
                )
            }));
        }
        found
    }

    /// L4: after `-M`, `-c` or a page within the wait and 60 s.
    fn cleared_or_paged(&self, events: &[Event]) -> Vec<String> {
        let late = |enter: &Call| {
            let limit = CLEAR_WAIT_MS + CLEAR_GRACE_MS;
            let cleared = self.calls.iter().any(|call| {
                is_clear(call) && (enter.boot_ms..=enter.boot_ms + limit).contains(&call.boot_ms)
            });
            let paged = events.iter().any(|event| {
                event.kind == "PageRaised"
                    && (enter.time_ms..=enter.time_ms + limit).contains(&event.time_ms)
            });
            (!cleared && !paged)
                .then(|| format!("L4: neither -c nor a page within {limit} ms after -M"))
        };
        self.calls
            .iter()
            .filter(|call| is_enter(call))
            .filter_map(late)
            .collect()
    }

    /// S11: before every effect its intent is in the chain and its record is in the journal.
    fn announced(&self, events: &[Event]) -> Vec<String> {
        let lacking = |call: &Call| {
            let Some(journal) = self.journal_of(call) else {
                return Some("S11: no journal knows who issued");
            };
            let announced = journal.announced(call);
            let intended = events.iter().any(|event| {
                event.kind == "IntentReserved"
                    && event.body["attempt"] == *journal.attempt
                    && event.time_ms <= call.time_ms
            });
            match (announced, intended) {
                (false, _) => Some("S11: the journal did not announce"),
                (_, false) => Some("S11: the chain has no intent before"),
                (true, true) => None,
            }
        };
        let calls = self.calls.iter();
        calls
            .filter_map(|call| Some(format!("{} {}", lacking(call)?, call.line())))
            .collect()
    }

    /// How it must end: recovered with everything healthy, or paged. Where only the remediator
    /// died, as if nobody had.
    fn ended(&self, events: &[Event], ladder: &Ladder, point: Point) -> Vec<String> {
        let mut found = Vec::new();
        let recovered = events
            .iter()
            .any(|event| event.body["ending"] == "recovered");
        let paged = events.iter().any(|event| event.kind == "PageRaised");
        if recovered && !self.healthy {
            found.push("L1: closed as recovered, and a module does not work".to_owned());
        }
        if !recovered && !paged {
            found.push("L1: neither recovered nor paged".to_owned());
        }
        let lines: Vec<String> = self.calls.iter().map(Call::line).collect();
        let undisturbed = matches!(point.kill, Kill::Commit(_) | Kill::RunnerSync(NEVER));
        if undisturbed && (!recovered || lines != ladder.changes) {
            found.push(format!(
                "S2: the host runner was left alone, and {lines:?} were issued"
            ));
        }
        // Only a machine that went down can have taken the effect of a command with it.
        let once: BTreeSet<&String> = lines.iter().collect();
        if point.with != With::Power && once.len() != lines.len() {
            found.push(format!(
                "S2: every effect was had, and {lines:?} were issued"
            ));
        }
        found
    }

    /// The journal of the attempt whose process issued a call. Of one that was killed before its
    /// command could tell who called it, the journal that announced the command.
    fn journal_of(&self, call: &Call) -> Option<&Journal> {
        let mut journals = self.journals.iter();
        let by_process = journals.find(|journal| journal.runners.contains(&call.caller));
        by_process.or_else(|| {
            let mut journals = self.journals.iter();
            journals.find(|journal| journal.announced(call))
        })
    }
}

/// L2: every attempt that was intended has an outcome; where that is unknown, somebody was paged.
fn settled_or_paged(events: &[Event]) -> Vec<String> {
    let intents = events.iter().filter(|event| event.kind == "IntentReserved");
    let lacking = |intent: &Event| {
        let attempt = &intent.body["attempt"];
        let reports = events
            .iter()
            .filter(|event| event.kind == "AttemptReported" && event.body["attempt"] == *attempt);
        let outcome = reports
            .map(|event| &event.body["outcome"])
            .rfind(|it| it.is_string());
        let paged = events
            .iter()
            .any(|event| event.kind == "PageRaised" && event.seq > intent.seq);
        match outcome.and_then(Value::as_str) {
            None => Some(format!("L2: attempt {attempt} has no outcome")),
            Some("unknown") if !paged => Some(format!(
                "L2: attempt {attempt} is unknown, and nobody was paged"
            )),
            Some(_) => None,
        }
    };
    intents.filter_map(lacking).collect()
}

fn is_enter(call: &Call) -> bool {
    call.line().ends_with(" -M")
}

fn is_clear(call: &Call) -> bool {
    call.line().ends_with(" -c")
}

fn repeats(line: &str) -> bool {
    line.ends_with(" -c") || line == "init.d-ncipher start"
}

fn opens_section(call: &Call) -> bool {
    is_enter(call) || call.line().starts_with("init.d-ncipher ")
}

/// Whether a call is a step of the resume table for the section that `begin` opened.
fn belongs(call: &Call, begin: &Call) -> bool {
    if is_enter(begin) {
        is_clear(call) && call.words.get(1) == begin.words.get(1)
    } else {
        call.line() == "init.d-ncipher start"
    }
}

#[cfg(test)]
mod tests;
