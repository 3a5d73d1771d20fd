//! The policy: ranges, and what must hold between its values.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use vcm_recovery::policy::{
    AlertRule, Budgets, Cap, OthersHealthy, PageAfter, Policy, RungPolicy, Scope,
};
use vcm_recovery::step::CLEAR_WAIT_MIN;
use vcm_recovery::tier::Tier;

use super::checker::Checker;
use super::inventory::MODES;
use super::raw::{self, Text};
use super::{storm, windows};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Times that may be zero, for test estates.
const ANY: RangeInclusive<Duration> = Duration::ZERO..=DAY;

/// Times that something repeats at or must hold for.
const POSITIVE: RangeInclusive<Duration> = SECOND..=DAY;

/// What must hold on end, or for a while, is judged on the looks that are kept, and those are kept
/// for [`LOOK_MEMORY`](vcm_recovery::evidence::LOOK_MEMORY).
const HOLDS: RangeInclusive<Duration> = SECOND..=Duration::from_secs(15 * 60);

/// Looks further apart than two minutes do not belong to one run, and one may take 50 s.
const LOOK_INTERVAL: RangeInclusive<Duration> = SECOND..=Duration::from_secs(60);

/// The host refuses evidence older than 30 s anyway.
const EVIDENCE_AGE: RangeInclusive<Duration> = SECOND..=Duration::from_secs(30);

/// 30 s is the vendor's; longer than an hour in maintenance mode nobody wants.
const CLEAR_WAIT: RangeInclusive<Duration> = CLEAR_WAIT_MIN..=HOUR;

/// Settled attempts are remembered for 48 h; a longer window would silently count less.
const CAP_WINDOW: RangeInclusive<Duration> = SECOND..=Duration::from_secs(48 * 3600);

/// Numbers of attempts.
const ATTEMPTS: RangeInclusive<u32> = 1..=100;

/// Each tool run logs a line on the host; a look needs two or three runs.
const TOOL_RUNS: RangeInclusive<u32> = 3..=120;

const SCOPES: [(&str, Scope); 2] = [("module", Scope::Module), ("host", Scope::Host)];

const OTHERS_HEALTHY: [(&str, OthersHealthy); 3] = [
    ("skip", OthersHealthy::Skip),
    ("ask", OthersHealthy::Ask),
    ("allow", OthersHealthy::Allow),
];

/// Checks everything that is policy.
pub(super) fn checked(
    checker: &mut Checker,
    mode: Option<Text>,
    alerts: Option<BTreeMap<String, raw::Alert>>,
    watchdog_alert: Option<Text>,
    raw: raw::Policy,
) -> Policy {
    let default = Policy::default();
    let mode = mode
        .and_then(|text| checker.word("mode", &text, &MODES))
        .unwrap_or_default();
    let alerts = match alerts {
        Some(raw) => checked_alerts(checker, raw),
        None => default.alerts.clone(),
    };
    let watchdog_alert = watchdog(
        checker,
        watchdog_alert,
        &alerts,
        default.watchdog_alert.clone(),
    );
    let (clear, clear_wait) = raw.clear.split();
    let mut span = |key: &str, text: &Option<Text>, range, default| {
        checker.duration(&format!("policy.{key}"), text.as_ref(), range, default)
    };
    let mut policy = Policy {
        mode,
        alerts,
        watchdog_alert,
        alert_ttl: span("alert_ttl", &raw.alert_ttl, &POSITIVE, default.alert_ttl),
        clear_wait: span("clear.wait", &clear_wait, &CLEAR_WAIT, default.clear_wait),
        hardserver_down_not_before: span(
            "hardserver_down_not_before",
            &raw.hardserver_down_not_before,
            &ANY,
            default.hardserver_down_not_before,
        ),
        spacing: span("spacing", &raw.spacing, &ANY, default.spacing),
        healthy_for: span("healthy_for", &raw.healthy_for, &HOLDS, default.healthy_for),
        stale_alert_after: span(
            "stale_alert_after",
            &raw.stale_alert_after,
            &HOLDS,
            default.stale_alert_after,
        ),
        latch_release_after: span(
            "latch_release_after",
            &raw.latch_release_after,
            &HOLDS,
            default.latch_release_after,
        ),
        network_settle: span(
            "network_settle",
            &raw.network_settle,
            &ANY,
            default.network_settle,
        ),
        network_settle_restart: span(
            "network_settle_restart",
            &raw.network_settle_restart,
            &ANY,
            default.network_settle_restart,
        ),
        evidence_max_age: span(
            "evidence_max_age",
            &raw.evidence_max_age,
            &EVIDENCE_AGE,
            default.evidence_max_age,
        ),
        agreement_span: span(
            "agreement_span",
            &raw.agreement_span,
            &POSITIVE,
            default.agreement_span,
        ),
        observe_interval: span(
            "observe_interval",
            &raw.observe_interval,
            &LOOK_INTERVAL,
            default.observe_interval,
        ),
        verify_poll: span(
            "verify_poll",
            &raw.verify_poll,
            &LOOK_INTERVAL,
            default.verify_poll,
        ),
        approval_ttl: span(
            "approval_ttl",
            &raw.approval_ttl,
            &POSITIVE,
            default.approval_ttl,
        ),
        watchdog_max_age: span(
            "watchdog_max_age",
            &raw.watchdog_max_age,
            &POSITIVE,
            default.watchdog_max_age,
        ),
        report_timeout: span(
            "report_timeout",
            &raw.report_timeout,
            &POSITIVE,
            default.report_timeout,
        ),
        unknown_release: span(
            "unknown_release",
            &raw.unknown_release,
            &POSITIVE,
            default.unknown_release,
        ),
        boot_window: span("boot_window", &raw.boot_window, &ANY, default.boot_window),
        ..default.clone()
    };
    policy.storm = storm::storm(checker, &raw.storm, default.storm);
    policy.flapping = storm::flapping(checker, &raw.flapping, default.flapping);
    policy.retry = rung(checker, "policy.retry", raw.retry, &default.retry, &policy);
    policy.restart = rung(
        checker,
        "policy.restart",
        raw.restart,
        &default.restart,
        &policy,
    );
    policy.clear = rung(checker, "policy.clear", clear, &default.clear, &policy);
    policy.budgets = budgets(checker, &raw.budgets, default.budgets);
    policy.page_after = page_after(checker, &raw.page_after, default.page_after);
    policy.others_healthy = raw
        .others_healthy
        .and_then(|text| checker.word("policy.others_healthy", &text, &OTHERS_HEALTHY))
        .unwrap_or_default();
    policy.tool_runs_per_minute = checker.number(
        "policy.tool_runs_per_minute",
        raw.tool_runs_per_minute.as_ref(),
        &TOOL_RUNS,
        default.tool_runs_per_minute,
    );
    policy
}

fn checked_alerts(
    checker: &mut Checker,
    raw: BTreeMap<String, raw::Alert>,
) -> BTreeMap<String, AlertRule> {
    if raw.is_empty() {
        checker.problem(
            "alerts",
            "no alert is listed, so nothing would ever be done",
        );
    }
    let mut alerts = BTreeMap::new();
    for (name, alert) in raw {
        let tier = checker.parse::<Tier>(&format!("alerts.{name}.tier"), &alert.tier);
        let scope = checker.word(&format!("alerts.{name}.scope"), &alert.scope, &SCOPES);
        let (Some(tier), Some(scope)) = (tier, scope) else {
            continue;
        };
        if tier == Tier::Clear && scope == Scope::Host {
            let message = "a clear is of one module; an alert about a host cannot permit it";
            checker.problem_at(&format!("alerts.{name}.tier"), &alert.tier, message);
        }
        alerts.insert(name, AlertRule { tier, scope });
    }
    alerts
}

/// The watchdog's name; an empty one means that there is none.
fn watchdog(
    checker: &mut Checker,
    text: Option<Text>,
    alerts: &BTreeMap<String, AlertRule>,
    default: Option<String>,
) -> Option<String> {
    let Some(text) = text else { return default };
    if alerts.contains_key(&text.value) {
        let message = "is listed in alerts: it always fires, and must permit nothing";
        checker.problem_at("watchdog_alert", &text, message);
    }
    Some(text.value).filter(|name| !name.is_empty())
}

fn rung(
    checker: &mut Checker,
    key: &str,
    raw: raw::Rung,
    default: &RungPolicy,
    policy: &Policy,
) -> RungPolicy {
    let key = |name: &str| format!("{key}.{name}");
    let not_before = raw.not_before.as_ref();
    let verify = checker.duration(
        &key("verify"),
        raw.verify.as_ref(),
        &POSITIVE,
        default.verify,
    );
    if verify < policy.healthy_for {
        let message = format!(
            "{} is shorter than policy.healthy_for, {}: health could never be proven",
            humantime::format_duration(verify),
            humantime::format_duration(policy.healthy_for)
        );
        match &raw.verify {
            Some(text) => checker.problem_at(&key("verify"), text, message),
            None => checker.problem(key("verify"), message),
        }
    }
    RungPolicy {
        not_before: checker.duration(&key("not_before"), not_before, &ANY, default.not_before),
        settle: checker.duration(&key("settle"), raw.settle.as_ref(), &ANY, default.settle),
        verify,
        caps: caps(checker, &key("caps"), raw.caps, &default.caps),
        attempts_per_incident: checker.number(
            &key("attempts_per_incident"),
            raw.attempts_per_incident.as_ref(),
            &ATTEMPTS,
            default.attempts_per_incident,
        ),
        approval: raw.approval.unwrap_or(default.approval),
        windows: windows::checked(checker, &key("windows"), raw.windows),
    }
}

fn caps(checker: &mut Checker, key: &str, raw: Option<Vec<raw::Cap>>, default: &[Cap]) -> Vec<Cap> {
    let Some(raw) = raw else {
        return default.to_vec();
    };
    if raw.is_empty() {
        checker.problem(key, "there is no cap: attempts would never end");
    }
    raw.iter()
        .enumerate()
        .map(|(index, cap)| {
            let key = |name: &str| format!("{key}[{index}].{name}");
            let attempts = Some(&cap.attempts);
            Cap {
                attempts: checker.number(&key("attempts"), attempts, &ATTEMPTS, 1),
                window: checker.duration(&key("window"), Some(&cap.window), &CAP_WINDOW, DAY),
            }
        })
        .collect()
}

fn budgets(checker: &mut Checker, raw: &raw::Budgets, default: Budgets) -> Budgets {
    let mut number = |name: &str, number: &Option<raw::Number>, default| {
        checker.number(
            &format!("policy.budgets.{name}"),
            number.as_ref(),
            &ATTEMPTS,
            default,
        )
    };
    Budgets {
        host: number("host", &raw.host, default.host),
        hsm_retry: number("hsm_retry", &raw.hsm_retry, default.hsm_retry),
        fleet_disruptive: number(
            "fleet_disruptive",
            &raw.fleet_disruptive,
            default.fleet_disruptive,
        ),
    }
}

fn page_after(checker: &mut Checker, raw: &raw::PageAfter, default: PageAfter) -> PageAfter {
    let mut span = |name: &str, text: &Option<Text>, default| {
        checker.duration(
            &format!("policy.page_after.{name}"),
            text.as_ref(),
            &POSITIVE,
            default,
        )
    };
    PageAfter {
        unknown: span("unknown", &raw.unknown, default.unknown),
        network: span("network", &raw.network, default.network),
        unresponsive: span("unresponsive", &raw.unresponsive, default.unresponsive),
        stuck: span("stuck", &raw.stuck, default.stuck),
    }
}
