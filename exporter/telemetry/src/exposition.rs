//! The text that Prometheus reads, in the format that it asks for.
//!
//! prometheus-client writes OpenMetrics; `text` converts that for those who ask for the older
//! format.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

mod negotiate;
mod text;

pub use negotiate::Format;

/// Writes everything in `registry`.
///
/// # Errors
///
/// If a metric cannot be written, which is a defect.
pub fn render(registry: &Registry, format: Format) -> Result<String, fmt::Error> {
    let mut open_metrics = String::new();
    encode(&mut open_metrics, registry)?;
    Ok(match format {
        Format::OpenMetrics => open_metrics,
        Format::Text => text::from_open_metrics(&open_metrics),
    })
}
