//! What a look at a host shows: the estate through the lies that the knobs tell.

use std::collections::BTreeMap;
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};
use vcm_recovery::ids::ObservationId;
use vcm_recovery::observation::{
    HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation, SourceStatus,
    Sources, StopSign,
};
use vcm_recovery::tier::Tier;
use vcm_recovery::time::Time;

use crate::dice::Dice;
use crate::knobs::{Icmp, Looks, Permitted, Printed};
use crate::world::{Hardserver, Place, World};

/// How long the hardserver may hold a command for a module whose link is lost and not yet broken.
const HELD: Duration = Duration::from_secs(35);

/// The deadline of `enquiry`.
const ENQUIRY_DEADLINE: Duration = Duration::from_secs(50);

/// How often, in per cent, a look lies where the knob says so.
const LIES: u32 = 20;

/// A host that booted less long ago is just booting: its hardserver may not have been started yet.
const JUST_BOOTED: Duration = Duration::from_secs(600);

/// How long a look that begins now takes.
pub(crate) fn duration(world: &World, host: usize, dice: &mut Dice) -> Duration {
    let held = (0..world.hosts[host].modules.len()).any(|slot| {
        let place = Place { host, slot };
        world.module(place).view == ModuleState::Operational && !world.reachable(place)
    });
    match world.hosts[host].hardserver {
        Hardserver::Hung => ENQUIRY_DEADLINE,
        Hardserver::Running if held => HELD + dice.millis(0..=2_000),
        Hardserver::Running | Hardserver::Down { .. } if world.knobs.look == Looks::Slow => {
            dice.seconds(5..=20)
        }
        Hardserver::Running | Hardserver::Down { .. } => dice.millis(900..=1_500),
    }
}

/// What a look shows that takes from `started` to `finished` and sees the host as it is now.
pub(crate) fn observe(
    world: &World,
    host: usize,
    dice: &mut Dice,
    (started, finished): (Time, Time),
    denied: bool,
) -> Result<Observation, String> {
    let knobs = world.knobs;
    let entry = &world.hosts[host];
    if !entry.up {
        return Err("host observe did not end properly".to_owned());
    }
    let lies = dice.per_cent(LIES);
    if lies && knobs.look == Looks::Missing {
        return Err("host observe printed an unexpected document".to_owned());
    }
    let hardserver = hardserver(world, host, lies, denied);
    let shown = hardserver == HardserverLook::Up;
    let complete = shown && !(lies && knobs.look == Looks::Incomplete);
    let mut modules: BTreeMap<ModuleNumber, ModuleLook> = (0..entry.modules.len())
        .map(|slot| Place { host, slot })
        .map(|place| {
            (
                world.module(place).number,
                module(world, place, dice, shown, started),
            )
        })
        .collect();
    if shown && !complete {
        // Cut at any byte: the last module is missing or has no state.
        let last = modules.keys().next_back().copied();
        if let Some(look) = last.and_then(|last| modules.get_mut(&last)) {
            look.state = ModuleState::Unknown;
        }
    }
    let status = if shown {
        SourceStatus::Ok
    } else if hardserver == HardserverLook::PermissionDenied {
        SourceStatus::PermissionDenied
    } else if hardserver == HardserverLook::Unresponsive {
        SourceStatus::TimedOut
    } else {
        SourceStatus::Failed("exit 1".to_owned())
    };
    let statistics = shown && knobs.printed != Printed::NoStatistics;
    let since_boot = |at: Time| u64::try_from(at.since(entry.booted_at).as_millis()).unwrap_or(0);
    Ok(Observation {
        schema: OBSERVATION_SCHEMA,
        observation_id: ObservationId::from_bits(dice.bits()),
        boot_id: format!("boot-{}", entry.boots),
        started_boottime: since_boot(started),
        finished_boottime: since_boot(finished),
        sources: Sources {
            enquiry: status,
            enquiry_server: SourceStatus::NotAsked,
            stattree: if statistics {
                SourceStatus::Ok
            } else {
                SourceStatus::Failed("exit 1".to_owned())
            },
            socket: match entry.hardserver {
                Hardserver::Down { .. } => SourceStatus::Failed("connection refused".to_owned()),
                Hardserver::Running | Hardserver::Hung => SourceStatus::Ok,
            },
        },
        hardserver,
        complete,
        modules,
        clients: statistics.then_some(3),
        hardserver_uptime: statistics.then(|| started.since(entry.hardserver_since).as_secs()),
        stop: stop_sign(world, host, started),
        pause: None,
        hold: entry.held.then(|| "work in progress".to_owned()),
        host_uptime: Some(started.since(entry.booted_at).as_secs()),
        service_check: None,
        max_tier: match knobs.policy {
            Permitted::HostRetryOnly => Tier::Retry,
            Permitted::Default | Permitted::Everything | Permitted::OthersToo => Tier::Clear,
        },
    })
}

fn hardserver(world: &World, host: usize, lies: bool, denied: bool) -> HardserverLook {
    if denied {
        return HardserverLook::PermissionDenied;
    }
    match world.hosts[host].hardserver {
        Hardserver::Hung => HardserverLook::Unresponsive,
        _ if lies && world.knobs.look == Looks::Unresponsive => HardserverLook::Unresponsive,
        Hardserver::Down { .. } => HardserverLook::SuspectedDown,
        Hardserver::Running => HardserverLook::Up,
    }
}

fn stop_sign(world: &World, host: usize, now: Time) -> StopSign {
    let entry = &world.hosts[host];
    match entry.hardserver {
        Hardserver::Down {
            on_purpose: true, ..
        } => StopSign::OnPurpose("the unit was stopped cleanly".to_owned()),
        Hardserver::Down {
            on_purpose: false, ..
        } if entry.boots > 1 && now.since(entry.booted_at) < JUST_BOOTED => {
            StopSign::OnPurpose("the host has just booted".to_owned())
        }
        Hardserver::Down { .. } | Hardserver::Running | Hardserver::Hung => StopSign::None,
    }
}

fn module(world: &World, place: Place, dice: &mut Dice, shown: bool, now: Time) -> ModuleLook {
    let entry = world.module(place);
    let printed = world.knobs.printed;
    let failed = entry.view == ModuleState::Failed;
    let bare = failed && printed == Printed::FailedBare;
    let statistics = shown && !failed && printed != Printed::NoStatistics;
    let esn = shown && !bare && printed != Printed::NoEsn;
    ModuleLook {
        state: if shown {
            entry.view
        } else {
            ModuleState::Unknown
        },
        printed: if shown {
            entry.view.to_string()
        } else {
            String::new()
        },
        esn: esn.then(|| entry.esn.clone()),
        hardware_ok: (shown && !bare).then_some(entry.hardware_ok),
        connection_ok: (shown && !bare).then_some(true),
        kind: Some(entry.kind),
        objects: statistics.then_some(entry.objects),
        uptime: statistics.then(|| now.since(entry.started_at).as_secs()),
        load_percent: statistics.then_some(world.hsms[entry.hsm].load()),
        path: None,
        hold: None,
        network: network(world, place, dice),
    }
}

/// What five echo requests, or what stands in their place, tell.
fn network(world: &World, place: Place, dice: &mut Dice) -> NetworkLook {
    let answers = world.answers(place);
    let echo = |replies| NetworkLook::Echo { sent: 5, replies };
    match world.knobs.icmp {
        Icmp::Honest | Icmp::GoodWhileDead | Icmp::Router => echo(if answers { 5 } else { 0 }),
        Icmp::Filtered => echo(0),
        Icmp::Lossy => {
            let arrived = (0..5).filter(|_| !dice.per_cent(30)).count();
            echo(if answers {
                u8::try_from(arrived).unwrap_or(0)
            } else {
                0
            })
        }
        Icmp::Refused => NetworkLook::Unknown("permission denied".to_owned()),
        Icmp::Tcp => NetworkLook::Tcp {
            connected: answers && world.reachable(place),
        },
        Icmp::SignedOff => NetworkLook::NotApplicable,
    }
}
