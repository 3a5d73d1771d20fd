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

/// What came of it.
#[derive(Clone, Debug)]
pub struct Storm {
    /// VCMs that failed.
    pub failed: usize,
    /// Of these, back by a rung.
    pub recovered: usize,
    /// Retries that were started.
    pub retries: usize,
    /// From the failure to the settlement of the last attempt.
    pub took: Duration,
    /// The least that the budgets allow.
    pub least: Duration,
    /// How long an attempt held its budgets, on average.
    pub held: Duration,
    /// The most retries on one HSM at a time.
    pub most_on_hsm: usize,
    /// What did not hold.
    pub violations: Vec<String>,
}

impl Storm {
    /// Whether all are back in time and every property held.
    #[must_use]
    pub fn holds(&self) -> bool {
        let in_time =
            self.took.as_millis() * 100 <= self.least.as_millis() * u128::from(LIMIT_PERCENT);
        in_time && self.recovered == self.failed && self.violations.is_empty()
    }
}

/// Runs the storm of `seed`.
#[must_use]
pub fn run(seed: u64) -> Storm {
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
    episode.begin_peace(began);
    while episode.checker().results().len() < places.len() && episode.now() < end && episode.step()
    {
    }
    summary(&episode, places.len(), began)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "two kinds of event tell of attempts"
)]
fn summary(episode: &Episode, failed: usize, began: Time) -> Storm {
    let mut open: BTreeMap<_, _> = BTreeMap::new();
    let mut on_hsm: BTreeMap<_, usize> = BTreeMap::new();
    let (mut last, mut held, mut settled, mut most_on_hsm) = (began, Duration::ZERO, 0_u32, 0);
    for event in episode.events() {
        match &event.entry.change {
            Change::IntentReserved(intent) => {
                open.insert(intent.attempt, (event.time, intent.hsms.clone()));
                for hsm in &intent.hsms {
                    let count = on_hsm.entry(hsm.clone()).or_default();
                    *count += 1;
                    most_on_hsm = most_on_hsm.max(*count);
                }
            }
            Change::AttemptReported {
                attempt,
                report: Report::Settled { outcome, .. },
            } if *outcome != Outcome::Unknown => {
                if let Some((since, hsms)) = open.remove(attempt) {
                    settled += 1;
                    held += event.time.since(since);
                    last = event.time;
                    for hsm in hsms {
                        *on_hsm.entry(hsm).or_default() -= 1;
                    }
                }
            }
            _ => {}
        }
    }
    let results = episode.checker().results();
    Storm {
        failed,
        recovered: results
            .iter()
            .filter(|result| result.way == Way::ByUs)
            .count(),
        retries: results.iter().map(|result| result.acts.len()).sum(),
        took: last.since(began),
        least: least(episode),
        held: held / settled.max(1),
        most_on_hsm,
        violations: episode
            .checker()
            .violations()
            .iter()
            .take(10)
            .map(|violation| format!("{}: {}", violation.property, violation.text))
            .collect(),
    }
}

/// The least that the budgets allow: no retry before the policy's time, and then on each HSM as many at a time
/// as its budget has, each for as long as health takes to be shown; and on each host one after the
/// other, with the spacing between them.
fn least(episode: &Episode) -> Duration {
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
    let rounds = carried
        .iter()
        .max()
        .map_or(0, |most| most.div_ceil(policy.budgets.hsm_retry));
    let by_hsm = attempt * rounds;
    let by_host = attempt * most_on_host + policy.spacing * most_on_host.saturating_sub(1);
    // The alert fires two minutes after the failure and brings about the first look; from there the
    // policy waits, in a storm for as long as an HSM may take to boot.
    let alert = Duration::from_secs(120);
    alert + policy.retry.not_before.max(policy.boot_window) + by_hsm.max(by_host)
}
