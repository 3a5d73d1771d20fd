//! What the prober's thread does: slot by slot it ends what has timed out, sends what is due, and
//! takes in what arrives. The only owner of everything it keeps, so that nothing is locked.

mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nshield::ModuleNumber;
use nshield::icmp::Message;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep_until;

use super::board::Board;
use super::channels::{ChannelId, Channels, Opened, Route};
use super::flights::{EchoId, End, Flight, Flights};
use super::names::{Ended, Names};
use super::prober::{Command, OneEcho, OneEnd, Start};
use super::receiver::{Arrival, Socket, SocketId};
use super::roster::{Roster, TargetId};
use super::target::{Destination, current};
use super::wheel::{SLOT, Slot};
use super::{EchoEnd, ErrorReason};
use crate::clock::UnixTime;
use crate::config::IcmpConfig;
pub(super) use send::Fault;

/// The longest time between two slots, whether anything is to be done or not: the sign of life.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// Echoes sent before what has arrived is looked at. A reply that arrives meanwhile is timed too
/// late by what is left of that: measured on loopback, 8 make a mean of 40 us where 2 make 15 us and
/// plain sockets 10 us, and take 1.2 % of a core for 1,000 targets where 2 take 1.4 %.
const CHUNK: usize = 2;

/// Arrivals after which a slot goes on, though more may have come: a flood of packets that look like
/// replies must not hold up slots, and with them the watchdog. It is many times what the sockets of
/// 1,000 targets hold with the system's usual buffers, some 300 packets each.
const ARRIVALS_SETTLED: usize = 8192;

/// Time between two looks for sockets that nobody uses.
const TIDY_AFTER: Duration = Duration::from_secs(30);

/// Echoes in each slot of a run that sends only one to every target.
const ONCE_PER_SLOT: usize = 100;

/// Whose an echo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Target(TargetId),
    One(u64),
}

/// Somebody who waits for the end of one echo.
#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<OneEnd>,
    end: OneEnd,
}

/// The prober's state.
#[derive(Debug)]
pub(super) struct Engine {
    started: Instant,
    board: Board,
    config: IcmpConfig,
    modules: BTreeMap<ModuleNumber, IpAddr>,
    roster: Roster,
    flights: Flights<Owner>,
    channels: Channels<Socket>,
    names: Names,
    waiting: BTreeMap<u64, Waiting>,
    /// Sockets that could not be opened, until when and why.
    closed: Vec<(Route, Duration, Fault)>,
    sockets: JoinSet<SocketId>,
    sockets_opened: u32,
    arrivals: UnboundedReceiver<Arrival>,
    arriving: UnboundedSender<Arrival>,
    tidied: Duration,
    completed: Duration,
    renewal_logged: Option<Duration>,
    /// The target whose trouble is shown, and of what kind that is.
    troubled: Option<(TargetId, ErrorReason)>,
}

impl Engine {
    pub(super) fn new(start: Start) -> Self {
        let (arriving, arrivals) = mpsc::unbounded_channel();
        let mut engine = Self {
            started: Instant::now(),
            flights: Flights::new(start.config.late_window),
            board: start.board,
            config: start.config,
            modules: start.modules,
            roster: Roster::default(),
            channels: Channels::default(),
            names: Names::new(start.lookup),
            waiting: BTreeMap::new(),
            closed: Vec::new(),
            sockets: JoinSet::new(),
            sockets_opened: 0,
            arrivals,
            arriving,
            tidied: Duration::ZERO,
            completed: Duration::ZERO,
            renewal_logged: None,
            troubled: None,
        };
        engine.plan();
        engine
    }

    /// Runs until there is nobody left to give commands.
    pub(super) async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        loop {
            let wake = self.started + self.next().begins();
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                Some(socket) = self.sockets.join_next() => {
                    self.settle().await;
                    self.socket_ended(socket.ok());
                }
                Some(ended) = self.names.ended() => self.resolved(ended),
                () = sleep_until(wake.into()) => self.slot().await,
                // The last, for anybody can send them without end. A slot takes them in as well.
                Some(arrival) = self.arrivals.recv() => {
                    self.arrived(&arrival);
                    self.take_in();
                }
            }
        }
    }

    /// Sends one echo to every target, each in a slot of its share, and runs until all have ended.
    pub(super) async fn run_once(mut self, _commands: UnboundedReceiver<Command>) {
        self.resolve_all().await;
        for chunk in self.roster.ids().chunks(ONCE_PER_SLOT) {
            self.send(chunk).await;
            self.rest().await;
        }
        while self.flights.in_time() > 0 {
            self.rest().await;
        }
    }

    /// Waits for the answers to all lookups; each has its own time-out.
    async fn resolve_all(&mut self) {
        self.names.start_due(Slot::current(self.now()));
        while let Some(ended) = self.names.ended().await {
            self.resolved(ended);
        }
    }

    /// Lets a slot pass.
    async fn rest(&mut self) {
        let next = self.started + self.now() + SLOT;
        while Instant::now() < next {
            tokio::select! {
                biased;
                Some(arrival) = self.arrivals.recv() => self.arrived(&arrival),
                () = sleep_until(next.into()) => {}
            }
        }
        self.settle().await;
        self.expire(Slot::current(self.now()));
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the next slot in which anything is to be done.
    fn next(&self) -> Slot {
        let alive = Slot::from(self.completed + HEARTBEAT);
        [self.roster.next(), self.flights.next(), self.names.next()]
            .into_iter()
            .flatten()
            .fold(alive, Slot::min)
    }

    async fn slot(&mut self) {
        let begun = Instant::now();
        self.settle().await;
        let slot = Slot::current(self.now());
        self.expire(slot);
        self.names.start_due(slot);
        let due = self.roster.take_due(slot);
        self.send(&due).await;
        if self.now() >= self.tidied + TIDY_AFTER {
            self.tidy();
        }
        self.completed = self.now();
        self.board
            .slot_completed((!due.is_empty()).then(|| begun.elapsed()));
    }

    /// Sends in chunks and takes the time of what arrives in between.
    async fn send(&mut self, due: &[TargetId]) {
        for chunk in due.chunks(CHUNK) {
            for id in chunk {
                self.probe(*id).await;
            }
            self.look().await;
        }
    }

    /// Lets the sockets be read and takes in what they held. Returns how much that was.
    async fn look(&mut self) -> usize {
        yield_now().await;
        self.take_in()
    }

    /// Takes in what was read from the sockets. None of them is read meanwhile, so that there is an
    /// end to it.
    fn take_in(&mut self) -> usize {
        let mut taken = 0;
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.arrived(&arrival);
            taken += 1;
        }
        taken
    }

    /// Takes in everything that has arrived, so that a pause of this program makes no time-out; in
    /// a flood no more than [`ARRIVALS_SETTLED`].
    async fn settle(&mut self) {
        let mut taken = 0;
        while taken < ARRIVALS_SETTLED {
            match self.look().await {
                0 => return,
                more => taken += more,
            }
        }
    }

    fn expire(&mut self, slot: Slot) {
        for flight in self.flights.expire(slot) {
            self.ended(&flight, EchoEnd::Timeout, None);
        }
    }

    fn arrived(&mut self, arrival: &Arrival) {
        let packet = &arrival.packet;
        let Some(channel) = self.channels.receiving(arrival.socket, packet.ident) else {
            return;
        };
        let at = arrival.at.saturating_duration_since(self.started);
        match self.flights.received(channel, packet, at) {
            Some(End::Reply(flight, rtt)) => {
                self.ended(&flight, EchoEnd::Reply(rtt), packet.hop_limit);
            }
            Some(End::LateReply(flight)) => self.late(&flight),
            Some(End::Refused(flight, message)) => {
                let reason = match message {
                    Message::TimeExceeded => ErrorReason::TimeExceeded,
                    Message::Unreachable | Message::Other | Message::Reply { .. } => {
                        ErrorReason::Unreachable
                    }
                };
                self.ended(&flight, EchoEnd::Error(reason), None);
            }
            None => {}
        }
    }

    fn ended(&mut self, flight: &Flight<Owner>, end: EchoEnd, hop_limit: Option<u8>) {
        match flight.owner {
            Owner::Target(id) => self.target_ended(id, flight.id, end),
            Owner::One(number) => self.answer(number, end, hop_limit),
        }
    }

    fn target_ended(&mut self, id: TargetId, number: EchoId, end: EchoEnd) {
        let now = self.now();
        let Some(probed) = self.roster.get_mut(id) else {
            return;
        };
        probed.record.finished(number.get(), end, UnixTime::now());
        if !end.is_known() {
            return;
        }
        let replied = matches!(end, EchoEnd::Reply(_));
        probed.answered(replied, now);
        if let Some(line) = probed.transitions.observe(replied, now) {
            probed.log(&line);
        }
    }

    fn late(&mut self, flight: &Flight<Owner>) {
        if let Owner::Target(id) = flight.owner
            && let Some(probed) = self.roster.get(id)
        {
            probed.record.late_reply();
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Configure(config) => {
                self.config = *config;
                self.flights.set_late_window(self.config.late_window);
                self.plan();
            }
            Command::Follow(modules) => {
                self.modules = modules;
                self.plan();
            }
            Command::Echo(one) => self.one_echo(one).await,
        }
    }

    fn plan(&mut self) {
        let targets = current(&self.config, &self.modules);
        let hosts = targets
            .iter()
            .filter_map(|target| match &target.destination {
                Destination::Host { host, .. } => Some(host.as_str()),
                Destination::Address(_) => None,
            });
        let now = self.now();
        self.names.follow(&hosts.collect(), now);
        let records = self.roster.replace(targets, &self.board.records(), now);
        self.board.show(records);
        self.show_trouble();
    }

    async fn one_echo(&mut self, one: OneEcho) {
        let begun = Instant::now();
        let id = self.flights.number();
        let launched = self
            .launch(Owner::One(id.get()), id, &one.address, &one.echo, None)
            .await;
        let channel = launched
            .as_ref()
            .ok()
            .and_then(|channel| self.channels.get(*channel));
        let mut end = OneEnd {
            end: EchoEnd::Timeout,
            error: None,
            setup: begun.elapsed(),
            hop_limit: None,
            socket: channel.map(|channel| channel.socket.kind()),
        };
        match launched {
            Ok(_) => {
                let waiting = Waiting {
                    answer: one.answer,
                    end,
                };
                self.waiting.insert(id.get(), waiting);
            }
            Err(fault) => {
                end.end = EchoEnd::Error(fault.reason);
                end.error = Some(fault.text);
                // Whoever asked may have gone.
                let _ = one.answer.send(end);
            }
        }
    }

    fn answer(&mut self, number: u64, end: EchoEnd, hop_limit: Option<u8>) {
        if let Some(waiting) = self.waiting.remove(&number) {
            let end = OneEnd {
                end,
                hop_limit,
                ..waiting.end
            };
            // Whoever asked may have gone.
            let _ = waiting.answer.send(end);
        }
    }

    fn resolved(&mut self, ended: Ended) {
        let (now, again) = (self.now(), self.config.resolve_interval);
        self.names.take_in(ended, now, again);
    }

    /// A socket that broke is replaced at the next echo that needs it. One that was closed on
    /// purpose was told to end, and has no identifier any more.
    fn socket_ended(&mut self, socket: Option<SocketId>) {
        if let Some(socket) = socket {
            tracing::warn!("a socket for echoes broke; another one is opened");
            self.channels.without_socket(socket);
        }
    }

    fn tidy(&mut self) {
        self.tidied = self.now();
        let targets: BTreeSet<ChannelId> = self
            .roster
            .iter()
            .filter_map(|probed| probed.channel)
            .collect();
        let flights = &self.flights;
        self.channels
            .retain(|id| targets.contains(&id) || flights.uses(id));
    }
}

#[cfg(test)]
mod tests;
