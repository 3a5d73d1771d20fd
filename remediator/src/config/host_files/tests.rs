use tempfile::TempDir;

use super::*;

const OWN: &str = "state_dir: /var/lib/x
max_tier: restart
modules:
  - {number: 1, esn: 1A2B-05E0-D947}
  - {number: 2, esn: 2B3C-05E0-D947}
  - {number: 3}
";

/// Modules 1 to 3 of one host, and the host's own file if there is one.
fn compared_with(own: Option<&str>) -> (HostFiles, String) {
    let directory = TempDir::new().unwrap();
    let host = directory.path().join("host.yaml");
    if let Some(own) = own {
        std::fs::write(&host, own).unwrap();
    }
    let text = format!(
        "inventory:
  hosts:
    - name: tenant-1
      runner: {{local: {{config_file: {}}}}}
      modules:
        - {{number: 1, esn: 1A2B-05E0-D947}}
        - {{number: 2, esn: 2B3C-05E0-D947}}
        - {{number: 3}}
",
        host.display()
    );
    let remediator = directory.path().join("remediator.yaml");
    std::fs::write(&remediator, text).unwrap();
    let files = Config::load(&remediator).unwrap().host_files();
    assert_eq!(files.looked_at[0].1, host);
    (files, host.display().to_string())
}

fn problems(files: &HostFiles) -> Vec<String> {
    files.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_that_agrees_says_nothing() {
    let (files, _) = compared_with(Some(OWN));
    assert_eq!(problems(&files), Vec::<String>::new());
    assert_eq!(files.remarks, Vec::<String>::new());
}

#[test]
fn a_lower_max_tier_is_a_remark_and_no_problem() {
    let (files, host) = compared_with(Some(&OWN.replace("restart", "retry")));
    assert_eq!(problems(&files), Vec::<String>::new());
    let remark = format!("{host}: max_tier: retry limits what the alerts permit, restart");
    assert_eq!(files.remarks, [remark]);
}

#[test]
fn serial_numbers_that_differ_or_are_known_to_one_side_are_problems() {
    let own = OWN
        .replace("1A2B-05E0-D947", "9A9B-05E0-D947")
        .replace(", esn: 2B3C-05E0-D947", "")
        .replace("number: 3", "number: 3, esn: 3C4D-05E0-D947");
    let (files, host) = compared_with(Some(&own));
    let key = "inventory.hosts.tenant-1.modules";
    assert_eq!(
        problems(&files),
        [
            format!("{key}.1.esn: ESN 1A2B-05E0-D947, but ESN 9A9B-05E0-D947 in {host}"),
            format!("{key}.2.esn: ESN 2B3C-05E0-D947, but no ESN in {host}"),
            format!("{key}.3.esn: no ESN, but ESN 3C4D-05E0-D947 in {host}"),
        ]
    );
}

#[test]
fn a_module_that_the_host_does_not_list_is_a_problem() {
    let (files, host) = compared_with(Some(&OWN.replace("  - {number: 3}\n", "")));
    let expected = format!("inventory.hosts.tenant-1.modules.3: {host} does not list module 3");
    assert_eq!(problems(&files), [expected]);
}

#[test]
fn a_file_that_is_missing_or_invalid_is_a_problem_with_every_reason() {
    let key = "inventory.hosts.tenant-1.runner.local.config_file";
    let (files, host) = compared_with(None);
    let found = problems(&files);
    assert_eq!(found.len(), 1, "{found:#?}");
    let start = format!("{key}: cannot read {host}: No such file");
    assert!(found[0].starts_with(&start), "{found:#?}");

    let (files, host) = compared_with(Some("max_tier: load\n"));
    let found = problems(&files);
    assert_eq!(found.len(), 2, "{found:#?}");
    for own in ["state_dir: is missing", "max_tier: "] {
        let start = format!("{key}: {host}: {own}");
        assert!(
            found.iter().any(|line| line.starts_with(&start)),
            "{found:#?}"
        );
    }

    let (files, _) = compared_with(Some("state_dir: /x\nmax_teir: clear\n"));
    let found = problems(&files);
    assert!(
        found[0].contains("max_teir") && found[0].contains("line 2"),
        "{found:#?}"
    );
}
