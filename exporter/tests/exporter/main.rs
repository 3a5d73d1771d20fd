//! The exporter against scripts in the place of the vendor's tools.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

mod damage;
mod echoes;
mod endings;
mod estate;
mod golden;
mod hardserver;
mod host;
mod hung;
mod large;
mod load;
mod modules;
mod process;
mod serving;
mod statistics;
