//! Which values permit more than the defaults: said loudly at every start.

use std::time::Duration;

use vcm_recovery::policy::{OthersHealthy, Policy, RungPolicy};
use vcm_recovery::tier::{Rung, Tier};

use super::Web;

/// One line for each loosened value, with its key.
pub(super) fn list(web: &Web, policy: &Policy) -> Vec<String> {
    let default = Policy::default();
    let mut lines = Vec::new();
    lines.extend(open_to_others(web));
    lines.extend(alerts(policy, &default));
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
    lines.extend(times(policy, &default));
    let numbers = [
        (
            "storm.hsm_hosts",
            policy.storm.hsm_hosts,
            default.storm.hsm_hosts,
        ),
        (
            "storm.fleet_hosts_min",
            policy.storm.fleet_hosts_min,
            default.storm.fleet_hosts_min,
        ),
        (
            "storm.fleet_share_percent",
            policy.storm.fleet_share_percent,
            default.storm.fleet_share_percent,
        ),
        (
            "flapping.incidents",
            policy.flapping.incidents,
            default.flapping.incidents,
        ),
    ];
    for (name, value, default) in numbers.into_iter().filter(|(_, value, def)| value > def) {
        lines.push(format!("policy.{name}: {value} instead of {default}"));
    }
    if policy.watchdog_alert.is_none() {
        lines.push(
            "watchdog_alert: restart and clear do not wait for a proof that alerts arrive"
                .to_owned(),
        );
    }
    lines
}

/// Whoever can post alerts decides what is looked at and, within the policy, what is run.
fn open_to_others(web: &Web) -> Option<String> {
    let address = web.listen_address;
    let open = !address.ip().to_canonical().is_loopback() && web.token.is_none();
    open.then(|| {
        format!(
            "web.listen_address: everybody who reaches {address} can post alerts; there is no \
             web.bearer_token_file"
        )
    })
}

/// Alerts that permit a rung which they do not permit by default; one that is not listed there
/// permits none.
fn alerts(policy: &Policy, default: &Policy) -> Vec<String> {
    let rules = policy.alerts.iter();
    let raised = rules.filter_map(|(name, rule)| {
        let usual = default.alerts.get(name).map(|rule| rule.tier);
        let raised = rule.tier > Tier::Load && usual.is_none_or(|usual| rule.tier > usual);
        let usual = usual.map_or("nothing", Tier::as_str);
        raised.then(|| format!("alerts.{name}.tier: {} instead of {usual}", rule.tier))
    });
    raised.collect()
}

/// Times that delay or prove something, and the one that an alert counts for.
fn times(policy: &Policy, default: &Policy) -> Vec<String> {
    let time = |name: &str, of: fn(&Policy) -> Duration| {
        shorter(&format!("policy.{name}"), of(policy), of(default))
    };
    [
        longer("policy.alert_ttl", policy.alert_ttl, default.alert_ttl),
        time("hardserver_down_not_before", |policy| {
            policy.hardserver_down_not_before
        }),
        time("spacing", |policy| policy.spacing),
        time("healthy_for", |policy| policy.healthy_for),
        time("network_settle", |policy| policy.network_settle),
        time("network_settle_restart", |policy| {
            policy.network_settle_restart
        }),
        time("agreement_span", |policy| policy.agreement_span),
        time("boot_window", |policy| policy.boot_window),
        time("storm.window", |policy| policy.storm.window),
        time("storm.calm", |policy| policy.storm.calm),
        time("flapping.window", |policy| policy.flapping.window),
        time("unknown_release", |policy| policy.unknown_release),
        longer(
            "policy.approval_ttl",
            policy.approval_ttl,
            default.approval_ttl,
        ),
        longer(
            "policy.watchdog_max_age",
            policy.watchdog_max_age,
            default.watchdog_max_age,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_rung(rung: Rung, policy: &RungPolicy, default: &RungPolicy) -> Vec<String> {
    let mut lines = Vec::new();
    if default.approval && !policy.approval {
        lines.push(format!(
            "policy.{rung}.approval: runs without anybody's word"
        ));
    }
    let key = format!("policy.{rung}.not_before");
    lines.extend(shorter(&key, policy.not_before, default.not_before));
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

fn shorter(key: &str, value: Duration, default: Duration) -> Option<String> {
    (value < default).then(|| instead_of(key, value, default))
}

fn longer(key: &str, value: Duration, default: Duration) -> Option<String> {
    (value > default).then(|| instead_of(key, value, default))
}

fn instead_of(key: &str, value: Duration, default: Duration) -> String {
    let shown = |duration| humantime::format_duration(duration);
    format!("{key}: {} instead of {}", shown(value), shown(default))
}
