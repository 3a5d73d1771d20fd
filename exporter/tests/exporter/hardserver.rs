//! What is exposed of the hardserver when it does not answer, and of what was known before.

use std::time::Duration;

use nshield::hardserver::{DOWN_PROOF_SPACING, HardserverState};
use nshield::tools::Deadlines;
use vcm_exporter::collect::enquiry;
use vcm_exporter::state::OVERDUE;

use crate::golden::Exposed;
use crate::host::{FIXTURES, Host, INTERVAL, look};

const THREE: &str = "enquiry-one-of-three-failed.txt";

/// One look is a suspicion; the state says down only when it is proven.
#[tokio::test]
async fn one_look_is_a_suspicion() {
    let mut host = Host::healthy("enquiry-healthy.txt");
    host.kill_hardserver();
    let exporter = host.exporter();
    look(&exporter).await;
    Exposed::by(&exporter)
        .await
        .equals("hardserver-suspected-down")
        .shows(&[
            "nshield_hardserver_state{state=\"down\"} 0",
            "nshield_hardserver_state{state=\"unknown\"} 1",
            "nshield_command_failures_total{command=\"enquiry\",reason=\"exit_status\"} 1",
        ]);
}

/// The second look comes ten seconds later; only the clock of the exporter is moved on.
#[tokio::test]
async fn two_looks_prove_it_down() {
    let mut host = Host::printing(THREE, "stattree-one-of-three-failed.txt");
    let exporter = host.exporter();
    look(&exporter).await;
    host.kill_hardserver();
    look(&exporter).await;
    pass(DOWN_PROOF_SPACING).await;
    look(&exporter).await;
    Exposed::by(&exporter)
        .await
        .equals("hardserver-down")
        .shows(&[
            "nshield_hardserver_state{state=\"down\"} 1",
            "nshield_module_state{module=\"1\",state=\"unknown\"} 1",
            "nshield_module_state{module=\"3\",state=\"unknown\"} 1",
            "nshield_scrape_collector_success{collector=\"enquiry\"} 0",
        ])
        .hides(&[
            "nshield_module_cpu_load_ratio",
            "nshield_hardserver_commands",
            "nshield_hardserver_start_time_seconds",
            "nshield_module_connection_ok",
        ]);
}

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// The background collector takes its second look by itself, and early: the time is real because
/// the processes are.
#[tokio::test]
async fn the_collector_looks_again_in_time_to_prove_it() {
    let mut host = Host::healthy("enquiry-healthy.txt");
    let exporter = host.exporter();
    enquiry::once(&exporter).await;
    assert_eq!(exporter.state().hardserver_state(), HardserverState::Up);
    host.kill_hardserver();
    let started = tokio::time::Instant::now();
    let proven = async {
        while exporter.state().hardserver_state() != HardserverState::Down {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let collector = enquiry::run(std::sync::Arc::clone(&exporter));
    tokio::time::timeout(Duration::from_secs(60), async {
        tokio::select! { () = collector => {} () = proven => {} }
    })
    .await
    .unwrap();
    let took = started.elapsed();
    assert!(took >= DOWN_PROOF_SPACING, "proven after {took:?}");
    assert!(took < INTERVAL, "the second look came late: {took:?}");
}

#[tokio::test]
async fn permission_denied_is_never_down() {
    let mut host = Host::healthy("enquiry-healthy.txt");
    host.kill_hardserver();
    host.forbid_tools();
    let exporter = host.exporter();
    look(&exporter).await;
    pass(DOWN_PROOF_SPACING).await;
    look(&exporter).await;
    Exposed::by(&exporter)
        .await
        .equals("permission-denied")
        .shows(&[
            "nshield_hardserver_state{state=\"permission_denied\"} 1",
            "nshield_command_failures_total{command=\"enquiry\",reason=\"permission\"} 2",
        ]);
}

/// The exporter is restarted while the hardserver is down: what was known is not lost.
#[tokio::test]
async fn known_modules_outlive_a_restart_of_the_exporter() {
    let mut host = Host::healthy(THREE);
    look(&host.exporter()).await;
    host.kill_hardserver();
    let restarted = host.exporter();
    look(&restarted).await;
    let exposed = Exposed::by(&restarted).await;
    let unknown =
        [1, 2, 3].map(|n| format!("nshield_module_state{{module=\"{n}\",state=\"unknown\"}} 1"));
    exposed
        .equals("hardserver-suspected-down-modules-known")
        .shows(&unknown.each_ref().map(String::as_str))
        .shows(&[
            "nshield_module_info{module=\"1\",esn=\"1A2B-05E0-D947\",address=\"192.0.2.11\"} 1",
        ]);
}

#[tokio::test]
async fn up_although_enquiry_prints_only_its_section() {
    let host = Host::healthy("enquiry-healthy.txt");
    host.prints_through("enquiry", "enquiry-healthy.txt", "head -n 27");
    let exporter = host.exporter();
    look(&exporter).await;
    Exposed::by(&exporter)
        .await
        .shows(&["nshield_hardserver_state{state=\"up\"} 1"])
        .hides(&["nshield_module_state"]);
}

/// A held `enquiry` on a hardserver that answers: slow, and neither down nor unresponsive.
#[tokio::test]
async fn a_slow_enquiry_on_an_answering_hardserver_is_not_unresponsive() {
    let host = Host::healthy("enquiry-healthy.txt");
    let script = format!(
        "case \"$*\" in *-m0*) exec head -n 27 {FIXTURES}/enquiry-healthy.txt;; esac; exec sleep 600"
    );
    host.tool("enquiry", &script);
    let deadlines = Deadlines {
        enquiry: Duration::from_secs(2),
        enquiry_server: Duration::from_millis(500),
        ..Deadlines::default()
    };
    let exporter = host.shared(Duration::from_millis(500), deadlines);
    enquiry::once(&exporter).await;
    Exposed::by(&exporter).await.shows(&[
        "nshield_hardserver_state{state=\"up\"} 1",
        "nshield_command_failures_total{command=\"enquiry\",reason=\"timeout\"} 1",
    ]);
}

/// A result is dropped once the next one is overdue; the hardserver's own state has as long again,
/// because only then is it asked alone.
#[tokio::test]
async fn stale_results_are_dropped_after_the_stated_age() {
    let host = Host::printing(THREE, "stattree-one-of-three-failed.txt");
    let exporter = host.exporter();
    look(&exporter).await;
    pass(INTERVAL).await;
    Exposed::by(&exporter).await.shows(&[
        "nshield_module_state{module=\"2\",state=\"operational\"} 1",
        "nshield_module_cpu_load_ratio{module=\"2\"} 0.2",
    ]);
    pass(OVERDUE).await;
    Exposed::by(&exporter)
        .await
        .shows(&[
            "nshield_hardserver_state{state=\"up\"} 1",
            "nshield_module_state{module=\"2\",state=\"unknown\"} 1",
        ])
        .hides(&["cpu_load", "_commands_total", "connection_ok"]);
    pass(OVERDUE).await;
    Exposed::by(&exporter)
        .await
        .equals("stale")
        .shows(&["nshield_hardserver_state{state=\"unknown\"} 1"]);
}
