//! What `nopclearfail` does, and what it destroys when it is called wrongly.

use crate::harness::{Host, until};

#[test]
fn a_retry_heals_a_module_that_needs_one() {
    let host = Host::new();
    host.ctl("fail-module 1 --reason needs-retry");
    assert!(
        host.enquiry()
            .out
            .contains(" enquiry reply flags  Failed\n")
    );
    let run = host.nopclearfail("-m1 -r");
    assert_eq!(run.out, "Module 1, command RetryFailedModule: OK\n");
    assert_eq!(run.code, Some(0));
    until("module 1 operational", || host.shown(1) == "operational");
    assert_eq!(host.events(&["--damage"]), Vec::<serde_json::Value>::new());
}

#[test]
fn a_clear_takes_maintenance_a_wait_and_the_clear() {
    // 5 s here.
    let host = Host::with(&["timing.clear_wait=175s"]);
    host.ctl("fail-module 1 --reason needs-clear");
    assert_eq!(
        host.nopclearfail("-m1 -M").out,
        "Module 1, command ClearUnitEx: OK\n"
    );
    until("module 1 in maintenance", || host.shown(1) == "maintenance");
    assert_eq!(host.nopclearfail("-m1 -c").code, Some(0));
    let early = host.events(&["--damage"]).pop().unwrap();
    assert_eq!(early["damage"], "clear_too_early");
    until("the wait is over", || {
        let retried = host.nopclearfail("-m1 -c").code == Some(0);
        retried && host.shown(1) != "maintenance"
    });
    until("module 1 operational", || host.shown(1) == "operational");
}

#[test]
fn waits_until_the_module_is_back_when_asked_to() {
    let host = Host::new();
    assert_eq!(host.nopclearfail("-M -m 1 -w").code, Some(0));
    assert_eq!(host.shown(1), "maintenance");
}

#[test]
fn a_wrong_call_does_its_damage_and_shows_in_both_logs() {
    for line in ["--all --clear", "-c"] {
        let host = Host::new();
        let run = host.nopclearfail(line);
        assert_eq!(run.out.matches("ClearUnitEx: OK").count(), 3, "{line}");
        let lost: Vec<_> = host
            .events(&["--damage"])
            .into_iter()
            .filter(|event| event["damage"] == "objects_lost")
            .map(|event| event["module_was_healthy"].as_bool())
            .collect();
        assert_eq!(lost, [Some(true); 3], "{line}");
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(host.argument_vectors().last(), Some(&words));
    }
}

#[test]
fn refuses_without_privilege_and_for_missing_modules() {
    let host = Host::new();
    let run = host.nopclearfail("-m9 -c");
    assert_eq!(
        (run.code, run.out.as_str()),
        (Some(1), "Module 9, command ClearUnitEx: InvalidModule\n")
    );
    host.ctl("set hardserver.privileged=false");
    let run = host.nopclearfail("-m1 -c");
    assert_eq!(
        (run.code, run.out.as_str()),
        (Some(1), "Module 1, command ClearUnitEx: AccessDenied\n")
    );
    assert_eq!(host.shown(1), "operational");
}

#[test]
fn sudo_can_allow_one_command_and_deny_the_next() {
    let host = Host::with(&[r#"hardserver.sudo_denies=["-m1 -c"]"#]);
    let tool = host
        .root()
        .join("bin/nopclearfail")
        .to_string_lossy()
        .into_owned();
    let sudo = |words: &[&str]| host.run("bin/sudo", words);
    assert_eq!(sudo(&["-n", "-l", &tool, "-m1", "-M"]).code, Some(0));
    assert_eq!(sudo(&["-n", "-l", &tool, "-m1", "-c"]).code, Some(1));
    assert_eq!(
        sudo(&["-n", "--", &tool, "-m1", "-M"]).out,
        "Module 1, command ClearUnitEx: OK\n"
    );
    let denied = sudo(&["-n", "--", &tool, "-m1", "-c"]);
    assert!(
        denied.code == Some(1) && denied.err.contains("password"),
        "{denied:?}"
    );
    let ran = |word: &str| {
        host.argument_vectors()
            .contains(&vec!["-m1".into(), word.into()])
    };
    assert!(ran("-M") && !ran("-c"));
}

#[test]
fn applications_reload_their_keys_when_a_site_s_hook_says_so() {
    let host = Host::new();
    host.init_script("restart");
    until("module 1 is connected again", || {
        host.shown(1) == "operational"
    });
    assert_eq!(host.try_ctl("service-check 1").code, Some(1));
    host.ctl("reload-keys");
    assert_eq!(host.try_ctl("service-check 1").code, Some(0));
}

#[test]
fn a_clear_of_a_vcm_enrolled_twice_hits_the_other_host() {
    let other = Host::of_estate(&estate("x", "[]"));
    let here = Host::of_estate(&estate("y", &format!("[{:?}]", other.root())));
    here.nopclearfail("-m1 -M");
    let harm = other.events(&["--damage"]);
    assert_eq!(harm[0]["damage"], "healthy_module_disturbed");
    assert_eq!(harm[1]["count"], 7);
    until("the other host sees maintenance", || {
        other.shown(1) == "maintenance"
    });
    here.ctl("hsm-reboot 1");
    until("the other host sees the reboot", || {
        other.shown(1) == "failed"
    });
}

fn estate(name: &str, also_on: &str) -> String {
    format!(
        "vcms: [{{name: {name}, esn: 1A2B-03E0-D947, address: 127.0.1.1, hsm: h, \
         also_on: {also_on}}}]\nknobs: {{time_scale: 35}}"
    )
}
