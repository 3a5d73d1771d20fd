//! Seeded simulator of the remediator: webhook, facts, decisions, reservations, attempts and their
//! verification, by the real recovery core, in virtual time, over an estate that is as mean as its
//! knobs make it; and an independent judge of what must always hold.
//!
//! An [`episode::Episode`] is one small site for a day or so, made from one seed, single-threaded and
//! always the same. [`campaign`] runs many and puts them together; `vcm-simulation` is its command
//! line. No figure that comes out of it is a figure from the field: every unknown of the vendor's
//! devices is a knob here, and its values are guesses.

pub mod alerting;
pub mod campaign;
pub mod checker;
pub mod cli;
pub mod dice;
pub mod engine;
pub mod episode;
pub mod history;
pub mod knobs;
pub mod look;
pub mod queue;
pub mod report;
pub mod runner;
pub mod site;
pub mod store;
pub mod storm;
pub mod tally;
pub mod trouble;
pub mod world;

mod clock;
mod recovery;
