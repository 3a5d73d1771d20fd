//! Counts over many incidents: what came of them, in all and for each value of each knob.

use std::collections::{BTreeMap, BTreeSet};

use vcm_recovery::event::{Change, Event};
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::Rung;

use crate::checker::{IncidentResult, Way};
use crate::episode::Episode;
use crate::knobs::{Knobs, Setting};

/// How many seeds of episodes with an early page a stream of episodes remembers.
const SEEDS_MAX: usize = 5;

/// Counts of incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How they ended.
    pub ways: BTreeMap<Way, u64>,
    /// From the first observed failure to health, in seconds, of those that failed.
    pub recovery_seconds: Vec<u32>,
    /// Incidents by disruptive acts.
    pub disruptive: BTreeMap<usize, u64>,
    /// Incidents by pages, as people are told of them.
    pub pages: BTreeMap<usize, u64>,
    /// Incidents by pages, without those that outrank the limit.
    pub calls: BTreeMap<usize, u64>,
    /// Pages, each time one is raised.
    pub raised: u64,
    /// Pages for want of an observation, before their time.
    pub early_pages: u64,
    /// Acts by rung.
    pub acts: BTreeMap<Rung, u64>,
    /// Acts on what worked, or would have within the rung's wait.
    pub unnecessary: BTreeMap<Rung, u64>,
}

/// Whether a page of an incident says something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Told {
    /// Its reason is new.
    First,
    /// People were told of it before.
    Again,
}

/// Everything counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Episodes.
    pub episodes: u64,
    /// Stored events.
    pub events: u64,
    /// Starts of the program.
    pub starts: u64,
    /// All incidents.
    pub all: Counts,
    /// The first episodes with a page for want of an observation before its time, by their seeds.
    pub early_seeds: BTreeSet<u64>,
    /// Those of the episodes that drew this value.
    pub by_setting: BTreeMap<Setting, Counts>,
    /// Pages by reason.
    pub reasons: BTreeMap<PageReason, u64>,
    /// Pages beyond the second of their incident, by reason; those that had been told of before, and
    /// ended for longer than a page keeps firing, apart from the others.
    pub beyond_two: BTreeMap<(PageReason, Told), u64>,
    /// What observe mode would have run.
    pub shadows: u64,
    /// How often load was taken from an HSM.
    pub sheds: u64,
    /// Pairs of values of two knobs that occurred together.
    pub pairs: BTreeSet<(Setting, Setting)>,
}

impl Tally {
    /// How many incidents were counted.
    #[must_use]
    pub fn incidents(&self) -> usize {
        self.all
            .ways
            .values()
            .map(|count| usize::try_from(*count).unwrap_or(usize::MAX))
            .sum()
    }

    /// Counts an episode.
    pub fn add(&mut self, episode: &Episode) {
        let settings = episode.checker().settings();
        self.episodes += 1;
        self.events += u64::try_from(episode.events().len()).unwrap_or(0);
        self.starts += episode.starts();
        let shadows = |event: &&Event| matches!(event.entry.change, Change::ShadowStarted(_));
        let shadows = episode.events().iter().filter(shadows).count();
        self.shadows += u64::try_from(shadows).unwrap_or(0);
        self.sheds += u64::try_from(episode.checker().sheds()).unwrap_or(0);
        for result in episode.checker().results() {
            self.all.add(result);
            if result.early_pages > 0 && self.early_seeds.len() < SEEDS_MAX {
                self.early_seeds.insert(episode.seed);
            }
            for setting in settings {
                self.by_setting.entry(*setting).or_default().add(result);
            }
            for (index, reason) in result.pages.iter().enumerate() {
                *self.reasons.entry(*reason).or_default() += 1;
                let told = match result.pages[..index].contains(reason) {
                    true => Told::Again,
                    false => Told::First,
                };
                if index >= 2 {
                    *self.beyond_two.entry((*reason, told)).or_default() += 1;
                }
            }
        }
        for (index, first) in settings.iter().enumerate() {
            self.pairs
                .extend(settings[index + 1..].iter().map(|second| (*first, *second)));
        }
    }

    /// Adds what was counted elsewhere.
    pub fn join(&mut self, other: &Self) {
        self.episodes += other.episodes;
        self.events += other.events;
        self.starts += other.starts;
        self.all.join(&other.all);
        for (setting, counts) in &other.by_setting {
            self.by_setting.entry(*setting).or_default().join(counts);
        }
        add_all(&mut self.reasons, &other.reasons);
        add_all(&mut self.beyond_two, &other.beyond_two);
        self.shadows += other.shadows;
        self.sheds += other.sheds;
        self.early_seeds.extend(&other.early_seeds);
        self.pairs.extend(other.pairs.iter().copied());
    }

    /// How many pairs of values there are.
    #[must_use]
    pub fn pairs_possible() -> usize {
        let sizes: Vec<usize> = Knobs::all().iter().map(Vec::len).collect();
        let total: usize = sizes.iter().sum();
        let own: usize = sizes.iter().map(|size| size * size).sum();
        (total * total - own) / 2
    }
}

impl Counts {
    fn add(&mut self, result: &IncidentResult) {
        *self.ways.entry(result.way).or_default() += 1;
        *self.disruptive.entry(result.disruptive_acts()).or_default() += 1;
        *self.pages.entry(result.pages.len()).or_default() += 1;
        let calls = result.pages.len() - result.at_once;
        *self.calls.entry(calls).or_default() += 1;
        self.raised += u64::try_from(result.raised).unwrap_or(0);
        self.early_pages += u64::try_from(result.early_pages).unwrap_or(0);
        let recovered = matches!(result.way, Way::ByUs | Way::Otherwise);
        let seconds = result
            .recovery_millis
            .filter(|_| recovered)
            .map(|millis| millis / 1_000);
        self.recovery_seconds
            .extend(seconds.and_then(|seconds| u32::try_from(seconds).ok()));
        for &(rung, unnecessary) in &result.acts {
            *self.acts.entry(rung).or_default() += 1;
            *self.unnecessary.entry(rung).or_default() += u64::from(unnecessary);
        }
    }

    fn join(&mut self, other: &Self) {
        add_all(&mut self.ways, &other.ways);
        add_all(&mut self.disruptive, &other.disruptive);
        add_all(&mut self.pages, &other.pages);
        add_all(&mut self.calls, &other.calls);
        self.raised += other.raised;
        self.early_pages += other.early_pages;
        add_all(&mut self.acts, &other.acts);
        add_all(&mut self.unnecessary, &other.unnecessary);
        self.recovery_seconds.extend(&other.recovery_seconds);
    }

    /// Incidents of this way.
    #[must_use]
    pub fn of(&self, way: Way) -> u64 {
        self.ways.get(&way).copied().unwrap_or(0)
    }

    /// Incidents whose target was seen failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.ways.values().sum::<u64>() - self.of(Way::NeverFailed)
    }

    /// The time to recovery below which so many per cent of the recovered incidents lie, in seconds.
    #[must_use]
    pub fn recovery_within(&self, per_cent: usize) -> u32 {
        let mut seconds = self.recovery_seconds.clone();
        seconds.sort_unstable();
        let index = (seconds.len() * per_cent / 100).min(seconds.len().saturating_sub(1));
        seconds.get(index).copied().unwrap_or(0)
    }

    /// Acts, and of these the unnecessary ones.
    #[must_use]
    pub fn act_counts(&self) -> (u64, u64) {
        (self.acts.values().sum(), self.unnecessary.values().sum())
    }
}

/// The value below or at which so many per cent of a histogram lie.
#[must_use]
pub fn quantile(histogram: &BTreeMap<usize, u64>, per_cent: u64) -> usize {
    let total: u64 = histogram.values().sum();
    let mut below = 0;
    for (value, count) in histogram {
        below += count;
        if below * 100 >= total * per_cent {
            return *value;
        }
    }
    0
}

fn add_all<K: Copy + Ord>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(*key).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occur() {
        let histogram = BTreeMap::from([(0, 90), (1, 9), (5, 1)]);
        assert_eq!(
            [50, 90, 99, 100].map(|p| quantile(&histogram, p)),
            [0, 0, 1, 5]
        );
        assert_eq!(quantile(&BTreeMap::new(), 50), 0);
    }

    #[test]
    fn pairs_possible_counts_each_pair_of_two_knobs_once() {
        let all = Knobs::all();
        let mut pairs = 0;
        for (index, first) in all.iter().enumerate() {
            pairs += all[index + 1..]
                .iter()
                .map(|second| first.len() * second.len())
                .sum::<usize>();
        }
        assert_eq!(Tally::pairs_possible(), pairs);
    }
}
