//! The live timeline of a lab: what happened, in every program, in one order.
//!
//! It only reads: the simulator's logs, Prometheus, the remediator's own record, and what reached
//! people. Each source says when a thing happened by its own clock, which is this machine's.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::{Lab, LabError, clock, network::Network};

mod print;
mod words;

pub use print::Printer;

/// How often the sources are looked at.
const LOOK: Duration = Duration::from_millis(150);

/// Entries are printed this much later than they happened, so that those of slower sources come in
/// between.
const DELAY_MS: u64 = 900;

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The simulated estate.
    Estate,
    /// A scrape of Prometheus.
    Scrape,
    /// An alert of Prometheus.
    Alert,
    /// The remediator took in a webhook.
    Webhook,
    /// The remediator looked at the host.
    Evidence,
    /// The remediator decided.
    Verdict,
    /// The remediator begins, ends or settles something.
    Attempt,
    /// A command of the vendor's was run.
    Command,
    /// The remediator opens or closes an incident.
    Incident,
    /// A person is called.
    Page,
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When it happened, in milliseconds since 1970.
    pub time_ms: u64,
    /// Its place among those of the same millisecond, as they were read.
    pub order: u64,
    /// Who says so.
    pub source: Source,
    /// What happened.
    pub text: String,
    /// Whether it is good news, bad news, or neither.
    pub mood: Mood,
}

/// How an entry is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mood {
    /// Something works again.
    Good,
    /// Something broke, or a person is called.
    Bad,
    /// A command that changes something.
    Act,
    /// Anything else.
    Plain,
}

/// Reads the sources of a lab from a moment on.
#[derive(Debug)]
pub struct Timeline {
    since_ms: u64,
    happenings: usize,
    turns: usize,
    calls: usize,
    seq: u64,
    seen: BTreeSet<String>,
    last_verdict: String,
    entries: u64,
    waiting: BTreeSet<Entry>,
}

impl Timeline {
    /// A timeline that begins now. What the sources have said before is left out.
    ///
    /// # Errors
    /// If a source cannot be read.
    pub async fn begin(lab: &Lab) -> Result<Self, LabError> {
        let seq = lab
            .remediator
            .events(0)
            .await?
            .last()
            .map_or(0, |event| event.seq);
        Ok(Self {
            since_ms: clock::now_ms(),
            happenings: lab.estate.happenings()?.len(),
            turns: 0,
            calls: lab.estate.changes()?.len(),
            seq,
            seen: BTreeSet::new(),
            last_verdict: String::new(),
            entries: 0,
            waiting: BTreeSet::new(),
        })
    }

    /// Reads and prints for ever. A source that does not answer (a program that was killed) is left
    /// out until it does.
    ///
    /// # Errors
    /// If a log of the simulator cannot be read.
    pub async fn follow(&mut self, lab: &Lab, printer: &mut Printer) -> Result<(), LabError> {
        loop {
            self.read(lab).await?;
            let ripe = clock::now_ms().saturating_sub(DELAY_MS);
            while let Some(entry) = self.waiting.pop_first() {
                if entry.time_ms > ripe {
                    self.waiting.insert(entry);
                    break;
                }
                printer.print(&entry);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Reads once more and prints everything that is left.
    ///
    /// # Errors
    /// If a log of the simulator cannot be read.
    pub async fn finish(&mut self, lab: &Lab, printer: &mut Printer) -> Result<(), LabError> {
        self.read(lab).await?;
        for entry in std::mem::take(&mut self.waiting) {
            printer.print(&entry);
        }
        Ok(())
    }

    async fn read(&mut self, lab: &Lab) -> Result<(), LabError> {
        for happening in lab.estate.happenings()?.into_iter().skip(self.happenings) {
            self.happenings += 1;
            self.take(words::of_happening(&happening));
        }
        let turns = lab.network.as_ref().map(Network::turns).unwrap_or_default();
        for turn in turns.into_iter().skip(self.turns) {
            self.turns += 1;
            let (text, mood) = words::of_turn(turn);
            self.add(turn.time_ms, Source::Estate, text.to_owned(), mood);
        }
        for call in lab.estate.changes()?.into_iter().skip(self.calls) {
            self.calls += 1;
            self.add(call.time_ms, Source::Command, call.line(), Mood::Act);
        }
        if let Ok(events) = lab.remediator.events(self.seq).await {
            for event in events {
                self.seq = self.seq.max(event.seq);
                self.take(words::of_event(&event));
            }
        }
        self.read_prometheus(lab).await;
        self.read_people(lab);
        Ok(())
    }

    async fn read_prometheus(&mut self, lab: &Lab) {
        let Some(alerting) = &lab.alerting else {
            return;
        };
        for (source, mood, query) in QUERIES {
            let query = format!("timestamp({query})");
            for sample in alerting.prometheus.query(&query).await.unwrap_or_default() {
                let text = words::of_sample(*source, &sample.labels);
                let time_ms = words::milliseconds(sample.value);
                if time_ms >= self.since_ms && self.first_time(&sample.labels, query.as_str()) {
                    self.add(time_ms, *source, text, *mood);
                }
            }
        }
    }

    fn read_people(&mut self, lab: &Lab) {
        for alert in ["VcmDown", "VcmRemediatorNeedsHuman", "VcmRemediatorDown"] {
            for notice in lab.people.told("pager", alert) {
                if self.first_time(&notice.alert["labels"], "pager") {
                    let what = notice.alert["annotations"]["summary"]
                        .as_str()
                        .unwrap_or(alert);
                    let text = format!("the pager rings: {what}");
                    self.add(notice.time_ms, Source::Page, text, Mood::Bad);
                }
            }
        }
    }

    /// A verdict that reads as the one before it is left out: only something between the lines
    /// changed.
    fn take(&mut self, entry: Option<Entry>) {
        let Some(entry) = entry else { return };
        if entry.source == Source::Verdict {
            if entry.text == self.last_verdict {
                return;
            }
            self.last_verdict.clone_from(&entry.text);
        }
        self.insert(entry);
    }

    fn first_time(&mut self, labels: &Value, what: &str) -> bool {
        self.seen.insert(format!("{what} {labels}"))
    }

    fn add(&mut self, time_ms: u64, source: Source, text: String, mood: Mood) {
        self.insert(Entry {
            time_ms,
            order: 0,
            source,
            text,
            mood,
        });
    }

    fn insert(&mut self, entry: Entry) {
        self.entries += 1;
        let order = self.entries;
        self.waiting.insert(Entry { order, ..entry });
    }
}

/// What is asked of Prometheus; each series of a result is an entry the first time it is seen.
const QUERIES: &[(Source, Mood, &str)] = &[
    (
        Source::Scrape,
        Mood::Bad,
        r#"nshield_module_state{state!="operational"} == 1"#,
    ),
    (
        Source::Scrape,
        Mood::Bad,
        r#"nshield_hardserver_state{state!="up"} == 1"#,
    ),
    (
        Source::Scrape,
        Mood::Bad,
        "nshield_icmp_last_probe_success == 0",
    ),
    (
        Source::Alert,
        Mood::Bad,
        r#"ALERTS{alertstate="firing", severity!~"none|info"}"#,
    ),
];
