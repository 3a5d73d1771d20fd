//! What a replay has found, and how it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{HostName, IncidentId};
use vcm_recovery::incident::Standing;
use vcm_recovery::inventory::Target;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;

use crate::told;

/// A rung of an incident.
pub(super) type Start = (IncidentId, Rung);

/// What was found.
#[derive(Debug)]
pub(super) struct Findings {
    /// Since when it was asked.
    pub(super) from: Time,
    /// How far apart two starts may lie and be the same one, as far as is known by now.
    pub(super) tolerance: Duration,
    pub(super) asked: u64,
    /// The last thing that is recorded.
    pub(super) end: Option<Time>,
    /// Hosts about which something is recorded and that the other inventory does not have.
    pub(super) not_listed: BTreeSet<HostName>,
    lines: Vec<String>,
    /// What needs not be said again: it was said, or was started in the record.
    told: BTreeSet<Start>,
    /// What the record refused only for what is not recorded, and for what.
    kept_back: BTreeMap<Start, BTreeSet<Guard>>,
    /// What the record ends too early for.
    open: BTreeSet<Start>,
}

impl Findings {
    pub(super) const fn new(from: Time) -> Self {
        Self {
            from,
            tolerance: Duration::ZERO,
            asked: 0,
            end: None,
            not_listed: BTreeSet::new(),
            lines: Vec::new(),
            told: BTreeSet::new(),
            kept_back: BTreeMap::new(),
            open: BTreeSet::new(),
        }
    }

    /// Whether nothing more is to be said about the other policy starting this.
    pub(super) fn is_told(&self, start: &Start) -> bool {
        self.told.contains(start)
    }

    /// It was started in the record.
    pub(super) fn started(&mut self, start: Start) {
        self.told.insert(start);
    }

    /// The other policy would have started what the record did not start.
    pub(super) fn would_have_started(
        &mut self,
        start: Start,
        at: Time,
        target: &Target,
        was: Standing,
    ) {
        let (at, rung) = (told::instant(at), start.1);
        self.lines.push(format!(
            "{at} {target}: {rung} would have been started; recorded was: {was}"
        ));
        self.told.insert(start);
    }

    /// The record started what the other policy would not have.
    pub(super) fn would_not_have_started(
        &mut self,
        rung: Rung,
        at: Time,
        target: &Target,
        why: &str,
    ) {
        let at = told::instant(at);
        self.lines.push(format!(
            "{at} {target}: {rung} was started, and would not have been: {why}"
        ));
    }

    /// The record refused only for what is not recorded.
    pub(super) fn kept_back(&mut self, start: Start, guards: BTreeSet<Guard>) {
        self.kept_back.entry(start).or_insert(guards);
    }

    /// The record ends before it could have been started.
    pub(super) fn cut_off(&mut self, start: Start) {
        if !self.is_told(&start) {
            self.open.insert(start);
        }
    }

    /// Why the other policy was not asked about anything, if it was not.
    pub(super) fn nothing_asked(&self) -> Option<String> {
        if self.asked > 0 {
            return None;
        }
        Some(match self.not_listed.is_empty() {
            true => {
                let from = told::instant(self.from);
                format!("no look and no decision is recorded since {from}")
            }
            false => "its inventory has none of the recorded hosts".to_owned(),
        })
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        for host in &self.not_listed {
            writeln!(
                f,
                "{host}: not in the other inventory, nothing was asked about it"
            )?;
        }
        if self.asked == 0 {
            return writeln!(f, "asked 0 times: this says nothing about the other policy");
        }
        let by_guards = self.kept_back.values().fold(
            BTreeMap::<&BTreeSet<Guard>, usize>::new(),
            |mut by_guards, guards| {
                *by_guards.entry(guards).or_default() += 1;
                by_guards
            },
        );
        for (guards, number) in by_guards {
            let guards: Vec<&str> = guards.iter().map(|guard| guard.as_str()).collect();
            let guards = guards.join(" and ");
            writeln!(
                f,
                "no difference: {} that the record refused only for {guards}, which rests on what is not recorded",
                starts(number)
            )?;
        }
        let tolerance = humantime::format_duration(self.tolerance);
        if !self.open.is_empty() {
            let number = starts(self.open.len());
            writeln!(
                f,
                "not known: {number} that would have come less than {tolerance} before the program or its record ended"
            )?;
        }
        writeln!(
            f,
            "taken for granted: the watchdog was heard of, nothing was silenced, the store was the program's own, alerts were \
             delivered again while they fired, hosts looked the same between recorded looks, and the wall clock was right; \
             starts up to {tolerance} apart are the same (an observe_interval and a look)"
        )?;
        if let Some(end) = self.end {
            let end = told::instant(end);
            writeln!(f, "the record ends at {end}: nothing is asked after it")?;
        }
        let (asked, differ) = (self.asked, self.lines.len());
        writeln!(
            f,
            "asked {asked} times, {differ} differences from the record"
        )
    }
}

fn starts(number: usize) -> String {
    match number {
        1 => "1 start".to_owned(),
        number => format!("{number} starts"),
    }
}
