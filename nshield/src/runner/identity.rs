//! Which process it is, over the reuse of process ids.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process id together with the time the process started, which no other process of the same
/// boot shares.
///
/// The host runner journals it, so that after its own crash it can tell whether a step still runs.
/// It means nothing on another boot: keep the boot id beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

impl ProcessIdentity {
    /// Looks up a running process; `None` if there is none with this id.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Stat::of(pid)?;
        Some(Self {
            pid,
            start_ticks: stat.start_ticks,
        })
    }

    pub(super) fn of_child(pid: u32) -> Option<Self> {
        Self::of(i32::try_from(pid).ok()?)
    }

    /// Returns whether this very process still runs. One that has ended and only waits for its
    /// parent to ask for its status does not. One that `/proc` hides and that is not ours to signal
    /// may be this one: it counts.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match Stat::of(self.pid) {
            Some(stat) => stat.start_ticks == self.start_ticks && stat.lives(),
            None => Pid::from_raw(self.pid)
                .is_some_and(|pid| test_kill_process(pid) == Err(Errno::PERM)),
        }
    }
}

/// The few fields of `/proc/<pid>/stat` that are needed.
pub(super) struct Stat {
    state: char,
    pub(super) group: i32,
    start_ticks: u64,
}

impl Stat {
    /// Returns every process that can be seen.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::of(entry.file_name().to_str()?.parse().ok()?))
    }

    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name in parentheses may contain anything, also parentheses and spaces.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        let group = fields.nth(1)?.parse().ok()?;
        let start_ticks = fields.nth(16)?.parse().ok()?;
        Some(Self {
            state,
            group,
            start_ticks,
        })
    }

    pub(super) fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_fields_after_a_name_with_parentheses() {
        // proc(5): 3 state, 5 process group, 22 start time.
        let text = "4242 (a ) S (b) Z 1 77 6 0 -1 8 9 10 11 12 13 14 15 16 17 18 19 20 987654 23\n";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(
            (stat.state, stat.group, stat.start_ticks),
            ('Z', 77, 987_654)
        );
        assert!(!stat.lives());
    }

    #[test]
    fn knows_itself_and_not_a_process_with_another_start_time() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = ProcessIdentity::of(pid).unwrap();
        assert!(own.is_alive());
        assert!(
            !ProcessIdentity {
                start_ticks: own.start_ticks + 1,
                ..own
            }
            .is_alive()
        );
    }
}
