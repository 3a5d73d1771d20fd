//! What the command line reads of the server's answers. What a newer server says beside it is
//! ignored; what an older one does not say is missing.

use std::collections::BTreeMap;

use serde::Deserialize;
use vcm_recovery::control::{Hold, Pause};
use vcm_recovery::inventory::Target;
use vcm_recovery::time::Time;

/// `GET /api/v1/incidents`
#[derive(Debug, Deserialize)]
pub(super) struct Incidents {
    pub(super) incidents: Vec<Incident>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Incident {
    pub(super) id: String,
    pub(super) target: Target,
    pub(super) vcm: Option<String>,
    pub(super) state: String,
    pub(super) opened_at: Time,
    pub(super) first_failed_at: Option<Time>,
    pub(super) ceiling: Option<String>,
    pub(super) latch_reason: Option<String>,
    pub(super) diagnosis: Option<Diagnosis>,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) attempts: Vec<OfIncident>,
    #[serde(default)]
    pub(super) denied: BTreeMap<String, String>,
    pub(super) request: Option<Request>,
    pub(super) hold: Option<Hold>,
    pub(super) pages: BTreeMap<String, Time>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Diagnosis {
    pub(super) patterns: Vec<Pattern>,
    pub(super) hints: Vec<String>,
    pub(super) drift: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pattern {
    pub(super) seen: String,
    pub(super) means: String,
    pub(super) so: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    pub(super) tier: String,
    pub(super) guard: String,
    pub(super) verdict: String,
    pub(super) reason: String,
    pub(super) until: Option<Time>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OfIncident {
    pub(super) attempt: String,
    pub(super) tier: String,
    pub(super) reserved_at: Time,
    pub(super) outcome: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) asked_at: Time,
    pub(super) expires_at: Time,
    pub(super) alternatives: Vec<Alternative>,
    pub(super) answer: Option<Answered>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Alternative {
    pub(super) tier: String,
    pub(super) disrupts: String,
    pub(super) reasons: Vec<String>,
    pub(super) commands: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Answered {
    pub(super) by: String,
    pub(super) reason: String,
}

/// `GET /api/v1/attempts`
#[derive(Debug, Deserialize)]
pub(super) struct Attempts {
    pub(super) attempts: Vec<Attempt>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Attempt {
    pub(super) attempt: String,
    pub(super) target: Target,
    pub(super) tier: String,
    pub(super) reserved_at: Time,
    pub(super) ended_at: Option<Time>,
    pub(super) outcome: Option<String>,
    pub(super) reason: String,
}

/// `GET /api/v1/fleet`
#[derive(Debug, Deserialize)]
pub(super) struct Fleet {
    pub(super) mode: String,
    pub(super) pause: Option<Pause>,
    pub(super) holds: Vec<Held>,
    pub(super) unconfirmed_gap_seconds: u64,
    pub(super) storm: Option<Time>,
    pub(super) storms: Vec<Storm>,
    pub(super) sheds: Vec<Shed>,
    pub(super) pages: Vec<Page>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Held {
    pub(super) target: Target,
    #[serde(flatten)]
    pub(super) hold: Hold,
}

#[derive(Debug, Deserialize)]
pub(super) struct Storm {
    pub(super) hsm: Option<String>,
    pub(super) since: Time,
}

#[derive(Debug, Deserialize)]
pub(super) struct Shed {
    pub(super) hsm: String,
    pub(super) since: Time,
    pub(super) action: String,
    pub(super) done: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) target: Option<Target>,
    pub(super) hsm: Option<String>,
    pub(super) reason: String,
    pub(super) since: Time,
}
