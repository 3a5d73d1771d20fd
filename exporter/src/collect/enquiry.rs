//! Collector `enquiry`: state of the hardserver and its modules.
//!
//! The full `enquiry` may be held for a long time after a module dropped. While it runs longer than
//! usual, `enquiry -m0`, which asks no module, tells whether the hardserver itself answers.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use nshield::enquiry::Enquiry;
use nshield::hardserver::{DOWN_PROOF_SPACING, EnquiryEnding, HardserverState, Look};
use nshield::hardserver_config::HardserverConfig;
use nshield::runner;
use nshield::tools::look;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Shared, cause, gone};
use crate::commands::{Command, FailureReason};
use crate::state::{CollectorName, State};

/// The most that is read of the hardserver's configuration file, in bytes.
const CONFIG_LIMIT: u64 = 1024 * 1024;

/// Runs of `enquiry -m0` that outlive their kill; while there is one, no other is started.
type Outliving = JoinSet<()>;

/// Runs for ever, one run per interval. Where the hardserver is suspected down the next run comes
/// early enough to prove it.
pub async fn run(shared: Arc<Shared>) {
    let mut outliving = Outliving::new();
    loop {
        let started = Instant::now();
        let state = cycle(&shared, &mut outliving).await;
        let mut next = started + shared.interval;
        if state != HardserverState::Up {
            // Looks are spaced by their ends, so that a quicker second one is not too early.
            next = next.min(Instant::now() + DOWN_PROOF_SPACING);
        }
        sleep_until(next).await;
    }
}

/// Runs `enquiry` once, to its end.
pub async fn once(shared: &Arc<Shared>) {
    cycle(shared, &mut Outliving::new()).await;
}

async fn cycle(shared: &Arc<Shared>, outliving: &mut Outliving) -> HardserverState {
    tokio::select! {
        state = full(shared) => state,
        () = beside(shared, outliving) => HardserverState::Unknown,
    }
}

async fn full(shared: &Arc<Shared>) -> HardserverState {
    let guard = shared.running(Command::Enquiry);
    let started = Instant::now();
    let invocation = shared.installation.enquiry();
    let program = invocation.program().to_owned();
    let run = runner::run(invocation).await;
    let took = started.elapsed();
    let printed = run
        .as_ref()
        .map(|run| run.stdout.as_slice())
        .unwrap_or_default();
    let output = Enquiry::parse(printed);
    let socket = match output.server {
        Some(_) => None,
        None => Some(shared.installation.probe_socket().await),
    };
    let look = look(&run, socket);
    let gaps: Vec<String> = output.gaps().iter().map(ToString::to_string).collect();
    let failure = FailureReason::of(&run, socket, gaps.is_empty());
    let cause = failure.map(|reason| cause::of_tool(&program, &run, reason, &gaps));
    let config = read_config(shared).await;
    let known = shared.state().modules.clone();
    let state = {
        let mut state = shared.state();
        state
            .commands
            .entry(Command::Enquiry)
            .or_default()
            .finished(took, failure);
        state.collector_ended(CollectorName::Enquiry, cause.as_deref(), took);
        state.enquiry_ended(output);
        config.iter().for_each(|config| state.config_read(config));
        take_look(&mut state, look)
    };
    shared.remember(&known).await;
    gone(run).await;
    drop(guard);
    state
}

/// A full run that timed out says only that it is slow: the runs beside it have looked.
fn take_look(state: &mut State, look: Look) -> HardserverState {
    if look.ending == EnquiryEnding::TimedOut && !look.server_section {
        state.hardserver_state()
    } else {
        state.hardserver_looked(look.classify())
    }
}

/// Asks the hardserver alone, for as long as the full `enquiry` runs, once that has taken longer
/// than an answer of the hardserver alone may take.
async fn beside(shared: &Arc<Shared>, outliving: &mut Outliving) {
    let usual = shared.installation.deadlines().enquiry_server;
    sleep(usual).await;
    loop {
        let started = Instant::now();
        while outliving.try_join_next().is_some() {}
        if outliving.is_empty() {
            ask_server(shared, outliving).await;
        }
        sleep_until(started + shared.interval.max(usual)).await;
    }
}

async fn ask_server(shared: &Arc<Shared>, outliving: &mut Outliving) {
    let guard = shared.running(Command::EnquiryServer);
    let started = Instant::now();
    let (run, socket) = tokio::join!(
        runner::run(shared.installation.enquiry_server_only()),
        shared.installation.probe_socket()
    );
    let look = look(&run, Some(socket));
    let failure = FailureReason::of(&run, Some(socket), look.server_section);
    {
        let mut state = shared.state();
        let record = state.commands.entry(Command::EnquiryServer).or_default();
        record.finished(started.elapsed(), failure);
        state.hardserver_looked(look.classify());
    }
    outliving.spawn(async move {
        gone(run).await;
        drop(guard);
    });
}

/// Reads where modules are imported from. It only fills gaps, so that a file that cannot be read
/// is no failure of the collector.
async fn read_config(shared: &Arc<Shared>) -> Option<HardserverConfig> {
    let path = shared.installation.hardserver_config_path();
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(CONFIG_LIMIT)
            .read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    });
    let bytes = read.await.ok()?.ok()?;
    Some(HardserverConfig::parse(&bytes))
}
