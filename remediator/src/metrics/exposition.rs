//! The text that Prometheus reads, in the format that it asks for.
//!
//! prometheus-client writes OpenMetrics; [`text`] converts that for those who ask for the older
//! format. vcm-exporter has the same two small modules; they share no crate because nothing but
//! this conversion would be in it.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

mod negotiate;
mod text;

pub use negotiate::Format;

/// A complete answer to a scrape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposition {
    /// The header `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// Renders everything in `registry`.
pub(super) fn render(registry: &Registry, format: Format) -> Result<Exposition, fmt::Error> {
    let mut open_metrics = String::new();
    encode(&mut open_metrics, registry)?;
    let body = match format {
        Format::OpenMetrics => open_metrics,
        Format::Text => text::from_open_metrics(&open_metrics),
    };
    Ok(Exposition {
        content_type: format.content_type(),
        body,
    })
}
