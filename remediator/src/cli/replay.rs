//! `vcm-remediator replay`: what another policy would have decided about what is recorded.
//!
//! The recorded events are folded as they are; nothing is decided anew for the record. Beside them,
//! at every moment at which something was recorded about an open incident and in regular steps
//! between, the other policy is asked. What it says differently is printed: a rung that it would have
//! started, once for each incident, and a rung that was started and that it would not have started.
//! What the host would have done then, nobody knows: after the first difference the record goes on
//! as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::Intent;
use vcm_recovery::decide::{Decision, decide};
use vcm_recovery::event::{Change, Event};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::FleetView;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::ids::{Fingerprint, HostName, IncidentId};
use vcm_recovery::incident::Standing;
use vcm_recovery::policy::Site;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;
use vcm_telemetry::logging::chain;

use super::config_file::load;
use super::{EXIT_CONFIG, EXIT_FAILURE};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::StoreError;
use crate::store::reader::Reader;
use crate::told;

/// The arguments of `replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The other configuration: its policy and inventory decide.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The store's file, `store.path` of the configuration. May be in use.
    #[arg(long = "store", value_name = "FILE")]
    store: PathBuf,
    /// How far back; evidence is kept for 90 days.
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = humantime::parse_duration)]
    since: Duration,
}

impl ReplayArgs {
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    #[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
    pub(super) fn run(&self) -> ExitCode {
        let Some(config) = load(&self.policy) else {
            return ExitCode::from(EXIT_CONFIG);
        };
        let from = SystemClock::resume(None).now().before(self.since);
        let reader = match Reader::open(&self.store) {
            Ok(reader) => reader,
            Err(error) => {
                eprintln!("vcm-remediator: {}", chain(&error));
                return ExitCode::from(EXIT_FAILURE);
            }
        };
        let mut replay = Replay::new(&config, &reader, from);
        let mut failed = None;
        let walked = reader.events(|event| {
            if failed.is_none() {
                failed = replay.event(&event).err();
            }
        });
        if let Some(error) = failed.or(walked.err()) {
            eprintln!("vcm-remediator: {}", chain(&error));
            return ExitCode::from(EXIT_FAILURE);
        }
        for line in &replay.lines {
            println!("{line}");
        }
        println!("{}", replay.summary());
        ExitCode::SUCCESS
    }
}

/// The record as it goes on, and the other policy beside it.
struct Replay<'a> {
    config: &'a Config,
    reader: &'a Reader,
    from: Time,
    hosts: BTreeMap<HostName, Host>,
    fleet: FleetState,
    /// Rungs that the other policy has been said to start, by incident.
    said: BTreeSet<(IncidentId, Rung)>,
    lines: Vec<String>,
    asked: u64,
    differ: u64,
}

/// A host as it was recorded.
struct Host {
    state: HostState,
    evidence: Evidence,
    /// The newest fact of each alert: while it fires, it was delivered again and again.
    facts: BTreeMap<Fingerprint, Fact>,
    asked_at: Time,
}

impl<'a> Replay<'a> {
    fn new(config: &'a Config, reader: &'a Reader, from: Time) -> Self {
        Self {
            config,
            reader,
            from,
            hosts: BTreeMap::new(),
            fleet: FleetState::default(),
            said: BTreeSet::new(),
            lines: Vec::new(),
            asked: 0,
            differ: 0,
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), StoreError> {
        let Some(name) = &event.entry.host else {
            self.fleet.apply(event);
            return Ok(());
        };
        self.pass_until(name, event.time);
        if let Change::IntentReserved(intent) = &event.entry.change {
            self.intent(name, intent, event.time);
        }
        let host = self.hosts.entry(name.clone()).or_insert_with(|| Host {
            state: HostState::new(name.clone()),
            evidence: Evidence::default(),
            facts: BTreeMap::new(),
            asked_at: event.time,
        });
        if let Change::FactChanged(fact) = &event.entry.change {
            host.facts.insert(fact.fingerprint, fact.clone());
        }
        if let Change::Observed(summary) = &event.entry.change {
            let seen = match summary.observation {
                Some(id) => self.reader.observation(id)?,
                None => None,
            };
            host.evidence.push(Look {
                at: event.time,
                seen: seen.ok_or_else(|| "it is not kept".to_owned()),
            });
        }
        host.state.apply(event);
        if matches!(event.entry.change, Change::Observed(_) | Change::Decided(_)) {
            self.ask(name, event.time);
        }
        Ok(())
    }

    /// Asks in regular steps up to `end`. Nothing was recorded meanwhile: the host looked the same.
    fn pass_until(&mut self, name: &HostName, end: Time) {
        let step = self.config.policy.observe_interval;
        loop {
            let Some(host) = self.hosts.get_mut(name) else {
                return;
            };
            let next = host.asked_at.after(step);
            if next >= end || host.state.incidents.is_empty() {
                return;
            }
            self.ask(name, next);
        }
    }

    /// Asks the other policy about a host as it was at `now`.
    fn ask(&mut self, name: &HostName, now: Time) {
        if let Some(host) = self.hosts.get_mut(name) {
            host.asked_at = now;
            host.goes_on(now);
        }
        if now < self.from {
            return;
        }
        let Some(decision) = self.decide(name, now) else {
            return;
        };
        self.asked += 1;
        let Some(proposal) = decision.proposal else {
            return;
        };
        // What was started at this moment in the record is no difference.
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        let recorded = host.state.incidents.get(&proposal.target);
        let ready =
            recorded.is_some_and(|incident| incident.standing == Standing::Ready(proposal.rung));
        let key = (proposal.incident.clone(), proposal.rung);
        if ready || !self.said.insert(key) {
            return;
        }
        self.differ += 1;
        let standing = recorded.map_or(Standing::Observing, |incident| incident.standing);
        let (at, target, rung) = (told::instant(now), &proposal.target, proposal.rung);
        self.lines.push(format!(
            "{at} {target}: {rung} would have been started; recorded was: {standing}"
        ));
    }

    /// An attempt was reserved: would the other policy have, too?
    fn intent(&mut self, name: &HostName, intent: &Intent, now: Time) {
        if now < self.from {
            return;
        }
        if let Some(host) = self.hosts.get_mut(name) {
            host.goes_on(now);
        }
        self.said.insert((intent.incident.clone(), intent.rung));
        let Some(decision) = self.decide(name, now) else {
            return;
        };
        self.asked += 1;
        let same = decision.proposal.as_ref().is_some_and(|proposal| {
            (&proposal.target, proposal.rung) == (&intent.target, intent.rung)
        });
        if same {
            return;
        }
        self.differ += 1;
        let (at, target, rung) = (told::instant(now), &intent.target, intent.rung);
        let why = reasons(&decision, intent);
        self.lines.push(format!(
            "{at} {target}: {rung} was started, and would not have been: {why}"
        ));
    }

    fn decide(&self, name: &HostName, now: Time) -> Option<Decision> {
        let site = Site {
            host: self.config.inventory.hosts.get(name)?,
            policy: &self.config.policy,
        };
        let states = self.hosts.values().map(|host| &host.state);
        let (inventory, policy) = (&self.config.inventory, &self.config.policy);
        let fleet = FleetView {
            // Neither the watchdog nor silences are recorded: they are taken to have been in order.
            watchdog: Some(now),
            ..FleetView::new(states, &self.fleet, inventory, policy, now)
        };
        let host = self.hosts.get(name)?;
        Some(decide(&host.state, &host.evidence, &fleet, site, now))
    }

    fn summary(&self) -> String {
        format!(
            "asked {} times, {} differences from the record",
            self.asked, self.differ
        )
    }
}

impl Host {
    /// The host looked the same, and its alerts were delivered again, until `now`.
    fn goes_on(&mut self, now: Time) {
        let newest = self.evidence.newest().cloned();
        if let Some(newest) = newest.filter(|newest| newest.at < now) {
            self.evidence.push(Look { at: now, ..newest });
        }
        for fact in self.facts.values().filter(|fact| fact.firing) {
            self.state.deliver(&Fact {
                delivered_at: now,
                ..fact.clone()
            });
        }
    }
}

/// Why the other policy does not start what was started.
fn reasons(decision: &Decision, intent: &Intent) -> String {
    let mut rulings = decision.changes.iter().filter_map(|entry| {
        let Change::Decided(ruling) = &entry.change else {
            return None;
        };
        (entry.target.as_ref() == Some(&intent.target)).then_some(ruling)
    });
    let Some(ruling) = rulings.next_back() else {
        return "it decides the same, and starts something else first".to_owned();
    };
    let blocking = ruling.verdicts.iter().filter(|given| {
        given.rung == intent.rung
            && matches!(
                given.verdict,
                Verdict::Refuse { .. } | Verdict::Skip(_) | Verdict::Ask(_)
            )
    });
    let reasons: Vec<String> = blocking
        .map(|given| {
            let (word, reason) = (given.verdict.as_str(), given.verdict.reason());
            format!("{} {word}s: {reason}", given.guard)
        })
        .collect();
    match reasons.is_empty() {
        true => ruling.standing.to_string(),
        false => reasons.join("; "),
    }
}
