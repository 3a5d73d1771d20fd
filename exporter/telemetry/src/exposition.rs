//! The text that Prometheus reads, in the format that it asks for.
//!
//! prometheus-client writes OpenMetrics; `text` changes that for those who ask for the older
//! format. `scrapes` shares one encoding between scrapes that come at the same time.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

mod negotiate;
mod scrapes;
mod text;

pub use negotiate::{Coding, Format};
pub use scrapes::{EncodeError, Scrapes};

/// Writes everything in `registry`.
///
/// # Errors
///
/// If a metric cannot be written, which is a defect.
pub fn render(registry: &Registry, format: Format) -> Result<String, fmt::Error> {
    let mut text = String::new();
    render_into(&mut text, registry, format)?;
    Ok(text)
}

fn render_into(text: &mut String, registry: &Registry, format: Format) -> fmt::Result {
    match format {
        Format::OpenMetrics => encode(text, registry),
        Format::Text => encode(&mut text::TextWriter::new(text), registry),
    }
}

#[cfg(test)]
mod tests;
