//! Prometheus exporter for the state, reachability and load of nShield VCMs.
//!
//! Reading order follows a value from the host to the scrape: [`collect`] runs the vendor's tools
//! and sends echoes in the background, [`state`] holds what the newest run showed, [`families`]
//! says which metric each of it is, `vcm_telemetry` turns families into text, [`http`] serves it.
//! A scrape only ever reads memory: whatever a tool does, scrapes answer.

pub mod action;
pub mod app;
pub mod args;
pub mod capture;
pub mod clock;
pub mod collect;
pub mod commands;
pub mod config;
pub mod families;
pub mod generate;
pub mod http;
pub mod icmp;
pub mod memory;
pub mod modules;
pub mod reload;
pub mod service;
pub mod start_time;
pub mod state;
