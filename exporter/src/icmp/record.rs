//! What is counted about one target. The prober writes it, scrapes read it; neither ever waits for
//! the other, so that no scrape shows in a round-trip time.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nshield::icmp::{Family, SocketKind};
use vcm_telemetry::histogram::Histogram;

use super::address::Address;
use super::{EchoEnd, ErrorReason, TargetKey};
use crate::clock::UnixTime;

/// Upper bounds of the round-trip time in seconds: 50 us, doubled up to 3.3 s.
const RTT_BOUNDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_4, 0.000_8, 0.001_6, 0.003_2, 0.006_4, 0.012_8, 0.025_6,
    0.051_2, 0.102_4, 0.204_8, 0.409_6, 0.819_2, 1.638_4, 3.276_8,
];

/// One bucket for each bound and one for what is above all of them.
const BUCKETS: usize = RTT_BOUNDS.len() + 1;

const NONE: u8 = 0;
const NO_REPLY: u8 = 1;
const REPLY: u8 = 2;

/// The counters of one target. Only the prober's thread writes.
#[derive(Debug)]
pub struct TargetRecord {
    key: TargetKey,
    requests: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
    rtt_sum: AtomicU64,
    timeouts: AtomicU64,
    errors: [AtomicU64; ErrorReason::ALL.len()],
    late_replies: AtomicU64,
    newest: AtomicU64,
    newest_end: AtomicU8,
    last_reply: AtomicU64,
    place: Mutex<Place>,
}

/// Where echoes to a target go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The address; a name that was never resolved has none.
    pub address: Option<Address>,
    /// The kind of socket, once one is open.
    pub socket: Option<SocketKind>,
}

impl Place {
    /// Returns the value of the metric label `family`; empty without an address.
    #[must_use]
    pub fn family(&self) -> &'static str {
        match self.address.as_ref().map(Address::family) {
            Some(Family::V4) => "ipv4",
            Some(Family::V6) => "ipv6",
            None => "",
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl TargetRecord {
    /// Starts counting at 0.
    #[must_use]
    pub fn new(key: TargetKey) -> Self {
        Self {
            key,
            requests: AtomicU64::default(),
            buckets: Default::default(),
            rtt_sum: AtomicU64::default(),
            timeouts: AtomicU64::default(),
            errors: Default::default(),
            late_replies: AtomicU64::default(),
            newest: AtomicU64::default(),
            newest_end: AtomicU8::default(),
            last_reply: AtomicU64::default(),
            place: Mutex::default(),
        }
    }

    /// Returns what names the target.
    #[must_use]
    pub const fn key(&self) -> &TargetKey {
        &self.key
    }

    /// Counts an echo that is about to be sent.
    pub fn started(&self) {
        add(&self.requests);
    }

    /// Counts the end of an echo; `number` is higher for each echo that was started later.
    pub fn finished(&self, number: u64, end: EchoEnd, at: UnixTime) {
        match end {
            EchoEnd::Reply(rtt) => self.replied(rtt, at),
            EchoEnd::Timeout => add(&self.timeouts),
            EchoEnd::Error(reason) => {
                if let Some(errors) = self.errors.get(reason as usize) {
                    add(errors);
                }
            }
        }
        if number >= get(&self.newest) {
            let shown = match end {
                EchoEnd::Reply(_) => REPLY,
                EchoEnd::Timeout | EchoEnd::Error(_) if end.is_known() => NO_REPLY,
                EchoEnd::Timeout | EchoEnd::Error(_) => NONE,
            };
            self.newest.store(number, Ordering::Relaxed);
            self.newest_end.store(shown, Ordering::Relaxed);
        }
    }

    fn replied(&self, rtt: Duration, at: UnixTime) {
        let rtt = rtt.as_secs_f64();
        let bucket = RTT_BOUNDS.partition_point(|bound| *bound < rtt);
        if let Some(bucket) = self.buckets.get(bucket) {
            add(bucket);
        }
        let sum = f64::from_bits(get(&self.rtt_sum)) + rtt;
        self.rtt_sum.store(sum.to_bits(), Ordering::Relaxed);
        self.last_reply.store(at.0.to_bits(), Ordering::Relaxed);
    }

    /// Counts a reply to an echo that had timed out.
    pub fn late_reply(&self) {
        add(&self.late_replies);
    }

    /// Notes where echoes go now.
    pub fn set_place(&self, place: Place) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// Returns where echoes go now.
    #[must_use]
    pub fn place(&self) -> Place {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.clone()
    }

    /// Returns whether echoes go to an address.
    pub(super) fn is_at(&self, address: &Address) -> bool {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.address.as_ref() == Some(address)
    }

    /// Reads everything at once. An end is read before the beginnings, so that no more echoes have
    /// ended than were started.
    #[must_use]
    pub fn sample(self: &Arc<Self>) -> Sample {
        let counts = self.buckets.each_ref().map(get);
        let rtt = Histogram::counted(&RTT_BOUNDS, counts, f64::from_bits(get(&self.rtt_sum)));
        let last_reply = f64::from_bits(get(&self.last_reply));
        Sample {
            record: Arc::clone(self),
            rtt,
            timeouts: get(&self.timeouts),
            errors: self.errors.each_ref().map(get),
            late_replies: get(&self.late_replies),
            newest_replied: match self.newest_end.load(Ordering::Relaxed) {
                NONE => None,
                end => Some(end == REPLY),
            },
            last_reply: (last_reply > 0.0).then_some(UnixTime(last_reply)),
            place: self.place(),
            requests: get(&self.requests),
        }
    }
}

/// The counters of one target at one moment.
#[derive(Debug, Clone)]
pub struct Sample {
    record: Arc<TargetRecord>,
    /// Echoes started.
    pub requests: u64,
    /// Round-trip times; their number is the number of replies.
    pub rtt: Histogram,
    /// Echoes that nothing came back for in time.
    pub timeouts: u64,
    errors: [u64; ErrorReason::ALL.len()],
    /// Replies to echoes that had timed out.
    pub late_replies: u64,
    /// Whether the target itself replied to the newest finished echo; `None` before the first, and
    /// where that one says nothing about the target.
    pub newest_replied: Option<bool>,
    /// When the newest reply came.
    pub last_reply: Option<UnixTime>,
    /// Where echoes go.
    pub place: Place,
}

impl Sample {
    /// Returns what names the target.
    #[must_use]
    pub fn key(&self) -> &TargetKey {
        self.record.key()
    }

    /// Returns how many echoes ended in an error, by reason.
    pub fn errors(&self) -> impl Iterator<Item = (ErrorReason, u64)> + use<> {
        ErrorReason::ALL.into_iter().zip(self.errors)
    }

    /// Returns how many echoes have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.rtt.count() + self.timeouts + self.errors.iter().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixTime = UnixTime(1.0);

    fn record() -> Arc<TargetRecord> {
        Arc::new(TargetRecord::new(("vcm-a".to_owned(), None)))
    }

    #[test]
    fn each_echo_ends_in_exactly_one_count() {
        let record = record();
        let errors = ErrorReason::ALL.map(EchoEnd::Error);
        let ends = [EchoEnd::Reply(Duration::from_millis(1)), EchoEnd::Timeout];
        for (number, end) in (1..).zip(ends.into_iter().chain(errors)) {
            record.started();
            record.finished(number, end, AT);
        }
        let sample = record.sample();
        assert_eq!((sample.rtt.count(), sample.timeouts), (1, 1));
        assert!(sample.errors().all(|(_, count)| count == 1), "{sample:?}");
        assert_eq!((sample.requests, sample.ended()), (7, 7));
    }

    #[test]
    fn the_newest_echo_is_the_one_started_last() {
        let record = record();
        assert_eq!(record.sample().newest_replied, None);
        record.finished(2, EchoEnd::Reply(Duration::from_millis(1)), AT);
        record.finished(1, EchoEnd::Timeout, AT);
        assert_eq!(record.sample().newest_replied, Some(true));
        record.finished(3, EchoEnd::Timeout, AT);
        assert_eq!(record.sample().newest_replied, Some(false));
    }

    /// Else the lack of a permission here would look like a target that cannot be reached.
    #[test]
    fn an_echo_that_never_left_says_nothing_about_its_target() {
        let record = record();
        record.finished(1, EchoEnd::Timeout, AT);
        for (number, reason, newest) in [
            (2, ErrorReason::Permission, None),
            (3, ErrorReason::Send, Some(false)),
            (4, ErrorReason::Resolve, None),
            (5, ErrorReason::Unreachable, Some(false)),
            (6, ErrorReason::TimeExceeded, Some(false)),
        ] {
            record.finished(number, EchoEnd::Error(reason), AT);
            assert_eq!(record.sample().newest_replied, newest, "{reason:?}");
        }
    }

    #[test]
    fn upper_bounds_are_inclusive() {
        let record = record();
        for (number, micros) in [(1, 50), (2, 51), (3, 100), (4, 9_000_000)] {
            record.finished(number, EchoEnd::Reply(Duration::from_micros(micros)), AT);
        }
        let rtt = record.sample().rtt;
        let filled: Vec<_> = rtt
            .buckets()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(filled, [(0.000_05, 1), (0.000_1, 2), (f64::INFINITY, 1)]);
        assert!((rtt.sum() - 9.000_201).abs() < 1e-9);
    }
}
