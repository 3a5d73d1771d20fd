//! The host runner: the part of vcm-remediator that runs on the tenant host, and the only code that
//! ever starts a vendor command that changes anything.
//!
//! `vcm-remediator host ...` is a separate process for each request. What it is told is a tier, a
//! parsed module number and ids; never a command. What it does is decided by its own `host.yaml`,
//! by a look at the host that it takes itself under its lock, and by the same
//! [`vcm_recovery::guard`]s that the remediator asked before.
//!
//! ```text
//! cli       the arguments, and which of the following they ask for
//! observe   one look at the host, kept and printed
//! launch    starts the detached process that runs an attempt, and passes its answer on
//! run       lock -> fence -> fresh look -> guards -> journal `accepted` -> answer -> steps
//! resume    finishes the critical section of an attempt whose process died: when the remediator
//!           asks, or all of them at boot (`resume-open`)
//! pin       has the host obey another store, by hand
//! result    what the journal of an attempt says; tombstone: that it will never start
//! ```
//!
//! Under them: `config` (host.yaml), `lock` (one attempt at a time), `fence` (which remediator is
//! listened to), `journal` (what was done, on disk before it is done), `permitted` (whether every
//! command of a plan can be started), `steps`, `clear` and `after_restart` (the effects), `liveness`
//! (what still runs), `kernel` (clocks and boot id), `durable` (files that are whole or not there),
//! `document` (what is printed).

pub mod after_restart;
pub mod approval;
pub mod check;
pub mod clear;
pub mod cli;
pub mod config;
pub mod document;
pub mod durable;
pub mod fence;
pub mod hooks;
pub mod journal;
pub mod kernel;
pub mod launch;
pub mod liveness;
pub mod lock;
pub mod observe;
pub mod permitted;
pub mod pin;
pub mod result;
pub mod resume;
pub mod run;
pub mod section;
pub mod snapshot;
pub mod steps;
pub mod sudoers;
pub mod tombstone;
