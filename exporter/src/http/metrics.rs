//! The path that Prometheus scrapes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vcm_telemetry::exposition::{Coding, EncodingBody, Format};
use vcm_telemetry::logging::chain;

use super::{HttpState, deadline};
use crate::families::Exposition;

/// The headers that an answer depends on.
const VARY: &str = "Accept, Accept-Encoding";

/// Where tools run on scrape, the scrape waits for them; whatever they do, it is answered in time.
pub(super) async fn metrics(State(state): State<Arc<HttpState>>, headers: HeaderMap) -> Response {
    state.shared.collected(deadline::deadline(&headers)).await;
    answer(&state.exposition, &headers).await
}

/// Answers in the format and the coding that is asked for.
async fn answer(exposition: &Exposition, asked: &HeaderMap) -> Response {
    let format = Format::accepted(values(asked, &header::ACCEPT));
    let coding = Coding::accepted(values(asked, &header::ACCEPT_ENCODING));
    let body = match exposition.encoded(format, coding).await {
        Ok(encoding) => Body::new(EncodingBody::from(encoding)),
        Err(error) => {
            let error = chain(&*error);
            tracing::error!(error, "cannot encode the metrics");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let described = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::VARY, VARY),
    ];
    let mut response = (described, body).into_response();
    if let Some(coding) = coding.content_encoding() {
        let coding = HeaderValue::from_static(coding);
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, coding);
    }
    response
}

/// Every value of a header; what is not even text is left out.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    values.filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use nshield::tools::Installation;

    use super::*;
    use crate::collect::{Schedule, Shared};
    use crate::config::Config;

    fn exposition() -> Exposition {
        let (installation, config) = (Installation::default(), Config::default());
        Exposition::new(Arc::new(Shared::new(
            installation,
            config,
            Schedule::OnScrape,
        )))
    }

    #[tokio::test]
    async fn an_answer_says_exactly_what_it_is() {
        let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let text = "text/plain; version=0.0.4; charset=utf-8";
        let exposition = exposition();
        for (asked, content_type, coding) in [
            (&[][..], text, None),
            (
                &[("accept", "application/openmetrics-text")],
                open_metrics,
                None,
            ),
            (&[("accept-encoding", "gzip")], text, Some("gzip")),
            (&[("accept-encoding", "gzip;q=0, *")], text, None),
            (
                &[
                    ("accept", "text/plain;q=0.4"),
                    ("accept", "Application/OpenMetrics-Text;version=1.0.0;q=0.5"),
                    ("accept-encoding", "br"),
                    ("accept-encoding", "GZIP"),
                ],
                open_metrics,
                Some("gzip"),
            ),
            (
                &[("accept", "\u{e9}"), ("accept-encoding", "\u{e9}")],
                text,
                None,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in asked {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                headers.append(*name, value);
            }
            let response = answer(&exposition, &headers).await;
            assert_eq!(response.status(), StatusCode::OK);
            let header = |name| {
                response
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap())
            };
            assert_eq!(
                header(header::CONTENT_TYPE),
                Some(content_type),
                "{asked:?}"
            );
            assert_eq!(header(header::VARY), Some("Accept, Accept-Encoding"));
            assert_eq!(header(header::CONTENT_ENCODING), coding, "{asked:?}");
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let start: &[u8] = if coding.is_some() {
                &[0x1f, 0x8b]
            } else {
                b"# HELP "
            };
            assert!(body.starts_with(start), "{asked:?}");
        }
    }
}
