use std::io::Write as _;
use std::time::Duration;

use tempfile::NamedTempFile;
use vcm_recovery::policy::{Mode, OthersHealthy};
use vcm_recovery::time::Weekday;

use super::*;

pub(super) const EXAMPLE: &str = include_str!("../../remediator.example.yaml");

const SMALL: &str = "\
inventory:
  hosts:
    - name: tenant-1
      modules:
        - {number: 1, esn: 1A2B-05E0-D947}
";

pub(super) fn load(text: &str) -> Result<Config, ConfigError> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Config::load(file.path())
}

pub(super) fn problems(text: &str) -> Vec<String> {
    match load(text) {
        Err(ConfigError::Invalid { problems, .. }) => {
            problems.iter().map(ToString::to_string).collect()
        }
        other => panic!("expected problems, got {other:?}"),
    }
}

/// The small configuration with `extra` after it.
pub(super) fn small_with(extra: &str) -> String {
    format!("{SMALL}{extra}")
}

/// A section of the example that is commented out, as it would be written.
pub(super) fn section(name: &str) -> String {
    let lines = EXAMPLE.lines().map(|line| line.strip_prefix("# "));
    let section = lines
        .skip_while(|line| *line != Some(&format!("{name}:")))
        .map_while(|line| line);
    section.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_example_shows_the_defaults() {
    let config = load(EXAMPLE).unwrap();
    assert_eq!(config.policy, Policy::default());
    assert_eq!(config.loosened(), Vec::<String>::new());
    assert_eq!(config.inventory.hosts.len(), 1);
    let small = load(SMALL).unwrap();
    assert_eq!(small.policy, Policy::default());
    assert_eq!((small.store, small.web), (config.store, config.web));
    assert_eq!(small.runners, config.runners);
}

#[test]
fn the_example_names_every_key_that_may_be_written() {
    let raw = include_str!("raw.rs");
    let fields = raw.lines().filter_map(|line| {
        let field = line.trim().strip_prefix("pub(super) ")?;
        field.split_once(": ").map(|(name, _)| name)
    });
    for field in fields {
        let shown = EXAMPLE.contains(&format!("{field}:"));
        assert!(shown, "{field} is not in the example");
    }
}

#[test]
fn every_problem_is_reported_at_once_with_its_key_and_line() {
    let text = "\
mode: automatic
store: {path: remediator.sqlite}
web: {listen_address: everywhere, max_body: 1KiB}
inventory:
  hosts:
    - name: tenant 1
      modules: []
    - name: tenant-2
      platform: plan9
      modules:
        - {number: 0, esn: nonsense, kind: hsm}
alerts: {}
policy:
  evidence_max_age: 31s
  agreement_span: 0s
  clear: {wait: 29s, caps: []}
  retry: {verify: 30s, not_before: soon}
  budgets: {host: 0}
  others_healthy: maybe
  restart: {windows: []}
  storm: {hsm_hosts: 1, window: 2h}
  flapping: {incidents: 1, window: 25h}
";
    let expected = [
        "line 1: mode: \"automatic\" is none of observe, approve, act",
        "line 2: store.path: \"remediator.sqlite\" is not an absolute path",
        "line 3: web.listen_address: invalid socket address syntax",
        "line 3: web.max_body: 1024 bytes are not within 64KiB and 256MiB",
        "line 6: inventory.hosts[0].name: name \"tenant 1\"",
        "line 9: inventory.hosts[1].platform: \"plan9\" is none of linux, windows",
        "inventory.hosts[1].runner: is needed when there are several hosts",
        "line 11: inventory.hosts[1].modules[0].number:",
        "line 11: inventory.hosts[1].modules[0].esn:",
        "line 11: inventory.hosts[1].modules[0].kind: \"hsm\" is none of vcm, nethsm, pcie",
        "alerts: no alert is listed",
        "line 14: policy.evidence_max_age: 31s is not within 1s and 30s",
        "line 15: policy.agreement_span: 0s is not within 1s and 1day",
        "line 16: policy.clear.wait: 29s is not within 30s and 1h",
        "policy.clear.caps: there is no cap",
        "line 17: policy.retry.verify: 30s is shorter than policy.healthy_for, 1m",
        "line 17: policy.retry.not_before: \"soon\" is no duration",
        "line 18: policy.budgets.host: 0 is not within 1 and 100",
        "line 19: policy.others_healthy: \"maybe\" is none of skip, ask, allow",
        "policy.restart.windows: there is no window",
        "line 21: policy.storm.hsm_hosts: 1 is not within 2 and 1000",
        "line 21: policy.storm.window: 2h is not within 1s and 1h",
        "line 22: policy.flapping.incidents: 1 is not within 2 and 100",
        "line 22: policy.flapping.window: 1day 1h is not within 1s and 1day",
    ];
    let found = problems(text);
    for start in expected {
        assert!(
            found.iter().any(|problem| problem.starts_with(start)),
            "{start}\n{found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn unknown_keys_are_refused_wherever_they_stand() {
    for (extra, key) in [
        ("modes: act\n", "modes"),
        ("policy: {retries: 3}\n", "retries"),
        ("policy: {retry: {not_befor: 2m}}\n", "not_befor"),
        ("policy: {clear: {delay: 30s}}\n", "delay"),
        ("web: {token: abc}\n", "token"),
        (
            "alerts: {VcmFailed: {tier: retry, scope: module, rung: 1}}\n",
            "rung",
        ),
    ] {
        match load(&small_with(extra)) {
            Err(ConfigError::Yaml(error)) => {
                assert!(error.to_string().contains(key), "{error}");
                assert!(error.to_string().contains("line 6"), "{error}");
            }
            other => panic!("{extra}: {other:?}"),
        }
    }
}

#[test]
fn what_must_be_found_by_name_stands_once() {
    let text = "\
inventory:
  hosts:
    - name: tenant-1
      instance: tenant-2
      runner: {local: {config_file: /etc/a.yaml}}
      modules:
        - {number: 1, esn: 1A2B-05E0-D947}
        - {number: 1, esn: 1A2B-05E0-D947}
    - name: tenant-2
      instance: tenant-2:9808
      runner: {local: {config_file: /etc/a.yaml}}
      modules:
        - {number: 1, esn: 1A2B-05E0-D947}
    - name: tenant-2
      instance: tenant-2:9808
      runner: {local: {config_file: /etc/b.yaml}}
      modules:
        - {number: 1, kind: nethsm, esn: 3C4D-05E0-D947}
";
    let expected = [
        "line 8: inventory.hosts[0].modules[1].esn: ESN 1A2B-05E0-D947 stands twice",
        "line 8: inventory.hosts[0].modules[1].number: module 1 stands twice",
        "line 11: inventory.hosts[1].runner.local.config_file: another host has the same file",
        "line 13: inventory.hosts[1].modules[0].esn: ESN 1A2B-05E0-D947 stands twice",
        "line 14: inventory.hosts[2].name: host tenant-2 stands twice",
        "line 4: inventory.hosts[0].instance: is the name of host tenant-2",
        "line 15: inventory.hosts[2].instance: host tenant-2 has the same instance",
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn a_host_is_reached_over_ssh_with_what_ssh_cannot_misread() {
    let text = |runner: &str| {
        format!(
            "inventory:\n  hosts:\n    - name: tenant-1\n      runner: {runner}\n      modules: [{{number: 1}}]\n\
             \x20   - name: tenant-2\n      runner: {{ssh: {{address: 192.0.2.8}}}}\n      modules: [{{number: 1}}]\n"
        )
    };
    let config = load(&text(
        "{ssh: {address: tenant-1.example, port: 2222, user: vcm}}",
    ))
    .unwrap();
    let of = |host: &str| match &config.runners[&host.parse::<HostName>().unwrap()] {
        Runner::Ssh(ssh) => ssh.clone(),
        local @ Runner::Local { .. } => panic!("{local:?}"),
    };
    let (first, second) = (of("tenant-1"), of("tenant-2"));
    assert_eq!(
        (first.port, first.user.to_string()),
        (2222, "vcm".to_owned())
    );
    assert_eq!(
        (second.port, second.user.to_string()),
        (22, "root".to_owned())
    );
    assert_eq!(
        second.identity_file,
        Path::new("/etc/vcm-remediator/ssh/id_ed25519")
    );
    let remarks = config.host_files().remarks;
    assert!(
        remarks[0].starts_with("host tenant-1 is reached over SSH at tenant-1.example"),
        "{remarks:?}"
    );

    let key = "line 4: inventory.hosts[0].runner";
    for (runner, expected) in [
        ("{ssh: {address: -oProxyCommand=id}}", format!("{key}.ssh.address: \"-oProxyCommand=id\" is neither an IP address nor the name of a host")),
        ("{ssh: {address: a, user: 'Root '}}", format!("{key}.ssh.user: \"Root \" is no name of a user: lower-case letters, digits, _ and -, and no digit or - in front")),
        ("{ssh: {address: a, identity_file: /etc/%h}}", format!("{key}.ssh.identity_file: has characters other than letters, digits and /._+-, which ssh may read in its own way")),
        ("{ssh: {address: a, known_hosts_file: hosts}}", format!("{key}.ssh.known_hosts_file: \"hosts\" is not an absolute path")),
        ("{ssh: {address: 192.0.2.8}}", "line 7: inventory.hosts[1].runner.ssh.address: another host has the same address and port".to_owned()),
        ("{ssh: {address: a}, local: {config_file: /etc/a}}", "inventory.hosts[0].runner: is either local or ssh".to_owned()),
        ("{}", "inventory.hosts[0].runner: is either local or ssh".to_owned()),
    ] {
        assert_eq!(problems(&text(runner)), [expected], "{runner}");
    }
    let port = problems(&text("{ssh: {address: a, port: 0x16}}"));
    assert!(
        port[0].starts_with(&format!("{key}.ssh.port: ")),
        "{port:?}"
    );
}

#[test]
fn a_network_hsm_may_serve_several_hosts() {
    let text = "\
inventory:
  hosts:
    - name: tenant-1
      runner: {local: {config_file: /etc/a.yaml}}
      modules: [{number: 1, kind: nethsm, esn: 1A2B-05E0-D947}]
    - name: tenant-2
      runner: {local: {config_file: /etc/b.yaml}}
      modules: [{number: 1, kind: nethsm, esn: 1A2B-05E0-D947}]
";
    assert_eq!(load(text).unwrap().inventory.hosts.len(), 2);
}

#[test]
fn an_empty_inventory_is_refused() {
    assert_eq!(
        problems("inventory: {hosts: []}\n"),
        ["inventory.hosts: there is no host"]
    );
    assert!(matches!(load("mode: act\n"), Err(ConfigError::Yaml(_))));
    assert!(matches!(load(""), Err(ConfigError::Yaml(_))));
}

#[test]
fn alerts_permit_only_what_makes_sense() {
    let found = problems(&small_with(
        "alerts:\n  A: {tier: clear, scope: host}\n  B: {tier: reboot, scope: module}\n  \
         C: {tier: retry, scope: fleet}\nwatchdog_alert: A\n",
    ));
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].starts_with("line 7: alerts.A.tier: a clear is of one module"));
    assert!(found[3].starts_with("line 10: watchdog_alert: is listed in alerts"));
}

#[test]
fn every_loosened_value_is_named() {
    let config = load(&small_with(
        "alerts:
  VcmFailed: {tier: restart, scope: module}
  VcmUnreachable: {tier: network, scope: module}
  NightlyCheck: {tier: retry, scope: module}
  NightlyLook: {tier: load, scope: module}
policy:
  others_healthy: allow
  alert_ttl: 16m
  spacing: 59s
  healthy_for: 59s
  network_settle: 59s
  network_settle_restart: 9m
  agreement_span: 9s
  hardserver_down_not_before: 1s
  retry: {not_before: 1s, attempts_per_incident: 4, caps: [{attempts: 3, window: 30m}]}
  clear: {approval: false, caps: [{attempts: 1, window: 48h}]}
  budgets: {fleet_disruptive: 2}
  boot_window: 1m
  watchdog_max_age: 1h
  flapping: {incidents: 5}
watchdog_alert: ''
",
    ))
    .unwrap();
    assert_eq!(config.policy.others_healthy, OthersHealthy::Allow);
    assert_eq!(config.policy.mode, Mode::Observe);
    assert_eq!(
        config.loosened(),
        [
            "alerts.NightlyCheck.tier: retry instead of nothing",
            "alerts.VcmFailed.tier: restart instead of retry",
            "policy.others_healthy: a restart may cut modules that work",
            "policy.retry.not_before: 1s instead of 2m",
            "policy.retry.caps: more attempts than by default",
            "policy.retry.attempts_per_incident: more than by default",
            "policy.clear.approval: runs without anybody's word",
            "policy.budgets.fleet_disruptive: 2 at once instead of 1",
            "policy.alert_ttl: 16m instead of 15m",
            "policy.hardserver_down_not_before: 1s instead of 2m",
            "policy.spacing: 59s instead of 1m",
            "policy.healthy_for: 59s instead of 1m",
            "policy.network_settle: 59s instead of 1m",
            "policy.network_settle_restart: 9m instead of 10m",
            "policy.agreement_span: 9s instead of 10s",
            "policy.boot_window: 1m instead of 5m",
            "policy.watchdog_max_age: 1h instead of 10m",
            "policy.flapping.incidents: 5 instead of 3",
            "watchdog_alert: restart and clear do not wait for a proof that alerts arrive",
        ]
    );
}

#[test]
fn stricter_values_are_taken_over_and_not_named_as_loosened() {
    let config = load(&small_with(
        "mode: act
watchdog_alert: Heartbeat
web: {max_body: 1048576}
alerts: {VcmFailedLong: {tier: retry, scope: module}}
policy:
  alert_ttl: 10m
  spacing: 2m
  network_settle: 2m
  network_settle_restart: 20m
  agreement_span: 20s
  retry: {not_before: 5m, approval: true, caps: [{attempts: 1, window: 24h}]}
  clear: {wait: 45s}
",
    ))
    .unwrap();
    assert_eq!(config.loosened(), Vec::<String>::new());
    assert_eq!(config.policy.mode, Mode::Act);
    assert_eq!(config.policy.watchdog_alert.as_deref(), Some("Heartbeat"));
    assert_eq!(config.policy.clear_wait, Duration::from_secs(45));
    assert_eq!(config.policy.retry.verify, Policy::default().retry.verify);
    assert_eq!(config.web.body_max, 1 << 20);
}

#[test]
fn an_address_that_others_reach_needs_a_token_or_is_named() {
    let mut token = NamedTempFile::new().unwrap();
    token.write_all(b"correct horse battery\n").unwrap();
    let file = token.path().display();
    let said = |address: &str, token: &str| {
        let web = format!("web: {{listen_address: '{address}'{token}}}\n");
        load(&small_with(&web)).unwrap().loosened()
    };
    for address in ["127.0.0.2:9809", "[::1]:9809", "[::ffff:127.0.0.1]:9809"] {
        assert_eq!(said(address, ""), Vec::<String>::new(), "{address}");
    }
    for address in ["0.0.0.0:9809", "[::]:9809", "192.0.2.1:9809"] {
        let lines = said(address, "");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("web.listen_address: "), "{lines:?}");
        assert!(lines[0].contains(address), "{lines:?}");
        let with_token = said(address, &format!(", bearer_token_file: {file}"));
        assert_eq!(with_token, Vec::<String>::new(), "{address}");
    }
}

#[test]
fn looks_that_the_limit_of_tool_runs_holds_back_are_remarked() {
    let remarks = |policy: &str| {
        let text = small_with(&format!("policy: {{{policy}}}\n"));
        load(&text).unwrap().remarks()
    };
    assert_eq!(remarks(""), Vec::<String>::new(), "the defaults fit");
    assert_eq!(remarks("observe_interval: 15s"), Vec::<String>::new());
    assert_eq!(
        remarks("verify_poll: 2s"),
        ["policy.verify_poll: 2s needs 10 tool runs a minute, \
             policy.tool_runs_per_minute allows 8"]
    );
    assert_eq!(
        remarks("observe_interval: 2s"),
        ["policy.observe_interval: 2s needs 60 tool runs a minute, \
             policy.tool_runs_per_minute allows 8"]
    );
    let fits = "observe_interval: 2s, verify_poll: 1s, tool_runs_per_minute: 120";
    assert_eq!(remarks(fits), Vec::<String>::new());
}

#[test]
fn the_token_is_read_from_its_file_and_never_shown() {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"correct horse battery\n").unwrap();
    let web = format!("web: {{bearer_token_file: {}}}\n", file.path().display());
    let config = load(&small_with(&web)).unwrap();
    let token = config.web.token.as_ref().unwrap();
    assert!(token.permits(Some(b"Bearer correct horse battery")));
    assert!(!format!("{config:?}").contains("horse"));

    file.as_file().set_len(3).unwrap();
    let found = problems(&small_with(&web));
    assert!(found[0].contains("shorter than 16"), "{found:#?}");
    let missing = "web: {bearer_token_file: /nonexistent/token}\n";
    assert!(problems(&small_with(missing))[0].contains("cannot read"));
}

#[test]
fn the_example_of_the_host_is_one_that_its_runner_accepts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("host.example.yaml");
    let host = crate::host::config::HostConfig::load(&path).unwrap();
    let remediator = load(EXAMPLE).unwrap();
    let entry = remediator.inventory.hosts.values().next().unwrap();
    let numbers = |host: &crate::host::config::HostConfig| {
        host.modules
            .iter()
            .map(|(n, module)| (*n, module.esn.clone()))
            .collect::<Vec<_>>()
    };
    let expected: Vec<_> = entry
        .modules
        .iter()
        .map(|(n, module)| (*n, module.esn.clone()))
        .collect();
    assert_eq!(
        numbers(&host),
        expected,
        "both examples are about the same host"
    );
}

#[test]
fn windows_are_times_of_the_week_and_may_reach_into_the_next_day() {
    let windows = |windows: &str| {
        let policy = format!("policy: {{restart: {{windows: {windows}}}}}\n");
        load(&small_with(&policy)).map(|config| config.policy.restart.windows)
    };
    let parsed = windows("[{days: [monday, friday], from: \"20:00\", to: \"04:30\"}]").unwrap();
    assert_eq!(parsed[0].days, [Weekday::Monday, Weekday::Friday].into());
    assert_eq!(parsed[0].from_minute, 20 * 60);
    assert_eq!(parsed[0].length, Duration::from_secs(8 * 3600 + 30 * 60));
    let daily = windows("[{from: \"00:00\", to: \"24:00\"}]").unwrap();
    assert_eq!(daily[0].days.len(), 7);
    assert_eq!(daily[0].length, Duration::from_secs(24 * 3600));
    for wrong in ["8:00", "08:60", "24:01", "25:00", "+8:00", "noon", "08-00"] {
        let wrong = format!("[{{from: \"{wrong}\", to: \"10:00\"}}]");
        assert!(windows(&wrong).is_err(), "{wrong}");
    }
    assert!(windows("[{days: [mon], from: \"08:00\", to: \"10:00\"}]").is_err());
    assert!(windows("[{days: [], from: \"08:00\", to: \"10:00\"}]").is_err());
}
