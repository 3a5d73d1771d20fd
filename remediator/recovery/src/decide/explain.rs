//! The whole decision about one target, with every verdict: for a person who asks why.

use crate::event::{Entry, RungVerdict};
use crate::evidence::Evidence;
use crate::fleet::FleetView;
use crate::incident::{Incident, Standing};
use crate::inventory::Target;
use crate::policy::Site;
use crate::state::HostState;
use crate::step::Step;
use crate::tier::Rung;
use crate::time::Time;

use super::ladder::rungs_of;
use super::{Draft, draft};

/// What is decided about one target now, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The incident, as far as it has come.
    pub incident: Incident,
    /// Where the ladder stands.
    pub standing: Standing,
    /// Every rung of the ladder, lowest first.
    pub rungs: Vec<ExplainedRung>,
    /// What would be recorded now.
    pub changes: Vec<Entry>,
}

/// What is said about one rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedRung {
    /// Which.
    pub rung: Rung,
    /// It has failed as often as an incident allows: the next one is looked at.
    pub used_up: bool,
    /// A person has decided against it: who.
    pub denied: Option<String>,
    /// What would be run; absent while the host is not seen.
    pub steps: Option<Vec<Step>>,
    /// Every guard's verdict.
    pub verdicts: Vec<RungVerdict>,
}

/// Explains what [`decide`](super::decide()) says about `target`; `None` when it has no incident and
/// no alert that opens one.
#[must_use]
pub fn explain(
    state: &HostState,
    evidence: &Evidence,
    fleet: &FleetView,
    site: Site<'_>,
    target: &Target,
    now: Time,
) -> Option<Explanation> {
    let mut draft = draft(state, evidence, fleet, site, now);
    draft.open_incidents();
    draft.record_look();
    let incident = draft.state.incidents.get(target)?.clone();
    let (standing, _) = draft.ladder(&incident);
    let rungs = rungs_of(&incident);
    Some(Explanation {
        rungs: rungs
            .iter()
            .map(|rung| explained(&draft, &incident, *rung))
            .collect(),
        incident,
        standing,
        changes: draft.changes,
    })
}

fn explained(draft: &Draft<'_>, incident: &Incident, rung: Rung) -> ExplainedRung {
    ExplainedRung {
        rung,
        used_up: draft.used_up(incident, rung),
        denied: incident.denied.get(&rung).cloned(),
        steps: draft.steps(rung, &incident.target),
        verdicts: draft.verdicts(incident, rung),
    }
}
