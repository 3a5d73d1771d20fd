//! Question `fault`: how long `/metrics` shows a module operational after it failed, although the
//! full `enquiry` is held for 35 s.

use std::time::Duration;

use serde_json::json;

use super::{
    Plan,
    exposition::Exposition,
    programs::{Host, Setup},
    table::{Row, median},
};
use crate::{
    lab::{
        LabError,
        bench::{progress, records},
        wait,
    },
    sim::{
        call_log::CallRecord,
        clock::{self, At},
    },
};

/// The exporter's interval, which is the shipped one.
const INTERVAL: Duration = Duration::from_secs(15);

/// How long the fault may take to show, and the module to be operational again.
const PATIENCE: Duration = Duration::from_secs(180);

pub(super) async fn rows(plan: &Plan) -> Result<Vec<Row>, LabError> {
    let setup = Setup {
        modules: 3,
        // The connection counts as broken at once: the module has failed, and commands for it are
        // held for the vendor's 35 s from then on.
        knobs: vec!["timing.connect_broken=100ms", "timing.connect_retry=1s"],
        config: json!({}),
        interval: "15s",
        ready: "/-/ready",
    };
    let host = Host::start(&setup).await?;
    let mut faults = Vec::new();
    for number in 0..plan.faults {
        // The moments of the faults are spread over the interval; the first is the worst one.
        let phase = INTERVAL * number / plan.faults;
        let seen = once(&host, phase).await?;
        progress(&format!("fault {phase:?} after a run: {seen:?}"));
        faults.push(seen);
    }
    Ok(vec![row(&faults)])
}

/// One fault as it showed.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// From the fault to the sample.
    delay: Duration,
    /// How long the full `enquiry` had been held by then; none if none was.
    held: Option<Duration>,
}

/// Lets module 1 fail so long after a run of `enquiry`, waits until it is seen, and mends it.
async fn once(host: &Host, phase: Duration) -> Result<Seen, LabError> {
    operational(host, true).await?;
    let before = ended_enquiries(host)?;
    wait::until("another run of enquiry", PATIENCE, async || {
        Ok((ended_enquiries(host)? > before).then_some(()))
    })
    .await?;
    tokio::time::sleep(phase).await;
    let fault = clock::now();
    host.estate.ctl(&["network-loss", "1"]).await?;
    operational(host, false).await?;
    let seen = Seen {
        delay: clock::now().since(fault),
        held: held(&records(&host.estate)?, clock::now()),
    };
    host.estate.ctl(&["heal", "1"]).await?;
    Ok(seen)
}

/// Waits until module 1 is shown operational, or no longer is.
async fn operational(host: &Host, wanted: bool) -> Result<(), LabError> {
    let labels = [("module", "1"), ("state", "operational")];
    let what = if wanted {
        "module 1 to be shown operational"
    } else {
        "module 1 to be shown operational no more"
    };
    wait::until(what, PATIENCE, async || {
        let text = host.exporter.metrics().await?;
        let value = Exposition(&text).value("nshield_module_state", &labels);
        Ok(((value == Some(1.0)) == wanted).then_some(()))
    })
    .await
}

/// How many runs of `enquiry` have ended.
fn ended_enquiries(host: &Host) -> Result<usize, LabError> {
    let records = records(&host.estate)?;
    let ended = records
        .iter()
        .filter(|record| matches!(record, CallRecord::End { tool, .. } if tool == "enquiry"));
    Ok(ended.count())
}

/// For how long the newest full `enquiry` has run; `None` if it has ended.
fn held(records: &[CallRecord], now: At) -> Option<Duration> {
    let (call, began) = records.iter().rev().find_map(|record| match record {
        CallRecord::Start {
            call,
            tool,
            argv,
            boot_ms,
            ..
        } if tool == "enquiry" && argv.len() == 1 => Some((call, At(*boot_ms))),
        CallRecord::Start { .. } | CallRecord::End { .. } => None,
    })?;
    let ended = records
        .iter()
        .any(|record| matches!(record, CallRecord::End { call: ended, .. } if ended == call));
    (!ended).then(|| now.since(began))
}

fn row(faults: &[Seen]) -> Row {
    let seconds = |fault: &Seen| fault.delay.as_secs_f64();
    let middle = median(faults.iter().map(seconds)).unwrap_or(f64::NAN);
    let longest = faults.iter().map(seconds).fold(0.0, f64::max);
    let held: Vec<f64> = faults
        .iter()
        .filter_map(|fault| Some(fault.held?.as_secs_f64()))
        .collect();
    let held = match median(held.iter().copied()) {
        Some(middle) => format!(
            "in {} of {} the full `enquiry` was still held then, for {middle:.1} s",
            held.len(),
            faults.len()
        ),
        None => "no full `enquiry` was held any more".to_owned(),
    };
    let how = format!(
        "interval {} s, commands held for 35 s; from the fault to the first `/metrics` (asked every \
         50 ms) without `operational`; {} faults spread over the interval; {held}",
        INTERVAL.as_secs(),
        faults.len()
    );
    let ours = format!("{middle:.1} s, at most {longest:.1} s");
    Row::alone("fault to first bad sample", ours, &how)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(lines: &[(&str, &str, &[&str], u64)]) -> Vec<CallRecord> {
        let record = |(kind, call, argv, at): &(&str, &str, &[&str], u64)| {
            let line = json!({
                "record": kind, "call": call, "unix_ms": 0, "boot_ms": at, "tool": "enquiry",
                "argv": argv, "pid": 1, "ppid": 1, "uid": 0, "exit_code": 0, "duration_ms": 1,
            });
            serde_json::from_value(line).unwrap()
        };
        lines.iter().map(record).collect()
    }

    #[test]
    fn only_a_full_enquiry_that_has_not_ended_is_held() {
        let full: &[&str] = &["/x/enquiry"];
        let server: &[&str] = &["/x/enquiry", "-m0"];
        let mut log = vec![("start", "a", full, 1_000), ("start", "b", server, 6_000)];
        let of = |log: &[_]| held(&records(log), At(9_000));
        assert_eq!(of(&log), Some(Duration::from_secs(8)));
        log.push(("end", "a", full, 8_000));
        assert_eq!(of(&log), None, "`enquiry -m0` is none");
        assert_eq!(of(&[]), None);
    }
}
