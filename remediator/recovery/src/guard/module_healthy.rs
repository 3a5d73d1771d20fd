//! `module_healthy`: what works is left alone.
//!
//! | target | retry | restart | clear |
//! |---|---|---|---|
//! | module healthy | refuse | refuse | refuse |
//! | host, hardserver answers | refuse | refuse | refuse |
//! | anything else | pass | pass | pass |
//! | no observation | refuse | refuse | refuse |

use super::HostView;
use crate::observation::Condition;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    match (view.seen.condition(view.module), view.module) {
        (Condition::Healthy, Some(module)) => {
            Verdict::refuse(format!("module {module} is operational"))
        }
        (Condition::Healthy, None) => Verdict::refuse("the hardserver answers"),
        _ => Verdict::Pass,
    }
}
