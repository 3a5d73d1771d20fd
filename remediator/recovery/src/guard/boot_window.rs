//! `boot_window`: after the first failure of an HSM it may be booting, which takes minutes.
//!
//! | first failure of the HSM | retry | restart | clear |
//! |---|---|---|---|
//! | target is the host, which looks down, or has no modules | n/a | n/a | n/a |
//! | none lately | pass | pass | pass |
//! | less than 5 min ago | pass | refuse | refuse |
//! | less than 5 min ago, in a storm; or this target's turn has not come | refuse | refuse | refuse |
//! | longer ago | pass | pass | pass |
//! | another HSM of the host first failed less than 5 min ago | pass | refuse | pass |
//!
//! A restart touches every HSM that the host has modules of. The start of a hardserver that is down
//! waits for none of them.

use std::time::Duration;

use super::Input;
use crate::ids::HsmName;
use crate::inventory::Target;
use crate::observation::HardserverLook;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What the device's age since its first failure allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let target = &input.incident.target;
    let hsms = input.site.host.hsms_touched(input.rung, target);
    let seen = input.evidence.observation();
    let down = seen.is_some_and(|seen| seen.hardserver == HardserverLook::SuspectedDown);
    if hsms.is_empty() || (target.module.is_none() && down) {
        return Verdict::NotApplicable("nothing of an HSM would be touched".to_owned());
    }
    let storm = input.fleet.storm_of(&hsms).is_some();
    let Some((first, hsm)) = input.fleet.storms.newest_first_failure(&hsms) else {
        return Verdict::Pass;
    };
    let policy = input.site.policy;
    let wait = match (input.rung, storm) {
        (Rung::Retry, false) => return Verdict::Pass,
        (Rung::Retry, true) => policy.boot_window + turn(target, policy.storm.stagger),
        (Rung::Restart | Rung::Clear, _) => policy.boot_window,
    };
    let end = first.after(wait);
    if input.now >= end {
        return Verdict::Pass;
    }
    let name = hsm.map_or("of unknown name", HsmName::as_str);
    let seconds = wait.as_secs();
    Verdict::refuse_until(
        end,
        format!("HSM {name} may be booting: less than {seconds} s since its first failure"),
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
