//! What `vcm-exporter` and `vcm-remediator` show of themselves, in one form.
//!
//! [`metric`] describes metrics, [`families`] writes their samples in a fixed order, [`exposition`]
//! turns a registry into what a scrape asks for, [`process`] and [`build`] are the metrics that every
//! program has, [`logging`] is the log and its flags. Tests check expositions with [`lint`] and keep
//! the documentation with [`mod@reference`]. Which metrics there are is the programs' own business.

pub mod build;
pub mod exposition;
pub mod families;
pub mod histogram;
pub mod lint;
pub mod logging;
pub mod metric;
pub mod process;
pub mod reference;
pub mod sharing;
