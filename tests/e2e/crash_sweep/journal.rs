//! The host runner's journals, read from outside: what was announced, by whom, and when.

use std::path::Path;

use serde_json::Value;
use vcm_lab::lab::{LabError, estate::Call};

/// The journal of one attempt.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    pub(super) attempt: String,
    /// The processes that ran it.
    pub(super) runners: Vec<u32>,
    /// Each command that was announced, and when, in milliseconds of the boot clock.
    pub(super) started: Vec<(u64, String)>,
    /// When nothing more was to be done.
    pub(super) ended: Option<u64>,
}

impl Journal {
    /// Whether a call was announced before it began.
    pub(super) fn announced(&self, call: &Call) -> bool {
        let line = call.line();
        self.started
            .iter()
            .any(|(at, announced)| *at <= call.boot_ms && *announced == line)
    }
}

/// Every journal of a host.
///
/// # Errors
/// If one cannot be read.
pub(super) fn all(state_dir: &Path) -> Result<Vec<Journal>, LabError> {
    let directory = state_dir.join("attempts");
    let Ok(entries) = std::fs::read_dir(&directory) else {
        return Ok(Vec::new());
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .map(|path| {
            let text = std::fs::read_to_string(&path).map_err(|source| LabError::File {
                doing: "reading",
                path: path.clone(),
                source,
            })?;
            let attempt = path.file_stem().unwrap_or_default().to_string_lossy();
            Ok(journal(&attempt, &text))
        })
        .collect()
}

fn journal(attempt: &str, text: &str) -> Journal {
    let mut journal = Journal {
        attempt: attempt.to_owned(),
        ..Journal::default()
    };
    // A torn last line was never written.
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let at = line["entry"]["boottime_ms"].as_u64().unwrap_or_default();
        let record = &line["entry"]["record"];
        let runner = ["accepted", "resumed"].map(|kind| record[kind]["runner"]["pid"].as_u64());
        let runners = runner.into_iter().flatten();
        journal
            .runners
            .extend(runners.filter_map(|pid| u32::try_from(pid).ok()));
        let step = &record["step_started"]["step"];
        journal
            .started
            .extend(command(step).map(|command| (at, command)));
        if record.get("ended").is_some() {
            journal.ended = Some(at);
        }
    }
    journal
}

/// The command line of a step, as the simulator's log shows it.
fn command(step: &Value) -> Option<String> {
    match step.as_str() {
        Some("restart_hardserver") => return Some("init.d-ncipher restart".to_owned()),
        Some("start_hardserver") => return Some("init.d-ncipher start".to_owned()),
        Some(_) | None => {}
    }
    let (name, module) = step.as_object()?.iter().next()?;
    let flag = match name.as_str() {
        "retry_module" => "-r",
        "enter_maintenance" => "-M",
        "clear_module" => "-c",
        _ => return None,
    };
    Some(format!("nopclearfail -m{module} {flag}"))
}
