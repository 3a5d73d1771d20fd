//! The pure recovery core of vcm-remediator: what is known about a host, and what may be done next.
//!
//! Data flows one way. Alerts become [`alert::Fact`]s, looks at a host become
//! [`observation::Observation`]s, both are folded as [`event::Event`]s into a [`state::HostState`],
//! and [`decide::decide`] reads that state, the newest [`evidence::Evidence`], the
//! [`fleet::FleetView`] and the [`policy::Policy`] and returns a [`decide::Decision`]. The program
//! around it stores, executes and reports; nothing in here does I/O, reads a clock or draws a
//! random number. Time is one integer of milliseconds that never goes back.
//!
//! The host runner uses the same [`guard`] functions and the same [`step`] plans on the host.

// The mutation test of the guards runs the lab of tests/ladder, which names this crate.
#[cfg(test)]
extern crate self as vcm_recovery;

pub mod alert;
pub mod approval;
pub mod attempt;
pub mod command;
pub mod control;
pub mod decide;
pub mod diagnosis;
pub mod event;
pub mod evidence;
pub mod fleet;
pub mod guard;
pub mod ids;
pub mod incident;
pub mod inventory;
pub mod observation;
pub mod page;
pub mod policy;
pub mod start;
pub mod state;
pub mod step;
pub mod tier;
pub mod time;
pub mod verdict;
pub mod verify;
