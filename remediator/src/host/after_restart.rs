//! A restart never leaves a host down: where the hardserver is proven down afterwards, it is
//! started again.

use std::time::Duration;

use vcm_recovery::observation::HardserverLook;
use vcm_recovery::step::{Platform, Step};

use super::config::HostConfig;
use super::journal::JournalError;
use super::journal::story::Story;
use super::kernel::{self, Moment};
use super::observe::{Depth, observe};
use super::section::SectionEnd;
use super::steps::Steps;

/// The most additional starts.
pub const STARTS_MAX: usize = 3;

/// The most looks to find out whether the hardserver is up.
const LOOKS_MAX: usize = 4;

/// What the hardserver turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proven {
    /// It answers.
    Up,
    /// Two looks in a row speak for down.
    Down,
    /// Neither.
    Unclear,
}

/// What the looks so far prove; `None` while another one is needed. Pure.
#[must_use]
pub fn proven(looks: &[HardserverLook]) -> Option<Proven> {
    match looks {
        [.., HardserverLook::Up] => Some(Proven::Up),
        [
            ..,
            HardserverLook::SuspectedDown,
            HardserverLook::SuspectedDown,
        ] => Some(Proven::Down),
        _ if looks.len() >= LOOKS_MAX => Some(Proven::Unclear),
        _ => None,
    }
}

/// How far the additional starts of an attempt have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many were issued.
    pub starts: usize,
    /// From when on the next one may be, in milliseconds of the boot time clock.
    pub next_start: u64,
}

/// How far the additional starts of a story have come, at `now`, whoever issued them. What is not
/// known in this boot counts from now.
#[must_use]
pub fn progress(story: &Story, spacing: Duration, now: &Moment) -> Progress {
    let is_start = |step: &Step| matches!(step, Step::StartHardserver | Step::StartService);
    let plan = story.accepted.iter().flat_map(|accepted| &accepted.plan);
    let planned = plan.filter(|step| is_start(step)).count();
    let issued = story.steps.iter().filter(|step| is_start(&step.step));
    let additional: Vec<_> = issued.skip(planned).collect();
    let Some(last) = additional.last() else {
        return Progress::default();
    };
    let finished = last.finished.as_ref();
    let since = finished.and_then(|finished| finished.at.until(now));
    let spacing = u64::try_from(spacing.as_millis()).unwrap_or(u64::MAX);
    let left = spacing.saturating_sub(since.unwrap_or(0));
    Progress {
        starts: additional.len(),
        next_start: now.boottime_ms.saturating_add(left),
    }
}

/// What is run where a restart left the hardserver down.
#[must_use]
pub fn additional_start(platform: Platform) -> Step {
    match platform {
        Platform::Linux => Step::StartHardserver,
        Platform::Windows => Step::StartService,
    }
}

/// Makes sure that the hardserver is up, as far as `start` can do that. Returns what came of it.
///
/// # Errors
/// Never once a command may have run.
pub async fn ensure_up(
    config: &HostConfig,
    steps: &mut Steps<'_>,
    progress: Progress,
) -> Result<SectionEnd, JournalError> {
    let start = additional_start(config.platform);
    let Progress {
        starts: before,
        mut next_start,
    } = progress;
    for starts in before.min(STARTS_MAX)..=STARTS_MAX {
        match prove(config).await {
            Proven::Up => {
                let detail = format!("the hardserver answers{}", after(starts));
                return Ok(SectionEnd::works(detail));
            }
            Proven::Unclear => {
                return Ok(SectionEnd::given_up(format!(
                    "the hardserver cannot be told up or down{}: a person must look",
                    after(starts)
                )));
            }
            Proven::Down if starts == STARTS_MAX => break,
            Proven::Down => {}
        }
        kernel::sleep_until(next_start).await;
        steps.command(start).await?;
        let spacing = u64::try_from(config.after_restart.start_spacing.as_millis());
        next_start = kernel::boottime_ms().saturating_add(spacing.unwrap_or(u64::MAX));
    }
    Ok(SectionEnd::given_up(format!(
        "the hardserver is down{}: a person must look",
        after(STARTS_MAX)
    )))
}

fn after(starts: usize) -> String {
    match starts {
        0 => String::new(),
        1 => " after 1 additional start".to_owned(),
        more => format!(" after {more} additional starts"),
    }
}

async fn prove(config: &HostConfig) -> Proven {
    let span = u64::try_from(config.after_restart.down_span.as_millis()).unwrap_or(u64::MAX);
    let mut looks = Vec::new();
    loop {
        let look = observe(config, Depth::WithoutStatistics).await;
        let at = kernel::boottime_ms();
        looks.push(look.map_or(HardserverLook::Unknown, |look| look.hardserver));
        if let Some(proven) = proven(&looks) {
            return proven;
        }
        kernel::sleep_until(at.saturating_add(span)).await;
    }
}

#[cfg(test)]
mod tests {
    use nshield::runner::ProcessIdentity;
    use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
    use vcm_recovery::tier::Rung;

    use super::*;
    use crate::host::journal::record::{Accepted, Entry, Record, SCHEMA, StepExit};
    use crate::host::journal::story::fold;

    const NOW: u64 = 1_000_000;

    fn at(boot: &str, ago: u64, seq: usize, record: Record) -> Entry {
        Entry {
            schema: SCHEMA,
            seq: seq as u64,
            wall_ms: 0,
            boottime_ms: NOW - ago * 1_000,
            boot_id: boot.to_owned(),
            record,
        }
    }

    fn accepted(plan: &[Step]) -> Record {
        Record::Accepted(Box::new(Accepted {
            attempt: AttemptId::from_bits(1),
            epoch: Epoch(1),
            store: StoreId::from_bits(1),
            tier: Rung::Restart,
            module: None,
            esn: None,
            observation: ObservationId::from_bits(1),
            fresh: ObservationId::from_bits(2),
            approval: None,
            snapshot: None,
            plan: plan.to_vec(),
            runner: ProcessIdentity {
                pid: 1,
                start_ticks: 1,
            },
        }))
    }

    /// The starts so far, and the seconds until the next one, of steps that ended `ago` in `boot`.
    fn so_far(plan: &[Step], steps: &[(Step, &str, u64)]) -> (usize, u64) {
        let mut entries = vec![at("this", 999, 0, accepted(plan))];
        for (index, &(step, boot, ago)) in (0..).zip(steps) {
            let started = Record::StepStarted { index, step };
            entries.push(at(boot, ago, entries.len(), started));
            let finished = Record::StepFinished {
                index,
                exit: StepExit::Code(0),
                output: String::new(),
            };
            entries.push(at(boot, ago, entries.len(), finished));
        }
        let now = Moment {
            wall_ms: 0,
            boottime_ms: NOW,
            boot_id: "this".to_owned(),
        };
        let progress = progress(&fold(&entries).unwrap(), Duration::from_secs(30), &now);
        (
            progress.starts,
            progress.next_start.saturating_sub(NOW) / 1_000,
        )
    }

    #[test]
    fn a_resume_counts_the_additional_starts_before_it_and_not_the_planned_one() {
        use Step::{RestartHardserver, StartHardserver, StartService, StopService};
        let (restart, start) = ([RestartHardserver], [StartHardserver]);
        let (this, other) = ("this", "other");
        assert_eq!(so_far(&restart, &[]), (0, 0));
        assert_eq!(so_far(&restart, &[(RestartHardserver, this, 5)]), (0, 0));
        let steps = [
            (RestartHardserver, this, 99),
            (StartHardserver, this, 50),
            (StartHardserver, this, 12),
        ];
        assert_eq!(so_far(&restart, &steps), (2, 18));
        assert_eq!(so_far(&start, &[(StartHardserver, this, 5)]), (0, 0));
        let steps = [(StartHardserver, other, 99), (StartHardserver, other, 12)];
        assert_eq!(so_far(&start, &steps), (1, 30));
        let windows = [StopService, StartService];
        assert_eq!(so_far(&windows, &[(StopService, this, 5)]), (0, 0));
        let steps = [
            (StopService, this, 99),
            (StartService, this, 98),
            (StartService, this, 40),
        ];
        assert_eq!(so_far(&windows, &steps), (1, 0));
    }

    #[test]
    fn down_takes_two_looks_in_a_row_and_up_one() {
        use HardserverLook::{PermissionDenied, SuspectedDown, Unknown, Unresponsive, Up};
        let table: [(&[HardserverLook], Option<Proven>); 9] = [
            (&[], None),
            (&[Up], Some(Proven::Up)),
            (&[SuspectedDown], None),
            (&[SuspectedDown, SuspectedDown], Some(Proven::Down)),
            (&[SuspectedDown, Up], Some(Proven::Up)),
            (&[SuspectedDown, Unknown, SuspectedDown], None),
            (
                &[Unresponsive, SuspectedDown, SuspectedDown],
                Some(Proven::Down),
            ),
            (&[Unresponsive; 4], Some(Proven::Unclear)),
            (
                &[PermissionDenied, Unknown, Unresponsive, SuspectedDown],
                Some(Proven::Unclear),
            ),
        ];
        for (looks, expected) in table {
            assert_eq!(proven(looks), expected, "{looks:?}");
        }
    }
}
