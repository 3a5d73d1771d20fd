//! The lab: a simulated nShield estate and what drives the programs against it.
//!
//! Nothing in here is shipped to a tenant host.

pub mod lab;
pub mod sim;
