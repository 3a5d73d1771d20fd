//! Answers scrapes: one encoding for all that come while another runs.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus_client::registry::Registry;

use super::{Coding, Format, render_into};
use crate::sharing::Sharing;

/// The level of gzip. Prometheus asks for gzip at each scrape and most often is near: the least
/// work counts, not the least bytes.
const LEVEL: u32 = 1;

/// Why a scrape cannot be answered; each is a defect.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A metric cannot be written.
    #[error("cannot write a metric")]
    Metric(#[from] fmt::Error),
    /// The text cannot be compressed.
    #[error("cannot compress the metrics")]
    Gzip(#[from] io::Error),
    /// The encoding has panicked; the panic itself was reported.
    #[error("the encoding ended unexpectedly")]
    Ended,
}

type Encoded = Result<Bytes, Arc<EncodeError>>;

/// Encodes a registry for whoever scrapes, away from the threads that serve others.
#[derive(Debug)]
pub struct Scrapes {
    encodings: Vec<(Format, Coding, Sharing<Encoded>)>,
}

impl Scrapes {
    /// Answers scrapes of a registry.
    #[must_use]
    pub fn new(registry: &Arc<Registry>) -> Self {
        let pairs = Format::ALL
            .into_iter()
            .flat_map(|format| Coding::ALL.map(|coding| (format, coding)));
        let encodings = pairs.map(|(format, coding)| {
            let registry = Arc::clone(registry);
            let size = AtomicUsize::new(0);
            let encode = move || encoded(&registry, format, coding, &size).map_err(Arc::new);
            (format, coding, Sharing::new(encode))
        });
        Self {
            encodings: encodings.collect(),
        }
    }

    /// Returns an encoding that begins after this call. It must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// If there is none, which is a defect.
    pub async fn encoded(&self, format: Format, coding: Coding) -> Encoded {
        let mut encodings = self.encodings.iter();
        let asked = encodings.find(|(of, with, _)| (*of, *with) == (format, coding));
        match asked {
            Some((_, _, sharing)) => sharing.next().await.unwrap_or_else(ended),
            None => ended(),
        }
    }
}

fn ended() -> Encoded {
    Err(Arc::new(EncodeError::Ended))
}

/// `size` is how long the text was last time: it grows no buffer step by step.
fn encoded(
    registry: &Registry,
    format: Format,
    coding: Coding,
    size: &AtomicUsize,
) -> Result<Bytes, EncodeError> {
    let last = size.load(Ordering::Relaxed);
    let mut text = String::with_capacity(last + last / 16);
    render_into(&mut text, registry, format)?;
    size.store(text.len(), Ordering::Relaxed);
    match coding {
        Coding::Identity => Ok(text.into()),
        Coding::Gzip => Ok(gzip(text.as_bytes())?.into()),
    }
}

fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    /// Labels repeat: less than a tenth is left.
    const RATIO: usize = 8;
    let buffer = Vec::with_capacity(text.len() / RATIO);
    let mut encoder = GzEncoder::new(buffer, Compression::new(LEVEL));
    encoder.write_all(text)?;
    encoder.finish()
}

#[cfg(test)]
mod tests;
