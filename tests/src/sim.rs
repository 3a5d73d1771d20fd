//! `nfast-sim`: a simulated tenant host with its Security World software, VCMs and HSMs.
//!
//! One binary stands in for `enquiry`, `stattree`, `nopclearfail`, `init.d-ncipher` and the rest
//! (by the name it is installed under), for the hardserver, and for the hand that breaks things
//! (`nfast-sim ctl`). It is written from the fact sheet alone and shares no parser or formatter
//! with the crate `nshield`, so that both cannot make the same mistake.
//!
//! [`world`] is the pure model; [`store`] keeps it on disk between processes; [`enquiry_text`],
//! [`stattree_text`], [`nopclearfail_text`] and [`nfkminfo_text`] write what the tools print;
//! [`hardserver`], [`tool`], [`control`] and [`install`] are the processes; [`knobs`] is every
//! property that a test may turn.

pub mod call_log;
pub mod clock;
pub mod command_line;
pub mod control;
pub mod enquiry_text;
pub mod estate;
pub mod hardserver;
pub mod install;
pub mod knobs;
pub mod nfkminfo_text;
pub mod nopclearfail_text;
pub mod process;
pub mod protocol;
pub mod root;
pub mod service;
pub mod show;
pub mod span;
pub mod stattree_text;
pub mod store;
pub mod tool;
pub mod world;
