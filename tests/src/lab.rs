//! The lab: everything of the loop, started for real on this machine.
//!
//! Used by the demo (`vcm-lab demo`), the benchmark (`vcm-lab bench`) and the end-to-end tests: a simulated estate, vcm-exporter,
//! Debian's Prometheus and Alertmanager with the shipped configuration, and vcm-remediator. Whatever
//! it starts ends with it ([`guard`]); it waits for conditions and never for times ([`wait`]).

mod alertmanager;
pub mod alerts;
mod assembly;
pub mod bench;
mod binaries;
pub mod clock;
pub mod demo;
pub mod drive;
mod duration;
mod error;
pub mod estate;
pub mod exporter;
pub mod guard;
mod http;
pub mod network;
mod people;
mod process;
mod prometheus;
pub mod remediator;
pub mod scenario;
pub mod shipped;
pub mod timeline;
pub mod wait;
mod workspace;

pub use alertmanager::Alertmanager;
pub use assembly::{Alerting, FAST, Lab, Setup};
pub use binaries::{Binaries, installed};
pub use duration::Speed;
pub use error::LabError;
pub use http::{Answer, Client};
pub use people::{Notice, People};
pub use process::{Process, command};
pub use prometheus::{Prometheus, Sample};
pub use shipped::Wiring;
pub use workspace::{Workspace, free_address};
