//! The prober on real sockets: in network namespaces of their own where this runs as root, with a
//! responder in place of the system's where a reply has to be odd. Without root the tests say that
//! they are left out.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test says by panicking, and in words what it leaves out"
)]

mod gate;
mod identifier;
mod link;
mod names;
mod namespace;
mod probe;
mod prober;
mod reload;
mod responder;
