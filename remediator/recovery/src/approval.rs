//! Approvals: one request of an incident lists what a person may choose from, and whom each choice
//! disrupts.
//!
//! A choice is bound to its [`Scope`]. The scope is computed again at the act, and anything that has
//! changed cancels the request and asks anew, naming what changed. An answer is used once.

use std::collections::BTreeSet;

use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};

use crate::guard::Guard;
use crate::ids::{Person, RequestId};
use crate::inventory::Target;
use crate::observation::Condition;
use crate::step::Step;
use crate::tier::Rung;
use crate::time::Time;

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Its number on the host.
    pub id: RequestId,
    /// When it was asked.
    pub asked_at: Time,
    /// From then on no answer is taken and a given one is void.
    pub expires_at: Time,
    /// What may be chosen, beside nothing; lowest rung first, never empty.
    pub alternatives: Vec<Alternative>,
    /// The answer, until it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// One thing that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Alternative {
    /// What would be run, on what, and in which situation.
    pub scope: Scope,
    /// Why it is not run without being asked for.
    pub reasons: Vec<String>,
    /// Whom it disrupts, as an operator reads it.
    pub disrupts: String,
}

/// What an approval is bound to. Any difference at the act makes it void; a guard that asks no more
/// is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Host and module.
    pub target: Target,
    /// What is run.
    pub rung: Rung,
    /// The serial number that the inventory has for the module.
    pub esn: Option<Esn>,
    /// The plan.
    pub steps: Vec<Step>,
    /// What the target looks like.
    pub condition: Condition,
    /// The other modules of the host that are healthy.
    pub healthy_others: BTreeSet<ModuleNumber>,
    /// Whether its HSM, or the fleet, is in a storm.
    pub storm: bool,
    /// The guards that ask for a person's word or leave the rung out: what the person was told to
    /// stand in its way. One that is not among them was never shown.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub asked: BTreeSet<Guard>,
}

/// What a person answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Answer {
    /// What was chosen.
    pub choice: Choice,
    /// By whom.
    pub by: Person,
    /// Why, in the person's words; may be empty.
    pub reason: String,
}

/// What may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "choice", content = "rung", rename_all = "snake_case")]
pub enum Choice {
    /// This rung may start once, if nothing refuses it.
    Approve(Rung),
    /// None of the alternatives: each is skipped for this incident.
    Deny,
}

impl Request {
    /// The rung that was approved.
    #[must_use]
    pub fn approved(&self) -> Option<Rung> {
        match self.answer.as_ref()?.choice {
            Choice::Approve(rung) => Some(rung),
            Choice::Deny => None,
        }
    }

    /// The alternative that runs `rung`.
    #[must_use]
    pub fn alternative(&self, rung: Rung) -> Option<&Alternative> {
        self.alternatives
            .iter()
            .find(|alternative| alternative.scope.rung == rung)
    }
}

impl Scope {
    /// What is different in `now`, as an operator reads it; empty when nothing is.
    #[must_use]
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut changed = |differs: bool, text: String| {
            if differs {
                changes.push(text);
            }
        };
        changed(
            self.target != now.target || self.rung != now.rung,
            format!("it is about {} of {} now", now.rung, now.target),
        );
        changed(
            self.esn != now.esn,
            "the inventory has another ESN".to_owned(),
        );
        changed(
            self.steps != now.steps,
            "the plan is another one".to_owned(),
        );
        changed(
            self.condition != now.condition,
            format!(
                "the target was {} and is {}",
                self.condition.as_str(),
                now.condition.as_str()
            ),
        );
        changed(
            self.healthy_others != now.healthy_others,
            format!(
                "healthy beside it were {} and are {}",
                listed(&self.healthy_others),
                listed(&now.healthy_others)
            ),
        );
        changed(
            self.storm != now.storm,
            if now.storm {
                "a storm has begun".to_owned()
            } else {
                "the storm is over".to_owned()
            },
        );
        let more: Vec<&str> = now
            .asked
            .difference(&self.asked)
            .map(|guard| guard.as_str())
            .collect();
        changed(
            !more.is_empty(),
            format!("it was not asked about: {}", more.join(", ")),
        );
        changes
    }
}

/// Modules as an operator reads them.
#[must_use]
pub fn listed(modules: &BTreeSet<ModuleNumber>) -> String {
    let numbers: Vec<String> = modules.iter().map(ToString::to_string).collect();
    match numbers.as_slice() {
        [] => "no modules".to_owned(),
        [one] => format!("module {one}"),
        [init @ .., last] => format!("modules {} and {last}", init.join(", ")),
    }
}
