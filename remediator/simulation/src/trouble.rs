//! What goes wrong: an episode has a schedule of troubles, drawn from its seed.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::time::Time;

use crate::dice::Dice;
use crate::knobs::{Boot, Icmp, Reconnect};
use crate::world::{Cure, Hardserver, Place, Turn, World};

/// How long a network is lost, in seconds: unnoticed, short, long, and longer than a session can be
/// resumed.
const OUTAGES: [(u64, u64); 5] = [
    (20, 80),
    (100, 600),
    (100, 600),
    (600, 1_700),
    (1_900, 7_200),
];

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Packets no longer reach a VCM, for seconds to hours.
    NetworkLost,
    /// An HSM reboots, without its tenants.
    HsmReboots,
    /// A VCM fails until it is retried.
    NeedsRetry,
    /// A VCM fails until the hardserver is restarted.
    NeedsRestart,
    /// A VCM fails until it is cleared.
    NeedsClear,
    /// A VCM fails until people do something.
    NeedsPeople,
    /// A VCM fails, and heals by itself some minutes later.
    HealsByItself,
    /// Every module of a host fails.
    AllFail,
    /// A hardserver dies.
    HardserverDies,
    /// Somebody stops a hardserver, and starts it again much later.
    HardserverStopped,
    /// A hardserver does not answer any more, for some time.
    HardserverHangs,
    /// Somebody puts a module in maintenance.
    Maintenance,
    /// The hardware reports a fault.
    Hardware,
    /// A host reboots.
    HostReboots,
    /// An alert fires about a module that works.
    FalseAlert,
    /// An HSM is overloaded, and a VCM of it fails.
    Overload,
}

impl Trouble {
    /// Every trouble, by how often it is drawn.
    pub const ALL: [(u32, Self); 16] = [
        (6, Self::NetworkLost),
        (4, Self::HsmReboots),
        (5, Self::NeedsRetry),
        (3, Self::NeedsRestart),
        (2, Self::NeedsClear),
        (1, Self::NeedsPeople),
        (2, Self::HealsByItself),
        (3, Self::AllFail),
        (2, Self::HardserverDies),
        (1, Self::HardserverStopped),
        (1, Self::HardserverHangs),
        (1, Self::Maintenance),
        (1, Self::Hardware),
        (1, Self::HostReboots),
        (1, Self::FalseAlert),
        (2, Self::Overload),
    ];

    /// Lets it go wrong now, somewhere.
    pub(crate) fn strike(self, world: &mut World, dice: &mut Dice, now: Time) -> Place {
        let host = dice.below(world.hosts.len());
        let slot = dice.below(world.hosts[host].modules.len());
        let place = Place { host, slot };
        match self {
            Self::NetworkLost => network_lost(world, dice, place, now),
            Self::HsmReboots => hsm_reboots(world, dice, world.module(place).hsm, now),
            Self::NeedsRetry => fail(world, place, Cure::Retry, now),
            Self::NeedsRestart => fail(world, place, Cure::Restart, now),
            Self::NeedsClear => fail_itself(world, place, Cure::Clear, now),
            Self::NeedsPeople => fail_itself(world, place, Cure::People, now),
            Self::HealsByItself => {
                if works(world, place) {
                    let heals = dice.seconds(30..=900);
                    world.fail(place, Some(Cure::Retry), Some(heals), now);
                }
            }
            Self::AllFail => {
                let cure = dice.one_of(&[Cure::Retry, Cure::Restart, Cure::Restart]);
                for slot in 0..world.hosts[host].modules.len() {
                    fail(world, Place { host, slot }, cure, now);
                }
            }
            Self::HardserverDies => {
                if world.hosts[host].hardserver == Hardserver::Running && world.hosts[host].up {
                    world.stop_hardserver(host, false);
                }
            }
            Self::HardserverStopped => {
                if world.hosts[host].hardserver == Hardserver::Running && world.hosts[host].up {
                    world.stop_hardserver(host, true);
                }
            }
            Self::HardserverHangs => hang(world, dice, host, now),
            Self::Maintenance => {
                if works(world, place) {
                    world.overtake(place);
                    let module = world.module_mut(place);
                    module.view = ModuleState::Maintenance;
                    module.worked_on = true;
                }
            }
            Self::Hardware => {
                world.overtake(place);
                let module = world.module_mut(place);
                module.hardware_ok = false;
                module.view = ModuleState::Failed;
                module.heals_at = None;
            }
            Self::HostReboots => {
                world.hosts[host].up = false;
                world.touched.push(host);
                world.later(now.after(dice.seconds(60..=300)), Turn::HostBack(host));
            }
            Self::FalseAlert => {}
            Self::Overload => overload(world, dice, place, now),
        }
        place
    }
}

fn works(world: &World, place: Place) -> bool {
    world.module(place).view == ModuleState::Operational && !world.module(place).worked_on
}

fn fail(world: &mut World, place: Place, cure: Cure, now: Time) {
    if works(world, place) {
        world.fail(place, Some(cure), None, now);
    }
}

/// It is the module that fails and not one host's session with it.
fn fail_itself(world: &mut World, place: Place, cure: Cure, now: Time) {
    if works(world, place) {
        world.fail_both(place, cure, now);
    }
}

fn network_lost(world: &mut World, dice: &mut Dice, place: Place, now: Time) {
    if !world.module(place).path_up {
        return;
    }
    let (shortest, longest) = dice.one_of(&OUTAGES);
    let back = now.after(dice.seconds(shortest..=longest));
    let heals_at = returns_by_itself(world).then_some(back);
    let module = world.module_mut(place);
    module.path_up = false;
    module.heals_at = heals_at;
    world.may_flap(place);
    world.lose_link(place, now);
    world.later(back, Turn::PathBack(place));
}

fn hsm_reboots(world: &mut World, dice: &mut Dice, hsm: usize, now: Time) {
    if !world.hsms[hsm].up {
        return;
    }
    let boot = match world.knobs.boot {
        Boot::Minutes => dice.seconds(180..=300),
        Boot::Long => dice.seconds(700..=1_000),
    };
    world.hsms[hsm].up = false;
    world.hsms[hsm].answers = false;
    if world.knobs.icmp == Icmp::GoodWhileDead {
        world.later(now.after(Duration::from_secs(60)), Turn::HsmAnswers(hsm));
    }
    world.later(now.after(boot), Turn::HsmBack(hsm));
    let carried: Vec<Place> = world
        .places()
        .filter(|&place| world.module(place).hsm == hsm)
        .collect();
    let heals_at = returns_by_itself(world).then_some(now.after(boot));
    for place in carried {
        world.module_mut(place).heals_at = heals_at;
        world.may_flap(place);
        world.lose_link(place, now);
    }
}

/// A VCM of the HSM fails, and a retry fails too as long as the load is not taken away.
fn overload(world: &mut World, dice: &mut Dice, place: Place, now: Time) {
    let hsm = world.module(place).hsm;
    if world.hsms[hsm].busy {
        return;
    }
    world.hsms[hsm].busy = true;
    world.touch_hsm(hsm);
    let calms = now.after(dice.seconds(1_200..=10_800));
    world.later(calms, Turn::CalmsDown(hsm));
    fail(world, place, Cure::Retry, now);
}

fn returns_by_itself(world: &World) -> bool {
    world.knobs.reconnect != Reconnect::Never
}

fn hang(world: &mut World, dice: &mut Dice, host: usize, now: Time) {
    if world.hosts[host].hardserver == Hardserver::Running && world.hosts[host].up {
        world.hosts[host].hardserver = Hardserver::Hung;
        world.touched.push(host);
        let boots = world.hosts[host].boots;
        let span = dice.seconds(60..=3_600);
        world.later(now.after(span), Turn::Unhung(host, boots));
    }
}
