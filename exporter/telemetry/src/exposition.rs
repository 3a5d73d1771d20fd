//! The text that Prometheus reads, in the format that it asks for.
//!
//! prometheus-client writes OpenMetrics; `text` changes that for those who ask for the older
//! format. `scrapes` shares one encoding between scrapes that come at the same time.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

mod negotiate;
mod pieces;
mod scrapes;
mod text;

pub use negotiate::{Coding, Format};
pub use pieces::{Encoding, EncodingBody};
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

fn render_into<W: fmt::Write>(to: &mut W, registry: &Registry, format: Format) -> fmt::Result {
    match format {
        Format::OpenMetrics => encode(to, registry),
        Format::Text => encode(&mut text::TextWriter::new(to), registry),
    }
}

#[cfg(test)]
mod tests;
