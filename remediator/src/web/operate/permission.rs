//! Who may order: an operator of the configuration, known by a bearer token, from no other site.
//!
//! There are no cookies, so a browser never orders by itself; the header `Origin` is looked at all
//! the same, because a token in a browser extension or a proxy would be sent along.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::refusal::Refusal;
use crate::web::App;

/// Lets an order through with the name of its giver, or refuses it.
pub(super) async fn require(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let headers = request.headers();
    if cross_site(headers) {
        return Err(Refusal::CrossSite);
    }
    if app.operators.is_empty() {
        return Err(Refusal::NoOperators);
    }
    let given = headers
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes);
    let who = app.operators.who(given).ok_or(Refusal::Unauthorized)?;
    request.extensions_mut().insert(who.clone());
    Ok(next.run(request).await)
}

/// Whether the request names an origin that is not the host it was sent to.
fn cross_site(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    headers
        .get_all(header::ORIGIN)
        .iter()
        .any(|origin| !same_host(origin.as_bytes(), host))
}

fn same_host(origin: &[u8], host: Option<&[u8]>) -> bool {
    let authority = [&b"http://"[..], b"https://"]
        .into_iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_host_is_no_other_site() {
        let own = "127.0.0.1:9809";
        for (origins, host, expected) in [
            (&[][..], Some(own), false),
            (&["http://127.0.0.1:9809"], Some(own), false),
            (
                &["https://Remediator.example"],
                Some("remediator.example"),
                false,
            ),
            (&["http://127.0.0.1:9808"], Some(own), true),
            (&["http://127.0.0.1"], Some(own), true),
            (&["http://evil.example"], Some(own), true),
            (&["http://127.0.0.1:9809.evil.example"], Some(own), true),
            (&["null"], Some(own), true),
            (&[""], Some(own), true),
            (&["127.0.0.1:9809"], Some(own), true),
            (&["http://127.0.0.1:9809"], None, true),
            (
                &["http://127.0.0.1:9809", "http://evil.example"],
                Some(own),
                true,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, origin.parse().unwrap());
            }
            if let Some(host) = host {
                headers.insert(header::HOST, host.parse().unwrap());
            }
            assert_eq!(cross_site(&headers), expected, "{origins:?} {host:?}");
        }
    }
}
