//! A restart never leaves a host down: where the hardserver is proven down afterwards, it is
//! started again.

use vcm_recovery::observation::HardserverLook;
use vcm_recovery::step::{Platform, Step};

use super::config::HostConfig;
use super::journal::JournalError;
use super::kernel;
use super::observe::{Depth, observe};
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

/// Makes sure that the hardserver is up, as far as `start` can do that. Returns what came of it.
///
/// # Errors
/// Never once a command may have run.
pub async fn ensure_up(config: &HostConfig, steps: &mut Steps<'_>) -> Result<String, JournalError> {
    let start = match config.platform {
        Platform::Linux => Step::StartHardserver,
        Platform::Windows => Step::StartService,
    };
    let mut next_start = 0;
    for starts in 0..=STARTS_MAX {
        match prove(config).await {
            Proven::Up => return Ok(format!("the hardserver answers{}", after(starts))),
            Proven::Unclear => {
                return Ok(format!(
                    "the hardserver cannot be told up or down{}",
                    after(starts)
                ));
            }
            Proven::Down if starts == STARTS_MAX => break,
            Proven::Down => {}
        }
        kernel::sleep_until(next_start).await;
        steps.command(start).await?;
        let spacing = u64::try_from(config.after_restart.start_spacing.as_millis());
        next_start = kernel::boottime_ms().saturating_add(spacing.unwrap_or(u64::MAX));
    }
    Ok(format!(
        "the hardserver is down{}: a person must look",
        after(STARTS_MAX)
    ))
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
    use super::*;

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
