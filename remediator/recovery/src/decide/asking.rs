//! Asking a person, and what observe mode would have done.

use std::collections::BTreeSet;

use crate::approval::{Alternative, Request, Scope, listed};
use crate::event::{Change, RungVerdict};
use crate::guard::Guard;
use crate::ids::RequestId;
use crate::incident::{Incident, Shadow};
use crate::inventory::Target;
use crate::observation::{Condition, HardserverLook};
use crate::policy::Mode;
use crate::tier::Rung;
use crate::verdict::{Verdict, counted};

use super::Draft;
use super::ladder::{asked, offered, rungs_of, unknown_refuses};

impl Draft<'_> {
    /// Asks a person which rung may start, unless that is asked already.
    pub(super) fn ask(&mut self, target: &Target) {
        let Some(incident) = self.state.incidents.get(target) else {
            return;
        };
        if incident.request.is_some() {
            return;
        }
        let alternatives = self.alternatives(incident);
        if alternatives.is_empty() {
            return;
        }
        let request = Request {
            id: RequestId(self.state.last_request.0 + 1),
            asked_at: self.now,
            expires_at: self.now.after(self.site.policy.approval_ttl),
            alternatives,
            answer: None,
        };
        self.push(target, Change::ApprovalAsked(request));
    }

    /// Ends a request whose time is over, or that is no longer about what the host shows. While
    /// that is not known, nothing is concluded.
    pub(super) fn void_request(&mut self, target: &Target) {
        let Some(incident) = self.state.incidents.get(target) else {
            return;
        };
        let Some(request) = &incident.request else {
            return;
        };
        let why = if self.now >= request.expires_at {
            Some(match &request.answer {
                None => "nobody has answered in time".to_owned(),
                Some(answer) => format!("what {} approved could not start in time", answer.by),
            })
        } else {
            self.changed(incident, request)
        };
        if let Some(why) = why {
            self.end_request(target, &why);
        }
    }

    /// Ends the open request of an incident, if there is one.
    pub(super) fn end_request(&mut self, target: &Target, why: &str) {
        let incident = self.state.incidents.get(target);
        let request = incident.and_then(|incident| incident.request.as_ref());
        if let Some(request) = request.map(|request| request.id) {
            let why = why.to_owned();
            self.push(target, Change::ApprovalExpired { request, why });
        }
    }

    /// What is different from what was asked about.
    fn changed(&self, incident: &Incident, request: &Request) -> Option<String> {
        let about = match request.approved() {
            Some(rung) => request
                .alternatives
                .iter()
                .filter(|a| a.scope.rung == rung)
                .collect(),
            None => request.alternatives.iter().collect::<Vec<_>>(),
        };
        let changes: BTreeSet<String> = about
            .into_iter()
            .filter_map(|asked| {
                let given = self.verdicts(incident, asked.scope.rung);
                let now = self.scope(incident, asked.scope.rung, &given)?;
                // One look that was cut short says nothing about what was asked, and refuses. What
                // is not known and refuses no more, as a hardserver that hangs, is something else.
                let passing = now.condition == Condition::Unknown
                    && asked.scope.condition != Condition::Unknown
                    && unknown_refuses(&given);
                (!passing).then(|| asked.scope.changes(&now))
            })
            .flatten()
            .collect();
        (!changes.is_empty()).then(|| changes.into_iter().collect::<Vec<_>>().join("; "))
    }

    /// Every rung that a person may choose now.
    fn alternatives(&self, incident: &Incident) -> Vec<Alternative> {
        let free =
            |rung: &&Rung| !self.used_up(incident, **rung) && !incident.denied.contains_key(*rung);
        let alternative = |&rung: &Rung| {
            let given = self.verdicts(incident, rung);
            let reasons = reasons(&given);
            if !offered(&given) || reasons.is_empty() {
                return None;
            }
            Some(Alternative {
                scope: self.scope(incident, rung, &given)?,
                reasons,
                disrupts: self.disrupts(incident, rung),
            })
        };
        rungs_of(incident)
            .iter()
            .filter(free)
            .filter_map(alternative)
            .collect()
    }

    /// What an approval of `rung` would be bound to now; `None` while the host is not seen clearly.
    fn scope(&self, incident: &Incident, rung: Rung, given: &[RungVerdict]) -> Option<Scope> {
        let seen = self.evidence.observation().filter(|_| self.fresh())?;
        let target = &incident.target;
        let module = self.site.host.module_of(target);
        let mut healthy_others = seen.healthy_modules();
        if let Some(module) = target.module {
            healthy_others.remove(&module);
        }
        Some(Scope {
            target: target.clone(),
            rung,
            esn: module.and_then(|module| module.esn.clone()),
            steps: self.steps(rung, target)?,
            condition: seen.condition(target.module),
            healthy_others,
            storm: self.fleet.storm_of(&self.hsms(rung, target)).is_some(),
            asked: asked(given),
        })
    }

    /// Whom a rung disrupts, as an operator reads it.
    fn disrupts(&self, incident: &Incident, rung: Rung) -> String {
        let Some(seen) = self.evidence.observation() else {
            return "not known".to_owned();
        };
        let look = incident
            .target
            .module
            .and_then(|module| seen.modules.get(&module));
        match rung {
            Rung::Retry => "nobody that is known of".to_owned(),
            Rung::Restart => {
                if seen.hardserver == HardserverLook::SuspectedDown {
                    return "nobody: the hardserver is down".to_owned();
                }
                let clients = seen.clients.map_or("all clients".to_owned(), |clients| {
                    counted(clients, "client")
                });
                let mut others = seen.healthy_modules();
                if let Some(module) = incident.target.module {
                    others.remove(&module);
                }
                match others.is_empty() {
                    true => format!("{clients} of this host"),
                    false => format!(
                        "{clients} of this host, also of healthy {}",
                        listed(&others)
                    ),
                }
            }
            Rung::Clear => {
                let objects = look
                    .and_then(|look| look.objects)
                    .map_or("every key".to_owned(), |objects| counted(objects, "object"));
                let module = incident.target.module.into_iter().collect();
                format!("{objects} loaded in {}", listed(&module))
            }
        }
    }

    /// In observe mode: records that `rung` would have been run now, when nothing but the mode
    /// stands in its way.
    pub(super) fn shadow(&mut self, target: &Target, rung: Rung) {
        if self.site.mode() != Mode::Observe {
            return;
        }
        let Some(incident) = self.state.incidents.get(target) else {
            return;
        };
        let given = self.verdicts(incident, rung);
        let only_the_mode = given.iter().all(|given| match given.verdict {
            Verdict::Pass | Verdict::NotApplicable(_) | Verdict::Ask(_) => true,
            Verdict::Skip(_) => false,
            Verdict::Refuse { .. } => given.guard == Guard::ObserveOnly,
        });
        let Some(steps) = self.steps(rung, target).filter(|_| only_the_mode) else {
            return;
        };
        let times = self.site.policy.rung(rung);
        let shadow = Shadow {
            incident: incident.id.clone(),
            target: target.clone(),
            rung,
            steps,
            asks: reasons(&given),
            at: self.now,
            until: self.now.after(times.settle + times.verify),
        };
        self.push(target, Change::ShadowStarted(shadow));
    }

    /// How many shadows of this rung are assumed to have failed. Outside observe mode they never
    /// count: nothing was run.
    pub(super) fn shadows_over(&self, incident: &Incident, rung: Rung) -> usize {
        if self.site.mode() != Mode::Observe {
            return 0;
        }
        let of_this = |shadow: &&Shadow| shadow.incident == incident.id && shadow.rung == rung;
        let shadows = self.state.shadows.iter().filter(of_this);
        shadows.filter(|shadow| shadow.until <= self.now).count()
    }
}

/// Why a person is asked.
fn reasons(given: &[RungVerdict]) -> Vec<String> {
    given
        .iter()
        .filter_map(|given| match &given.verdict {
            Verdict::Ask(reason) | Verdict::Skip(reason) => Some(reason.clone()),
            Verdict::Pass | Verdict::NotApplicable(_) | Verdict::Refuse { .. } => None,
        })
        .collect()
}
