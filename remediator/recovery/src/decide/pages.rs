//! Pages: for which causes an incident needs a person. How often it calls one is
//! [`Called`](crate::page::Called)'s rule.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::attempt::{Attempt, Outcome};
use crate::diagnosis;
use crate::event::Change;
use crate::guard::Guard;
use crate::incident::{Incident, Latch, Standing};
use crate::inventory::Target;
use crate::observation::{Condition, HardserverLook, ServiceCheck};
use crate::page::PageReason;
use crate::tier::Rung;

use super::Draft;

/// Attempts of one incident that never started, after which a person looks at the host runner.
const REFUSALS_PAGED: usize = 3;

/// After `-M`, `-c` or a page follows within the wait and this long.
const CRITICAL_GRACE: Duration = Duration::from_secs(60);

impl Draft<'_> {
    /// Raises and clears the pages of `target`.
    pub(super) fn pages(&mut self, target: &Target) {
        let Some(incident) = self.state.incidents.get(target) else {
            return;
        };
        let mut wanted = self.wanted(incident);
        let causes = wanted.keys().copied().collect();
        let pages = self.state.pages.keys();
        let open: BTreeSet<PageReason> = pages
            .filter(|(about, _)| about == target)
            .map(|(_, reason)| *reason)
            .collect();
        let settled = incident.called.settle(&open, &causes);
        self.clear_pages(target, &settled);
        for &reason in settled.difference(&open) {
            let text = wanted.remove(&reason).unwrap_or_default();
            let hsm = None;
            self.push(target, Change::PageRaised { reason, text, hsm });
        }
    }

    fn wanted(&self, incident: &Incident) -> BTreeMap<PageReason, String> {
        let mut wanted = BTreeMap::new();
        if let Some((latch, why)) = &incident.latch {
            let (reason, text) = self.latched(incident, *latch, why);
            wanted.insert(reason, text);
            return wanted;
        }
        if let Some(attempt) = self.state.open_attempt(incident) {
            wanted.extend(self.attempt_page(attempt));
        } else {
            wanted.extend(self.blocked_page(incident));
            wanted.extend(self.service_page(incident));
            wanted.extend(self.stuck_page(incident, wanted.is_empty()));
        }
        wanted.extend(self.refusals_page(incident));
        wanted.extend(self.departed_page(incident));
        wanted
    }

    fn latched(&self, incident: &Incident, latch: Latch, why: &str) -> (PageReason, String) {
        let worse = |attempt: &Attempt| {
            attempt.intent.incident == incident.id
                && matches!(attempt.outcome, Some((Outcome::MadeWorse, _)))
        };
        if self.state.ladder_attempts(incident).any(worse) {
            let text = "a rung took a healthy module away; restart and clear are paused everywhere";
            return (PageReason::MadeWorse, text.to_owned());
        }
        let reason = match latch {
            Latch::Exhausted => PageReason::Exhausted,
            Latch::HandedOver => PageReason::HandedOver,
        };
        (reason, why.to_owned())
    }

    fn attempt_page(&self, attempt: &Attempt) -> Option<(PageReason, String)> {
        let rung = attempt.intent.rung;
        if attempt.outcome.is_some() {
            let text = format!("the outcome of {rung} is not known; it will not be run again");
            return Some((PageReason::AttemptUnknown, text));
        }
        let running = self.now.since(attempt.reserved_at);
        let policy = self.site.policy;
        match rung {
            Rung::Clear if attempt.running() && running > policy.clear_wait + CRITICAL_GRACE => {
                let text = if attempt.accepted {
                    "a clear has begun and is not finished: the module may be in maintenance mode"
                } else {
                    "a clear was ordered, and whether it has begun is not known"
                };
                Some((PageReason::CriticalSection, text.to_owned()))
            }
            Rung::Retry | Rung::Restart
                if attempt.running() && running > policy.page_after.unknown =>
            {
                let text = format!("{rung} was started and its end is not reported");
                Some((PageReason::HostRunner, text))
            }
            Rung::Retry | Rung::Restart | Rung::Clear => None,
        }
    }

    /// The page for what has been standing in the way for long enough.
    fn blocked_page(&self, incident: &Incident) -> Option<(PageReason, String)> {
        let asking = matches!(incident.standing, Standing::Asking(_));
        // What is not known hides everything else: the other guards then refuse for want of input.
        let unknown = incident.blocked.keys().any(|guard| guard.about_knowledge());
        // And a hardserver that does not answer explains why the rest is not known.
        let unresponsive = self.hardserver_looks(HardserverLook::Unresponsive);
        let counts = |guard: &Guard| match (unresponsive, unknown) {
            (true, _) => *guard == Guard::HardserverUnresponsive,
            // A look that shows the target only waits for a second one that agrees.
            (false, true) => {
                guard.about_knowledge() && self.condition(&incident.target) == Condition::Unknown
            }
            (false, false) => true,
        };
        // While steps run nobody looks: they do so themselves, and how long they may take is their own page.
        let steps_run = self.state.unsettled().any(Attempt::running);
        let steps_ended = self.state.steps_ended();
        let blocked = incident.blocked.iter().filter(|(guard, _)| counts(guard));
        let blocked = blocked.filter(|(guard, _)| !(steps_run && guard.about_knowledge()));
        // The last look that showed it; after a start of the program, what is stored of it.
        let seen_at = self.evidence.seen_at(incident.target.module);
        let seen_at = seen_at.max(incident.unseen_since).max(steps_ended);
        let due = blocked.filter_map(|(&guard, &since)| {
            let (reason, after) = self.page_rule(guard, asking)?;
            // A guard also refuses while a second look has to agree: then the target was seen.
            let seen = seen_at.filter(|_| guard.about_knowledge());
            let since = seen.map_or(since, |seen| since.max(seen));
            (self.now.since(since) >= after).then(|| (reason, self.text_of(incident, guard)))
        });
        due.min_by_key(|(reason, _)| (Reverse(reason.demand()), *reason))
    }

    /// Which page a guard comes to, and after how long.
    fn page_rule(&self, guard: Guard, asking: bool) -> Option<(PageReason, Duration)> {
        let after = self.site.policy.page_after;
        let denied = self.hardserver_looks(HardserverLook::PermissionDenied);
        Some(match guard {
            _ if denied && guard.about_knowledge() => {
                (PageReason::PermissionDenied, Duration::ZERO)
            }
            // A look that was good and is old only asks for the next one, however late this program
            // comes to it. Nothing is ruled on a failed one until it is `after.unknown` old.
            Guard::DecisionStale if self.newest_look_failed() => {
                (PageReason::ObservationUnknown, Duration::ZERO)
            }
            Guard::ObservationUnknown | Guard::ObservationIncomplete => {
                (PageReason::ObservationUnknown, after.unknown)
            }
            Guard::HardserverUnresponsive => {
                (PageReason::HardserverUnresponsive, after.unresponsive)
            }
            Guard::NetworkUnknown => (PageReason::NetworkUnknown, after.unknown),
            Guard::NetworkBad if !asking => (PageReason::NetworkBad, after.network),
            Guard::EsnMismatch if !asking => (PageReason::InventoryDrift, Duration::ZERO),
            Guard::Flapping => (PageReason::Flapping, Duration::ZERO),
            Guard::StoppedOnPurpose if asking => (PageReason::StoppedOnPurpose, Duration::ZERO),
            Guard::NetworkBad
            | Guard::EsnMismatch
            | Guard::OthersHealthy
            | Guard::Storm
            | Guard::ApprovalRequired
                if asking =>
            {
                (PageReason::ApprovalRequired, Duration::ZERO)
            }
            Guard::DecisionStale
            | Guard::EsnMismatch
            | Guard::NetworkBad
            | Guard::OthersHealthy
            | Guard::ApprovalRequired
            | Guard::StoppedOnPurpose
            | Guard::ModuleHealthy
            | Guard::ModuleInServiceMode
            | Guard::HardwareFault
            | Guard::Kind
            | Guard::HostPolicy
            | Guard::Hold
            | Guard::Paused
            | Guard::ObserveOnly
            | Guard::AboveCeiling
            | Guard::NotBefore
            | Guard::Cap
            | Guard::Spacing
            | Guard::BudgetHost
            | Guard::BudgetHsm
            | Guard::BudgetFleet
            | Guard::UnknownTarget
            | Guard::LoadHigh
            | Guard::Storm
            | Guard::BootWindow
            | Guard::OutsideWindow
            | Guard::Silenced
            | Guard::WatchdogSilent
            | Guard::NotOwner => return None,
        })
    }

    fn newest_look_failed(&self) -> bool {
        let newest = self.evidence.newest();
        newest.is_some_and(|look| look.seen.is_err())
    }

    fn hardserver_looks(&self, look: HardserverLook) -> bool {
        self.evidence
            .observation()
            .is_some_and(|seen| seen.hardserver == look)
    }

    /// The guard's reason, and what else a person should know.
    fn text_of(&self, incident: &Incident, guard: Guard) -> String {
        let case = diagnosis::Case {
            incident,
            evidence: self.evidence,
            fleet: self.fleet,
            site: self.site,
            now: self.now,
        };
        let beside = diagnosis::beside(guard, &case);
        std::iter::once(self.reason_of(incident, guard))
            .chain(beside)
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn reason_of(&self, incident: &Incident, guard: Guard) -> String {
        let verdicts = incident
            .ruling
            .as_ref()
            .map_or(&[][..], |ruling| &ruling.verdicts);
        verdicts
            .iter()
            .filter(|given| given.guard == guard)
            .map(|given| format!("{}: {}", given.rung, given.verdict.reason()))
            .next_back()
            .unwrap_or_else(|| guard.to_string())
    }

    /// The target has been healthy for long enough, and the site's own check still fails.
    fn service_page(&self, incident: &Incident) -> Option<(PageReason, String)> {
        let since = self
            .evidence
            .held_since(incident.target.module, Condition::Healthy)?;
        let due = self.now.since(since) >= self.site.policy.stale_alert_after;
        (due && self.fresh() && self.service_fails()).then(|| {
            let check = self
                .evidence
                .observation()
                .and_then(|seen| seen.service_check.as_ref());
            let why = match check {
                Some(ServiceCheck::Failed(why) | ServiceCheck::Unknown(why)) => why.as_str(),
                Some(ServiceCheck::Passed) | None => "",
            };
            let text = format!("the target is healthy, and the service check fails: {why}");
            (PageReason::ServiceCheck, text)
        })
    }

    /// A target that is not healthy, and for which nothing could be done for long.
    fn stuck_page(&self, incident: &Incident, alone: bool) -> Option<(PageReason, String)> {
        let since = incident.first_failed_at.unwrap_or(incident.opened_at);
        let attempts = self
            .state
            .attempts_of(incident)
            .filter(|attempt| attempt.counts());
        let last = attempts
            .map(Attempt::last_change)
            .max()
            .map_or(since, |attempt| attempt.max(since));
        let stuck = alone && self.now.since(last) >= self.site.policy.page_after.stuck;
        stuck.then(|| {
            let guards: Vec<&str> = incident
                .blocked
                .keys()
                .map(|guard| guard.as_str())
                .collect();
            (
                PageReason::Stuck,
                match guards.as_slice() {
                    [] => "it is not healthy, and no rung is left".to_owned(),
                    guards => format!("nothing could be done: {}", guards.join(", ")),
                },
            )
        })
    }

    /// The inventory lists the target no more: nothing is done about it, and only a person ends that.
    fn departed_page(&self, incident: &Incident) -> Option<(PageReason, String)> {
        let target = &incident.target;
        (!self.site.lists(target)).then(|| {
            let text = format!("the inventory does not list {target} any more: nothing is started on it; resolve its open attempt, then close the incident");
            (PageReason::InventoryDrift, text)
        })
    }

    fn refusals_page(&self, incident: &Incident) -> Option<(PageReason, String)> {
        let never_started = |attempt: &&Attempt| {
            matches!(
                attempt.outcome,
                Some((Outcome::Refused | Outcome::Cancelled, _))
            )
        };
        let attempts: Vec<&Attempt> = self
            .state
            .attempts_of(incident)
            .filter(never_started)
            .collect();
        let last = attempts
            .last()
            .filter(|_| attempts.len() >= REFUSALS_PAGED)?;
        let text = format!(
            "{} attempts were refused on the host or never started there; the last one: {}",
            attempts.len(),
            last.reason
        );
        Some((PageReason::HostRunner, text))
    }
}
