//! What the judge takes from each stored event: incidents and their pages, attempts and their ends,
//! pauses, holds and answers.

use std::collections::BTreeSet;

use vcm_recovery::approval::Choice;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::control::Resolved;
use vcm_recovery::event::{Change, Event};
use vcm_recovery::ids::AttemptId;
use vcm_recovery::incident::Standing;
use vcm_recovery::inventory::Target;
use vcm_recovery::observation::HardserverLook;
use vcm_recovery::page::PageReason;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

use super::result::IncidentResult;
use super::shown::Shown;
use super::{AT_ONCE, CALLS, Checker, EVIDENCE, Moment, Open, UNKNOWN_PAGED};
use crate::world::World;

impl Checker {
    /// Something was stored.
    pub(crate) fn stored(&mut self, event: &Event, world: &World) {
        let target = event.entry.target.clone();
        let host = event.entry.host.as_ref();
        if let Some(host) = host.and_then(|host| self.site.index(host)) {
            self.stored_at[host] = self.now;
        }
        match (&event.entry.change, target) {
            (Change::IncidentOpened(_), Some(target)) => self.opened(&target, event),
            (Change::IncidentClosed(closing), Some(target)) => {
                if let Some(mut open) = self.open.remove(&target) {
                    open.result.close(closing, event.time);
                    self.results.push(open.result);
                }
                let left = self.pages.keys().any(|(about, _)| *about == target);
                self.require(!left, "L1", || {
                    format!("a page of {target} outlives its incident")
                });
            }
            (Change::IntentReserved(intent), Some(_)) => self.reserved(intent, event.time),
            (Change::AttemptReported { attempt, report }, Some(_)) => {
                self.reported(*attempt, report, event.time)
            }
            (Change::PageRaised { reason, .. }, Some(target)) => {
                self.page_raised(target, *reason, event.time)
            }
            (Change::PageCleared { reason, .. }, Some(target)) => {
                let worked = self.worked;
                if let Some(open) = self.open.get_mut(&target) {
                    open.quiet_since = worked;
                    open.result.page_ends(*reason, event.time);
                }
                self.pages.remove(&(target, *reason));
            }
            (Change::HumanResolved(resolution), Some(target)) => {
                if resolution.what == Resolved::Reopened
                    && let Some(open) = self.open.get_mut(&target)
                {
                    open.calls = 0;
                }
            }
            (Change::Started(start), None) if !start.away_known => {
                self.away_unknown(event.time);
            }
            (Change::Paused(_), _) => self.paused = true,
            (Change::Resumed(_), _) => self.paused = false,
            (Change::Held(hold), Some(target)) => {
                let until = hold
                    .until
                    .map(|until| self.now.after(until.since(event.time)));
                self.holds.insert(target, until);
            }
            (Change::Released(_), Some(target)) => {
                self.holds.remove(&target);
            }
            (Change::LoadShed(order), None) => self.load_shed(order),
            (Change::PageRaised { reason, hsm, .. }, None) => {
                self.load_pages
                    .extend(hsm.clone().map(|hsm| (hsm, *reason)));
            }
            (Change::PageCleared { reason, hsm }, None) => {
                if let Some(hsm) = hsm.clone() {
                    self.load_pages.remove(&(hsm, *reason));
                }
            }
            (Change::ApprovalAnswered { request, answer }, Some(target)) => {
                if let Choice::Approve(rung) = answer.choice {
                    let at = (event.time, self.now);
                    self.approved.insert((target.host, *request), (rung, at));
                }
            }
            (Change::ApprovalExpired { request, .. }, Some(target)) => {
                self.approved.remove(&(target.host, *request));
            }
            (Change::FleetShareReleased { attempt }, _) => {
                self.released.insert(*attempt);
            }
            (Change::Decided(ruling), Some(target)) => {
                let worked = self.worked;
                if let Some(open) = self.open.get_mut(&target) {
                    let skips = |verdict: &Verdict| matches!(verdict, Verdict::Skip(_));
                    let skipped = ruling.verdicts.iter().filter(|given| skips(&given.verdict));
                    open.skipped = skipped.map(|given| given.rung).collect();
                    let ready = matches!(ruling.standing, Standing::Ready(_));
                    open.ready_since = ready.then(|| open.ready_since.unwrap_or(worked));
                }
            }
            _ => {}
        }
        let _ = world;
    }

    fn page_raised(&mut self, target: Target, reason: PageReason, now: Time) {
        let moment = self.moment();
        let open = self.open.get_mut(&target);
        let age = open.map(|open| {
            open.result.page(reason, now);
            moment.since(open.opened_at)
        });
        let looks = self.site.index(&target.host).map(|host| &self.looks[host]);
        let told = |shown: &&(Moment, Shown)| {
            let told = shown.1.complete && !shown.1.forgotten;
            told && shown.1.hardserver == Some(HardserverLook::Up)
        };
        let newest = looks.and_then(|looks| looks.back()).map(|(at, ..)| *at);
        let good = looks
            .and_then(|looks| looks.iter().rev().find(told))
            .map(|(at, ..)| *at);
        let age = age.map(|age| good.map_or(age, |good| age.min(moment.since(good))));
        let looked = newest.is_some_and(|newest| moment.since(newest) <= UNKNOWN_PAGED);
        let due = looked && age.is_some_and(|age| age >= UNKNOWN_PAGED);
        let early = reason == PageReason::ObservationUnknown && !due;
        if let Some(open) = self.open.get_mut(&target) {
            open.result.early_pages += usize::from(early);
            open.calls += usize::from(!AT_ONCE.contains(&reason));
            let calls = open.calls;
            self.require(calls <= CALLS, "pages", || {
                format!("{target} calls for the {calls}. time: {}", reason.as_str())
            });
        }
        self.pages.insert((target, reason), now);
    }

    fn opened(&mut self, target: &Target, event: &Event) {
        let Some(id) = event.entry.incident.clone() else {
            self.require(false, "L1", || format!("an incident of {target} has no id"));
            return;
        };
        let known = self.open.contains_key(target);
        self.require(!known, "L1", || {
            format!("two incidents of {target} are open")
        });
        let open = Open {
            result: IncidentResult::new(id.clone(), event.time),
            id,
            opened_at: self.moment(),
            first_failed_at: None,
            quiet_since: self.worked,
            well_since: None,
            ready_since: None,
            skipped: BTreeSet::new(),
            calls: 0,
        };
        self.open.insert(target.clone(), open);
        // What was seen right before counts for it, if it is as new as evidence may be.
        let Some(host) = self.site.index(&target.host) else {
            return;
        };
        let now = self.moment();
        let recent = self.looks[host]
            .back()
            .filter(|(at, ..)| now.since(*at) <= EVIDENCE);
        let failed = recent.is_some_and(|(_, shown)| {
            shown.failed(target.module) && (target.module.is_some() || self.proven_down(host))
        });
        if let Some(open) = self.open.get_mut(target).filter(|_| failed) {
            open.first_failed_at = Some(event.time);
        }
    }

    fn reported(&mut self, attempt: AttemptId, report: &Report, now: Time) {
        let worked = self.worked;
        let Some(followed) = self.attempts.get_mut(&attempt) else {
            self.require(false, "S11", || {
                format!("a report of {attempt}, which has no intent")
            });
            return;
        };
        if matches!(report, Report::Ended { .. }) {
            followed.ended_worked = followed.ended_worked.or(Some(worked));
        }
        if let Report::Settled { outcome, .. } = report {
            let is_final = followed
                .outcome
                .is_some_and(|known| known != Outcome::Unknown);
            if is_final {
                return;
            }
            followed.outcome = Some(*outcome);
            followed.settled_at = Some(now);
            let never = matches!(outcome, Outcome::Refused | Outcome::Cancelled);
            let started = followed.first_step_at.is_some();
            self.require(!(never && started), "S2", || {
                format!("{attempt} has started and is settled as {outcome:?}: it counts for no cap")
            });
        }
        for open in self.open.values_mut() {
            open.quiet_since = worked;
        }
    }
}
