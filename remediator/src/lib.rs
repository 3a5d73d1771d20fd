//! The program vcm-remediator as a library, so that everything but `main` is reachable from a test.
//!
//! One alert's way through it, top to bottom:
//!
//! ```text
//! webhook   Alertmanager's body -> facts about targets of the inventory
//! store     facts and events, durable before anybody is told; budgets and intents
//! engine    one actor per host: observe, decide (crate vcm-recovery), reserve, act, verify
//! host      the part that runs on the tenant host and starts the vendor's commands
//! board     the newest state of every host, read by web and metrics
//!
//! outward       HTTP requests that the program makes by itself, for the two below
//! load          the site's hook that takes load from an HSM and gives it back
//! alertmanager  what Alertmanager holds and what is silenced, asked for
//! ```

pub mod alertmanager;
pub mod board;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod host;
pub mod host_client;
pub mod load;
pub mod metrics;
pub mod outward;
mod plain_path;
pub mod store;
mod told;
pub mod web;
pub mod webhook;
pub mod yaml;
