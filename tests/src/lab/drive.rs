//! Plays a scenario in a running lab and judges its end by the simulator's log of calls.

use std::time::Duration;

use serde_json::Value;

use super::{
    Lab, LabError,
    estate::Call,
    remediator::Event,
    scenario::{End, Fault, Scenario},
    wait,
};

/// The longest that any scenario takes from its fault to its end, on a busy machine: a clear with
/// its real wait of 30 s, after a retry that failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long nothing more may be run after the end, and while ping is lost after the page for it.
const STILL: Duration = Duration::from_secs(5);

/// The vendor's wait between the two commands of a clear.
const CLEAR_WAIT_MS: u64 = 30_000;

/// Plays the scenario from its first fault to its end.
///
/// # Errors
/// If the lab fails, or the end is not the expected one.
pub async fn play(lab: &Lab, scenario: &Scenario) -> Result<(), LabError> {
    for fault in scenario.faults {
        break_it(lab, *fault).await?;
    }
    if scenario.faults.contains(&Fault::PingLost) {
        wait_while_ping_is_lost(lab).await?;
    }
    match scenario.end {
        End::Recovered => recovered(lab).await?,
        End::Asked(reason) => paged(lab, reason).await?,
    }
    if let Some((rung, guard)) = scenario.left_out {
        left_out(lab, rung, guard).await?;
    }
    wait::never("a command after the end", STILL, async || {
        let changes = lab.changes()?;
        Ok((changes.len() > scenario.changes.len()).then_some(changes))
    })
    .await?;
    judge(scenario, &lab.estate.changes()?)
}

async fn break_it(lab: &Lab, fault: Fault) -> Result<(), LabError> {
    match fault {
        Fault::Module(number, reason) => {
            let number = number.to_string();
            lab.estate
                .ctl(&["fail-module", &number, "--reason", reason])
                .await?;
        }
        Fault::HardserverKilled => drop(lab.estate.ctl(&["kill-hardserver"]).await?),
        Fault::HardserverStopped => drop(lab.estate.ctl(&["stop-hardserver"]).await?),
        Fault::PingLost => lab.network()?.lose(&lab.workspace).await?,
    }
    Ok(())
}

/// While ping is lost nothing may run that changes anything, although every time that the retry
/// waits for has passed: the page for the lost network comes later than those.
async fn wait_while_ping_is_lost(lab: &Lab) -> Result<(), LabError> {
    paged(lab, "network_bad").await?;
    wait::never("a command while ping is lost", STILL, async || {
        Ok(Some(lab.changes()?).filter(|changes| !changes.is_empty()))
    })
    .await?;
    lab.network()?.restore(&lab.workspace).await
}

async fn recovered(lab: &Lab) -> Result<(), LabError> {
    lab.event("an incident to be closed as recovered", PATIENCE, |event| {
        event.kind == "IncidentClosed" && event.body["ending"] == "recovered"
    })
    .await?;
    let status = lab.estate.ctl(&["status", "--json"]).await?;
    let status: Value = serde_json::from_str(&status).unwrap_or_default();
    let modules = status["modules"].as_array().cloned().unwrap_or_default();
    let all = !modules.is_empty() && modules.iter().all(|module| module["healthy"] == true);
    if all {
        Ok(())
    } else {
        Err(unexpected(
            "modules that are not healthy",
            &status.to_string(),
        ))
    }
}

async fn paged(lab: &Lab, reason: &str) -> Result<(), LabError> {
    let what = format!("a page with reason {reason}");
    lab.event(&what, PATIENCE, |event| {
        event.kind == "PageRaised" && event.body["reason"] == reason
    })
    .await
    .map(drop)
}

async fn left_out(lab: &Lab, rung: &str, guard: &str) -> Result<(), LabError> {
    let what = format!("{rung} to be left out by {guard}, with a reason");
    lab.event(&what, STILL, |event| skips(event, rung, guard))
        .await
        .map(drop)
}

fn skips(event: &Event, rung: &str, guard: &str) -> bool {
    let verdicts = event.body["verdicts"].as_array();
    verdicts.into_iter().flatten().any(|given| {
        let reason = given["verdict"]["skip"].as_str().unwrap_or_default();
        given["rung"] == rung && given["guard"] == guard && !reason.is_empty()
    })
}

/// Compares the log with what must be in it.
fn judge(scenario: &Scenario, calls: &[Call]) -> Result<(), LabError> {
    let lines: Vec<String> = calls.iter().map(Call::line).collect();
    if lines != scenario.changes {
        let expected = format!("the commands {:?}", scenario.changes);
        return Err(unexpected(
            &format!("other commands than {expected}"),
            &format!("{lines:?}"),
        ));
    }
    let time_of = |flag: &str| {
        calls
            .iter()
            .find(|call| call.words.iter().any(|word| word == flag))
            .map(|call| call.time_ms)
    };
    match (time_of("-M"), time_of("-c")) {
        (Some(begun), Some(done)) if done.saturating_sub(begun) < CLEAR_WAIT_MS => Err(unexpected(
            "a clear that waits less than 30 s",
            &format!("{} ms", done - begun),
        )),
        _ => Ok(()),
    }
}

fn unexpected(what: &str, found: &str) -> LabError {
    LabError::Unwanted {
        what: what.to_owned(),
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(time_ms: u64, line: &str) -> Call {
        Call {
            time_ms,
            words: line.split(' ').map(str::to_owned).collect(),
            ..Call::default()
        }
    }

    fn clear(seconds: u64) -> Vec<Call> {
        vec![
            call(0, "nopclearfail -m1 -r"),
            call(1_000, "nopclearfail -m1 -M"),
            call(1_000 + seconds * 1_000, "nopclearfail -m1 -c"),
        ]
    }

    #[test]
    fn accepts_the_expected_commands_and_no_others() {
        let scenario = Scenario::named("retry").unwrap();
        let retry = call(0, "nopclearfail -m1 -r");
        assert!(judge(scenario, std::slice::from_ref(&retry)).is_ok());
        for wrong in [
            vec![],
            vec![retry.clone(), retry.clone()],
            vec![call(0, "nopclearfail -m2 -r")],
            vec![retry, call(1, "init.d-ncipher restart")],
        ] {
            assert!(judge(scenario, &wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_clear_must_wait_thirty_seconds() {
        let scenario = Scenario::named("clear").unwrap();
        assert!(judge(scenario, &clear(30)).is_ok());
        assert!(judge(scenario, &clear(29)).is_err());
    }
}
