//! S1 to S14, where an attempt is reserved and where its commands are started.

use std::time::Duration;

use nshield::{Esn, ModuleNumber, ModuleState};
use vcm_recovery::attempt::{Intent, Outcome};
use vcm_recovery::guard::Guard;
use vcm_recovery::inventory::{Kind, ModuleEntry, Target};
use vcm_recovery::observation::{HardserverLook, NetworkLook};
use vcm_recovery::policy::Mode;
use vcm_recovery::step::Step;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::time::Time;

use super::shown::Shown;
use super::{Checker, Followed, UNKNOWN_PAGED};
use crate::alerting::Rule;
use crate::knobs::{Load, Modes, Permitted, WallClock, Windows};

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// A request and its answer are void after this time.
const APPROVAL_TTL: Duration = minutes(60);

/// How long a delivered alert counts.
pub(super) const ALERT_TTL: Duration = minutes(15);

/// After the network has come back, and after that for a restart.
const NETWORK_SETTLES: Duration = minutes(1);
const NETWORK_SETTLES_RESTART: Duration = minutes(10);

/// The fleet's loads are put together anew after this time.
const VIEW_AGE: Duration = Duration::from_secs(1);

/// Looks further apart show nothing of the time between them.
const LOOKS_APART: Duration = minutes(2);

/// Least time from an attempt on a host to the next.
const SPACING: Duration = minutes(1);

const HOUR: Duration = minutes(60);

/// Sliding caps: so many attempts of a rung within that time.
const CAPS: [(Rung, usize, Duration); 4] = [
    (Rung::Retry, 3, HOUR),
    (Rung::Retry, 6, minutes(24 * 60)),
    (Rung::Restart, 1, minutes(6 * 60)),
    (Rung::Clear, 1, minutes(24 * 60)),
];

const fn not_before(rung: Rung, host_itself: bool) -> Duration {
    match rung {
        _ if host_itself => minutes(2),
        Rung::Retry => minutes(2),
        Rung::Restart => minutes(10),
        Rung::Clear => minutes(30),
    }
}

impl Checker {
    pub(super) fn reserved(&mut self, intent: &Intent, now: Time) {
        let Some(host) = self.site.index(&intent.target.host) else {
            self.require(false, "S6", || {
                format!("{} is not in the inventory", intent.target)
            });
            return;
        };
        let known = self.attempts.contains_key(&intent.attempt);
        self.require(!known, "S2", || {
            format!("attempt {} is reserved twice", intent.attempt)
        });
        self.judge_permission(intent, now);
        self.judge_times(intent, host, now);
        self.judge_caps(intent, now);
        self.judge_budgets(intent);
        self.judge_order(intent);
        self.judge_plan(intent);
        self.judge_looks(intent, host);
        self.judge_load(intent, now);
        let followed = Followed {
            intent: intent.clone(),
            host,
            reserved_at: now,
            reserved_truly: self.now,
            reserved_worked: self.worked,
            outcome: None,
            settled_at: None,
            ended_worked: None,
            first_step_at: None,
            accepted_on: None,
        };
        self.attempts.insert(intent.attempt, followed);
        let worked = self.worked;
        for open in self.open.values_mut() {
            open.quiet_since = worked;
            open.ready_since = None;
        }
    }

    /// The highest tier that a valid alert about `target` permits: the alerts' own table.
    fn ceiling(&self, target: &Target, now: Time) -> Option<Tier> {
        let host = self.site.index(&target.host)?;
        let long = match self.knobs.policy {
            Permitted::Everything | Permitted::OthersToo => Tier::Clear,
            Permitted::Default | Permitted::HostRetryOnly => Tier::Restart,
        };
        let valid = |rule: Rule| {
            let known = self.facts.get(&((host, target.module), rule))?;
            let fires = known.start.is_some() && known.start > known.end;
            let recent = now.since(known.delivered?) <= ALERT_TTL
                && self.now.since(known.delivered_truly?) <= ALERT_TTL;
            (fires && recent).then_some(match rule {
                Rule::VcmFailed => Tier::Retry,
                Rule::VcmFailedLong => long,
                Rule::VcmUnreachable => Tier::Network,
                Rule::HardserverDown => Tier::Restart,
                Rule::HsmLoadHigh => Tier::Load,
            })
        };
        Rule::ALL.into_iter().filter_map(valid).max()
    }

    fn judge_permission(&mut self, intent: &Intent, now: Time) {
        let ceiling = self.ceiling(&intent.target, now);
        let rung = intent.rung;
        self.require(ceiling >= Some(rung.tier()), "S1", || {
            format!(
                "{rung} of {} is above the ceiling {ceiling:?}",
                intent.target
            )
        });
        self.judge_window(rung);
        let kind = self.module_of(&intent.target).map(|module| module.kind);
        self.require(rung != Rung::Clear || kind == Some(Kind::Vcm), "S1", || {
            format!("{rung} of {}, which is {kind:?}", intent.target)
        });
        let host_permits = self.knobs.policy != Permitted::HostRetryOnly || rung == Rung::Retry;
        self.require(host_permits, "S1", || {
            format!("{rung} is above the host's own word")
        });
        let paused = self.paused;
        self.require(!paused, "S12", || {
            format!("{rung} of {} in a pause", intent.target)
        });
        let held = self.holds.iter().find(|(held, until)| {
            let about = held.module.is_none() || **held == intent.target || rung == Rung::Restart;
            held.host == intent.target.host && about && until.is_none_or(|until| self.now < until)
        });
        let held = held.map(|(held, _)| held.clone());
        self.require(held.is_none(), "S12", || {
            format!("{rung} of {} while {held:?} is held", intent.target)
        });
        let mode = self.mode(&intent.target);
        self.require(mode != Mode::Observe, "S1", || {
            format!("{rung} of {} in mode observe", intent.target)
        });
        let answered = self.take_answer(intent, now);
        let by_policy = rung != Rung::Clear
            || matches!(
                self.knobs.policy,
                Permitted::Everything | Permitted::OthersToo
            );
        // Without a serial number nobody knows whose keys are dropped.
        let confirmed = rung != Rung::Clear || self.esn_of(&intent.target).is_some();
        let free = by_policy && mode == Mode::Act && confirmed;
        self.require(free || answered, "S13", || {
            format!("{rung} of {} without approval", intent.target)
        });
    }

    /// People mean the wall clock, which may differ from the program's time by a minute.
    fn judge_window(&mut self, rung: Rung) {
        let minute = self.wall.as_millis().rem_euclid(24 * 3_600_000) / 60_000;
        let open = minute >= 20 * 60 - 1 || minute <= 6 * 60;
        let any_time = self.knobs.windows == Windows::AnyTime || rung == Rung::Retry;
        self.require(any_time || open, "S1", || {
            format!("{rung} {} min after midnight, by day", minute)
        });
    }

    /// What the inventory has about a module.
    pub(super) fn module_of(&self, target: &Target) -> Option<&ModuleEntry> {
        let host = self.site.inventory.hosts.get(&target.host)?;
        host.modules.get(&target.module?)
    }

    fn esn_of(&self, target: &Target) -> Option<&Esn> {
        self.module_of(target)?.esn.as_ref()
    }

    /// The mode that the site was given for this host: the knob's own table.
    pub(super) fn mode(&self, target: &Target) -> Mode {
        let first = self.site.index(&target.host) == Some(0);
        match self.knobs.mode {
            Modes::Approve => Mode::Approve,
            Modes::Observe => Mode::Observe,
            Modes::OneApproves if first => Mode::Approve,
            Modes::OneObserves if first => Mode::Observe,
            Modes::Act | Modes::OneApproves | Modes::OneObserves => Mode::Act,
        }
    }

    /// Whether a person has answered this, not too long ago and not yet used.
    fn take_answer(&mut self, intent: &Intent, now: Time) -> bool {
        let Some(request) = intent.approval else {
            return false;
        };
        let answer = self.approved.remove(&(intent.target.host.clone(), request));
        let lately =
            |(at, truly)| now.since(at) <= APPROVAL_TTL && self.now.since(truly) <= APPROVAL_TTL;
        let valid = answer.is_some_and(|(rung, at)| rung == intent.rung && lately(at));
        self.require(valid, "S13", || {
            format!(
                "{} of {} by request {request:?}, answered {answer:?}",
                intent.rung, intent.target
            )
        });
        valid
    }

    /// Nothing starts on an HSM of which a valid alert tells that it is overloaded, and whose gate is on.
    fn judge_load(&mut self, intent: &Intent, now: Time) {
        let hsm = self.hsm_of(&intent.target).cloned();
        let (Some(hsm), true) = (hsm, self.knobs.load != Load::Off) else {
            return;
        };
        let untold = self
            .away_unknown_at
            .is_some_and(|at| now.since(at) < ALERT_TTL);
        self.require(!untold, "S1", || {
            format!(
                "{} of {}, and what is told of {hsm} may not have come",
                intent.rung, intent.target
            )
        });
        let told = self.facts.iter().find(|((about, rule), known)| {
            let target = Target {
                host: self.site.names[about.0].clone(),
                module: about.1,
            };
            let fires = known.start.is_some() && known.start > known.end;
            // The view of the fleet may be half a second old.
            let lately = known.began.is_none_or(|at| now.since(at) < VIEW_AGE);
            let recent = known.delivered.is_some_and(|at| now.since(at) <= ALERT_TTL);
            *rule == Rule::HsmLoadHigh
                && fires
                && recent
                && !lately
                && self.hsm_of(&target) == Some(&hsm)
        });
        let told = told.map(|((about, _), _)| *about);
        self.require(told.is_none(), "S1", || {
            format!(
                "{} of {}, and {hsm} is overloaded: {told:?}",
                intent.rung, intent.target
            )
        });
    }

    fn judge_times(&mut self, intent: &Intent, host: usize, now: Time) {
        let (rung, target) = (intent.rung, &intent.target);
        let failed_at = self.open.get(target).and_then(|open| open.first_failed_at);
        let wait = not_before(rung, target.module.is_none());
        let waited = failed_at.is_some_and(|at| now.since(at) >= wait);
        let silent = target.module.is_none() && self.silent_for(host) >= UNKNOWN_PAGED;
        self.require(waited || silent, "S1", || {
            format!("{rung} of {target} before its time: failed at {failed_at:?}")
        });
        let last = self
            .attempts
            .values()
            .filter(|followed| followed.host == host)
            .map(|followed| followed.settled_at.unwrap_or(followed.reserved_at))
            .max();
        let spaced = last.is_none_or(|last| now.since(last) >= SPACING);
        self.require(spaced, "S1", || {
            format!("{rung} of {target} too soon after another attempt")
        });
    }

    /// For how long no look at the host has had an answer of its hardserver.
    fn silent_for(&self, host: usize) -> Duration {
        let now = self.moment();
        let mut since = now;
        for (at, shown) in self.looks[host].iter().rev() {
            let silent = shown.hardserver == Some(HardserverLook::Unresponsive);
            if !silent || shown.forgotten || since.since(*at) > LOOKS_APART {
                break;
            }
            since = *at;
        }
        now.since(since)
    }

    fn judge_caps(&mut self, intent: &Intent, now: Time) {
        let counts = |followed: &&Followed| {
            let made = &followed.intent;
            let started = !matches!(
                followed.outcome,
                Some(Outcome::Refused | Outcome::Cancelled)
            );
            let same = match intent.rung {
                Rung::Retry => made.target == intent.target,
                Rung::Restart => made.target.host == intent.target.host,
                Rung::Clear => {
                    let (made, this) = (&made.target, &intent.target);
                    let esn = self.esn_of(this);
                    made == this || (esn.is_some() && self.esn_of(made) == esn)
                }
            };
            started && same && made.rung == intent.rung
        };
        // Of a restart or clear the cap holds in truth, whatever the wall clock showed at a start of the
        // program; up to the hour of which nobody is told.
        let truly = intent.rung.disruptive() && self.knobs.clock != WallClock::Right;
        let unseen = if truly { HOUR } else { Duration::ZERO };
        let age = |followed: &Followed| match truly {
            true => self.now.since(followed.reserved_truly),
            false => now.since(followed.reserved_at),
        };
        let made: Vec<Duration> = self.attempts.values().filter(counts).map(age).collect();
        for (_, attempts, window) in CAPS.into_iter().filter(|(rung, ..)| *rung == intent.rung) {
            let within = made.iter().filter(|age| **age < window - unseen).count();
            self.require(within < attempts, "S2", || {
                let (rung, target) = (intent.rung, &intent.target);
                format!(
                    "{within} times {rung} of {target} within {} s, and once more",
                    window.as_secs()
                )
            });
        }
    }

    /// An attempt without an outcome, or of unknown outcome, holds its budgets.
    fn judge_budgets(&mut self, intent: &Intent) {
        let holds =
            |followed: &&Followed| matches!(followed.outcome, None | Some(Outcome::Unknown));
        let held: Vec<&Intent> = self
            .attempts
            .values()
            .filter(holds)
            .map(|followed| &followed.intent)
            .collect();
        let on_host = held
            .iter()
            .filter(|held| held.target.host == intent.target.host)
            .count();
        let kept =
            |held: &&&Intent| held.rung.disruptive() && !self.released.contains(&held.attempt);
        let disruptive = held.iter().filter(kept).count();
        let hsm = self.hsm_of(&intent.target);
        let on_hsm = held
            .iter()
            .filter(|held| held.rung == Rung::Retry && self.hsm_of(&held.target) == hsm)
            .count();
        self.require(on_host < 1, "S4", || {
            format!("{on_host} attempts are open on {}", intent.target.host)
        });
        if intent.rung.disruptive() {
            self.require(disruptive < 1, "S4", || {
                format!("{disruptive} restarts or clears are open")
            });
        } else {
            self.require(on_hsm < 2, "S4", || {
                format!("{on_hsm} retries are open on one HSM")
            });
        }
    }

    /// Every lower rung of this incident has failed, or was left out with a recorded reason.
    fn judge_order(&mut self, intent: &Intent) {
        let Some(open) = self.open.get(&intent.target) else {
            self.require(false, "S5", || {
                format!("{} has no open incident", intent.target)
            });
            return;
        };
        let same = open.id == intent.incident;
        let (opened_at, skipped) = (open.opened_at, open.skipped.clone());
        self.require(same, "S5", || {
            format!("{} is not the open incident", intent.incident)
        });
        if intent.target.module.is_none() {
            self.require(intent.rung == Rung::Restart, "S5", || {
                format!("{} of a host", intent.rung)
            });
            return;
        }
        for lower in Rung::ALL.into_iter().filter(|lower| *lower < intent.rung) {
            let failed = self.attempts.values().any(|followed| {
                let made = &followed.intent;
                let ours = made.incident == intent.incident;
                // A restart for another target of this host was done to this one too.
                let for_all = lower == Rung::Restart
                    && made.target.host == intent.target.host
                    && followed.reserved_truly >= opened_at.truly;
                let ended = match followed.outcome {
                    Some(Outcome::Failed | Outcome::MadeWorse) => true,
                    Some(Outcome::Succeeded) => !ours,
                    Some(Outcome::Refused | Outcome::Unknown | Outcome::Cancelled) | None => false,
                };
                made.rung == lower && (ours || for_all) && ended
            });
            self.require(failed || skipped.contains(&lower), "S5", || {
                let (rung, target) = (intent.rung, &intent.target);
                format!("{rung} of {target}, and {lower} has neither failed nor been left out")
            });
        }
    }

    /// The plan is the rung's, and nothing in it is about anything but the target.
    fn judge_plan(&mut self, intent: &Intent) {
        let number = intent.target.module;
        let listed = number.is_none_or(|number| {
            self.site.inventory.hosts[&intent.target.host]
                .modules
                .contains_key(&number)
        });
        let fits = match (intent.rung, number, intent.steps.as_slice()) {
            (Rung::Retry, Some(n), [Step::RetryModule(of)]) => n == *of,
            (
                Rung::Clear,
                Some(n),
                [
                    Step::EnterMaintenance(enters),
                    Step::Wait(wait),
                    Step::ClearModule(clears),
                ],
            ) => n == *enters && n == *clears && *wait >= 30_000,
            (Rung::Restart, _, [Step::RestartHardserver | Step::StartHardserver]) => true,
            _ => false,
        };
        self.require(listed && fits, "S6", || {
            format!("{} of {}: {:?}", intent.rung, intent.target, intent.steps)
        });
    }

    /// What the newest look showed, and for how long the network has been back.
    fn judge_looks(&mut self, intent: &Intent, host: usize) {
        let Some((_, newest)) = self.looks[host].back().cloned() else {
            self.require(false, "S1", || "there is no look at the host".to_owned());
            return;
        };
        self.judge_shown(intent, &newest, "the newest look");
        let Some(number) = intent.target.module else {
            return;
        };
        let Some(open) = self.open.get(&intent.target) else {
            return;
        };
        let wait = match intent.rung {
            Rung::Restart => NETWORK_SETTLES_RESTART,
            Rung::Retry | Rung::Clear => NETWORK_SETTLES,
        };
        let (now, opened_at) = (self.moment(), open.opened_at);
        let bad = self.looks[host]
            .iter()
            .filter(|(at, _)| at.truly >= opened_at.truly && now.since(*at) < wait)
            .any(|(_, shown)| shown.answers(number) == Some(false));
        self.require(!bad, "S7", || {
            format!(
                "{} of {}: its network is back for less than {} s",
                intent.rung,
                intent.target,
                wait.as_secs()
            )
        });
    }

    /// What a look must show for this rung to start.
    pub(super) fn judge_shown(&mut self, intent: &Intent, shown: &Shown, whose: &str) {
        let (rung, target) = (intent.rung, intent.target.clone());
        // One that does not answer shows no failure: a person is asked.
        let silent = rung == Rung::Restart
            && target.module.is_none()
            && shown.hardserver == Some(HardserverLook::Unresponsive)
            && intent.approval.is_some()
            && intent.asked.contains(&Guard::HardserverUnresponsive);
        self.require(shown.failed(target.module) || silent, "S1", || {
            format!("{rung} of {target}: {whose} does not show it failed")
        });
        let Some(number) = target.module else {
            return;
        };
        let network = shown
            .modules
            .get(&number)
            .map(|(_, network, _)| network.clone());
        let passes = match (&network, rung) {
            (Some(NetworkLook::Echo { sent: 5, replies }), Rung::Retry) => *replies >= 1,
            (Some(NetworkLook::Echo { sent: 5, replies }), Rung::Restart | Rung::Clear) => {
                *replies >= 4
            }
            (Some(NetworkLook::Tcp { connected }), _) => *connected,
            (Some(NetworkLook::NotApplicable), Rung::Retry) => true,
            // A person has to be asked.
            (Some(NetworkLook::NotApplicable), Rung::Restart | Rung::Clear) => {
                intent.approval.is_some()
            }
            (Some(NetworkLook::Echo { .. } | NetworkLook::Unknown(_)) | None, _) => false,
        };
        self.require(passes, "S7", || {
            format!("{rung} of {target}: {whose} shows network {network:?}")
        });
        if rung == Rung::Restart
            && self.knobs.policy != Permitted::OthersToo
            && intent.approval.is_none()
        {
            let others: Vec<ModuleNumber> = shown
                .modules
                .iter()
                .filter(|(other, (state, ..))| {
                    **other != number && *state == ModuleState::Operational
                })
                .map(|(other, _)| *other)
                .collect();
            self.require(others.is_empty(), "S14", || {
                format!("restart for {target} cuts healthy {others:?}")
            });
        }
    }
}
