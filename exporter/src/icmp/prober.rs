//! The prober: a thread of its own that sends echoes without pause.
//!
//! On its own thread neither the encoding of a scrape nor the reading of a tool's output shows in a
//! round-trip time. [`crate::collect::icmp`] starts it, tells it of changes and notices its end.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use nshield::ModuleNumber;
use nshield::icmp::SocketKind;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::oneshot;

use super::EchoEnd;
use super::address::Address;
use super::board::Board;
use super::engine::Engine;
use super::names::Lookup;
use super::target::EchoConfig;
use crate::config::IcmpConfig;

/// Tasks that run before arrived packets are looked for again.
pub(super) const EVENT_INTERVAL: u32 = 8;

/// The most lookups at a time: each needs a thread.
const LOOKUPS_MAX: usize = 4;

/// Stack of the prober's thread and of those for lookups. The system's resolver takes the most,
/// with buffers of 64 KiB.
const STACK: usize = 512 * 1024;

/// How long a thread for lookups waits for another one.
const LOOKUP_THREAD_KEPT: Duration = Duration::from_secs(2);

/// Something for the prober to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Another configuration is in force.
    Configure(Box<IcmpConfig>),
    /// These modules have these addresses.
    Follow(BTreeMap<ModuleNumber, IpAddr>),
    /// One echo beside those to the targets.
    Echo(OneEcho),
}

/// One echo that somebody waits for.
#[derive(Debug)]
pub(super) struct OneEcho {
    pub(super) address: Address,
    pub(super) echo: EchoConfig,
    pub(super) answer: oneshot::Sender<OneEnd>,
}

/// How one echo ended that somebody waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct OneEnd {
    /// How.
    pub end: EchoEnd,
    /// Why it could not be sent, where that is how it ended.
    pub error: Option<String>,
    /// From being asked for to being sent.
    pub setup: Duration,
    /// The hop limit that the reply had left, where the socket shows it.
    pub hop_limit: Option<u8>,
    /// The kind of socket, where one could be opened.
    pub socket: Option<SocketKind>,
}

/// The prober's thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Prober {
    board: Board,
    ended: oneshot::Receiver<()>,
}

/// What a prober starts with.
#[derive(Debug, Clone)]
pub struct Start {
    /// Where it shows what it does.
    pub board: Board,
    /// The configuration in force.
    pub config: IcmpConfig,
    /// The addresses of enrolled modules.
    pub modules: BTreeMap<ModuleNumber, IpAddr>,
    /// How names are looked up.
    pub lookup: Lookup,
}

impl Prober {
    /// Starts the thread: one echo per target and interval, until the prober is dropped.
    ///
    /// # Errors
    ///
    /// If the system allows no thread or no event queue.
    pub fn start(start: Start) -> io::Result<Self> {
        Self::run(start, Engine::run)
    }

    /// Starts a thread that sends one echo to every target and ends when all of them have.
    ///
    /// # Errors
    ///
    /// If the system allows no thread or no event queue.
    pub fn once(start: Start) -> io::Result<Self> {
        Self::run(start, Engine::run_once)
    }

    fn run<F>(
        start: Start,
        run: impl FnOnce(Engine, UnboundedReceiver<Command>) -> F + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = runtime()?;
        let board = start.board.clone();
        let (commands, received) = mpsc::unbounded_channel();
        let (alive, ended) = oneshot::channel();
        thread::Builder::new()
            .name("icmp".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                // Dropped at the end, also by a panic.
                let _alive: oneshot::Sender<()> = alive;
                // As a task it takes turns with the receiving ones; as what the runtime blocks on
                // it would always come first.
                let engine = runtime.spawn(async move { run(Engine::new(start), received).await });
                if let Err(error) = runtime.block_on(engine) {
                    tracing::error!(%error, "the prober broke off");
                }
                runtime.shutdown_background();
            })?;
        board.connect(commands);
        Ok(Self { board, ended })
    }

    /// Puts another configuration in force. Targets that it still has keep their counters.
    pub fn reconfigure(&self, config: IcmpConfig) {
        self.board.command(Command::Configure(Box::new(config)));
    }

    /// Takes in the addresses of enrolled modules.
    pub fn follow(&self, modules: BTreeMap<ModuleNumber, IpAddr>) {
        self.board.command(Command::Follow(modules));
    }

    /// Waits until the thread has ended, which it never does by itself unless it was to run once.
    pub async fn ended(&mut self) {
        // An error is what tells of it: nothing is ever sent.
        let _ = (&mut self.ended).await;
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.board.disconnect();
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .max_blocking_threads(LOOKUPS_MAX)
        .thread_keep_alive(LOOKUP_THREAD_KEPT)
        .thread_name("icmp-lookup")
        .thread_stack_size(STACK)
        .build()
}
