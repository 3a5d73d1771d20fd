//! Answers scrapes: one encoding for all that come while another runs.

use std::fmt;
use std::io;
use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::pieces::{Gzip, Pieces};
use super::{Coding, Encoding, Format, render_into};
use crate::sharing::Sharing;

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

type Encoded = Result<Encoding, Arc<EncodeError>>;

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
            let encode = move || encoded(&registry, format, coding).map_err(Arc::new);
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

fn encoded(registry: &Registry, format: Format, coding: Coding) -> Result<Encoding, EncodeError> {
    match coding {
        Coding::Identity => {
            let mut pieces = Pieces::default();
            render_into(&mut pieces, registry, format)?;
            Ok(pieces.finish())
        }
        Coding::Gzip => {
            let mut gzip = Gzip::new();
            render_into(&mut gzip, registry, format)?;
            Ok(gzip.finish()?)
        }
    }
}

#[cfg(test)]
mod tests;
