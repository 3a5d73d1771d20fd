//! The storm: 1,000 VCMs of 20 HSMs fail at once, and each needs one retry. How much longer than the
//! budgets demand does the recovery of all of them take?

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::event::Change;
use vcm_recovery::policy::Policy;
use vcm_recovery::time::Time;

use crate::checker::Way;
use crate::dice::Dice;
use crate::episode::{BEGINNING, Episode};
use crate::knobs::{Knobs, Reconnect};
use crate::world::{Cure, World};

/// The estate: hosts with two VCMs each, of two of the HSMs.
const HOSTS: usize = 500;
const HSMS: usize = 20;

/// All are to be back within this many times the least that the budgets allow, in per cent.
pub const LIMIT_PERCENT: u32 = 120;

/// After so long the storm is given up.
const GIVEN_UP: Duration = Duration::from_secs(6 * 3_600);

/// When the HSMs fail, after a while in which all is well.
const STRIKES: Duration = Duration::from_secs(60);

/// The order to the host runner and its own look, the steps, and the look that sees the target
/// healthy: what an attempt takes besides the health that it has to show.
const ATTEMPT_OVERHEAD: Duration = Duration::from_secs(4);

/// `for` of the alert that tells of the failure.
const ALERT: Duration = Duration::from_secs(120);

/// What came of it.
#[derive(Clone, Debug)]
pub struct Storm {
    /// VCMs that failed.
    pub failed: usize,
    /// Of these, back by a rung.
    pub recovered: usize,
    /// Retries that were started.
    pub retries: usize,
    /// From the failure to the first retry, without what [`Least`] demands.
    pub idle_before: Duration,
    /// How long a place on the HSM that was ready last stood empty between its first retry and its last.
    pub idle_between: Duration,
    /// From the failure to the settlement of the last attempt.
    pub took: Duration,
    /// The least that the budgets allow.
    pub least: Least,
    /// How long an attempt held its budgets, on average.
    pub held: Duration,
    /// The most retries on one HSM at a time.
    pub most_on_hsm: usize,
    /// What did not hold.
    pub violations: Vec<String>,
}

/// The least time that the policy and its budgets allow:
/// `alert + wait + rounds x attempt`.
#[derive(Clone, Copy, Debug)]
pub struct Least {
    /// From the failure to the alert that brings about the first look.
    pub alert: Duration,
    /// From the first look to the first retry: the policy's `not_before`, or the boot window where
    /// that is longer.
    pub wait: Duration,
    /// Retries one after the other: those of the fullest HSM over its budget, or those of a host.
    pub rounds: u32,
    /// What one takes: its run, and the health that it has to show.
    pub attempt: Duration,
    /// Of a host's, the spacing in between.
    pub spacing: Duration,
}

impl Least {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.alert + self.wait + self.attempt * self.rounds + self.spacing
    }
}

impl Storm {
    /// Whether all are back and every property held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.recovered == self.failed && self.violations.is_empty()
    }

    /// Whether they are back within the limit.
    #[must_use]
    pub fn in_time(&self) -> bool {
        self.took.as_millis() * 100 <= self.least.total().as_millis() * u128::from(LIMIT_PERCENT)
    }
}

/// Runs the storm of `seed`.
#[must_use]
pub fn run(seed: u64) -> Storm {
    let (episode, began) = episode(seed);
    summary(&episode, episode.world.places().count(), began)
}

/// The storm of `seed` when it is over, and when it began.
fn episode(seed: u64) -> (Episode, Time) {
    let knobs = Knobs {
        reconnect: Reconnect::Never,
        ..Knobs::ORDINARY
    };
    let hsms_of = |host: usize| vec![host % HSMS, (host / HSMS + host + 1) % HSMS];
    let carried = (0..HOSTS).map(|host| {
        let of_host = hsms_of(host);
        match of_host[0] == of_host[1] {
            true => vec![of_host[0], (of_host[1] + 1) % HSMS],
            false => of_host,
        }
    });
    let world = World::with(carried, HSMS, None, (knobs, Dice::new(seed, 1)), BEGINNING);
    let mut episode = Episode::of(seed, knobs, false, Some(world));
    let strikes = BEGINNING.after(STRIKES);
    while episode.now() < strikes && episode.step() {}
    let began = episode.now();
    let places: Vec<_> = episode.world.places().collect();
    for place in &places {
        episode.world.fail(*place, Some(Cure::Retry), None, began);
    }
    let end = began.after(GIVEN_UP);
    // The next thing to happen may be minutes away; Prometheus sees them fail now.
    episode.settle();
    episode.begin_peace(began);
    while episode.checker().results().len() < places.len() && episode.now() < end && episode.step()
    {
    }
    (episode, began)
}

/// What the events tell of one HSM.
#[derive(Clone, Copy, Debug, Default)]
struct OfHsm {
    in_flight: usize,
    most: usize,
    first: Option<Time>,
    last_end: Option<Time>,
    /// When its number in flight last changed, and the empty places up to then, in place-milliseconds;
    /// and up to its last start.
    changed: Option<Time>,
    empty: u128,
    empty_at_start: u128,
}

impl OfHsm {
    fn changes(&mut self, by: isize, places: usize, now: Time) {
        if let Some(changed) = self.changed.replace(now) {
            let empty = u128::try_from(places.saturating_sub(self.in_flight)).unwrap_or(0);
            self.empty += empty * now.since(changed).as_millis();
        }
        self.in_flight = self.in_flight.saturating_add_signed(by);
        if by > 0 {
            self.most = self.most.max(self.in_flight);
            self.first = self.first.or(Some(now));
            self.empty_at_start = self.empty;
        } else {
            self.last_end = Some(now);
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "two kinds of event tell of attempts"
)]
fn summary(episode: &Episode, failed: usize, began: Time) -> Storm {
    let places = usize::try_from(episode.site.policy.budgets.hsm_retry).unwrap_or(usize::MAX);
    let mut open: BTreeMap<_, _> = BTreeMap::new();
    let mut hsms: BTreeMap<_, OfHsm> = BTreeMap::new();
    let (mut held, mut settled) = (Duration::ZERO, 0_u32);
    for event in episode.events() {
        match &event.entry.change {
            Change::IntentReserved(intent) => {
                open.insert(intent.attempt, (event.time, intent.hsms.clone()));
                for hsm in &intent.hsms {
                    hsms.entry(hsm.clone())
                        .or_default()
                        .changes(1, places, event.time);
                }
            }
            Change::AttemptReported {
                attempt,
                report: Report::Settled { outcome, .. },
            } if *outcome != Outcome::Unknown => {
                if let Some((since, of)) = open.remove(attempt) {
                    settled += 1;
                    held += event.time.since(since);
                    for hsm in of {
                        hsms.entry(hsm).or_default().changes(-1, places, event.time);
                    }
                }
            }
            _ => {}
        }
    }
    let least = least(episode);
    let first = hsms
        .values()
        .filter_map(|hsm| hsm.first)
        .min()
        .unwrap_or(began);
    let last = hsms
        .values()
        .max_by_key(|hsm| hsm.last_end)
        .copied()
        .unwrap_or_default();
    let empty = last.empty_at_start / u128::try_from(places.max(1)).unwrap_or(1);
    let results = episode.checker().results();
    Storm {
        failed,
        recovered: results
            .iter()
            .filter(|result| result.way == Way::ByUs)
            .count(),
        retries: results.iter().map(|result| result.acts.len()).sum(),
        idle_before: first.since(began).saturating_sub(least.alert + least.wait),
        idle_between: Duration::from_millis(u64::try_from(empty).unwrap_or(u64::MAX)),
        took: last.last_end.unwrap_or(began).since(began),
        least,
        held: held / settled.max(1),
        most_on_hsm: hsms.values().map(|hsm| hsm.most).max().unwrap_or(0),
        violations: episode
            .checker()
            .violations()
            .iter()
            .take(10)
            .map(|violation| format!("{}: {}", violation.property, violation.text))
            .collect(),
    }
}

/// No retry before the policy's time; then on each HSM as many at a time as its budget has, and on
/// each host one after the other with the spacing between them, whichever takes longer.
fn least(episode: &Episode) -> Least {
    let policy: &Policy = &episode.site.policy;
    let attempt = policy.healthy_for + ATTEMPT_OVERHEAD;
    let mut carried = [0_u32; HSMS];
    let mut most_on_host = 0_u32;
    for host in &episode.world.hosts {
        most_on_host = most_on_host.max(u32::try_from(host.modules.len()).unwrap_or(0));
        for module in &host.modules {
            carried[module.hsm] += 1;
        }
    }
    let of = |rounds: u32, spacing: Duration| Least {
        alert: ALERT,
        wait: policy.retry.not_before.max(policy.boot_window),
        rounds,
        attempt,
        spacing,
    };
    let most = carried.iter().max().copied().unwrap_or(0);
    let by_hsm = of(most.div_ceil(policy.budgets.hsm_retry), Duration::ZERO);
    let gaps = most_on_host.saturating_sub(1);
    let by_host = of(most_on_host, policy.spacing * gaps);
    if by_hsm.total() >= by_host.total() {
        by_hsm
    } else {
        by_host
    }
}
