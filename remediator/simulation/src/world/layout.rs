//! Which hosts have which modules of which HSMs.

use nshield::ModuleState;
use vcm_recovery::inventory::Kind;
use vcm_recovery::time::Time;

use super::{Hardserver, Host, Hsm, Module, OBJECTS, World};
use crate::dice::Dice;
use crate::knobs::{Knobs, Layout};

impl World {
    /// The estate of `knobs` at `now`, in which everything works.
    #[must_use]
    pub fn new(knobs: Knobs, dice: Dice, now: Time) -> Self {
        let carried: &[&[usize]] = match knobs.layout {
            Layout::Single => &[&[0]],
            Layout::Pair => &[&[0, 1]],
            Layout::Shared => &[&[0, 1], &[1, 2], &[2, 0]],
            Layout::Wide => &[&[0, 1, 2], &[0, 1, 2]],
        };
        let hsm_unknown = (knobs.layout == Layout::Wide).then_some(2);
        let hsms = carried
            .iter()
            .copied()
            .flatten()
            .max()
            .map_or(0, |last| last + 1);
        let mut world = Self::with(
            carried.iter().map(|of_host| of_host.to_vec()),
            hsms,
            hsm_unknown,
            (knobs, dice),
            now,
        );
        world.enrol_twice();
        world
    }

    /// An estate of so many HSMs; `carried` says, host by host, which of them carries each module.
    pub(crate) fn with(
        carried: impl Iterator<Item = Vec<usize>>,
        hsms: usize,
        hsm_unknown: Option<usize>,
        (knobs, dice): (Knobs, Dice),
        now: Time,
    ) -> Self {
        let hsm = |index: usize| Hsm {
            name: format!("hsm-{}", index + 1)
                .parse()
                .ok()
                .filter(|_| hsm_unknown != Some(index)),
            up: true,
            answers: true,
            busy: false,
            shed: false,
        };
        let host = |(host, modules): (usize, Vec<usize>)| Host {
            up: true,
            boots: 1,
            booted_at: now,
            hardserver: Hardserver::Running,
            hardserver_since: now,
            modules: modules
                .iter()
                .enumerate()
                .filter_map(|(slot, &hsm)| module(host, slot, hsm, now))
                .collect(),
            held: false,
        };
        Self {
            hosts: carried.enumerate().map(host).collect(),
            hsms: (0..hsms).map(hsm).collect(),
            knobs,
            dice,
            turns: Vec::new(),
            touched: Vec::new(),
        }
    }
}

/// A module that works. `None` only for more than 65,535 of them.
fn module(host: usize, slot: usize, hsm: usize, now: Time) -> Option<Module> {
    let number = u16::try_from(slot + 1).ok()?;
    Some(Module {
        esn: format!("{:04X}-05E0-{:04X}", host & 0xffff, number)
            .parse()
            .ok()?,
        kind: Kind::Vcm,
        twin: None,
        number: number.try_into().ok()?,
        hsm,
        view: ModuleState::Operational,
        path_up: true,
        stuck: None,
        hardware_ok: true,
        objects: OBJECTS,
        started_at: now,
        heals_at: None,
        worked_on: false,
        clears_that_fail: 0,
        lost_since: None,
        generation: 0,
        flaps_left: 0,
    })
}
