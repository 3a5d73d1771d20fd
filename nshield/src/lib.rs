//! The nShield Security World command-line tools as typed values.
//!
//! Pure, total parsers for what the vendor's tools print, the value types that everything else is
//! keyed by, and (feature `runner`) the one place of this workspace that starts child processes.
//! `vcm-exporter` and `vcm-remediator` use all of it; the pure recovery core uses only the value
//! types and is built without any feature.
//!
//! The parsers know no clock, no file system and no runtime. Where they are unsure they keep the
//! raw text and say so in a list of problems beside the value, because the exact output of the
//! vendor's tools is known only in part.

pub mod enquiry;
pub mod hardserver;
pub mod hardserver_config;
#[cfg(feature = "icmp")]
pub mod icmp;
pub mod nopclearfail;
#[cfg(feature = "runner")]
pub mod runner;
pub mod stattree;
#[cfg(feature = "runner")]
pub mod tools;

mod esn;
mod module_number;
mod module_state;

pub use esn::{Esn, EsnError};
pub use module_number::{ModuleNumber, ModuleNumberError};
pub use module_state::{ModuleCondition, ModuleState};
