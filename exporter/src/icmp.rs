//! Echoes: does the target itself answer?
//!
//! [`Prober`] is a thread of its own that sends one echo per target and interval, [`Board`] is what
//! everybody else sees of it. Inside: `engine` does what is due slot by slot (`wheel`), for the
//! targets in their turn (`roster`, `phases`, `names`), through sockets (`receiver`) under echo
//! identifiers (`channels`), and remembers what is under way (`flights`). Each echo ends in exactly
//! one of reply, time-out or error.

mod address;
mod board;
mod channels;
mod engine;
mod flights;
mod names;
mod phases;
mod prober;
mod receiver;
mod record;
mod roster;
mod target;
mod transitions;
mod wheel;

use std::time::Duration;

pub use address::{Address, AddressError};
pub use board::{Board, OneError};
pub use engine::HEARTBEAT;
pub use names::{Answer, Lookup};
pub use prober::{OneEnd, Prober, Start};
pub use record::{Place, Sample, TargetRecord};
pub use target::{Destination, EchoConfig, Preference, Source, Target, TargetKey, current};
pub use wheel::SLOT;

/// Why an echo ended in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorReason {
    /// The system could not send.
    Send,
    /// No socket may be opened, or the system refuses to send.
    Permission,
    /// The name of the target has no address.
    Resolve,
    /// Somebody on the way says that the target cannot be reached.
    Unreachable,
    /// The packet was passed on too often.
    TimeExceeded,
}

impl ErrorReason {
    /// Every reason, in the order exported.
    pub const ALL: [Self; 5] = [
        Self::Send,
        Self::Permission,
        Self::Resolve,
        Self::Unreachable,
        Self::TimeExceeded,
    ];

    /// Returns the value of the metric label `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Permission => "permission",
            Self::Resolve => "resolve",
            Self::Unreachable => "unreachable",
            Self::TimeExceeded => "time_exceeded",
        }
    }
}

/// How an echo ended, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EchoEnd {
    /// The target itself replied after this time.
    Reply(Duration),
    /// Nothing came in time.
    Timeout,
    /// Something else.
    Error(ErrorReason),
}

impl EchoEnd {
    /// Returns whether it says anything about the target: an echo that was never allowed to leave,
    /// or had no address to go to, does not.
    #[must_use]
    pub const fn is_known(self) -> bool {
        !matches!(
            self,
            Self::Error(ErrorReason::Permission | ErrorReason::Resolve)
        )
    }
}
