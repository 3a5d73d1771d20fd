//! `vcm-lab bench`: how long it takes from a webhook to the first command that changes anything.
//! `tests/bench` makes it a part of the README's table.
//!
//! Remediator, host runner and store are the real ones; Prometheus, Alertmanager and the exporter
//! are left out, so that nothing else runs. Both ends are read from the boot clock: the moment just
//! before the POST, and the start of the command as the simulator logged it.

pub mod exporter;
mod figures;

use std::time::Duration;

use serde_json::json;

use super::{
    LabError,
    alerts::{Alert, body},
    estate::{Estate, Vcm},
    remediator::{HOST, Permissions, Remediator},
    wait,
    workspace::{Workspace, free_address},
};
use crate::sim::{
    call_log::CallRecord,
    clock::{self, At},
};
use figures::{COMMAND, Run, table};

/// How long the host must not have been looked at before the alert comes. A look of less than 5 s
/// ago is not repeated for a new alert, and a remediator that nothing has woken has none.
const UNSEEN: Duration = Duration::from_secs(6);

/// How long the host may take to be unseen, and the command to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures `runs` times, each in a lab of its own, and prints a Markdown table.
///
/// # Errors
/// If this is no release build, a lab fails, or something else runs than the command expected.
pub async fn run(runs: u32) -> Result<(), LabError> {
    if cfg!(debug_assertions) {
        let remedy = "figures are of the release build: run tests/bench".to_owned();
        return Err(LabError::NotPermitted(remedy));
    }
    let mut measured = Vec::new();
    for number in 1..=runs {
        let run = once().await?;
        progress(&format!("run {number} of {runs}: {:?}", run.total));
        measured.push(run);
    }
    show(&table(&measured));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what was asked for")]
fn show(table: &str) {
    print!("{table}");
}

#[expect(clippy::print_stderr, reason = "for a person who waits for minutes")]
fn progress(line: &str) {
    eprintln!("{line}");
}

/// One run, from a healthy host to the command.
async fn once() -> Result<Run, LabError> {
    let mut workspace = Workspace::create("bench")?;
    let estate = Estate::install(&workspace, vec![Vcm::numbered(1)], &[]).await?;
    let permissions = Permissions {
        policy: json!({"retry": {"not_before": "0s"}, "spacing": "0s"}),
        ..Permissions::default()
    };
    let config = Remediator::configure(&workspace, &estate, &permissions)?;
    let remediator = Remediator::start(&mut workspace, config, free_address()?).await?;
    unseen(&estate, clock::now()).await?;
    estate
        .ctl(&["fail-module", "1", "--reason", "needs-retry"])
        .await?;
    let posted = clock::now();
    post(&remediator).await?;
    wait::until(COMMAND, PATIENCE, async || {
        Ok(estate.changes()?.into_iter().next())
    })
    .await?;
    let records = records(&estate)?;
    Run::of(posted, &records).ok_or_else(|| LabError::Unwanted {
        what: format!("anything but two looks and {COMMAND}"),
        found: format!("{records:?}"),
    })
}

/// Waits until no tool has run for [`UNSEEN`], nor since the remediator is ready.
async fn unseen(estate: &Estate, ready: At) -> Result<(), LabError> {
    wait::until("the host to be left alone", PATIENCE, async || {
        let records = records(estate)?;
        let newest = records.iter().map(figures::at).max();
        let alone = clock::now().since(newest.unwrap_or(ready).max(ready));
        Ok((alone >= UNSEEN).then_some(()))
    })
    .await
}

async fn post(remediator: &Remediator) -> Result<(), LabError> {
    let alert = Alert::firing("VcmFailed")
        .label("host", HOST)
        .label("module", "1");
    let path = "/api/v1/alerts/webhook";
    let answer = remediator.client.post(path, body(&[alert])).await?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(LabError::Answer {
        asked: format!("POST {path}"),
        answer: format!("{} {}", answer.status, answer.body),
    })
}

/// The complete lines of the simulator's log of calls.
fn records(estate: &Estate) -> Result<Vec<CallRecord>, LabError> {
    let path = estate.root().join("sim/calls.jsonl");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(LabError::reading(path)(error)),
    }
}
