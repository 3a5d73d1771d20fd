//! The targets of echoes and what came of them.
//!
//! Targets come from the configuration and, for every module with a known address that has none
//! there, from the modules themselves. Each echo ends in exactly one of reply, time-out or error.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use nshield::ModuleNumber;
use nshield::icmp::{Echo, EchoError, SocketKind};
use vcm_telemetry::histogram::Histogram;

use crate::clock::UnixTime;
use crate::modules::KnownModules;

/// Upper bounds of the round-trip time in seconds: 50 us, doubled up to 3.3 s.
const RTT_BOUNDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_4, 0.000_8, 0.001_6, 0.003_2, 0.006_4, 0.012_8, 0.025_6,
    0.051_2, 0.102_4, 0.204_8, 0.409_6, 0.819_2, 1.638_4, 3.276_8,
];

/// One target as configured or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The metric label `target`.
    pub name: String,
    /// Where echoes go.
    pub address: IpAddr,
    /// The module behind it, where it is an enrolled VCM.
    pub module: Option<ModuleNumber>,
}

/// Why an echo ended in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorReason {
    /// The system could not send.
    Send,
    /// No socket may be opened.
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

impl From<&Echo> for EchoEnd {
    fn from(echo: &Echo) -> Self {
        match echo {
            Echo::Reply { rtt } => Self::Reply(*rtt),
            Echo::Timeout => Self::Timeout,
            Echo::Unreachable { .. } | Echo::Other { .. } => Self::Error(ErrorReason::Unreachable),
            Echo::TimeExceeded { .. } => Self::Error(ErrorReason::TimeExceeded),
            Echo::Error(EchoError::Permission { .. }) => Self::Error(ErrorReason::Permission),
            Echo::Error(EchoError::Send { .. } | EchoError::Library { .. }) => {
                Self::Error(ErrorReason::Send)
            }
        }
    }
}

/// Everything that is counted about one target.
#[derive(Debug, Clone)]
pub struct TargetRecord {
    /// Where echoes go now.
    pub address: IpAddr,
    /// The kind of socket, once one is open.
    pub socket: Option<SocketKind>,
    /// Echoes started.
    pub requests: u64,
    /// Round-trip times; their number is the number of replies.
    pub rtt: Histogram,
    /// Echoes that nothing came back for in time.
    pub timeouts: u64,
    /// Echoes that ended otherwise.
    pub errors: BTreeMap<ErrorReason, u64>,
    /// Replies to echoes that had timed out.
    pub late_replies: u64,
    /// The newest finished echo, by its number and how it ended.
    newest: Option<(u64, EchoEnd)>,
    /// When the newest reply came.
    pub last_reply: Option<UnixTime>,
}

impl TargetRecord {
    fn new(address: IpAddr) -> Self {
        Self {
            address,
            socket: None,
            requests: 0,
            rtt: Histogram::new(&RTT_BOUNDS),
            timeouts: 0,
            errors: ErrorReason::ALL.map(|reason| (reason, 0)).into(),
            late_replies: 0,
            newest: None,
            last_reply: None,
        }
    }

    /// Counts an echo that is about to be sent. Returns its number.
    pub fn started(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// Counts the end of an echo.
    pub fn finished(&mut self, number: u64, end: EchoEnd, at: UnixTime) {
        match end {
            EchoEnd::Reply(rtt) => {
                self.rtt.observe(rtt.as_secs_f64());
                self.last_reply = Some(at);
            }
            EchoEnd::Timeout => self.timeouts += 1,
            EchoEnd::Error(reason) => *self.errors.entry(reason).or_default() += 1,
        }
        if self.newest.is_none_or(|(newest, _)| newest < number) {
            self.newest = Some((number, end));
        }
    }

    /// Returns how the newest finished echo ended.
    #[must_use]
    pub fn newest(&self) -> Option<EchoEnd> {
        self.newest.map(|(_, end)| end)
    }
}

/// What names a series: the target and the module behind it.
pub type TargetKey = (String, Option<ModuleNumber>);

/// All targets. The counters of one stay when its address changes.
#[derive(Debug, Clone)]
pub struct Targets {
    configured: Vec<Target>,
    discover: bool,
    records: BTreeMap<TargetKey, TargetRecord>,
}

impl Targets {
    /// Creates the targets of the configuration; `discover` adds those of the modules.
    #[must_use]
    pub fn new(configured: Vec<Target>, discover: bool) -> Self {
        let mut targets = Self {
            configured,
            discover,
            records: BTreeMap::new(),
        };
        for target in targets.configured.clone() {
            targets.record(&target);
        }
        targets
    }

    /// Returns the targets that echoes are to be sent to now.
    pub fn current(&mut self, modules: &KnownModules) -> Vec<Target> {
        let mut current = self.configured.clone();
        if self.discover {
            let covered = |number| current.iter().any(|target| target.module == Some(number));
            let found: Vec<Target> = modules
                .iter()
                .filter(|(number, _)| !covered(*number))
                .filter_map(|(number, identity)| {
                    let name = format!("module{number}");
                    Some(Target {
                        name,
                        address: identity.address?,
                        module: Some(number),
                    })
                })
                .collect();
            current.extend(found);
        }
        for target in &current {
            self.record(target);
        }
        current
    }

    /// Returns the record of a target.
    pub fn record(&mut self, target: &Target) -> &mut TargetRecord {
        let key = (target.name.clone(), target.module);
        let record = self
            .records
            .entry(key)
            .or_insert_with(|| TargetRecord::new(target.address));
        record.address = target.address;
        record
    }

    /// Returns every record, in the order of its labels.
    pub fn records(&self) -> impl Iterator<Item = (&TargetKey, &TargetRecord)> {
        self.records.iter()
    }
}

#[cfg(test)]
mod tests {
    use nshield::enquiry::Enquiry;

    use super::*;

    const AT: UnixTime = UnixTime(1.0);

    fn record() -> TargetRecord {
        TargetRecord::new("192.0.2.11".parse().unwrap())
    }

    #[test]
    fn each_echo_ends_in_exactly_one_count() {
        let mut record = record();
        let ends = [
            EchoEnd::Reply(Duration::from_millis(1)),
            EchoEnd::Timeout,
            EchoEnd::Error(ErrorReason::Send),
            EchoEnd::Error(ErrorReason::Unreachable),
        ];
        for end in ends {
            let number = record.started();
            record.finished(number, end, AT);
        }
        let errors: u64 = record.errors.values().sum();
        assert_eq!((record.rtt.count(), record.timeouts, errors), (1, 1, 2));
        assert_eq!(
            record.requests,
            record.rtt.count() + record.timeouts + errors
        );
    }

    #[test]
    fn the_newest_echo_is_the_one_sent_last() {
        let mut record = record();
        let (first, second) = (record.started(), record.started());
        record.finished(second, EchoEnd::Reply(Duration::from_millis(1)), AT);
        record.finished(first, EchoEnd::Timeout, AT);
        assert_eq!(
            record.newest(),
            Some(EchoEnd::Reply(Duration::from_millis(1)))
        );
    }

    #[test]
    fn a_routers_answer_is_an_error() {
        let from = "192.0.2.1".parse().unwrap();
        for echo in [
            Echo::Unreachable { from },
            Echo::Other { from, icmp_type: 5 },
        ] {
            assert_eq!(
                EchoEnd::from(&echo),
                EchoEnd::Error(ErrorReason::Unreachable)
            );
        }
    }

    #[test]
    fn modules_are_found_unless_the_configuration_covers_them() {
        let mut modules = KnownModules::default();
        modules.learn(&Enquiry::parse(
            b"Module #1:\n connection info      addr = INET/192.0.2.11/9004\nModule #2:\n \
              connection info      addr = INET/192.0.2.12/9004\nModule #3:\n",
        ));
        let configured = Target {
            name: "by-hand".to_owned(),
            address: "198.51.100.7".parse().unwrap(),
            module: Some(2.try_into().unwrap()),
        };
        let mut targets = Targets::new(vec![configured.clone()], true);
        let names: Vec<_> = targets
            .current(&modules)
            .into_iter()
            .map(|t| t.name)
            .collect();
        assert_eq!(names, ["by-hand", "module1"]);
        let mut targets = Targets::new(vec![configured], false);
        assert_eq!(targets.current(&modules).len(), 1);
    }
}
