//! Which values permit more than the defaults: said loudly at every start.

use std::time::Duration;

use vcm_recovery::policy::{OthersHealthy, Policy, RungPolicy};
use vcm_recovery::tier::Rung;

/// One line for each loosened value, with its key.
pub(super) fn list(policy: &Policy) -> Vec<String> {
    let default = Policy::default();
    let mut lines = Vec::new();
    if policy.others_healthy == OthersHealthy::Allow {
        lines.push("policy.others_healthy: a restart may cut modules that work".to_owned());
    }
    for rung in Rung::ALL {
        lines.extend(of_rung(rung, policy.rung(rung), default.rung(rung)));
    }
    let budgets = [
        ("host", policy.budgets.host, default.budgets.host),
        (
            "hsm_retry",
            policy.budgets.hsm_retry,
            default.budgets.hsm_retry,
        ),
        (
            "fleet_disruptive",
            policy.budgets.fleet_disruptive,
            default.budgets.fleet_disruptive,
        ),
    ];
    for (name, value, default) in budgets.into_iter().filter(|(_, value, def)| value > def) {
        lines.push(format!(
            "policy.budgets.{name}: {value} at once instead of {default}"
        ));
    }
    lines.extend(earlier(
        "policy.hardserver_down_not_before",
        policy.hardserver_down_not_before,
        default.hardserver_down_not_before,
    ));
    lines
}

fn of_rung(rung: Rung, policy: &RungPolicy, default: &RungPolicy) -> Vec<String> {
    let mut lines = Vec::new();
    if default.approval && !policy.approval {
        lines.push(format!(
            "policy.{rung}.approval: runs without anybody's word"
        ));
    }
    let key = format!("policy.{rung}.not_before");
    lines.extend(earlier(&key, policy.not_before, default.not_before));
    // A set of caps is looser when something that the default forbids fits it: some default cap
    // has no cap here that allows no more in no less time.
    let kept = default.caps.iter().all(|cap| {
        policy
            .caps
            .iter()
            .any(|own| own.attempts <= cap.attempts && own.window >= cap.window)
    });
    if !kept {
        lines.push(format!("policy.{rung}.caps: more attempts than by default"));
    }
    if policy.attempts_per_incident > default.attempts_per_incident {
        lines.push(format!(
            "policy.{rung}.attempts_per_incident: more than by default"
        ));
    }
    lines
}

fn earlier(key: &str, value: Duration, default: Duration) -> Option<String> {
    let shown = |duration| humantime::format_duration(duration);
    (value < default).then(|| format!("{key}: {} instead of {}", shown(value), shown(default)))
}
