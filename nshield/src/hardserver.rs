//! Whether the hardserver is up, decided from what was seen and never from what was said.
//!
//! Error texts of the vendor's tools are not known and never matched. One look combines how
//! `enquiry -m0` ended with what connecting to the hardserver's socket did; *down* takes two such
//! looks. The exporter and the remediator both decide here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The least time between the two looks that prove the hardserver down.
///
/// Shorter and a restart that is under way would count as down.
pub const DOWN_PROOF_SPACING: Duration = Duration::from_secs(10);

/// The most time between two looks that still belong to one proof.
///
/// Longer and the hardserver may have been up in between without anybody looking.
pub const DOWN_PROOF_WINDOW: Duration = Duration::from_secs(300);

/// How `enquiry` ended, as far as the hardserver is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnquiryEnding {
    /// Exit status 0.
    Success,
    /// A non-zero exit status.
    Failure,
    /// The deadline passed.
    TimedOut,
    /// The tool could not be started for want of permission.
    NotPermitted,
    /// Ended otherwise (a signal, too much output) or could not be started.
    Other,
}

/// What connecting to the hardserver's socket did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketProbe {
    /// Somebody accepted the connection.
    Connected,
    /// The socket is there and nobody listens.
    Refused,
    /// The socket is not there.
    Absent,
    /// We may not connect: a matter of our own set-up.
    PermissionDenied,
    /// No answer within the deadline.
    TimedOut,
    /// Any other local error.
    Other,
}

/// Everything one look at the hardserver saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Look {
    /// How `enquiry` ended.
    pub ending: EnquiryEnding,
    /// Whether it printed a `Server:` section.
    pub server_section: bool,
    /// What the socket did, where it was probed.
    pub socket: Option<SocketProbe>,
}

/// What one look means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookResult {
    /// The hardserver answered.
    Up,
    /// Everything speaks for down; [`DownProof`] asks for a second look.
    SuspectedDown,
    /// It did not answer in time although something may be listening.
    Unresponsive,
    /// We are not permitted to ask. Never *down*.
    PermissionDenied,
    /// What was seen does not fit together.
    Unknown,
}

impl Look {
    /// Decides what this look means.
    ///
    /// A printed `Server:` section proves that the hardserver answered, however the tool ended.
    #[must_use]
    pub fn classify(self) -> LookResult {
        use EnquiryEnding as E;
        use SocketProbe as S;
        if self.server_section {
            return LookResult::Up;
        }
        match (self.ending, self.socket) {
            (E::NotPermitted, _) | (_, Some(S::PermissionDenied)) => LookResult::PermissionDenied,
            (E::Failure, Some(S::Refused | S::Absent)) => LookResult::SuspectedDown,
            (E::TimedOut, Some(S::Refused | S::Absent)) => LookResult::Unknown,
            (E::TimedOut, Some(S::Connected | S::TimedOut | S::Other) | None) => {
                LookResult::Unresponsive
            }
            (E::Failure, Some(S::TimedOut)) => LookResult::Unresponsive,
            (E::Failure, Some(S::Connected | S::Other) | None) => LookResult::Unknown,
            (E::Success | E::Other, _) => LookResult::Unknown,
        }
    }
}

/// The state of the hardserver as it is exported and acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HardserverState {
    /// It answers.
    Up,
    /// Proven down.
    Down,
    /// It does not answer in time.
    Unresponsive,
    /// We are not permitted to ask.
    PermissionDenied,
    /// Not known, or suspected down and not yet proven.
    Unknown,
}

impl HardserverState {
    /// Every state, in the order in which they are exported.
    pub const ALL: [Self; 5] = [
        Self::Up,
        Self::Down,
        Self::Unresponsive,
        Self::PermissionDenied,
        Self::Unknown,
    ];

    /// Returns the value of the metric label `state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unresponsive => "unresponsive",
            Self::PermissionDenied => "permission_denied",
            Self::Unknown => "unknown",
        }
    }
}

/// Collects the looks that prove the hardserver down.
///
/// Two suspicious looks at least [`DOWN_PROOF_SPACING`] apart, with nothing else in between, are
/// the proof. Every other look ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DownProof {
    /// The first and the newest suspicious look.
    suspected: Option<(Duration, Duration)>,
}

impl DownProof {
    /// Takes in one look and returns the state now.
    ///
    /// `at` is when the look was finished, as time since any fixed point on a monotonic clock. A
    /// time before that of the look before starts over.
    pub fn observe(&mut self, look: LookResult, at: Duration) -> HardserverState {
        match look {
            LookResult::SuspectedDown => return self.suspect(at),
            LookResult::Up
            | LookResult::Unresponsive
            | LookResult::PermissionDenied
            | LookResult::Unknown => self.suspected = None,
        }
        match look {
            LookResult::Up => HardserverState::Up,
            LookResult::Unresponsive => HardserverState::Unresponsive,
            LookResult::PermissionDenied => HardserverState::PermissionDenied,
            LookResult::SuspectedDown | LookResult::Unknown => HardserverState::Unknown,
        }
    }

    fn suspect(&mut self, at: Duration) -> HardserverState {
        let first = match self.suspected {
            Some((first, newest)) if at >= newest && at - newest <= DOWN_PROOF_WINDOW => first,
            Some(_) | None => at,
        };
        self.suspected = Some((first, at));
        if at - first >= DOWN_PROOF_SPACING {
            HardserverState::Down
        } else {
            HardserverState::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(ending: EnquiryEnding, server_section: bool, socket: SocketProbe) -> LookResult {
        Look {
            ending,
            server_section,
            socket: Some(socket),
        }
        .classify()
    }

    #[test]
    fn suspects_down_only_with_failure_no_server_section_and_a_dead_socket() {
        use EnquiryEnding as E;
        use SocketProbe as S;
        let mut suspicious = Vec::new();
        for ending in [
            E::Success,
            E::Failure,
            E::TimedOut,
            E::NotPermitted,
            E::Other,
        ] {
            for server_section in [true, false] {
                for socket in [
                    S::Connected,
                    S::Refused,
                    S::Absent,
                    S::PermissionDenied,
                    S::TimedOut,
                    S::Other,
                ] {
                    if look(ending, server_section, socket) == LookResult::SuspectedDown {
                        suspicious.push((ending, server_section, socket));
                    }
                }
            }
        }
        assert_eq!(
            suspicious,
            [
                (E::Failure, false, S::Refused),
                (E::Failure, false, S::Absent)
            ]
        );
        let unprobed = Look {
            ending: E::Failure,
            server_section: false,
            socket: None,
        };
        assert_eq!(unprobed.classify(), LookResult::Unknown);
    }

    #[test]
    fn tells_permission_and_silence_apart_from_down() {
        use EnquiryEnding as E;
        use SocketProbe as S;
        for (ending, server, socket, expected) in [
            (E::Success, true, S::Connected, LookResult::Up),
            (E::TimedOut, true, S::Connected, LookResult::Up),
            (E::Failure, true, S::Refused, LookResult::Up),
            (
                E::Failure,
                false,
                S::PermissionDenied,
                LookResult::PermissionDenied,
            ),
            (
                E::TimedOut,
                false,
                S::PermissionDenied,
                LookResult::PermissionDenied,
            ),
            (
                E::NotPermitted,
                false,
                S::Refused,
                LookResult::PermissionDenied,
            ),
            (E::TimedOut, false, S::Connected, LookResult::Unresponsive),
            (E::TimedOut, false, S::TimedOut, LookResult::Unresponsive),
            (E::TimedOut, false, S::Refused, LookResult::Unknown),
            (E::Success, false, S::Refused, LookResult::Unknown),
            (E::Success, false, S::Connected, LookResult::Unknown),
            (E::Failure, false, S::Connected, LookResult::Unknown),
            (E::Other, false, S::Absent, LookResult::Unknown),
        ] {
            assert_eq!(
                look(ending, server, socket),
                expected,
                "{ending:?} {server} {socket:?}"
            );
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn proves_down_by_two_looks_ten_seconds_apart() {
        let mut proof = DownProof::default();
        let suspected = LookResult::SuspectedDown;
        assert_eq!(
            proof.observe(suspected, seconds(100)),
            HardserverState::Unknown
        );
        assert_eq!(
            proof.observe(suspected, seconds(109)),
            HardserverState::Unknown
        );
        assert_eq!(
            proof.observe(suspected, seconds(110)),
            HardserverState::Down
        );
        assert_eq!(
            proof.observe(suspected, seconds(111)),
            HardserverState::Down
        );
        assert_eq!(
            proof.observe(LookResult::Up, seconds(112)),
            HardserverState::Up
        );
        assert_eq!(
            proof.observe(suspected, seconds(113)),
            HardserverState::Unknown
        );
    }

    #[test]
    fn starts_over_after_any_other_look() {
        for other in [
            LookResult::Up,
            LookResult::Unresponsive,
            LookResult::PermissionDenied,
            LookResult::Unknown,
        ] {
            let mut proof = DownProof::default();
            proof.observe(LookResult::SuspectedDown, seconds(0));
            proof.observe(other, seconds(5));
            let state = proof.observe(LookResult::SuspectedDown, seconds(20));
            assert_eq!(state, HardserverState::Unknown, "{other:?}");
        }
    }

    #[test]
    fn starts_over_when_nobody_looked_for_long_or_time_went_back() {
        for second in [seconds(1_000 + 301), seconds(10)] {
            let mut proof = DownProof::default();
            proof.observe(LookResult::SuspectedDown, seconds(1_000));
            let state = proof.observe(LookResult::SuspectedDown, second);
            assert_eq!(state, HardserverState::Unknown, "{second:?}");
        }
    }
}
