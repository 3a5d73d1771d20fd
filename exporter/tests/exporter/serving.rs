//! Whatever a tool does, scrapes answer and processes do not pile up.
use std::sync::Arc;
use std::time::Duration;

use crate::host::{Host, http};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use nshield::runner::ProcessIdentity;
use nshield::tools::Deadlines;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;
use vcm_exporter::collect::{Schedule, Shared, enquiry, stattree};
use vcm_exporter::http::{HttpState, router};
use vcm_exporter::reload::Reloader;
use vcm_exporter::state::CollectorName;

const SCRAPE_TIME: Duration = Duration::from_secs(2);
const SCRAPE_TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";

async fn get(shared: &Arc<Shared>, path: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = timeout(SCRAPE_TIME, router(http(shared)).oneshot(request))
        .await
        .unwrap()
        .unwrap();
    let status = answer.status();
    let kind = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

fn alive(pids: &str) -> usize {
    let alive = |pid: &&str| {
        let process = pid.parse().ok().and_then(ProcessIdentity::of);
        process.is_some_and(|process| process.is_alive())
    };
    pids.lines().filter(alive).count()
}

/// Ignores TERM and never ends; writes its process id to a file first.
fn hang(host: &Host, tool: &str) {
    let pids = host.file(&format!("{tool}.pids"));
    let script = format!(
        "case \"$*\" in *-m0*) file={0}.m0;; *) file={0};; esac\n\
         trap '' TERM; echo $$ >>$file; while :; do sleep 600; done",
        pids.display()
    );
    host.tool(tool, &script);
}

#[tokio::test]
async fn hung_tools_leave_scrapes_answering_and_at_most_one_process_each() {
    let host = Host::healthy("enquiry-healthy.txt");
    let short = Duration::from_millis(300);
    let deadlines = Deadlines {
        enquiry: Duration::from_secs(1),
        enquiry_server: short,
        stattree: short,
    };
    let shared = host.shared(Duration::from_millis(100), deadlines);
    enquiry::once(&shared).await;
    hang(&host, "enquiry");
    hang(&host, "stattree");
    let pids = |name: &str| std::fs::read_to_string(host.file(name)).unwrap_or_default();
    let names = ["enquiry.pids", "enquiry.pids.m0", "stattree.pids"];

    let observed = async {
        let until = Instant::now() + Duration::from_secs(60);
        while names.iter().any(|name| pids(name).lines().count() < 3) {
            assert!(Instant::now() < until, "the collectors stand still");
            let (status, _, text) = get(&shared, "/metrics").await;
            assert_eq!(status, StatusCode::OK);
            for command in ["enquiry", "enquiry_server", "stattree"] {
                let running = format!("nshield_command_running{{command=\"{command}\"}} ");
                let line = text
                    .lines()
                    .find(|line| line.starts_with(&running))
                    .unwrap();
                assert!(line.ends_with(" 0") || line.ends_with(" 1"), "{line}");
            }
            for name in names {
                assert!(alive(&pids(name)) <= 1, "{name} piles up");
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = enquiry::run(Arc::clone(&shared)) => {}
        () = stattree::run(Arc::clone(&shared)) => {}
        () = observed => {}
    }

    let (_, _, text) = get(&shared, "/metrics").await;
    assert!(
        text.contains("nshield_hardserver_state{state=\"unresponsive\"} 1\n"),
        "{text}"
    );
    assert!(text.contains("nshield_module_state{module=\"1\",state=\"unknown\"} 1\n"));
    assert!(text.contains("nshield_scrape_collector_success{collector=\"stattree\"} 0\n"));
    assert!(
        !text.contains("nshield_hardserver_clients "),
        "nothing stale is shown"
    );
    for name in names {
        let until = Instant::now() + Duration::from_secs(30);
        while alive(&pids(name)) > 0 {
            assert!(Instant::now() < until, "{name}: a process was left behind");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn serves_every_page_and_both_formats() {
    let host = Host::healthy("enquiry-one-of-three-failed.txt");
    let shared = host.shared(Duration::from_secs(15), Deadlines::default());
    assert_eq!(
        get(&shared, "/-/ready").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    enquiry::once(&shared).await;
    let (status, _, waiting) = get(&shared, "/-/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(waiting, "The first run of stattree has not ended yet.\n");
    stattree::once(&shared).await;
    assert_eq!(get(&shared, "/-/ready").await.0, StatusCode::OK);
    assert_eq!(get(&shared, "/-/healthy").await.0, StatusCode::OK);
    let (_, kind, page) = get(&shared, "/").await;
    assert_eq!(kind, "text/html; charset=utf-8");
    assert!(
        page.contains("1A2B-05E0-D947") && page.contains("<td class=bad>failed</td>"),
        "{page}"
    );
    let (_, kind, text) = get(&shared, "/metrics").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!text.contains("# EOF"));
    let accept = "application/openmetrics-text;version=1.0.0";
    let request = Request::get("/metrics")
        .header(header::ACCEPT, accept)
        .body(Body::empty());
    let answer = router(http(&shared))
        .oneshot(request.unwrap())
        .await
        .unwrap();
    assert_eq!(
        answer.headers().get(header::CONTENT_TYPE).unwrap(),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
}

#[tokio::test]
async fn compresses_only_for_whoever_accepts_it() {
    let host = Host::healthy("enquiry-healthy.txt");
    let shared = host.shared(Duration::from_secs(15), Deadlines::default());
    enquiry::once(&shared).await;
    for (accept, encoding) in [
        (None, None),
        (Some("identity"), None),
        (Some("gzip"), Some("gzip")),
    ] {
        let mut request = Request::get("/metrics");
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT_ENCODING, accept);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = router(http(&shared)).oneshot(request).await.unwrap();
        let used = answer.headers().get(header::CONTENT_ENCODING).cloned();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert_eq!(
            used.as_ref().map(|value| value.to_str().unwrap()),
            encoding,
            "{accept:?}"
        );
        assert_eq!(
            body.starts_with(&[0x1f, 0x8b]),
            encoding.is_some(),
            "{accept:?}"
        );
    }
}

/// A script that prints markup must not reach a browser as such.
#[tokio::test]
async fn the_page_escapes_what_comes_from_outside() {
    let host = Host::healthy("enquiry-healthy.txt");
    let shared = host.shared(Duration::from_secs(15), Deadlines::default());
    let mut state = Arc::into_inner(http(&shared)).unwrap();
    state.telemetry_path = "/metrics\"><script>".to_owned();
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = router(Arc::new(state)).oneshot(request).await.unwrap();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    assert!(!String::from_utf8_lossy(&body).contains("<script>"));
}

#[tokio::test]
async fn reads_the_configuration_again_when_asked_and_says_what_is_wrong() {
    let host = Host::healthy("enquiry-healthy.txt");
    let shared = host.shared(Duration::from_secs(15), Deadlines::default());
    let file = host.file("exporter.yml");
    let web = vcm_web::WebConfig::load(None).unwrap();
    let reloader = Reloader::new(Arc::clone(&shared), Some(file.clone()), web);
    let app = router(Arc::new(HttpState::new(reloader, "/metrics".to_owned())));
    let ask = async |method: &str| {
        let request = Request::builder().method(method).uri("/-/reload");
        let request = request.body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    std::fs::write(&file, "icmp: {interval: 2s}").unwrap();
    assert_eq!(ask("GET").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(ask("POST").await.0, StatusCode::OK);
    assert_eq!(shared.config().icmp.echo.interval, Duration::from_secs(2));
    std::fs::write(&file, "icmp: {interval: 3s, colour: red}").unwrap();
    let (status, text) = ask("PUT").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("exporter.yml:1: icmp.colour: "), "{text}");
    assert_eq!(shared.config().icmp.echo.interval, Duration::from_secs(2));
}

#[tokio::test]
async fn on_scrape_tools_run_when_asked_and_a_scrape_ends_before_prometheus_gives_up() {
    let host = Host::healthy("enquiry-one-of-three-failed.txt");
    let shared = host.scheduled(Schedule::OnScrape, Deadlines::default());
    assert_eq!(get(&shared, "/-/ready").await.0, StatusCode::OK);
    let scrape = async |timeout: &str| {
        let request = Request::get("/metrics").header(SCRAPE_TIMEOUT, timeout);
        let request = request.body(Body::empty()).unwrap();
        let answer = router(http(&shared)).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    };
    let failed = "nshield_module_state{module=\"1\",state=\"failed\"} 1\n";
    let observed = async {
        // A generous time: only the hanging tool below may use all of its.
        assert!(scrape("60").await.contains(failed));
        hang(&host, "enquiry");
        // What it showed a moment ago still answers; wait until it does not.
        sleep(Duration::from_millis(1_100)).await;
        let text = scrape("5").await;
        assert!(
            !text.contains(failed),
            "the last good answer is repeated: {text}"
        );
        assert!(text.contains("nshield_module_state{module=\"1\",state=\"unknown\"} 1\n"));
        assert!(text.contains("nshield_command_running{command=\"enquiry\"} 1\n"));
        assert!(
            text.contains("nshield_hardserver_clients "),
            "stattree still answers"
        );
    };
    tokio::select! {
        () = enquiry::run(Arc::clone(&shared)) => {}
        () = stattree::run(Arc::clone(&shared)) => {}
        () = observed => {}
    }
}

#[tokio::test]
async fn nothing_is_exported_of_a_collector_that_is_left_out() {
    let host = Host::healthy("enquiry-healthy.txt");
    let shared = host.shared(Duration::from_secs(15), Deadlines::default());
    let shared = Arc::into_inner(shared).unwrap();
    let shared = Arc::new(shared.without(CollectorName::Enquiry));
    stattree::once(&shared).await;
    assert_eq!(get(&shared, "/-/ready").await.0, StatusCode::OK);
    let (_, _, text) = get(&shared, "/metrics").await;
    for part in [
        "nshield_hardserver_state",
        "nshield_module_state",
        "\"enquiry",
    ] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("nshield_hardserver_clients "), "{text}");
}
