//! One-off probes as a Prometheus asks for them.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use nshield::tools::Installation;
use tower::ServiceExt;
use vcm_exporter::collect::{Schedule, Shared, icmp};
use vcm_exporter::config::Config;
use vcm_exporter::http::{HttpState, router};
use vcm_exporter::reload::Reloader;

use crate::namespace::Namespace;
use crate::prober::runtime;

const CONFIG: &str = "icmp: {targets: [{name: vcm-a, address: 127.0.0.2}]}\n\
                      probe: {allow: [127.1.0.0/16, '::1', localhost, 192.0.2.0/24]}\n";

/// An exporter of which only the prober runs.
struct Exporter(Arc<Shared>);

impl Exporter {
    fn new() -> Self {
        let config = Config::parse(CONFIG).unwrap();
        let schedule = Schedule::Every(std::time::Duration::from_secs(15));
        Self(Arc::new(Shared::new(
            Installation::default(),
            config,
            schedule,
        )))
    }

    async fn ask(&self, query: &str, accept: &str) -> (StatusCode, String, String) {
        let web = vcm_web::WebConfig::load(None).unwrap();
        let reloader = Reloader::new(Arc::clone(&self.0), None, web);
        let app = router(Arc::new(HttpState::new(reloader, "/metrics".to_owned())));
        let request = Request::get(format!("/probe{query}"))
            .header(header::ACCEPT, accept)
            .header("x-prometheus-scrape-timeout-seconds", "1");
        let answer = app
            .oneshot(request.body(Body::empty()).unwrap())
            .await
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
}

#[test]
fn probes_what_is_allowed_and_says_how_it_went() {
    let Some(namespace) = Namespace::enter_new() else {
        return;
    };
    namespace.add_silence();
    let exporter = Exporter::new();
    runtime().block_on(async {
        let asked = async {
            let running = || exporter.0.icmp.progress().is_some();
            while !running() {
                tokio::task::yield_now().await;
            }
            for (target, success, protocol) in [
                ("vcm-a", 1, 4),
                ("127.0.0.2", 1, 4),
                ("127.1.2.3", 1, 4),
                ("::1", 1, 6),
                ("192.0.2.77", 0, 4),
            ] {
                let (status, kind, text) = exporter.ask(&format!("?target={target}"), "*/*").await;
                assert_eq!(status, StatusCode::OK, "{target}: {text}");
                assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
                assert!(
                    text.contains(&format!("\nprobe_success {success}\n")),
                    "{target}: {text}"
                );
                assert!(
                    text.contains(&format!("\nprobe_ip_protocol {protocol}\n")),
                    "{text}"
                );
            }
            let (_, kind, text) = exporter
                .ask("?target=vcm-a", "application/openmetrics-text")
                .await;
            assert_eq!(
                kind,
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            );
            assert!(text.ends_with("# EOF\n"), "{text}");
            let (_, _, text) = exporter.ask("?target=localhost", "*/*").await;
            assert!(text.contains("\nprobe_success 1\n"), "{text}");
        };
        tokio::select! {
            () = icmp::run(Arc::clone(&exporter.0)) => panic!("the prober ended"),
            () = asked => {}
        }
    });
}

#[test]
fn refuses_in_words_what_is_missing_or_not_allowed() {
    let exporter = Exporter::new();
    runtime().block_on(async {
        for (query, status, words) in [
            ("", StatusCode::BAD_REQUEST, "?target="),
            ("?target=", StatusCode::BAD_REQUEST, "?target="),
            (
                "?target=a&target=b",
                StatusCode::BAD_REQUEST,
                "more than once",
            ),
            ("?target=127.0.0.1", StatusCode::FORBIDDEN, "probe.allow"),
            ("?target=example.com", StatusCode::FORBIDDEN, "probe.allow"),
            (
                "?target=vcm-a",
                StatusCode::SERVICE_UNAVAILABLE,
                "does not run",
            ),
        ] {
            let (found, _, text) = exporter.ask(query, "*/*").await;
            assert_eq!(found, status, "{query}: {text}");
            assert!(text.contains(words), "{query}: {text}");
        }
    });
}
