//! `vcm-lab demo`: one scenario, live on the screen.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{
    Lab, LabError, clock, drive,
    scenario::Scenario,
    timeline::{Printer, Timeline},
};

/// What the demo shows on its way out, so that the last lines of slower sources come too.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Why a demo did not reach its expected end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// It was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// The lab failed, or the end was another one.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// Plays a scenario on the screen. With `keep`, everything stays up afterwards until a signal comes.
///
/// # Errors
/// If the expected end is not reached.
pub async fn run(scenario: &Scenario, keep: bool) -> Result<(), DemoError> {
    let mut stop = Stop::listen()?;
    let shown = async {
        let lab = start(scenario).await?;
        let end = play(&lab, scenario).await;
        Ok((lab, end))
    };
    let shown: Result<(Lab, Result<(), LabError>), LabError> = tokio::select! {
        shown = shown => shown,
        () = stop.asked() => return Err(DemoError::Interrupted),
    };
    let (lab, end) = shown?;
    if keep {
        addresses(&lab);
        stop.asked().await;
    }
    Ok(end?)
}

async fn start(scenario: &Scenario) -> Result<Lab, LabError> {
    let printer = Printer::stdout(clock::now_ms());
    printer.head(&format!("Scenario {}: {}.", scenario.name, scenario.story));
    printer.say(NOTICE);
    printer.say(
        "\nStarting the estate, vcm-exporter, vcm-remediator, Prometheus and Alertmanager ...",
    );
    let lab = Lab::start(&scenario.setup()).await?;
    printer.say(&format!(
        "Everything is healthy; files are in {}.\n",
        lab.workspace.path().display()
    ));
    Ok(lab)
}

/// Said on the screen, because a demo that is quicker and bolder than the product must say so.
const NOTICE: &str = "
This is a demonstration on a simulated estate. It differs from an installation in three ways:
  - alerting runs 15 times faster (a scrape a second, VcmFailed after 8 s in place of 2 min);
  - the policy's times are shortened (retry after 2 s in place of 2 min, healthy for 4 s in place of
    60 s), but never the 30 s between the two commands of a clear: so the pager (15 min, here 60 s) may
    ring while a clear waits;
  - a clear is permitted without approval.";

async fn play(lab: &Lab, scenario: &Scenario) -> Result<(), LabError> {
    let mut timeline = Timeline::begin(lab).await?;
    let mut printer = Printer::stdout(clock::now_ms());
    let end = tokio::select! {
        end = drive::play(lab, scenario) => end,
        end = timeline.follow(lab, &mut printer) => end,
    };
    tokio::time::sleep(LAST_LINES).await;
    timeline.finish(lab, &mut printer).await?;
    printer.summary();
    match &end {
        Ok(()) => {
            printer.head(
                "\nThe expected end was reached; checked on the simulator's own log of calls:",
            );
            for call in lab.changes()? {
                printer.say(&format!("  {call}"));
            }
            if lab.changes()?.is_empty() {
                printer.say("  nothing was run");
            }
        }
        Err(_) => printer.head("\nThe expected end was NOT reached."),
    }
    end
}

fn addresses(lab: &Lab) {
    let printer = Printer::stdout(clock::now_ms());
    printer.head("\nEverything is still running. Open:");
    printer.say(&format!(
        "  vcm-remediator  http://{}/",
        lab.remediator.client.address
    ));
    printer.say(&format!(
        "  vcm-exporter    http://{}/metrics",
        lab.exporter.client.address
    ));
    if let Some(alerting) = &lab.alerting {
        printer.say(&format!(
            "  Prometheus      http://{}/alerts",
            alerting.prometheus.client.address
        ));
        printer.say(&format!(
            "  Alertmanager    http://{}/",
            alerting.alertmanager.client.address
        ));
    }
    let simulator = lab.workspace.binaries().nfast_sim.display();
    printer.say(&format!(
        "Break something: {simulator} ctl --root {} --help",
        lab.estate.root().display()
    ));
    printer.say("End it with ^C.");
}

/// SIGINT and SIGTERM. The lab is dropped on both, which ends everything.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> Result<Self, LabError> {
        let listen = |kind| signal(kind).map_err(LabError::reading("signals"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
