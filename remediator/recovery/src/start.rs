//! A start of the program, and what it knows of the time before.
//!
//! The program's time goes on at the newest of the store's newest record, the wall clock and, where the
//! machine has not been booted since the last start, what its boot time clock says. Only the last of
//! them tells how long the program was away. Without it the wall clock may have been hours ahead before,
//! or be hours behind now, so that hours look like minutes. What counts for a while only has to be heard
//! anew then: alerts (the store forgets when they were delivered last) and answers of people. As long as
//! an alert about load may be untold, the load gate is shut. What waits (`not_before`, caps, holds) only
//! waits longer.

use serde::{Deserialize, Serialize};

use crate::event::{Change, Entry};
use crate::fleet::state::GAP_MIN;
use crate::state::HostState;
use crate::time::Time;

/// A start of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The boot of the program's machine, for the next start to tell by how long ago this one was; absent
    /// where the kernel does not say.
    #[serde(default)]
    pub boot: Option<Boot>,
    /// Whether it is known how long the program was away: nothing was stored before, or the machine was
    /// not booted since.
    #[serde(default)]
    pub away_known: bool,
    /// The newest instant in the store, until which the program ran, or for a minute more at most.
    /// Absent where nothing was stored before.
    #[serde(default)]
    pub last: Option<Time>,
}

/// A boot of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// The kernel's name for it.
    pub id: String,
    /// The program's time when the boot time clock stood at zero.
    pub began: Time,
}

impl Start {
    /// The first start on a store, on a machine of which nothing is known.
    pub const FIRST: Self = Self {
        boot: None,
        away_known: true,
        last: None,
    };

    /// What it records `now`, before anything else, all or none: itself; a long time without the program;
    /// and where it is not known how long that was, the end of every answer of a person that was not used
    /// yet.
    #[must_use]
    pub fn entries<'a>(&self, hosts: impl Iterator<Item = &'a HostState>, now: Time) -> Vec<Entry> {
        let gap = self.last.filter(|last| now.since(*last) > GAP_MIN);
        let gap = gap.map(|since| Change::GapFound { since });
        let of_fleet = std::iter::once(Change::Started(self.clone())).chain(gap);
        let of_fleet = of_fleet.map(|change| Entry {
            host: None,
            target: None,
            incident: None,
            change,
        });
        let unsure = hosts.filter(|_| !self.away_known);
        of_fleet.chain(unsure.flat_map(void_answers)).collect()
    }
}

/// Ends every answer about this host that was not used yet; the person is asked again.
fn void_answers(state: &HostState) -> impl Iterator<Item = Entry> {
    let open = state.incidents.values();
    let answered = open.filter_map(|incident| {
        let request = incident.request.as_ref()?;
        request.answer.as_ref()?;
        Some((incident, request.id))
    });
    answered.map(|(incident, request)| Entry {
        host: Some(state.host.clone()),
        target: Some(incident.target.clone()),
        incident: Some(incident.id.clone()),
        change: Change::ApprovalExpired {
            request,
            why: "how long the program was away is not known, nor how old the answer is".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In one record with the start: a program that dies in between would take the start for the newest
    /// instant at which it ran.
    #[test]
    fn a_long_time_without_the_program_is_recorded_with_the_start() {
        let now = Time::from_millis(100_000_000_000);
        let recorded = |last: Option<Time>| {
            let start = Start {
                last,
                ..Start::FIRST
            };
            let entries = start.entries(std::iter::empty(), now);
            let changes = entries.into_iter().map(|entry| entry.change);
            let (first, rest): (Vec<Change>, Vec<Change>) =
                changes.partition(|change| matches!(change, Change::Started(_)));
            assert_eq!(first, [Change::Started(start)]);
            rest
        };
        let long = now
            .before(GAP_MIN)
            .before(std::time::Duration::from_millis(1));
        assert_eq!(recorded(None), []);
        assert_eq!(recorded(Some(now)), []);
        assert_eq!(recorded(Some(now.before(GAP_MIN))), []);
        assert_eq!(recorded(Some(long)), [Change::GapFound { since: long }]);
    }
}
