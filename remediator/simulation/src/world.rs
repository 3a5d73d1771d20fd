//! The estate as it truly is: hosts, their hardservers and modules, the HSMs behind them. What
//! anybody sees of it is [`crate::look`]'s business.
//!
//! The only ways to change it are [`crate::trouble`], the vendor's commands in [`commands`], people,
//! and time ([`Turn`]).

use std::time::Duration;

use nshield::{Esn, ModuleNumber, ModuleState};
use vcm_recovery::ids::HsmName;
use vcm_recovery::inventory::Kind;
use vcm_recovery::time::Time;

use crate::dice::Dice;
use crate::knobs::{Flap, Knobs, Reconnect};

pub mod commands;
mod enrolment;
mod layout;

/// How long a lost link goes unnoticed (`connect_broken`, nShield manual).
const CONNECT_BROKEN: Duration = Duration::from_secs(90);

/// A session that was cut for no longer than this can be resumed.
const RESUMPTION: Duration = Duration::from_secs(1_800);

/// Objects loaded in a module at the start.
const OBJECTS: u64 = 7;

/// A module by its host and its place there. The place never changes, the number can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The host.
    pub host: usize,
    /// The place of the module on it.
    pub slot: usize,
}

/// What ends a trouble of a module, besides people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cure {
    /// `-r`, and everything above it.
    Retry,
    /// A restart of the hardserver, and a clear.
    Restart,
    /// A clear.
    Clear,
    /// Only people.
    People,
}

/// A hardserver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardserver {
    /// It runs.
    Running,
    /// It does not run.
    Down {
        /// Somebody stopped it.
        on_purpose: bool,
        /// So many starts are needed.
        starts_needed: u32,
    },
    /// It runs and does not answer.
    Hung,
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Whether the machine runs.
    pub up: bool,
    /// How often it has booted.
    pub boots: u32,
    /// When it last did.
    pub booted_at: Time,
    /// Its hardserver.
    pub hardserver: Hardserver,
    /// Since when that runs.
    pub hardserver_since: Time,
    /// Its modules, by place.
    pub modules: Vec<Module>,
    /// Whether people hold it.
    pub held: bool,
}

/// A module of a host.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its serial number.
    pub esn: Esn,
    /// What it is.
    pub kind: Kind,
    /// Where the same module is enrolled a second time.
    pub twin: Option<Place>,
    /// Its number now.
    pub number: ModuleNumber,
    /// The HSM behind it.
    pub hsm: usize,
    /// What its hardserver would show.
    pub view: ModuleState,
    /// Whether packets reach it.
    pub path_up: bool,
    /// What keeps it from working besides path and HSM.
    pub stuck: Option<Cure>,
    /// Whether its hardware is sound.
    pub hardware_ok: bool,
    /// Objects loaded in it.
    pub objects: u64,
    /// Since when it runs.
    pub started_at: Time,
    /// When it will work again if nobody does anything; absent when it never will.
    pub heals_at: Option<Time>,
    /// Whether people work on it.
    pub worked_on: bool,
    /// `-c` that will still fail.
    pub clears_that_fail: u32,
    lost_since: Option<Time>,
    /// Counts what has overtaken the turns that are under way.
    generation: u32,
    flaps_left: u32,
}

/// An HSM.
#[derive(Clone, Debug)]
pub struct Hsm {
    /// Its name in the inventory, where that knows it.
    pub name: Option<HsmName>,
    /// Whether it serves.
    pub up: bool,
    /// Whether its addresses answer although it does not serve.
    pub answers: bool,
    /// Whether its tenants ask for more than it can do.
    pub busy: bool,
    /// Whether load is taken from it.
    pub shed: bool,
}

impl Hsm {
    /// Its load, in per cent.
    #[must_use]
    pub const fn load(&self) -> u8 {
        match (self.busy, self.shed) {
            (true, false) => 97,
            (true, true) => 40,
            (false, _) => 10,
        }
    }
}

/// Something that time brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A link has been lost for so long that the hardserver notices.
    Broken(Place, u32),
    /// The hardserver tries to connect again.
    Connects(Place, u32),
    /// A module turns well by itself, or late.
    TurnsWell(Place, u32),
    /// It fails again.
    FailsAgain(Place, u32),
    /// Packets reach the module again.
    PathBack(Place),
    /// The HSM's addresses answer again.
    HsmAnswers(usize),
    /// The HSM serves again.
    HsmBack(usize),
    /// The host has booted.
    HostBack(usize),
    /// The hardserver answers again.
    Unhung(usize, u32),
    /// The tenants of an HSM ask for less again.
    CalmsDown(usize),
}

/// The whole estate.
#[derive(Clone, Debug)]
pub struct World {
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The HSMs.
    pub hsms: Vec<Hsm>,
    /// The unknowns.
    pub knobs: Knobs,
    pub(crate) dice: Dice,
    /// What time will bring about; taken by the episode.
    pub(crate) turns: Vec<(Time, Turn)>,
    /// Hosts that look different since this was taken.
    pub(crate) touched: Vec<usize>,
}

impl World {
    /// A module.
    #[must_use]
    pub fn module(&self, place: Place) -> &Module {
        &self.hosts[place.host].modules[place.slot]
    }

    pub(crate) fn module_mut(&mut self, place: Place) -> &mut Module {
        self.touched.push(place.host);
        &mut self.hosts[place.host].modules[place.slot]
    }

    /// Every module.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let slots =
            |host: usize| (0..self.hosts[host].modules.len()).map(move |slot| Place { host, slot });
        (0..self.hosts.len()).flat_map(slots)
    }

    /// The module of `host` that has this number now.
    #[must_use]
    pub fn numbered(&self, host: usize, number: ModuleNumber) -> Option<Place> {
        let modules = &self.hosts[host].modules;
        let slot = modules.iter().position(|module| module.number == number)?;
        Some(Place { host, slot })
    }

    /// Whether the hardserver could work with it.
    #[must_use]
    pub fn reachable(&self, place: Place) -> bool {
        let module = self.module(place);
        module.path_up && self.hsms[module.hsm].up && module.hardware_ok
    }

    /// Whether its address would answer an echo request that arrives.
    #[must_use]
    pub fn answers(&self, place: Place) -> bool {
        let module = self.module(place);
        module.path_up && self.hsms[module.hsm].answers
    }

    /// Whether applications can use it.
    #[must_use]
    pub fn works(&self, place: Place) -> bool {
        let host = &self.hosts[place.host];
        host.up
            && host.hardserver == Hardserver::Running
            && self.module(place).view == ModuleState::Operational
            && self.reachable(place)
    }

    pub(crate) fn later(&mut self, at: Time, turn: Turn) {
        self.turns.push((at, turn));
    }

    /// Marks that what is under way for this module is overtaken.
    pub(crate) fn overtake(&mut self, place: Place) -> u32 {
        let module = self.module_mut(place);
        module.generation += 1;
        module.generation
    }

    /// Packets no longer reach the module, or its HSM no longer serves.
    pub(crate) fn lose_link(&mut self, place: Place, now: Time) {
        let module = self.module_mut(place);
        module.lost_since = module.lost_since.or(Some(now));
        if module.view == ModuleState::Operational {
            let generation = self.overtake(place);
            self.later(now.after(CONNECT_BROKEN), Turn::Broken(place, generation));
        }
    }

    /// Something has come back; when the module can be reached again, what happens then?
    fn regain(&mut self, place: Place, now: Time) {
        if !self.reachable(place) {
            return;
        }
        if self.module(place).view == ModuleState::Operational {
            self.module_mut(place).lost_since = None;
            return;
        }
        if self.module(place).view != ModuleState::Failed || self.module(place).stuck.is_some() {
            return;
        }
        if let Some(delay) = self.reconnect_delay() {
            let generation = self.overtake(place);
            let at = now.after(delay);
            self.module_mut(place).heals_at = Some(at);
            self.later(at, Turn::Connects(place, generation));
        }
    }

    fn reconnect_delay(&mut self) -> Option<Duration> {
        match self.knobs.reconnect {
            Reconnect::ByItself => Some(self.dice.millis(100..=10_000)),
            Reconnect::Slow => Some(self.dice.seconds(120..=400)),
            Reconnect::Never => None,
        }
    }

    /// The module works again. `resumed`: by the session that was cut.
    pub(crate) fn turn_well(&mut self, place: Place, resumed: bool, now: Time) {
        let keeps = self.knobs.resumption == crate::knobs::Resumption::Keeps;
        let flaps = self.knobs.flap == Flap::Once;
        let generation = self.overtake(place);
        let module = self.module_mut(place);
        let in_time = module
            .lost_since
            .is_some_and(|since| now.since(since) <= RESUMPTION);
        if !(resumed && keeps && in_time) {
            module.objects = 0;
        }
        module.view = ModuleState::Operational;
        module.stuck = None;
        module.heals_at = None;
        module.lost_since = None;
        module.clears_that_fail = 0;
        if flaps && module.flaps_left > 0 {
            module.flaps_left -= 1;
            self.later(
                now.after(Duration::from_secs(60)),
                Turn::FailsAgain(place, generation),
            );
        }
    }

    /// The module fails now, and `cure` ends it; by itself it does after `heals_after`.
    pub(crate) fn fail(
        &mut self,
        place: Place,
        cure: Option<Cure>,
        heals_after: Option<Duration>,
        now: Time,
    ) {
        let generation = self.overtake(place);
        let module = self.module_mut(place);
        module.view = ModuleState::Failed;
        module.stuck = cure;
        module.heals_at = heals_after.map(|span| now.after(span));
        if let Some(at) = module.heals_at {
            self.later(at, Turn::TurnsWell(place, generation));
        }
    }

    pub(crate) fn may_flap(&mut self, place: Place) {
        self.module_mut(place).flaps_left = 1;
    }

    /// Lets something happen that time brings about.
    pub(crate) fn turn(&mut self, turn: Turn, now: Time) {
        match turn {
            Turn::Broken(place, generation) => {
                if self.is_current(place, generation) && !self.reachable(place) {
                    self.module_mut(place).view = ModuleState::Failed;
                }
            }
            Turn::Connects(place, generation) | Turn::TurnsWell(place, generation) => {
                if self.is_current(place, generation) && self.reachable(place) {
                    self.turn_well(place, matches!(turn, Turn::Connects(..)), now);
                }
            }
            Turn::FailsAgain(place, generation) => {
                if self.is_current(place, generation) {
                    let heals = self.dice.per_cent(50).then(|| self.dice.seconds(60..=240));
                    self.fail(place, Some(Cure::Retry), heals, now);
                }
            }
            Turn::PathBack(place) => {
                self.module_mut(place).path_up = true;
                self.regain(place, now);
            }
            Turn::HsmAnswers(hsm) => self.hsms[hsm].answers = true,
            Turn::HsmBack(hsm) => self.hsm_back(hsm, now),
            Turn::HostBack(host) => self.host_back(host, now),
            Turn::CalmsDown(hsm) => self.calm_down(hsm),
            Turn::Unhung(host, boots) => {
                let host_now = &mut self.hosts[host];
                if host_now.boots == boots && host_now.hardserver == Hardserver::Hung {
                    host_now.hardserver = Hardserver::Running;
                    self.touched.push(host);
                }
            }
        }
    }

    fn is_current(&self, place: Place, generation: u32) -> bool {
        self.module(place).generation == generation
    }

    /// The tenants of an HSM ask for less again.
    pub(crate) fn calm_down(&mut self, hsm: usize) {
        self.hsms[hsm].busy = false;
        self.touch_hsm(hsm);
    }

    /// Every host of an HSM looks different now.
    pub(crate) fn touch_hsm(&mut self, hsm: usize) {
        let places: Vec<Place> = self.places().collect();
        let of_hsm = places
            .into_iter()
            .filter(|&place| self.module(place).hsm == hsm);
        let hosts: Vec<usize> = of_hsm.map(|place| place.host).collect();
        self.touched.extend(hosts);
    }

    fn hsm_back(&mut self, hsm: usize, now: Time) {
        self.hsms[hsm].up = true;
        self.hsms[hsm].answers = true;
        let carried: Vec<Place> = self
            .places()
            .filter(|&place| self.module(place).hsm == hsm)
            .collect();
        for place in carried {
            let module = self.module_mut(place);
            module.objects = 0;
            module.started_at = now;
            self.regain(place, now);
        }
    }

    fn host_back(&mut self, host: usize, now: Time) {
        let entry = &mut self.hosts[host];
        entry.up = true;
        entry.boots += 1;
        entry.booted_at = now;
        self.start_hardserver(host, now);
    }

    /// The hardserver runs; each module works if it can be reached and nothing else ails it.
    pub(crate) fn start_hardserver(&mut self, host: usize, now: Time) {
        self.hosts[host].hardserver = Hardserver::Running;
        self.hosts[host].hardserver_since = now;
        self.touched.push(host);
        for slot in 0..self.hosts[host].modules.len() {
            let place = Place { host, slot };
            if self.module(place).worked_on || self.module(place).view == ModuleState::Maintenance {
                continue;
            }
            let cured = matches!(
                self.module(place).stuck,
                None | Some(Cure::Retry | Cure::Restart)
            );
            if cured && self.reachable(place) {
                self.turn_well(place, false, now);
            } else {
                self.module_mut(place).view = ModuleState::Failed;
            }
        }
    }
}
