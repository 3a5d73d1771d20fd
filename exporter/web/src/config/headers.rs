//! `http_server_config.headers`: the headers that the toolkit lets users set, and no others.

use axum::http::{HeaderName, HeaderValue, header};
use vcm_yaml::Scalar;

/// Name, header, and its only values where it has some.
const HEADERS: [(&str, HeaderName, &[&str]); 5] = [
    (
        "Content-Security-Policy",
        header::CONTENT_SECURITY_POLICY,
        &[],
    ),
    (
        "Strict-Transport-Security",
        header::STRICT_TRANSPORT_SECURITY,
        &[],
    ),
    (
        "X-Content-Type-Options",
        header::X_CONTENT_TYPE_OPTIONS,
        &["nosniff"],
    ),
    (
        "X-Frame-Options",
        header::X_FRAME_OPTIONS,
        &["deny", "sameorigin"],
    ),
    ("X-XSS-Protection", header::X_XSS_PROTECTION, &[]),
];

/// A header to add, unless its value is blank.
pub(super) type Header = Option<(HeaderName, HeaderValue)>;

/// Reads one header.
pub(super) fn header(name: &str, scalar: &Scalar) -> Result<Header, String> {
    let known = HEADERS.into_iter().find(|(known, _, _)| *known == name);
    let Some((_, name, values)) = known else {
        let names = HEADERS.map(|(name, _, _)| name).join(", ");
        return Err(format!("is not a header that can be set: {names}"));
    };
    let value = match scalar {
        Scalar::Text(text) => text.clone(),
        // X-XSS-Protection: 0
        Scalar::Integer(number) => number.to_string(),
        Scalar::Boolean(_) | Scalar::Float(_) => return Err("is not text".to_owned()),
    };
    if value.is_empty() {
        return Ok(None);
    }
    if !values.is_empty() && !values.contains(&value.as_str()) {
        return Err(format!("is not one of: {}", values.join(", ")));
    }
    let value = HeaderValue::from_str(&value);
    let value = value.map_err(|_| "has a character that no header can have".to_owned())?;
    Ok(Some((name, value)))
}
