use super::*;

const MINIMAL: &str = "state_dir: /var/lib/x\n";

fn checked(text: &str) -> Result<HostConfig, Vec<String>> {
    let raw = yaml::parse(text).map_err(|problem| vec![problem])?;
    let lines = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    check::checked(raw).map_err(lines)
}

fn number(number: u16) -> ModuleNumber {
    number.try_into().unwrap()
}

#[test]
fn derives_everything_else_from_a_minimal_file() {
    let config = checked(MINIMAL).unwrap();
    assert_eq!(config.tools.enquiry, Path::new("/opt/nfast/bin/enquiry"));
    assert_eq!(
        config.tools.path(Program::InitScript),
        Path::new("/opt/nfast/sbin/init.d-ncipher")
    );
    assert_eq!(config.max_tier, Tier::Retry);
    assert_eq!(config.clear_wait, Duration::from_secs(30));
    assert_eq!(config.deadlines.enquiry, Duration::from_secs(50));
    assert_eq!(config.hold_file, Path::new("/etc/vcm-remediator/hold"));
    assert_eq!(config.pause_file, Path::new("/etc/vcm-remediator/pause"));
    assert_eq!(config.stopped_on_purpose.unit_state, None);
    assert_eq!(config.launcher, Launcher::Direct);
    assert_eq!(config.hooks, Hooks::default());
    assert_eq!(config.service_check, None);
    assert!(config.modules.is_empty());
}

#[test]
fn reads_the_documented_example() {
    let config = checked(
        "state_dir: /var/lib/vcm-remediator/host\n\
         nfast_root: /opt/other\n\
         tools: {nopclearfail: /usr/local/bin/nopclearfail, sudo_prefix: [/usr/bin/sudo, -n]}\n\
         platform: linux\n\
         max_tier: clear\n\
         hold_file: /etc/hold\n\
         pause_file: /etc/pause\n\
         launcher: systemd\n\
         hooks: {after_restart: [/usr/local/sbin/reload-keys, --all], after_clear: [/usr/local/sbin/reload-keys]}\n\
         service_check: [/usr/local/bin/check-signing]\n\
         clear_wait: 45s\n\
         deadlines: {enquiry: 40s, enquiry_server: 4s, stattree: 10s, ping: 3s, step: 1m, hook: 5m, service_check: 20s}\n\
         stopped_on_purpose: {unit_state: [/usr/bin/systemctl, is-failed, nc_hardserver.service], host_up_min: 10m}\n\
         modules:\n\
         \x20 - {number: 1, esn: 1A2B-05E0-D947, kind: vcm, address: 192.0.2.11, reachability: icmp}\n\
         \x20 - {number: 2, kind: nethsm, address: 192.0.2.12, reachability: 'tcp:9004'}\n\
         \x20 - {number: 3, kind: pcie, reachability: none}\n\
         \x20 - {number: 4}\n",
    )
    .unwrap();
    assert_eq!(config.tools.enquiry, Path::new("/opt/other/bin/enquiry"));
    assert_eq!(
        config.tools.nopclearfail,
        Path::new("/usr/local/bin/nopclearfail")
    );
    assert_eq!(config.clear_wait, Duration::from_secs(45));
    assert_eq!(config.launcher, Launcher::Systemd);
    let hook = config.hooks.after_restart.unwrap();
    assert_eq!(hook.program(), Path::new("/usr/local/sbin/reload-keys"));
    assert_eq!(hook.invocation(Duration::ZERO).args(), ["--all"]);
    assert!(config.service_check.is_some());
    assert_eq!(config.deadlines.hook, Duration::from_secs(300));
    assert_eq!(config.deadlines.service_check, Duration::from_secs(20));
    let reachability: Vec<Reachability> = config.modules.values().map(|m| m.reachability).collect();
    let (one, two) = ("192.0.2.11".parse().unwrap(), "192.0.2.12".parse().unwrap());
    assert_eq!(
        reachability,
        [
            Reachability::Icmp(one),
            Reachability::Tcp(two, 9004),
            Reachability::None,
            Reachability::NoAddress
        ]
    );
    assert_eq!(
        config.modules[&number(1)].esn,
        Some("1A2B-05E0-D947".parse().unwrap())
    );
    assert_eq!(config.modules[&number(4)].kind, Kind::Vcm);
}

#[test]
fn the_shipped_example_shows_the_defaults() {
    let example = checked(include_str!("../../../host.example.yaml")).unwrap();
    let mut expected = checked("state_dir: /var/lib/vcm-remediator/host\n").unwrap();
    expected.modules = example.modules.clone();
    assert_eq!(example, expected);
}

#[test]
fn reports_all_problems_together_with_their_keys() {
    let problems = checked(
        "nfast_root: opt\n\
         platform: beos\n\
         max_tier: load\n\
         clear_wait: 29s\n\
         launcher: nohup\n\
         pause_file: pause\n\
         hooks: {after_restart: [reload-keys], after_clear: []}\n\
         service_check: ['']\n\
         deadlines: {enquiry: 51s, stattree: 51s, probe: 21s, ping: soon, service_check: 51s}\n\
         tools: {sudo_prefix: [sudo], systemd_run: systemd-run, systemctl: systemctl}\n\
         stopped_on_purpose: {unit_state: [], died_words: [inactive]}\n\
         modules:\n\
         \x20 - {number: 0}\n\
         \x20 - {esn: 1a2b-05e0-d947}\n\
         \x20 - {number: 1, esn: 1A2B-05E0-D947, address: vcm.example, reachability: 'tcp:0'}\n\
         \x20 - {number: 1, esn: 1A2B-05E0-D947, kind: card}\n",
    )
    .unwrap_err();
    let expected = [
        "nfast_root:",
        "state_dir: is missing",
        "platform:",
        "max_tier:",
        "clear_wait: 29s is not within 30s to 10m",
        "launcher:",
        "pause_file:",
        "hooks.after_restart:",
        "hooks.after_clear:",
        "service_check:",
        "deadlines.enquiry: 51s is not within 1s to 50s",
        "deadlines.stattree:",
        "deadlines.probe:",
        "deadlines.ping:",
        "deadlines.service_check:",
        "tools.systemd_run:",
        "tools.systemctl:",
        "tools.sudo_prefix[0]:",
        "stopped_on_purpose.unit_state:",
        "stopped_on_purpose.died_words:",
        "modules[0].number:",
        "modules[1].esn:",
        "modules[1].number: is missing",
        "modules[2].address:",
        "modules[2].reachability:",
        "modules[3].kind:",
        "modules[3].esn:",
        "modules[3].number:",
    ];
    for prefix in expected {
        assert!(
            problems.iter().any(|line| line.starts_with(prefix)),
            "{prefix} {problems:#?}"
        );
    }
}

#[test]
fn refuses_unknown_keys_by_name_and_line() {
    for (text, key) in [
        ("state_dir: /x\nmax_teir: clear\n", "max_teir"),
        ("state_dir: /x\nmodules: [{number: 1, sn: 2}]\n", "sn"),
    ] {
        let problems = checked(text).unwrap_err().join(" ");
        assert!(
            problems.contains(key) && problems.contains("line 2"),
            "{problems}"
        );
    }
}

#[test]
fn the_error_names_the_file_and_every_problem() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "max_tier: load\n").unwrap();
    let message = HostConfig::load(file.path()).unwrap_err().to_string();
    assert!(
        message.contains("state_dir") && message.contains("max_tier"),
        "{message}"
    );
}

#[test]
fn a_file_that_others_can_write_or_own_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), MINIMAL).unwrap();
    let mode = |mode| {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        HostConfig::load(file.path())
    };
    mode(0o644).unwrap();
    for writable in [0o646, 0o664] {
        assert!(matches!(
            mode(writable),
            Err(ConfigError::NotTrusted { .. })
        ));
    }
    mode(0o600).unwrap();
    // Only root can give a file away; anybody else cannot make the case.
    if std::os::unix::fs::chown(file.path(), Some(12_345), None).is_ok() {
        assert!(matches!(mode(0o644), Err(ConfigError::NotTrusted { .. })));
    }
}
