//! `boot_window`: after the first failure of an HSM it may be booting, which takes minutes.
//!
//! | first failure of the HSM | retry | restart | clear |
//! |---|---|---|---|
//! | target is the host | n/a | n/a | n/a |
//! | none lately | pass | pass | pass |
//! | less than 5 min ago | pass | refuse | refuse |
//! | less than 5 min ago, in a storm; or this target's turn has not come | refuse | refuse | refuse |
//! | longer ago | pass | pass | pass |

use std::collections::BTreeSet;
use std::time::Duration;

use super::Input;
use crate::inventory::Target;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What the device's age since its first failure allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let Some(module) = input.site.host.module_of(&input.incident.target) else {
        return Verdict::NotApplicable("the host itself has no HSM".to_owned());
    };
    let hsms = BTreeSet::from([module.hsm.clone()]);
    let storm = input.fleet.storm_of(&hsms).is_some();
    let Some(first) = input.fleet.storms.first_failure(&hsms) else {
        return Verdict::Pass;
    };
    let policy = input.site.policy;
    let wait = match (input.rung, storm) {
        (Rung::Retry, false) => return Verdict::Pass,
        (Rung::Retry, true) => {
            policy.boot_window + turn(&input.incident.target, policy.storm.stagger)
        }
        (Rung::Restart | Rung::Clear, _) => policy.boot_window,
    };
    let end = first.after(wait);
    if input.now >= end {
        return Verdict::Pass;
    }
    Verdict::refuse_until(
        end,
        format!(
            "its HSM may be booting: less than {} s since its first failure",
            wait.as_secs()
        ),
    )
}

/// When the turn of a target comes within `spread`: always the same, and different from most others.
fn turn(target: &Target, spread: Duration) -> Duration {
    let spread = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
    // FNV-1a, as the hash must be the same in every build.
    let hash = target
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    Duration::from_millis(hash.checked_rem(spread).unwrap_or(0))
}
