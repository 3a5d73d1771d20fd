//! What the newest run of every collector showed. Collectors write it, a scrape reads it.
//!
//! A result is shown from the end of its run until the next run ends, and never longer than its
//! maximum age, the time between two runs and [`OVERDUE`]: what is older is left out, so that
//! nothing stale is ever repeated as fresh.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nshield::enquiry::{Enquiry, ModuleSection};
use nshield::hardserver::{DownProof, HardserverState, LookResult};
use nshield::hardserver_config::HardserverConfig;
use nshield::stattree::StatTree;
use nshield::{ModuleCondition, ModuleNumber, ModuleState};
use tokio::time::Instant;
use vcm_web::WebConfig;

use crate::clock::UnixTime;
use crate::commands::{Command, CommandRecord};
use crate::modules::KnownModules;
use crate::reload::ReloadRecord;
use crate::start_time::StartTime;

/// The most distinct unknown words remembered, each of which is a line in the log; further ones are
/// not counted. A release with new labels brings dozens, damaged output any number.
const UNKNOWN_REMEMBERED: usize = 1_000;

/// The most that is kept of an unknown word, in characters: a tool may print megabytes as one.
const UNKNOWN_LENGTH: usize = 100;

/// How long a run may take beyond the one before it until what that one showed is dropped.
///
/// A module that fails can hold `enquiry` for 35 s. By then its last good state must not be shown
/// any more: the fault is seen within one interval and this time.
pub const OVERDUE: Duration = Duration::from_secs(5);

/// A collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CollectorName {
    /// State of the hardserver and its modules.
    Enquiry,
    /// Echoes.
    Icmp,
    /// Statistics of the hardserver and its modules.
    Stattree,
}

impl CollectorName {
    /// Every collector, in the order exported.
    pub const ALL: [Self; 3] = [Self::Enquiry, Self::Icmp, Self::Stattree];

    /// Returns the value of the metric label `collector`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enquiry => "enquiry",
            Self::Icmp => "icmp",
            Self::Stattree => "stattree",
        }
    }
}

/// How the newest run of a collector went.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CollectorRecord {
    /// Whether it gave everything it is there for; `None` before the end of the first run.
    pub success: Option<bool>,
    /// How long it took.
    pub duration: Duration,
    /// When a run last succeeded.
    pub last_success: Option<UnixTime>,
    /// When it must have moved on; `None` where it may wait for ever.
    due: Option<Instant>,
}

/// A value with the time it was obtained.
#[derive(Debug, Clone)]
pub struct Dated<T> {
    /// The value.
    pub value: T,
    /// When, on the monotonic clock.
    pub at: Instant,
    /// When, on the wall clock.
    pub wall: UnixTime,
}

impl<T> Dated<T> {
    /// Dates a value with the present moment.
    #[must_use]
    pub fn now(value: T) -> Self {
        Self {
            value,
            at: Instant::now(),
            wall: UnixTime::now(),
        }
    }
}

/// Everything that is exported.
#[derive(Debug)]
pub struct State {
    started: Instant,
    /// The time between the starts of two runs of a tool.
    spacing: Duration,
    /// The newest `enquiry` that printed anything about the hardserver.
    enquiry: Option<Dated<Enquiry>>,
    /// The newest whole `stattree`.
    stattree: Option<Dated<StatTree>>,
    hardserver: Option<Dated<HardserverState>>,
    down_proof: DownProof,
    /// Every module seen since the start.
    pub modules: KnownModules,
    /// Start of the hardserver.
    pub hardserver_start: StartTime,
    /// Start of each module's HSM.
    pub module_start: BTreeMap<ModuleNumber, StartTime>,
    /// How each collector went.
    pub collectors: BTreeMap<CollectorName, CollectorRecord>,
    /// All runs of each tool.
    pub commands: BTreeMap<Command, CommandRecord>,
    /// How the newest reload went.
    pub config_reload: ReloadRecord,
    /// The web configuration, which sees to its file by itself.
    pub web: Option<WebConfig>,
    /// Labels and statistics that the parsers do not know, each counted once.
    pub unknown_statistics: Unknown,
    /// Words for a module's state that the parsers do not know, each counted once.
    pub unknown_states: Unknown,
}

impl State {
    /// Creates the state before the first run.
    #[must_use]
    pub fn new(spacing: Duration) -> Self {
        Self {
            started: Instant::now(),
            spacing,
            enquiry: None,
            stattree: None,
            hardserver: None,
            down_proof: DownProof::default(),
            modules: KnownModules::default(),
            hardserver_start: StartTime::default(),
            module_start: BTreeMap::new(),
            collectors: CollectorName::ALL
                .map(|name| (name, CollectorRecord::default()))
                .into(),
            commands: Command::ALL
                .map(|command| (command, CommandRecord::default()))
                .into(),
            config_reload: ReloadRecord::started(),
            web: None,
            unknown_statistics: Unknown::default(),
            unknown_states: Unknown::default(),
        }
    }

    /// Returns how the newest reading of both configuration files went.
    #[must_use]
    pub fn configuration(&self) -> ReloadRecord {
        self.config_reload
            .with(self.web.as_ref().and_then(WebConfig::status))
    }

    /// Forgets a collector that is not to run.
    pub fn switch_off(&mut self, name: CollectorName) {
        self.collectors.remove(&name);
        self.commands
            .retain(|command, _| command.collector() != name);
    }

    /// Returns whether a collector runs.
    #[must_use]
    pub fn runs(&self, name: CollectorName) -> bool {
        self.collectors.contains_key(&name)
    }

    /// Takes in that a collector works, and when it must give another sign of it.
    pub fn progress(&mut self, name: CollectorName, due: Option<Instant>) {
        if let Some(record) = self.collectors.get_mut(&name) {
            record.due = due;
        }
    }

    /// Returns a tool's collector whose first run has not ended yet.
    #[must_use]
    pub fn not_run_yet(&self) -> Option<CollectorName> {
        let mut tools = self
            .collectors
            .iter()
            .filter(|(name, _)| **name != CollectorName::Icmp);
        let waiting = tools.find(|(_, record)| record.success.is_none());
        waiting.map(|(name, _)| *name)
    }

    /// Returns the collectors that stand still.
    pub fn standing_still(&self) -> impl Iterator<Item = CollectorName> {
        let now = Instant::now();
        let late = move |record: &CollectorRecord| record.due.is_some_and(|due| due < now);
        let records = self.collectors.iter();
        records.filter_map(move |(name, record)| late(record).then_some(*name))
    }

    /// Drops what a tool showed before a time: a run that should have shown it anew since then has
    /// not ended in time. What was seen since then, by another run, stays; and so does, for as long
    /// as it may be shown, that the hardserver did not answer: the look that would tell otherwise
    /// has not ended either.
    pub fn overdue(&mut self, name: CollectorName, since: Instant) {
        match name {
            CollectorName::Enquiry => {
                let before = self.module_states();
                self.enquiry.take_if(|dated| dated.at < since);
                let up = HardserverState::Up;
                self.hardserver
                    .take_if(|dated| dated.at < since && dated.value == up);
                self.log_transitions(&before);
            }
            CollectorName::Stattree => drop(self.stattree.take_if(|dated| dated.at < since)),
            CollectorName::Icmp => {}
        }
    }

    /// Takes in the end of a run of `enquiry`. Output without a hardserver's section shows
    /// nothing, and then the modules are unknown at once.
    pub fn enquiry_ended(&mut self, mut output: Enquiry) {
        let before = self.module_states();
        self.learn(&output);
        let known = |section: &ModuleSection| self.modules.get(section.number).is_some();
        output.modules.retain(known);
        self.enquiry = output.server.is_some().then(|| Dated::now(output));
        self.log_transitions(&before);
    }

    /// Takes in a run of `enquiry` that timed out. What it printed tells who the modules are; it may
    /// be as old as the run and says nothing about how they are now.
    pub fn enquiry_timed_out(&mut self, output: &Enquiry) {
        let before = self.module_states();
        self.learn(output);
        self.enquiry = None;
        self.log_transitions(&before);
    }

    fn learn(&mut self, output: &Enquiry) {
        if output.server.is_some() {
            self.modules.learn(output);
            self.count_unknown_states(output);
            self.unknown_statistics.learn(unknown_labels(output));
        }
    }

    /// Takes in the end of a run of `stattree`; `None` where its output is not whole.
    pub fn stattree_ended(&mut self, output: Option<StatTree>) {
        self.stattree = output.map(Dated::now);
        let Some(dated) = &self.stattree else { return };
        let (tree, wall) = (&dated.value, dated.wall);
        if let Some(uptime) = tree.server().and_then(|server| server.counter("Uptime")) {
            self.hardserver_start.observe(uptime, wall);
        }
        for (number, node) in self.modules.statistics(tree) {
            let env = node.descend(&["ModuleEnvStats"]);
            if let Some(uptime) = env.and_then(|env| env.counter("Uptime")) {
                self.module_start
                    .entry(number)
                    .or_default()
                    .observe(uptime, wall);
            }
        }
        self.unknown_statistics
            .learn(tree.unknown().map(|(node, id)| format!("{node}.{id}")));
    }

    /// Takes in one look at the hardserver. Returns the state it leads to.
    pub fn hardserver_looked(&mut self, look: LookResult) -> HardserverState {
        let before = self.hardserver_state();
        let now = self.down_proof.observe(look, self.started.elapsed());
        self.hardserver = Some(Dated::now(now));
        if now != before {
            tracing::info!(
                from = before.as_str(),
                to = now.as_str(),
                ?look,
                "hardserver state"
            );
        }
        now
    }

    /// Takes in what the hardserver's configuration file says.
    pub fn config_read(&mut self, config: &HardserverConfig) {
        self.modules.suggest(config);
    }

    /// Takes in how a run of a collector went: `failure` says in words why it did not give
    /// everything. Only a change is logged, so that a collector that goes on failing is one line.
    pub fn collector_ended(
        &mut self,
        name: CollectorName,
        failure: Option<&str>,
        duration: Duration,
    ) {
        let record = self.collectors.entry(name).or_default();
        let success = failure.is_none();
        if record.success != Some(success) {
            let collector = name.as_str();
            match failure {
                Some(error) => tracing::warn!(collector, error, "collector fails"),
                None => tracing::info!(collector, "collector works"),
            }
        }
        record.success = Some(success);
        record.duration = duration;
        if success {
            record.last_success = Some(UnixTime::now());
        }
    }

    /// Returns the newest `enquiry`, unless it is too old or the hardserver has stopped answering
    /// since.
    #[must_use]
    pub fn enquiry(&self) -> Option<&Dated<Enquiry>> {
        let silent_since = self
            .hardserver
            .as_ref()
            .filter(|look| look.value != HardserverState::Up);
        self.enquiry
            .as_ref()
            .filter(|dated| dated.at.elapsed() <= self.max_age(CollectorName::Enquiry))
            .filter(|dated| silent_since.is_none_or(|look| look.at < dated.at))
    }

    /// Returns the newest `stattree`, unless it is too old.
    #[must_use]
    pub fn stattree(&self) -> Option<&Dated<StatTree>> {
        self.stattree
            .as_ref()
            .filter(|dated| dated.at.elapsed() <= self.max_age(CollectorName::Stattree))
    }

    /// Returns the state of the hardserver; unknown when nobody has looked for too long. A look by
    /// `enquiry -m0` begins only when the full one is overdue, and has as long to end.
    #[must_use]
    pub fn hardserver_state(&self) -> HardserverState {
        let newest = self.hardserver.as_ref();
        newest
            .filter(|dated| dated.at.elapsed() <= self.max_age(CollectorName::Enquiry) + OVERDUE)
            .map_or(HardserverState::Unknown, |dated| dated.value)
    }

    /// Returns the condition of every module ever seen; unknown where the newest `enquiry` does
    /// not show it.
    #[must_use]
    pub fn module_conditions(&self) -> BTreeMap<ModuleNumber, ModuleCondition> {
        let unseen = ModuleCondition {
            state: ModuleState::Unknown,
            hardware_ok: None,
        };
        let shown = self
            .enquiry()
            .into_iter()
            .flat_map(|dated| &dated.value.modules);
        let known = self.modules.iter().map(|(number, _)| (number, unseen));
        known
            .chain(shown.map(|module| (module.number, module.condition())))
            .collect()
    }

    /// Returns the statistics of each module, by the number that `enquiry` prints.
    #[must_use]
    pub fn module_statistics(&self) -> BTreeMap<ModuleNumber, nshield::stattree::NodeRef<'_>> {
        self.stattree()
            .map(|dated| self.modules.statistics(&dated.value))
            .unwrap_or_default()
    }

    /// Returns how old a result may be: the next one comes after the interval, or after as long as
    /// this one took.
    fn max_age(&self, name: CollectorName) -> Duration {
        let took = self.collectors.get(&name).map(|record| record.duration);
        self.spacing.max(took.unwrap_or_default()) + OVERDUE
    }

    fn module_states(&self) -> BTreeMap<ModuleNumber, ModuleState> {
        let conditions = self.module_conditions();
        conditions
            .into_iter()
            .map(|(number, condition)| (number, condition.state))
            .collect()
    }

    fn log_transitions(&self, before: &BTreeMap<ModuleNumber, ModuleState>) {
        for (number, to) in self.module_states() {
            let from = before.get(&number).copied();
            if from != Some(to) {
                let from = from.map_or("unseen", ModuleState::as_str);
                tracing::info!(
                    module = number.get(),
                    from,
                    to = to.as_str(),
                    "module state"
                );
            }
        }
    }

    fn count_unknown_states(&mut self, output: &Enquiry) {
        for module in &output.modules {
            if module.condition().state == ModuleState::Unknown {
                let raw = |label| module.fields.get(label).unwrap_or_default();
                let words = format!("{:?} {:?}", raw("enquiry reply flags"), raw("mode"));
                self.unknown_states.learn([words]);
            }
        }
    }
}

fn unknown_labels(output: &Enquiry) -> impl Iterator<Item = String> {
    output
        .unknown()
        .map(|field| format!("enquiry.{}", field.label))
}

/// Distinct words that a parser did not know.
#[derive(Debug, Clone, Default)]
pub struct Unknown {
    seen: BTreeSet<String>,
}

impl Unknown {
    /// Returns how many distinct words there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.seen.len() as u64
    }

    fn learn(&mut self, words: impl IntoIterator<Item = String>) {
        for word in words {
            let word: String = word.chars().take(UNKNOWN_LENGTH).collect();
            if self.seen.len() < UNKNOWN_REMEMBERED && !self.seen.contains(&word) {
                tracing::warn!(word, "the vendor's tools print something that is not known");
                self.seen.insert(word);
            }
        }
    }
}

#[cfg(test)]
mod tests;
