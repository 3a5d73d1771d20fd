//! When a target counts as lost, and which of its turns are logged.

use std::time::Duration;

/// Echoes in a row without a reply after which a target counts as lost: fewer would log every
/// single lost packet.
const LOST_AFTER: u32 = 3;

/// The time in which there are two lines about one target at most: that it was lost and that it
/// came back.
const LINE_SPACING: Duration = Duration::from_secs(60);

/// Whether a target answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing is known yet.
    Unknown,
    /// It replied to the newest echo, or has lost fewer than would count since.
    Reachable,
    /// It has not replied for long enough.
    Lost,
}

impl Reach {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Reachable => "reachable",
            Self::Lost => "lost",
        }
    }
}

/// A line to log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What was logged before.
    pub(super) from: Reach,
    /// What is so now.
    pub(super) to: Reach,
    /// How long it has been so.
    pub(super) held: Duration,
    /// Turns in between that were not logged.
    pub(super) suppressed: u32,
}

/// The turns of one target.
#[derive(Debug)]
pub(super) struct Transitions {
    reach: Reach,
    unanswered: u32,
    since: Duration,
    logged: Reach,
    /// When the newest line was logged, and the one before.
    logged_at: [Option<Duration>; 2],
    turns: u32,
}

impl Transitions {
    pub(super) const fn new() -> Self {
        Self {
            reach: Reach::Unknown,
            unanswered: 0,
            since: Duration::ZERO,
            logged: Reach::Unknown,
            logged_at: [None; 2],
            turns: 0,
        }
    }

    /// Takes in the end of an echo. The line of a turn that comes too soon is made up for later, so
    /// that the newest line always says what is so.
    pub(super) fn observe(&mut self, replied: bool, now: Duration) -> Option<Line> {
        self.unanswered = if replied {
            0
        } else {
            self.unanswered.saturating_add(1)
        };
        let reach = match (replied, self.unanswered >= LOST_AFTER) {
            (true, _) => Reach::Reachable,
            (false, true) => Reach::Lost,
            (false, false) => self.reach,
        };
        if reach != self.reach {
            self.reach = reach;
            self.since = now;
            self.turns += 1;
        }
        let [newest, before] = self.logged_at;
        let soon = before.is_some_and(|at| now < at + LINE_SPACING);
        if self.turns == 0 || soon {
            return None;
        }
        let line = Line {
            from: self.logged,
            to: reach,
            held: now - self.since,
            suppressed: self.turns - 1,
        };
        self.logged = reach;
        self.logged_at = [Some(now), newest];
        self.turns = 0;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64, transitions: &mut Transitions, replied: bool) -> Option<Line> {
        transitions.observe(replied, Duration::from_secs(second))
    }

    fn line(from: Reach, to: Reach, held: u64, suppressed: u32) -> Option<Line> {
        Some(Line {
            from,
            to,
            held: Duration::from_secs(held),
            suppressed,
        })
    }

    #[test]
    fn one_line_per_turn() {
        let mut target = Transitions::new();
        assert_eq!(
            at(0, &mut target, true),
            line(Reach::Unknown, Reach::Reachable, 0, 0)
        );
        assert_eq!(at(1, &mut target, true), None);
        assert_eq!(at(100, &mut target, false), None);
        assert_eq!(at(101, &mut target, false), None);
        assert_eq!(
            at(102, &mut target, false),
            line(Reach::Reachable, Reach::Lost, 0, 0)
        );
        assert_eq!(at(103, &mut target, false), None);
        assert_eq!(
            at(110, &mut target, true),
            line(Reach::Lost, Reach::Reachable, 0, 0),
            "that it came back is said at once"
        );
    }

    #[test]
    fn single_losses_are_no_turn() {
        let mut target = Transitions::new();
        let _ = at(0, &mut target, true);
        for second in 100..200 {
            assert_eq!(at(second, &mut target, second % 3 == 0), None);
        }
    }

    #[test]
    fn a_flapping_target_is_two_lines_a_minute_and_the_last_one_is_right() {
        let mut target = Transitions::new();
        let _ = at(0, &mut target, true);
        let mut lines = Vec::new();
        for second in 101..160 {
            lines.extend(at(second, &mut target, second % 5 == 0));
        }
        let (lost, back) = (
            line(Reach::Reachable, Reach::Lost, 0, 0),
            line(Reach::Lost, Reach::Reachable, 0, 0),
        );
        assert_eq!(lines, [lost.unwrap(), back.unwrap()]);
        assert_eq!(at(160, &mut target, true), None);
        assert_eq!(
            at(170, &mut target, true),
            line(Reach::Reachable, Reach::Reachable, 10, 21),
        );
        assert_eq!(at(171, &mut target, true), None);
        assert_eq!(at(300, &mut target, true), None);
    }
}
