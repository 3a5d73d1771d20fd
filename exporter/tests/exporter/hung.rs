//! A tool that hangs costs one process and delays nobody else.

use std::sync::Arc;
use std::time::Duration;

use nshield::runner::ProcessIdentity;
use nshield::tools::Deadlines;
use tokio::time::{Instant, sleep};
use vcm_exporter::collect::{Shared, enquiry, stattree};
use vcm_exporter::commands::Command;
use vcm_telemetry::exposition::Format;

use crate::host::{FIXTURES, Host, exposition};

/// Guards against a test that hangs itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a condition.
const PACE: Duration = Duration::from_millis(20);

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what} does not come");
        sleep(PACE).await;
    }
}

fn runs(shared: &Shared, command: Command) -> u64 {
    shared.state().commands[&command].duration.count()
}

/// The other collector goes on at its interval, although this one is held for ever.
#[tokio::test]
async fn a_hung_collector_does_not_delay_the_other() {
    for (hung, other) in [
        (Command::Enquiry, Command::Stattree),
        (Command::Stattree, Command::Enquiry),
    ] {
        let host = Host::healthy("enquiry-healthy.txt");
        host.tool(hung.as_str(), "exec sleep 600");
        let shared = host.shared(Duration::from_millis(100), Deadlines::default());
        let goes_on = until("ten runs", || runs(&shared, other) >= 10);
        tokio::select! {
            () = enquiry::run(Arc::clone(&shared)) => {}
            () = stattree::run(Arc::clone(&shared)) => {}
            () = goes_on => {}
        }
        assert_eq!(runs(&shared, hung), 0, "{hung:?} is held");
        let text = exposition(&shared, Format::Text);
        let success = format!(
            "nshield_scrape_collector_success{{collector=\"{}\"}} 1\n",
            other.as_str()
        );
        assert!(text.contains(&success), "{text}");
    }
}

/// Children and grandchildren that ignore TERM and hold the pipe are ended with it.
#[tokio::test]
async fn the_whole_process_group_ends_at_the_deadline() {
    let host = Host::healthy("enquiry-healthy.txt");
    let pids = host.file("pids");
    let script = format!(
        "trap '' TERM; (sh -c 'echo $$; exec sleep 600' & echo $!; wait) >>{0} & echo $$ >>{0}; wait",
        pids.display()
    );
    host.tool("stattree", &script);
    let deadlines = Deadlines {
        stattree: Duration::from_millis(500),
        ..Deadlines::default()
    };
    let shared = host.shared(Duration::from_secs(15), deadlines);
    stattree::once(&shared).await;
    let pids = std::fs::read_to_string(&pids).unwrap();
    assert!(pids.lines().count() >= 3, "{pids}");
    let alive = |pid: &str| ProcessIdentity::of(pid.parse().unwrap()).is_some_and(|p| p.is_alive());
    until("the end of the group", || !pids.lines().any(alive)).await;
    let text = exposition(&shared, Format::Text);
    for sample in [
        "nshield_command_failures_total{command=\"stattree\",reason=\"timeout\"} 1\n",
        "nshield_command_running{command=\"stattree\"} 0\n",
    ] {
        assert!(text.contains(sample), "{text}");
    }
}

/// What runs beside a slow `enquiry` is seen to its end, and does not overrule what that has shown.
#[tokio::test]
async fn a_question_beside_outlasts_the_run_that_it_is_beside() {
    let host = Host::healthy("enquiry-healthy.txt");
    let asked = host.file("asked");
    let script = format!(
        "case \"$*\" in *-m0*) : >{0}; exec sleep 600;; esac\n\
         while ! [ -e {0} ]; do sleep 0.02; done; exec cat {FIXTURES}/enquiry-healthy.txt",
        asked.display()
    );
    host.tool("enquiry", &script);
    let deadlines = Deadlines {
        enquiry_server: Duration::from_secs(1),
        ..Deadlines::default()
    };
    let shared = host.shared(Duration::from_secs(600), deadlines);
    let seen = until("the end of the question", || {
        runs(&shared, Command::EnquiryServer) == 1
    });
    tokio::select! {
        () = enquiry::run(Arc::clone(&shared)) => {}
        () = seen => {}
    }
    let text = exposition(&shared, Format::Text);
    for sample in [
        "nshield_command_failures_total{command=\"enquiry_server\",reason=\"timeout\"} 1\n",
        "nshield_hardserver_state{state=\"up\"} 1\n",
        "nshield_module_state{module=\"1\",state=\"operational\"} 1\n",
    ] {
        assert!(text.contains(sample), "{text}");
    }
}

/// What was printed before a hardserver fell silent is as old as the run: it is not shown when the
/// run is given up, and does not make the hardserver look alive for a moment.
#[tokio::test]
async fn what_a_run_printed_before_it_hung_is_not_shown_as_fresh() {
    let host = Host::healthy("enquiry-healthy.txt");
    let script = format!(
        "case \"$*\" in *-m0*) ;; *) cat {FIXTURES}/enquiry-one-of-three-failed.txt;; esac\n\
         exec sleep 600"
    );
    host.tool("enquiry", &script);
    let deadlines = Deadlines {
        enquiry: Duration::from_secs(2),
        enquiry_server: Duration::from_millis(300),
        ..Deadlines::default()
    };
    let shared = host.shared(Duration::from_secs(15), deadlines);
    enquiry::once(&shared).await;
    let text = exposition(&shared, Format::Text);
    for sample in [
        "nshield_hardserver_state{state=\"unresponsive\"} 1\n",
        "nshield_module_state{module=\"2\",state=\"unknown\"} 1\n",
        "nshield_module_info{module=\"2\",esn=\"2B3C-05E0-D947\"",
    ] {
        assert!(text.contains(sample), "{text}");
    }
}
