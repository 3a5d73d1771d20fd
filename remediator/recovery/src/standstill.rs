//! A start while the wall clock is behind the newest record. The program's time goes on from that
//! record, as if no time had passed; in truth it may be hours. What counts for a while only has to be
//! heard anew: alerts (the store forgets when they were delivered last) and answers of people. As long
//! as an alert about load may be untold, the load gate is shut. What waits (`not_before`, caps, holds)
//! only waits longer.

use std::time::Duration;

use crate::event::{Change, Entry};
use crate::state::HostState;

/// How far the wall clock is behind at least. Less is what it is set by in steady running.
pub const BEHIND_MIN: Duration = Duration::from_secs(60);

/// What a start records before anything else, all or none, when the wall clock is so far `behind` the
/// newest record: that it is, and the end of every answer of a person that was not used yet. Nothing
/// when it is not.
#[must_use]
pub fn entries<'a>(behind: Duration, hosts: impl Iterator<Item = &'a HostState>) -> Vec<Entry> {
    if behind <= BEHIND_MIN {
        return Vec::new();
    }
    let milliseconds = u64::try_from(behind.as_millis()).unwrap_or(u64::MAX);
    let started = Entry {
        host: None,
        target: None,
        incident: None,
        change: Change::StartedBehind { milliseconds },
    };
    std::iter::once(started)
        .chain(hosts.flat_map(void_answers))
        .collect()
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
            why: "the clock was behind at a start: how old the answer is cannot be told".to_owned(),
        },
    })
}
