//! What a campaign came to, as a table for people and as JSON for machines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use vcm_recovery::tier::Rung;

use crate::checker::Way;
use crate::tally::{Counts, Tally, Told, quantile};

/// Stands above every figure.
pub const NOT_FROM_THE_FIELD: &str = "These are not figures from the field. Every unknown of the vendor's \
devices is a knob here, and its values and their shares are guesses; what the figures show is what \
the remediator does with each.";

/// The largest share of unnecessary restarts and clears, in per cent. A retry, which takes nothing away
/// that we know of, waits 2 min only: of what would have healed after that it takes its share.
const UNNECESSARY_MAX: f64 = 1.0;

/// The most disruptive acts of 99 of 100 incidents.
const DISRUPTIVE_P99_MAX: usize = 1;

/// The most pages of 99 of 100 incidents.
const PAGES_P99_MAX: usize = 2;

/// Fewer incidents than this are too few to hold shares against limits.
const INCIDENTS_MIN: usize = 5_000;

/// What a campaign came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`NOT_FROM_THE_FIELD`]
    pub note: &'static str,
    /// The seeds of its streams.
    pub seeds: Vec<u64>,
    /// Episodes.
    pub episodes: u64,
    /// Stored events.
    pub events: u64,
    /// Starts of the program.
    pub starts: u64,
    /// Pairs of values of two knobs that occurred together, and all there are.
    pub pairs: (usize, usize),
    /// The first episodes with an early page, by their seeds.
    pub early_seeds: BTreeSet<u64>,
    /// All incidents.
    pub all: Figures,
    /// Those of each value of each knob.
    pub by_knob: BTreeMap<&'static str, BTreeMap<&'static str, Figures>>,
    /// Pages by reason.
    pub pages: BTreeMap<&'static str, u64>,
    /// Pages beyond the second of an incident whose reason people were not told of before.
    pub pages_beyond_two: BTreeMap<&'static str, u64>,
    /// The same, of a reason that they were told of before.
    pub pages_beyond_two_again: BTreeMap<&'static str, u64>,
    /// What observe mode would have run.
    pub shadows: u64,
    /// How often load was taken from an HSM.
    pub sheds: u64,
}

/// Figures of some incidents.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// How many.
    pub incidents: u64,
    /// Of these, seen failed.
    pub failed: u64,
    /// Of the failed, brought back by a rung, in per cent.
    pub by_us_percent: f64,
    /// Of the failed, back by themselves or by people before we were out of rungs, in per cent.
    pub otherwise_percent: f64,
    /// Of the failed, given to people, in per cent.
    pub handed_over_percent: f64,
    /// Of the failed, still open at the end, in per cent.
    pub open_percent: f64,
    /// Half of the recovered were back within so many seconds.
    pub recovery_median_seconds: u32,
    /// Nine of ten were.
    pub recovery_p90_seconds: u32,
    /// Acts by rung.
    pub acts: BTreeMap<&'static str, u64>,
    /// Disruptive acts of an incident, median.
    pub disruptive_median: usize,
    /// Disruptive acts of 99 of 100 incidents at most.
    pub disruptive_p99: usize,
    /// Of these, on what worked or would have worked within the rung's wait.
    pub unnecessary: BTreeMap<&'static str, u64>,
    /// Acts on what worked or would have worked within the rung's wait, in per cent of all acts.
    pub unnecessary_percent: f64,
    /// Pages of 99 of 100 incidents at most.
    pub pages_p99: usize,
    /// The most pages of one incident, without those that outrank the limit.
    pub calls_max: usize,
    /// Incidents with more than two pages, in per cent.
    pub pages_above_two_percent: f64,
    /// Pages of all incidents, each time one was raised.
    pub pages_raised: u64,
    /// Of these, for want of an observation before it was missing for 5 min.
    pub pages_early: u64,
    /// Disruptive acts on what worked or would have worked within the rung's wait, in per cent.
    pub unnecessary_disruptive_percent: f64,
}

impl Report {
    /// The report of what was counted.
    #[must_use]
    pub fn of(tally: &Tally, seeds: &[u64]) -> Self {
        let mut by_knob: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (setting, counts) in &tally.by_setting {
            let values = by_knob.entry(setting.knob).or_default();
            values.insert(setting.value, Figures::of(counts));
        }
        Self {
            note: NOT_FROM_THE_FIELD,
            seeds: seeds.to_vec(),
            episodes: tally.episodes,
            events: tally.events,
            starts: tally.starts,
            pairs: (tally.pairs.len(), Tally::pairs_possible()),
            early_seeds: tally.early_seeds.clone(),
            all: Figures::of(&tally.all),
            by_knob,
            pages: tally
                .reasons
                .iter()
                .map(|(reason, count)| (reason.as_str(), *count))
                .collect(),
            pages_beyond_two: beyond_two(tally, Told::First),
            pages_beyond_two_again: beyond_two(tally, Told::Again),
            shadows: tally.shadows,
            sheds: tally.sheds,
        }
    }

    /// What is beyond its limit; empty for too few incidents.
    #[must_use]
    pub fn beyond_limits(&self) -> Vec<String> {
        let all = &self.all;
        if usize::try_from(all.incidents).unwrap_or(0) < INCIDENTS_MIN {
            return Vec::new();
        }
        let mut beyond = Vec::new();
        if all.disruptive_median > 0 || all.disruptive_p99 > DISRUPTIVE_P99_MAX {
            let (median, p99) = (all.disruptive_median, all.disruptive_p99);
            beyond.push(format!("disruptive acts per incident: median {median}, p99 {p99}; 0 and {DISRUPTIVE_P99_MAX} are the limits"));
        }
        if all.pages_p99 > PAGES_P99_MAX {
            beyond.push(format!(
                "pages per incident: p99 {}, {PAGES_P99_MAX} is the limit",
                all.pages_p99
            ));
        }
        if all.unnecessary_disruptive_percent > UNNECESSARY_MAX {
            let share = all.unnecessary_disruptive_percent;
            beyond.push(format!(
                "unnecessary restarts and clears: {share:.2} %, {UNNECESSARY_MAX} % is the limit"
            ));
        }
        if all.pages_early > 0 {
            beyond.push(format!(
                "{} pages for want of an observation before their time, with the seeds {:?}; none is the limit",
                all.pages_early, self.early_seeds
            ));
        }
        if self.pairs.0 < self.pairs.1 {
            beyond.push(format!(
                "{} of {} pairs of knob values occurred",
                self.pairs.0, self.pairs.1
            ));
        }
        beyond
    }

    /// The table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{}\n\n", self.note);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{} incidents in {} episodes, {} events, {} starts of the program; {} of {} pairs of knob values\n",
            self.all.incidents, self.episodes, self.events, self.starts, self.pairs.0, self.pairs.1
        );
        let _ = writeln!(
            text,
            "{:<36} {:>9} {:>6} {:>6} {:>6} {:>5} {:>7} {:>7} {:>6} {:>6} {:>5} {:>5} {:>6} {:>6}",
            "",
            "incidents",
            "by us",
            "other",
            "people",
            "open",
            "median",
            "p90",
            "retry",
            "restrt",
            "clear",
            "unnec",
            "disr99",
            "page99"
        );
        let _ = writeln!(
            text,
            "{:<36} {:>9} {:>6} {:>6} {:>6} {:>5} {:>7} {:>7} {:>6} {:>6} {:>5} {:>5} {:>6} {:>6}",
            "", "", "%", "%", "%", "%", "s", "s", "", "", "", "%", "", ""
        );
        text.push_str(&self.all.line("all"));
        for (knob, values) in &self.by_knob {
            let _ = writeln!(text, "{knob}");
            for (value, figures) in values {
                text.push_str(&figures.line(&format!("  {value}")));
            }
        }
        let _ = writeln!(
            text,
            "\npages: {}\nbeyond the second of their incident, for a new reason: {}\n\
             beyond the second, told of before: {}\nraised {} times in all, {} of them early; more than two in {:.2} % of the incidents, \
             at most {} without what outranks the limit",
            listed(&self.pages),
            listed(&self.pages_beyond_two),
            listed(&self.pages_beyond_two_again),
            self.all.pages_raised,
            self.all.pages_early,
            self.all.pages_above_two_percent,
            self.all.calls_max
        );
        for rung in Rung::ALL.map(Rung::as_str) {
            let (acts, unnecessary) = (self.all.acts[rung], self.all.unnecessary[rung]);
            let share = percent(unnecessary, acts);
            let _ = writeln!(
                text,
                "{rung}: {acts} started, {unnecessary} unnecessary ({share:.2} %)"
            );
        }
        let _ = writeln!(
            text,
            "observe mode would have run {} rungs; load was taken from an HSM {} times",
            self.shadows, self.sheds
        );
        let _ = writeln!(
            text,
            "disruptive acts per incident: median {}, p99 {}; unnecessary acts {:.2} %, of restarts and clears {:.2} %",
            self.all.disruptive_median,
            self.all.disruptive_p99,
            self.all.unnecessary_percent,
            self.all.unnecessary_disruptive_percent
        );
        text
    }
}

impl Figures {
    fn of(counts: &Counts) -> Self {
        let failed = counts.failed();
        let (acts, unnecessary) = counts.act_counts();
        let incidents: u64 = counts.ways.values().sum();
        let above_two: u64 = counts
            .pages
            .iter()
            .filter(|(pages, _)| **pages > 2)
            .map(|(_, count)| count)
            .sum();
        let of = |acts: &BTreeMap<Rung, u64>| {
            Rung::ALL
                .map(|rung| (rung.as_str(), acts.get(&rung).copied().unwrap_or(0)))
                .into()
        };
        Self {
            incidents,
            failed,
            by_us_percent: percent(counts.of(Way::ByUs), failed),
            otherwise_percent: percent(counts.of(Way::Otherwise), failed),
            handed_over_percent: percent(counts.of(Way::HandedOver), failed),
            open_percent: percent(counts.of(Way::Open), failed),
            recovery_median_seconds: counts.recovery_within(50),
            recovery_p90_seconds: counts.recovery_within(90),
            acts: of(&counts.acts),
            unnecessary: of(&counts.unnecessary),
            disruptive_median: quantile(&counts.disruptive, 50),
            disruptive_p99: quantile(&counts.disruptive, 99),
            unnecessary_percent: percent(unnecessary, acts),
            pages_p99: quantile(&counts.pages, 99),
            calls_max: counts.calls.keys().copied().max().unwrap_or(0),
            pages_above_two_percent: percent(above_two, incidents),
            pages_raised: counts.raised,
            pages_early: counts.early_pages,
            unnecessary_disruptive_percent: percent(
                disruptive(&counts.unnecessary),
                disruptive(&counts.acts),
            ),
        }
    }

    fn line(&self, name: &str) -> String {
        let acts = |rung: Rung| self.acts.get(rung.as_str()).copied().unwrap_or(0);
        format!(
            "{name:<36} {:>9} {:>6.1} {:>6.1} {:>6.1} {:>5.1} {:>7} {:>7} {:>6} {:>6} {:>5} {:>5.1} {:>6} {:>6}\n",
            self.incidents,
            self.by_us_percent,
            self.otherwise_percent,
            self.handed_over_percent,
            self.open_percent,
            self.recovery_median_seconds,
            self.recovery_p90_seconds,
            acts(Rung::Retry),
            acts(Rung::Restart),
            acts(Rung::Clear),
            self.unnecessary_percent,
            self.disruptive_p99,
            self.pages_p99,
        )
    }
}

fn beyond_two(tally: &Tally, told: Told) -> BTreeMap<&'static str, u64> {
    let pages = tally.beyond_two.iter();
    pages
        .filter(|((_, of), _)| *of == told)
        .map(|((reason, _), count)| (reason.as_str(), *count))
        .collect()
}

fn listed(pages: &BTreeMap<&'static str, u64>) -> String {
    let mut pages: Vec<(&&str, &u64)> = pages.iter().collect();
    pages.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), **reason));
    let pages: Vec<String> = pages
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    pages.join(", ")
}

fn disruptive(by_rung: &BTreeMap<Rung, u64>) -> u64 {
    by_rung
        .iter()
        .filter(|(rung, _)| rung.disruptive())
        .map(|(_, count)| count)
        .sum()
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}
