//! Recording what the newest look shows, when it shows something else than the one before.

use crate::event::{Change, Entry, LoadClass, ModuleSummary, Summary};
use crate::observation::{Condition, HardserverLook};

use crate::inventory::Target;

use super::Draft;

impl Draft<'_> {
    /// Records the newest look, when there is one and it says something new.
    pub(super) fn record_look(&mut self) {
        if !self.fresh() || self.state.incidents.is_empty() {
            return;
        }
        let Some(summary) = self.summary() else {
            return;
        };
        if self
            .state
            .last_summary
            .as_ref()
            .is_some_and(|last| last.same_as(&summary))
        {
            return;
        }
        let change = Change::Observed(summary);
        let host = self.state.host.clone();
        let target = Target::host(host.clone());
        self.state.apply_change(&target, None, &change, self.now);
        self.changes.push(Entry {
            host: Some(host),
            target: None,
            incident: None,
            change,
        });
    }

    fn summary(&self) -> Option<Summary> {
        let look = self.evidence.newest()?;
        let seen = match &look.seen {
            Ok(seen) => seen,
            Err(problem) => {
                return Some(Summary {
                    observation: None,
                    problem: Some(problem.clone()),
                    hardserver: HardserverLook::Unknown,
                    host: Condition::Unknown,
                    modules: Vec::new(),
                });
            }
        };
        let down = self
            .evidence
            .hardserver_down(self.site.policy.agreement_span);
        let suspected = seen.host_condition() == Condition::Failed && !down;
        let host = if suspected {
            Condition::Unknown
        } else {
            seen.host_condition()
        };
        let problem = seen
            .sources
            .enquiry
            .brief()
            .map(|brief| format!("enquiry: {brief}"));
        let module = |number| ModuleSummary {
            module: number,
            condition: seen.condition(self.subject(&Target {
                host: self.state.host.clone(),
                module: Some(number),
            })),
            network: seen
                .modules
                .get(&number)
                .map_or(crate::observation::Network::Unknown, |look| {
                    look.network.class()
                }),
            load: seen
                .modules
                .get(&number)
                .and_then(|look| look.load_percent)
                .and_then(|load| self.load_class(load)),
        };
        Some(Summary {
            observation: Some(seen.observation_id),
            problem,
            hardserver: seen.hardserver,
            host,
            modules: seen.modules.keys().copied().map(module).collect(),
        })
    }

    /// The class of a load, while the load gate is on.
    fn load_class(&self, percent: u8) -> Option<LoadClass> {
        let policy = self.site.policy.load?;
        Some(if percent >= policy.threshold_percent {
            LoadClass::High
        } else if percent < policy.restore_below_percent {
            LoadClass::Low
        } else {
            LoadClass::Middle
        })
    }
}
