//! A module that is enrolled on two hosts: each has a session of its own with it, and what is done to
//! the module itself is done to both.
//!
//! The inventory knows a serial number once (a configuration in which a VCM's stands twice is refused),
//! so that it has none for the second enrolment of a VCM. A network HSM may stand in it twice.

use nshield::ModuleState;
use vcm_recovery::inventory::Kind;
use vcm_recovery::time::Time;

use super::{Cure, Place, World};
use crate::knobs::Enrolment;

impl World {
    /// Enrols a module of the first host that shares an HSM with a later one on that host too.
    pub(super) fn enrol_twice(&mut self) {
        let Some((first, second)) = self.of_one_hsm().filter(|_| self.enrolled_twice()) else {
            return;
        };
        let kind = match self.knobs.enrolment {
            Enrolment::NetworkHsm => Kind::Nethsm,
            Enrolment::Once | Enrolment::ClearCutsBoth | Enrolment::ClearCutsOne => Kind::Vcm,
        };
        let esn = self.module(first).esn.clone();
        for (place, twin) in [(first, second), (second, first)] {
            let module = &mut self.hosts[place.host].modules[place.slot];
            module.esn = esn.clone();
            module.kind = kind;
            module.twin = Some(twin);
        }
    }

    fn enrolled_twice(&self) -> bool {
        self.knobs.enrolment != Enrolment::Once
    }

    fn of_one_hsm(&self) -> Option<(Place, Place)> {
        self.places().find_map(|first| {
            let hsm = self.module(first).hsm;
            let mut others = self.places().filter(|other| other.host > first.host);
            let second = others.find(|&other| self.module(other).hsm == hsm)?;
            Some((first, second))
        })
    }

    /// The other enrolment of a module, if what happens to the module itself is felt there.
    #[must_use]
    pub fn felt_at(&self, place: Place) -> Option<Place> {
        let both = match self.knobs.enrolment {
            Enrolment::ClearCutsBoth | Enrolment::NetworkHsm => true,
            Enrolment::Once | Enrolment::ClearCutsOne => false,
        };
        self.module(place).twin.filter(|_| both)
    }

    /// The module has gone to maintenance: so it shows on the other host too, where every key is lost.
    pub(super) fn twin_enters(&mut self, place: Place) {
        let Some(twin) = self.felt_at(place) else {
            return;
        };
        self.module_mut(twin).objects = 0;
        if self.reachable(twin) {
            self.overtake(twin);
            let module = self.module_mut(twin);
            module.view = ModuleState::Maintenance;
            module.heals_at = None;
        }
    }

    /// The module has come back from maintenance, or has been given up: the other host has lost its
    /// session, and nothing else ails the module there.
    pub(super) fn twin_leaves(&mut self, place: Place, now: Time) {
        let Some(twin) = self.felt_at(place) else {
            return;
        };
        if self.module(twin).view != ModuleState::Maintenance || self.module(twin).worked_on {
            return;
        }
        self.overtake(twin);
        let stuck = self.module(place).stuck.filter(|_| !self.works(place));
        let module = self.module_mut(twin);
        module.view = ModuleState::Failed;
        module.stuck = stuck;
        self.regain(twin, now);
    }

    /// What ails the module itself ails it on both hosts.
    pub(crate) fn fail_both(&mut self, place: Place, cure: Cure, now: Time) {
        self.fail(place, Some(cure), None, now);
        if let Some(twin) = self.felt_at(place)
            && self.module(twin).view == ModuleState::Operational
            && !self.module(twin).worked_on
        {
            self.fail(twin, Some(cure), None, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;
    use crate::knobs::{Knobs, Layout, Reconnect};
    use crate::site::Site;

    const NOW: Time = Time::from_millis(1_000_000);

    fn world(enrolment: Enrolment) -> World {
        let knobs = Knobs {
            layout: Layout::Wide,
            reconnect: Reconnect::Never,
            enrolment,
            ..Knobs::ORDINARY
        };
        World::new(knobs, Dice::new(1, 0), NOW)
    }

    fn twins(world: &World) -> (Place, Place) {
        let place = world
            .places()
            .find(|&place| world.module(place).twin.is_some());
        let place = place.unwrap();
        (place, world.module(place).twin.unwrap())
    }

    #[test]
    fn clear_cuts_the_other_host_off_which_comes_back_by_a_retry() {
        let mut world = world(Enrolment::ClearCutsBoth);
        let (place, twin) = twins(&world);
        world.enter_maintenance(place);
        assert_eq!(world.module(twin).view, ModuleState::Maintenance);
        world.clear_module(place, NOW);
        assert!(world.works(place) && !world.works(twin));
        assert_eq!(world.module(twin).objects, 0);
        world.retry(twin, NOW);
        assert!(world.works(twin));
    }

    #[test]
    fn clear_that_ends_one_session_leaves_the_other_host_alone() {
        let mut world = world(Enrolment::ClearCutsOne);
        let (place, twin) = twins(&world);
        world.enter_maintenance(place);
        assert!(world.works(twin));
        world.clear_module(place, NOW);
        assert!(world.works(place) && world.works(twin));
    }

    #[test]
    fn module_that_needs_a_clear_needs_it_once_for_both_hosts() {
        let mut world = world(Enrolment::ClearCutsBoth);
        let (place, twin) = twins(&world);
        world.fail_both(twin, Cure::Clear, NOW);
        world.retry(place, NOW);
        assert!(!world.works(place) && !world.works(twin));
        world.enter_maintenance(twin);
        world.clear_module(twin, NOW);
        world.retry(place, NOW);
        assert!(world.works(place) && world.works(twin));
    }

    #[test]
    fn inventory_has_the_serial_number_of_a_vcm_once_and_of_a_network_hsm_twice() {
        for (enrolment, hosts) in [
            (Enrolment::ClearCutsBoth, 1),
            (Enrolment::ClearCutsOne, 1),
            (Enrolment::NetworkHsm, 2),
        ] {
            let world = world(enrolment);
            let (place, twin) = twins(&world);
            let esn = &world.module(place).esn;
            assert_eq!(*esn, world.module(twin).esn);
            let site = Site::of(&world);
            let modules = site
                .inventory
                .hosts
                .values()
                .flat_map(|host| host.modules.values());
            let with_it = modules
                .filter(|module| module.esn.as_ref() == Some(esn))
                .count();
            assert_eq!(with_it, hosts, "{enrolment:?}");
        }
    }
}
