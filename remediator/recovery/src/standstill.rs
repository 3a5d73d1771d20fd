//! A start while the wall clock is behind the newest record. The program's time goes on from that
//! record, as if no time had passed; in truth it may be hours. What counts for a while only has to be
//! heard anew: alerts (the store forgets when they were delivered last) and answers of people. As long
//! as an alert about load may be untold, the load gate is shut. What waits (`not_before`, caps, holds) only waits longer.

use std::time::Duration;

use crate::event::{Change, Entry};
use crate::state::HostState;

/// How far the wall clock is behind at least. Less is what it is set by in steady running.
pub const BEHIND_MIN: Duration = Duration::from_secs(60);

/// What such a start records before anything is read; nothing if the wall clock, `wall_ahead`
/// milliseconds ahead of the program's time, is not behind.
#[must_use]
pub fn started_behind(wall_ahead: i64) -> Option<Entry> {
    let milliseconds = wall_ahead.min(0).unsigned_abs();
    (u128::from(milliseconds) > BEHIND_MIN.as_millis()).then_some(Entry {
        host: None,
        target: None,
        incident: None,
        change: Change::StartedBehind { milliseconds },
    })
}

/// Ends every answer of a person about this host that was not used yet; the person is asked again.
#[must_use]
pub fn void_answers(state: &HostState) -> Vec<Entry> {
    let open = state.incidents.values();
    let answered = open.filter_map(|incident| {
        let request = incident.request.as_ref()?;
        request.answer.as_ref()?;
        Some((incident, request.id))
    });
    let entries = answered.map(|(incident, request)| Entry {
        host: Some(state.host.clone()),
        target: Some(incident.target.clone()),
        incident: Some(incident.id.clone()),
        change: Change::ApprovalExpired {
            request,
            why: "the clock was behind at a start: how old the answer is cannot be told".to_owned(),
        },
    });
    entries.collect()
}
