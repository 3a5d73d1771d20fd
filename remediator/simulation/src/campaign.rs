//! Many episodes, put together. Each stream of episodes is made from one seed; streams run side by
//! side, each on one thread, and come to the same whatever the number of threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::checker::Violation;
use crate::dice::mixed;
use crate::episode::Episode;
use crate::tally::Tally;

/// How long after the last trouble an episode may take to end.
pub const TAIL: Duration = Duration::from_secs(12 * 3_600);

/// A stream stops after so many episodes in which a property did not hold.
const FAILURES_MAX: usize = 5;

/// An episode in which a property did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed: `vcm-simulation --seed` replays it.
    pub seed: u64,
    /// What did not hold, each property once.
    pub violations: Vec<Violation>,
}

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// All incidents.
    pub tally: Tally,
    /// Episodes in which a property did not hold.
    pub failures: Vec<Failure>,
}

impl Outcome {
    /// All of these together.
    #[must_use]
    pub fn joined(outcomes: &[Self]) -> Self {
        let mut all = Self::default();
        for outcome in outcomes {
            all.tally.join(&outcome.tally);
            all.failures.extend(outcome.failures.iter().cloned());
        }
        all
    }
}

/// Runs at least `incidents` incidents, the same share from each of `seeds`, on `jobs` threads. An
/// outcome for each seed, in their order.
#[must_use]
pub fn run(seeds: &[u64], incidents: usize, jobs: NonZeroUsize) -> Vec<Outcome> {
    let share = incidents.div_ceil(seeds.len().max(1));
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Outcome)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.get().min(seeds.len()) {
            scope.spawn(|| {
                while let Some((index, seed)) = take(&next, seeds) {
                    let outcome = stream(seed, share);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, outcome));
                }
            });
        }
    });
    let mut outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn take(next: &AtomicUsize, seeds: &[u64]) -> Option<(usize, u64)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    seeds.get(index).map(|seed| (index, *seed))
}

/// The episodes of one seed, one after the other, until there are `incidents`.
fn stream(seed: u64, incidents: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let mut index = 0;
    while outcome.tally.incidents() < incidents && outcome.failures.len() < FAILURES_MAX {
        let mut episode = Episode::new(mixed(seed, index), false);
        index += 1;
        episode.run(TAIL);
        outcome.tally.add(&episode);
        outcome.failures.extend(failure(&episode));
    }
    outcome
}

/// What did not hold in an episode, each property once.
#[must_use]
pub fn failure(episode: &Episode) -> Option<Failure> {
    let mut violations: Vec<Violation> = Vec::new();
    for violation in episode.checker().violations() {
        if !violations
            .iter()
            .any(|known| known.property == violation.property)
        {
            violations.push(violation.clone());
        }
    }
    let seed = episode.seed;
    (!violations.is_empty()).then_some(Failure { seed, violations })
}
