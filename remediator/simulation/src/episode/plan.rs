//! What is planned for an episode: its troubles, and what people do.

use std::time::Duration;

use vcm_recovery::command::{FleetOrder, HostOrder};
use vcm_recovery::event::Event;
use vcm_recovery::ids::RequestId;
use vcm_recovery::inventory::Target;
use vcm_recovery::time::Time;

use super::{BEGINNING, Episode, Happening, Outside};
use crate::knobs::{Alertmanager, Looks, People, Remediator, Runner, Storage};
use crate::recovery;
use crate::trouble::Trouble;
use crate::world::Place;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Troubles of an episode.
const TROUBLES: std::ops::RangeInclusive<usize> = 4..=9;

/// Time between two troubles, in seconds: some strike into one that is not over.
const GAPS: [(u32, (u64, u64)); 3] = [(2, (30, 900)), (3, (1_800, 5_400)), (3, (7_200, 28_800))];

/// An ordered hold ends by itself after this time.
const HOLD_ORDERED: Duration = seconds(7_200);

/// From the last trouble to the peace in which everything must come to its end.
const LAST_GAP: Duration = seconds(5_400);

impl Episode {
    /// Draws when what goes wrong, in the estate and around it.
    pub(super) fn plan_troubles(&mut self) {
        let mut at = BEGINNING.after(seconds(60));
        let count = TROUBLES.start() + self.fate.below(TROUBLES.end() - TROUBLES.start() + 1);
        for _ in 0..count {
            let trouble = self.fate.weighted(&Trouble::ALL);
            self.queue.at(at, Happening::Strike(trouble));
            self.plan_around(at, trouble);
            let (least, most) = self.fate.weighted(&GAPS);
            at = at.after(self.fate.seconds(least..=most));
        }
        self.peace_at = at.after(LAST_GAP);
        self.queue
            .at(self.peace_at, Happening::Outside(Outside::Peace));
        self.plan_clock(self.peace_at);
    }

    /// Only one thing goes wrong, a minute after the beginning.
    pub fn plan_one(&mut self, trouble: Trouble) {
        let at = BEGINNING.after(seconds(60));
        self.queue.at(at, Happening::Strike(trouble));
        self.peace_at = at.after(LAST_GAP);
        self.queue
            .at(self.peace_at, Happening::Outside(Outside::Peace));
    }

    /// What goes wrong beside a trouble at `at`.
    fn plan_around(&mut self, at: Time, trouble: Trouble) {
        let host = self.fate.below(self.world.hosts.len());
        let soon = at.after(self.fate.seconds(60..=1_500));
        let mut plan = |at: Time, outside: Outside| self.queue.at(at, Happening::Outside(outside));
        match self.knobs.alertmanager {
            Alertmanager::Outage => {
                plan(soon, Outside::Alertmanager(false));
                plan(
                    soon.after(self.fate.seconds(1_200..=10_800)),
                    Outside::Alertmanager(true),
                );
            }
            Alertmanager::FalseResolves => plan(soon, Outside::PrometheusForgets),
            Alertmanager::Plain
            | Alertmanager::Replicas
            | Alertmanager::Lossy
            | Alertmanager::Late => {}
        }
        match self.knobs.remediator {
            Remediator::Stalls => plan(
                soon,
                Outside::StandsStill(soon.after(self.fate.seconds(20..=1_200))),
            ),
            Remediator::Away => plan(soon, Outside::Dies),
            Remediator::Crashes => plan(soon, Outside::Dies),
            Remediator::Runs => {}
        }
        if self.knobs.store == Storage::Full {
            plan(soon, Outside::DiskFull(true));
            plan(
                soon.after(self.fate.seconds(60..=900)),
                Outside::DiskFull(false),
            );
        }
        if self.knobs.look == Looks::Denied {
            plan(soon, Outside::Denied(true));
            plan(
                soon.after(self.fate.seconds(300..=3_600)),
                Outside::Denied(false),
            );
        }
        if self.knobs.runner == Runner::Unreachable {
            plan(
                soon,
                Outside::Unreachable(host, soon.after(self.fate.seconds(60..=1_800))),
            );
        }
        match self.knobs.people {
            People::Meddling => plan(at.after(self.fate.seconds(60..=3_600)), Outside::Meddle),
            People::Holding if self.fate.per_cent(30) => {
                plan(soon, Outside::Pause(true));
                plan(
                    soon.after(self.fate.seconds(300..=5_400)),
                    Outside::Pause(false),
                );
            }
            People::Holding => {
                let by_order = self.fate.per_cent(50);
                let hold: fn(usize, bool) -> Outside = match by_order {
                    true => Outside::OrderHold,
                    false => Outside::Hold,
                };
                plan(soon, hold(host, true));
                let released = soon.after(self.fate.seconds(300..=5_400));
                plan(released, hold(host, false));
            }
            People::OnCall | People::Absent => {}
        }
        let by_people = [Trouble::HardserverStopped, Trouble::Maintenance];
        if by_people.contains(&trouble) {
            for host in 0..self.world.hosts.len() {
                plan(
                    at.after(self.fate.seconds(3_600..=7_200)),
                    Outside::Repair(host),
                );
            }
        }
    }

    /// Somebody is paged about `event`, and comes or not.
    pub(super) fn people_are_paged(&mut self, event: &Event) {
        let Some((least, most)) = self.knobs.people_repair() else {
            return;
        };
        let host = event
            .entry
            .target
            .as_ref()
            .and_then(|target| self.site.index(&target.host));
        if let Some(host) = host {
            let at = self.fate.seconds(least..=most);
            self.queue
                .after(at, Happening::Outside(Outside::Repair(host)));
        }
    }

    /// Somebody is asked about `event`, and answers or not: in time, too late, yes or no.
    pub(super) fn people_are_asked(&mut self, event: &Event, request: RequestId) {
        let (least, most, approves) = match self.knobs.people {
            People::OnCall => (300, 3_000, 70),
            People::Meddling => (30, 600, 90),
            People::Holding => (1_800, 5_400, 50),
            People::Absent => return,
        };
        let host = event
            .entry
            .target
            .as_ref()
            .and_then(|target| self.site.index(&target.host));
        if let Some(host) = host {
            let approves = self.fate.per_cent(approves);
            let at = self.fate.seconds(least..=most);
            self.queue.after(
                at,
                Happening::Outside(Outside::Answer(host, request, approves)),
            );
        }
    }

    /// Something around the estate changes.
    pub(super) fn outside(&mut self, outside: Outside) {
        let now = self.now();
        self.note(|| format!("outside: {outside:?}"));
        if self.peace
            && !matches!(
                outside,
                Outside::Repair(_) | Outside::Starts | Outside::Pause(false) | Outside::ConfirmGap
            )
        {
            return;
        }
        match outside {
            Outside::Dies => self.crash("it was killed"),
            Outside::Starts => self.start(),
            Outside::StandsStill(until) => {
                self.stands_still_until = self.stands_still_until.max(Some(until));
            }
            Outside::Alertmanager(true) => self.alertmanager_starts(),
            Outside::Alertmanager(false) => self.alertmanager.stop(),
            Outside::PrometheusForgets => {
                self.prometheus.forget(now);
                self.evaluate_all();
            }
            Outside::DiskFull(full) => self.store.full = full,
            Outside::Denied(denied) => self.denied = denied,
            Outside::Unreachable(host, until) => self.runners[host].unreachable_until = Some(until),
            Outside::Repair(host) => self.world.repair(host, now),
            Outside::Meddle => self.meddle(),
            Outside::Answer(host, request, approves) => {
                let state = self.running.as_ref().map(|running| &running.states[host]);
                if let Some(state) = state {
                    let order = recovery::answer(state, request, approves);
                    self.order_host(host, order);
                }
            }
            Outside::Pause(pauses) => self.pause(pauses),
            Outside::Hold(host, held) => self.world.hosts[host].held = held,
            Outside::OrderHold(host, held) => self.order_hold(host, held),
            Outside::WallClock(ahead) => self.set_wall(ahead),
            Outside::ConfirmGap => self.confirm_gap(),
            Outside::Peace => self.make_peace(),
        }
    }

    fn pause(&mut self, pauses: bool) {
        self.order_fleet(match pauses {
            true => FleetOrder::Pause { until: None },
            false => FleetOrder::Resume,
        });
    }

    /// A hold of a host ends when people end it, or by itself after hours.
    fn order_hold(&mut self, host: usize, held: bool) {
        let target = Target::host(self.site.names[host].clone());
        let until = Some(self.time().after(HOLD_ORDERED));
        self.order_host(
            host,
            match held {
                true => HostOrder::Hold { target, until },
                false => HostOrder::Release { target },
            },
        );
    }

    /// Somebody does something that nobody asked for.
    fn meddle(&mut self) {
        let now = self.now();
        let host = self.fate.below(self.world.hosts.len());
        let slot = self.fate.below(self.world.hosts[host].modules.len());
        let place = Place { host, slot };
        match self.fate.below(4) {
            0 => self.world.repair(host, now),
            1 => self.world.retry(place, now),
            2 => {
                self.world.enter_maintenance(place);
                self.world.module_mut(place).worked_on = true;
                let at = self.fate.seconds(120..=3_600);
                self.queue
                    .after(at, Happening::Outside(Outside::Repair(host)));
            }
            _ => {
                self.world.enter_maintenance(place);
                self.world.clear_module(place, now);
            }
        }
    }

    /// Everything is repaired, and everything around works.
    fn make_peace(&mut self) {
        self.peace = true;
        self.denied = false;
        self.store.full = false;
        for host in 0..self.world.hosts.len() {
            self.runners[host].unreachable_until = None;
            self.world.hosts[host].held = false;
            // Twice: what is on its way now is there by the second time.
            for after in [0, 7_300] {
                self.queue
                    .after(seconds(after), Happening::Outside(Outside::Repair(host)));
            }
        }
        self.set_wall(0);
        self.alertmanager_starts();
        if self.running.is_none() {
            self.start();
        }
        self.pause(false);
        for host in 0..self.world.hosts.len() {
            self.order_hold(host, false);
        }
        for hsm in 0..self.world.hsms.len() {
            self.world.calm_down(hsm);
        }
    }
}
