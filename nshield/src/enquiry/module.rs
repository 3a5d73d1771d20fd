//! Typed access to one module's section of `enquiry`.

use super::{ConnectionInfo, Fields};
use crate::{Esn, ModuleCondition, ModuleNumber};

/// One `Module #n:` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSection {
    /// The number printed in the header.
    pub number: ModuleNumber,
    /// Every line of the section.
    pub fields: Fields,
}

/// From which line a serial number was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EsnSource {
    /// The line `serial number`.
    SerialNumber,
    /// The part `esn` of `connection info`, which outlives a failure.
    ConnectionInfo,
}

/// The recommended number of jobs to keep queued, from `rec. queue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecommendedQueue {
    /// The fewest jobs, inclusive.
    pub min: u32,
    /// The most jobs, inclusive.
    pub max: u32,
}

impl ModuleSection {
    pub(super) fn new(number: ModuleNumber) -> Self {
        Self {
            number,
            fields: Fields::default(),
        }
    }

    /// Derives the state from reply flags, mode and hardware status together.
    #[must_use]
    pub fn condition(&self) -> ModuleCondition {
        let read = |label| self.fields.agreed(label);
        let hardware = self.fields.all("hardware status");
        let worst = hardware.max_by_key(|status| !status.eq_ignore_ascii_case("ok"));
        ModuleCondition::derive(read("enquiry reply flags"), read("mode"), worst)
    }

    /// Returns the serial number and the line it was read from.
    #[must_use]
    pub fn esn(&self) -> Option<(Esn, EsnSource)> {
        let printed = self
            .fields
            .agreed("serial number")
            .and_then(|text| text.parse().ok());
        printed
            .map(|esn| (esn, EsnSource::SerialNumber))
            .or_else(|| {
                self.connection_info()
                    .esn
                    .map(|esn| (esn, EsnSource::ConnectionInfo))
            })
    }

    /// Returns what `connection info` says; empty for a local module.
    #[must_use]
    pub fn connection_info(&self) -> ConnectionInfo {
        self.fields
            .get("connection info")
            .map(ConnectionInfo::parse)
            .unwrap_or_default()
    }

    /// Returns whether `connection status` is `OK`; `None` where it is not printed.
    ///
    /// The words for a broken connection are not known, so that every other value is one.
    #[must_use]
    pub fn connection_ok(&self) -> Option<bool> {
        let status = self
            .fields
            .agreed("connection status")
            .filter(|text| !text.is_empty())?;
        Some(status.eq_ignore_ascii_case("ok"))
    }

    /// Returns the firmware version; `None` while a failed module prints `0.0.0`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.fields
            .get("version")
            .filter(|text| !matches!(*text, "" | "0.0.0" | "unknown"))
    }

    /// Returns the product name; `None` while a failed module prints `none`.
    #[must_use]
    pub fn product_name(&self) -> Option<&str> {
        self.fields
            .get("product name")
            .filter(|text| !matches!(*text, "" | "none" | "unknown"))
    }

    /// Returns the recommended queue, printed as `min..max`; `None` for the `0..0` of a failed
    /// module.
    #[must_use]
    pub fn recommended_queue(&self) -> Option<RecommendedQueue> {
        let (min, max) = self.fields.get("rec. queue")?.split_once("..")?;
        let queue = RecommendedQueue {
            min: min.parse().ok()?,
            max: max.parse().ok()?,
        };
        (queue.max > 0).then_some(queue)
    }
}
