//! From the output of the vendor's tools to the text that Prometheus scrapes.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p vcm-exporter --test exporter`.
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::host::Host;
use nshield::hardserver::HardserverState;
use nshield::runner::{Invocation, run};
use nshield::tools::Deadlines;
use vcm_exporter::collect::enquiry;
use vcm_telemetry::exposition::Format;

fn assert_golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text
        .lines()
        .zip(expected.lines())
        .find(|(new, old)| new != old);
    assert!(
        text == expected,
        "{path} differs, first at (new, old): {differs:#?}"
    );
}

/// What every exposition must be, whatever the host is like.
fn assert_sound(text: &str) {
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let mut series: Vec<&str> = samples
        .iter()
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    let count = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), count, "a series appears twice");
    assert!(!text.contains("NaN") && !text.contains("percent"));
    let current = |family: &str, module: &str| {
        let of = |line: &&&str| line.starts_with(family) && line.contains(module);
        samples
            .iter()
            .filter(of)
            .filter(|line| line.ends_with(" 1"))
            .count()
    };
    assert_eq!(current("nshield_hardserver_state{", ""), 1);
    for module in ["module=\"1\"", "module=\"2\"", "module=\"3\""] {
        if text.contains(module) {
            assert_eq!(current("nshield_module_state{", module), 1, "{module}");
        }
    }
}

async fn assert_promtool_is_silent(text: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text.replace(" *", " 1")).unwrap();
    let script = format!("exec promtool check metrics < {}", file.path().display());
    let check = Invocation::new("/bin/sh", ["-c", &script], Duration::from_secs(30));
    let run = run(check).await.unwrap();
    let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(
        run.succeeded() && said.is_empty(),
        "promtool (of the package prometheus): {said}"
    );
}

#[tokio::test]
async fn healthy() {
    let host = Host::healthy("enquiry-healthy.txt");
    let text = host.observe(Format::Text).await;
    assert_sound(&text);
    assert_golden("healthy", &text);
    assert_promtool_is_silent(&text).await;
}

#[tokio::test]
async fn healthy_as_open_metrics() {
    let host = Host::healthy("enquiry-healthy.txt");
    let text = host.observe(Format::OpenMetrics).await;
    assert!(text.ends_with("# EOF\n"));
    assert_golden("healthy.openmetrics", &text);
}

#[tokio::test]
async fn one_of_three_failed() {
    let host = Host::healthy("enquiry-one-of-three-failed.txt");
    // The statistics of module 2, printed under number 1: their serial number tells.
    let fixture = format!("{}/stattree-one-module.txt", crate::host::FIXTURES);
    host.tool(
        "stattree",
        &format!("exec sed s/1A2B-03E0-D947/2B3C-05E0-D947/ {fixture}"),
    );
    let text = host.observe(Format::Text).await;
    assert_sound(&text);
    assert_golden("one-of-three-failed", &text);
    assert_promtool_is_silent(&text).await;
}

/// One look is a suspicion; the state says down only when it is proven.
#[tokio::test]
async fn hardserver_down_after_one_look() {
    let mut host = Host::healthy("enquiry-healthy.txt");
    host.kill_hardserver();
    let text = host.observe(Format::Text).await;
    assert_sound(&text);
    assert_golden("hardserver-suspected-down", &text);
    assert_promtool_is_silent(&text).await;
}

#[tokio::test]
async fn hardserver_up_although_enquiry_prints_only_its_section() {
    let host = Host::healthy("enquiry-healthy.txt");
    host.tool(
        "enquiry",
        &format!(
            "/usr/bin/head -n 27 {}/enquiry-healthy.txt",
            crate::host::FIXTURES
        ),
    );
    let text = host.observe(Format::Text).await;
    assert!(text.contains("nshield_hardserver_state{state=\"up\"} 1\n"));
    assert!(
        !text.contains("nshield_module_state"),
        "no module was ever seen"
    );
}

/// The exporter is restarted while the hardserver is down: what was known is not lost.
#[tokio::test]
async fn known_modules_outlive_a_restart_of_the_exporter() {
    let mut host = Host::healthy("enquiry-one-of-three-failed.txt");
    host.observe(Format::Text).await;
    host.kill_hardserver();
    let text = host.observe(Format::Text).await;
    assert_sound(&text);
    for module in 1..=3 {
        let state = format!("nshield_module_state{{module=\"{module}\",state=\"unknown\"}} 1\n");
        assert!(text.contains(&state), "{text}");
    }
    assert!(
        text.contains("nshield_module_info{module=\"1\",esn=\"1A2B-05E0-D947\""),
        "{text}"
    );
}

#[tokio::test]
async fn permission_denied_is_never_down() {
    let mut host = Host::healthy("enquiry-healthy.txt");
    host.kill_hardserver();
    let enquiry = host.file("bin/enquiry");
    std::fs::remove_file(&enquiry).unwrap();
    std::fs::write(&enquiry, "not executable").unwrap();
    std::fs::set_permissions(&enquiry, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = host.observe(Format::Text).await;
    assert_sound(&text);
    assert_golden("permission-denied", &text);
    assert_promtool_is_silent(&text).await;
}

#[tokio::test]
async fn output_cut_short_is_shown_and_is_no_success() {
    let host = Host::healthy("enquiry-healthy.txt");
    let fixture = format!("{}/enquiry-one-of-three-failed.txt", crate::host::FIXTURES);
    host.tool("enquiry", &format!("exec /usr/bin/head -c 1700 {fixture}"));
    let text = host.observe(Format::Text).await;
    assert_sound(&text);
    assert!(
        text.contains("nshield_module_state{module=\"1\",state=\"failed\"} 1\n"),
        "{text}"
    );
    assert!(text.contains("nshield_scrape_collector_success{collector=\"enquiry\"} 0\n"));
    let failure = "nshield_command_failures_total{command=\"enquiry\",reason=\"parse\"} 1\n";
    assert!(text.contains(failure));
}

/// Two scrapes of one state are the same bytes.
#[tokio::test]
async fn the_order_is_the_same_each_time() {
    let host = Host::healthy("enquiry-one-of-three-failed.txt");
    assert_eq!(
        host.observe(Format::Text).await,
        host.observe(Format::Text).await
    );
}

/// The socket file with nobody behind it, seen twice ten seconds apart: the time is real because
/// the processes are.
#[tokio::test]
async fn the_hardserver_is_down_once_it_is_proven() {
    let mut host = Host::healthy("enquiry-healthy.txt");
    let shared = host.shared(Duration::from_secs(15), Deadlines::default());
    enquiry::once(&shared).await;
    assert_eq!(shared.state().hardserver_state(), HardserverState::Up);
    host.kill_hardserver();
    let collector = tokio::time::timeout(Duration::from_secs(60), async {
        let proven = async {
            while shared.state().hardserver_state() != HardserverState::Down {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let started = tokio::time::Instant::now();
        tokio::select! {
            () = enquiry::run(std::sync::Arc::clone(&shared)) => {}
            () = proven => {}
        }
        started.elapsed()
    });
    let took = collector.await.unwrap();
    assert!(took >= Duration::from_secs(10), "proven after {took:?}");
    assert!(
        took < Duration::from_secs(15),
        "the second look came early: {took:?}"
    );
}
