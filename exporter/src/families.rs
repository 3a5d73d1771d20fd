//! Which metric each observation is: names, help and labels of everything that is exported.
//!
//! Names, types, units and labels are public interface.

mod exporter;
mod hardserver;
mod icmp;
mod module;
mod statistics;

use std::fmt;
use std::sync::Arc;

use nshield::ModuleNumber;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use crate::collect::Shared;
use crate::exposition::negotiate::Format;
use crate::exposition::text::from_open_metrics;
use crate::exposition::{Families, Labels};
use crate::process::ProcessStatus;
use crate::state::State;

/// What a scrape encodes.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// Creates the exposition of a shared state.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(SharedState(shared)));
        Self { registry }
    }

    /// Writes everything that is known now.
    ///
    /// # Errors
    ///
    /// If the text cannot be written, which is a defect.
    pub fn encode(&self, format: Format) -> Result<String, fmt::Error> {
        let mut open_metrics = String::new();
        text::encode(&mut open_metrics, &self.registry)?;
        Ok(match format {
            Format::OpenMetrics => open_metrics,
            Format::Text => from_open_metrics(&open_metrics),
        })
    }
}

#[derive(Debug)]
struct SharedState(Arc<Shared>);

impl Collector for SharedState {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let process = ProcessStatus::read();
        let state = self.0.state();
        let mut families = Families::new(encoder);
        write_observed(&state, &mut families)?;
        exporter::write(&state, &mut families)?;
        exporter::write_build(&mut families)?;
        exporter::write_process(process.as_ref(), &mut families)
    }
}

/// Writes what was observed of the host, without anything about the exporter itself.
fn write_observed(state: &State, families: &mut Families<'_>) -> fmt::Result {
    hardserver::write(state, families)?;
    module::write(state, families)?;
    statistics::write(state, families)?;
    icmp::write(state, families)
}

fn module_label(number: ModuleNumber) -> Labels {
    vec![("module", number.to_string())]
}
