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
    let mut delays = Vec::new();
    for number in 0..plan.faults {
        // The moments of the faults are spread over the interval; the first is the worst one.
        let phase = INTERVAL * number / plan.faults;
        let delay = once(&host, phase).await?;
        progress(&format!("fault {phase:?} after a run: bad after {delay:?}"));
        delays.push(delay);
    }
    Ok(vec![row(&host, plan, &delays)?])
}

/// Lets module 1 fail so long after a run of `enquiry`, waits until it is seen, and mends it.
async fn once(host: &Host, phase: Duration) -> Result<Duration, LabError> {
    operational(host, true).await?;
    let before = enquiries(host)?.len();
    wait::until("another run of enquiry", PATIENCE, async || {
        Ok((enquiries(host)?.len() > before).then_some(()))
    })
    .await?;
    tokio::time::sleep(phase).await;
    let fault = clock::now();
    host.estate.ctl(&["network-loss", "1"]).await?;
    operational(host, false).await?;
    let delay = clock::now().since(fault);
    host.estate.ctl(&["heal", "1"]).await?;
    Ok(delay)
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

/// When each finished run of `enquiry` ended, and how long it took.
fn enquiries(host: &Host) -> Result<Vec<(At, Duration)>, LabError> {
    let ended = records(&host.estate)?
        .into_iter()
        .filter_map(|record| match record {
            CallRecord::End {
                tool,
                boot_ms,
                duration_ms,
                ..
            } if tool == "enquiry" => Some((At(boot_ms), Duration::from_millis(duration_ms))),
            CallRecord::End { .. } | CallRecord::Start { .. } => None,
        });
    Ok(ended.collect())
}

fn row(host: &Host, plan: &Plan, delays: &[Duration]) -> Result<Row, LabError> {
    let middle = median(delays.iter().map(Duration::as_secs_f64)).unwrap_or(f64::NAN);
    let longest = delays.iter().max().copied().unwrap_or_default();
    let held = enquiries(host)?.into_iter().map(|(_, took)| took).max();
    let how = format!(
        "interval {} s, fault and first sample that is not operational in `/metrics`, asked every \
         50 ms; {} faults spread over the interval; the longest finished `enquiry` took {:.1} s \
         (commands are held for 35 s)",
        INTERVAL.as_secs(),
        plan.faults,
        held.unwrap_or_default().as_secs_f64()
    );
    let ours = format!("{middle:.1} s, at most {:.1} s", longest.as_secs_f64());
    Ok(Row::alone("fault to first bad sample", ours, &how))
}
