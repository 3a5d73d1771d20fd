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
use nshield::tools::look;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::Shared;
use super::tool::{Ended, Turns};
use crate::commands::Command;
use crate::state::CollectorName;

/// The most that is read of the hardserver's configuration file, in bytes.
const CONFIG_LIMIT: u64 = 1024 * 1024;

/// The run of `enquiry -m0` that has not ended, also one that outlives its kill; while there is
/// one, no other is started. When dropped it is ended.
type Asking = JoinSet<()>;

/// Runs for ever, as the schedule says. Where the hardserver is suspected down the next run comes
/// early enough to prove it.
pub async fn run(shared: Arc<Shared>) {
    let mut asking = Asking::new();
    let deadline = shared.installation.deadlines().enquiry;
    let mut turns = Turns::of(&shared, CollectorName::Enquiry, deadline).await;
    loop {
        let state = cycle(&shared, &mut asking).await;
        // Looks are spaced by their ends, so that a quicker second one is not too early.
        let proof = (state != HardserverState::Up).then(|| Instant::now() + DOWN_PROOF_SPACING);
        turns.next(proof).await;
    }
}

/// Runs `enquiry` once, to its end.
pub async fn once(shared: &Arc<Shared>) {
    let mut asking = Asking::new();
    cycle(shared, &mut asking).await;
    asking.shutdown().await;
}

async fn cycle(shared: &Arc<Shared>, asking: &mut Asking) -> HardserverState {
    tokio::select! {
        state = full(shared) => state,
        () = beside(shared, asking) => HardserverState::Unknown,
    }
}

async fn full(shared: &Arc<Shared>) -> HardserverState {
    let ended = Ended::run(shared, Command::Enquiry, shared.installation.enquiry()).await;
    let output = Enquiry::parse(ended.stdout());
    let socket = match output.server {
        Some(_) => None,
        None => Some(shared.installation.probe_socket().await),
    };
    let look = look(&ended.run, socket);
    let gaps: Vec<String> = output.gaps().iter().map(ToString::to_string).collect();
    let config = read_config(shared).await;
    let known = shared.state().modules.clone();
    let state = {
        let mut state = shared.state();
        ended.record(&mut state, CollectorName::Enquiry, socket, &gaps);
        let timed_out = look.ending == EnquiryEnding::TimedOut;
        if timed_out {
            state.enquiry_timed_out(&output);
        } else {
            state.enquiry_ended(output);
        }
        config.iter().for_each(|config| state.config_read(config));
        if timed_out {
            // Only slow: the runs beside it have looked, and later than it printed anything.
            state.hardserver_state()
        } else {
            state.hardserver_looked(look.classify())
        }
    };
    shared.answered(CollectorName::Enquiry);
    shared.remember(&known).await;
    ended.gone().await;
    state
}

/// Asks the hardserver alone, for as long as the full `enquiry` runs, once that has taken longer
/// than an answer of the hardserver alone may take.
async fn beside(shared: &Arc<Shared>, asking: &mut Asking) {
    let usual = shared.installation.deadlines().enquiry_server;
    sleep(usual).await;
    loop {
        let started = Instant::now();
        while asking.try_join_next().is_some() {}
        if asking.is_empty() {
            ask_server(shared, asking).await;
        }
        sleep_until(started + shared.schedule.spacing().max(usual)).await;
    }
}

async fn ask_server(shared: &Arc<Shared>, asking: &mut Asking) {
    let (answer, looked) = oneshot::channel();
    asking.spawn(server_alone(Arc::clone(shared), answer));
    if let Ok(look) = looked.await {
        shared.state().hardserver_looked(look.classify());
    }
}

/// Runs `enquiry -m0` until it is gone. Not a part of what ends with the full one: whether its
/// process has ended must be known before another is started.
async fn server_alone(shared: Arc<Shared>, answer: oneshot::Sender<Look>) {
    let invocation = shared.installation.enquiry_server_only();
    let (ended, socket) = tokio::join!(
        Ended::run(&shared, Command::EnquiryServer, invocation),
        shared.installation.probe_socket()
    );
    let look = look(&ended.run, Some(socket));
    ended.count(&mut shared.state(), Some(socket), look.server_section);
    // Nobody waits for it once the full one has ended, which says more.
    let _ = answer.send(look);
    ended.gone().await;
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
