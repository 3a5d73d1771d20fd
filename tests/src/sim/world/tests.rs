use std::time::Duration;

use super::*;

/// A world whose hardserver runs, at second 0.
fn world(knobs: &[&str]) -> World {
    let mut world = World::new(Estate::generated(3), At(0));
    for knob in knobs {
        world.knobs = world.knobs.with(knob).unwrap();
    }
    world.hardserver_started(1, 1);
    world.take_events();
    world
}

fn pass(world: &mut World, seconds: u64) {
    let now = world.now + Duration::from_secs(seconds);
    world.advance(now);
}

fn restart(world: &mut World) {
    world.hardserver_ended(Down::Stopped);
    world.hardserver_started(2, 2);
}

fn shown(world: &World, number: u32) -> Shown {
    world.shown(world.module(number).unwrap())
}

fn objects(world: &World, number: u32) -> u64 {
    world.module(number).unwrap().counters.objects
}

fn fail(world: &mut World, number: u32, reason: Reason) {
    world
        .fail_module(number, &FaultSpec::plain(reason))
        .unwrap();
}

fn damage(world: &mut World) -> Vec<Damage> {
    let harm = |event: Event| match event.kind {
        EventKind::Damage(damage) => Some(damage),
        EventKind::NetworkLost
        | EventKind::NetworkRestored
        | EventKind::HsmRebooted
        | EventKind::HsmServes
        | EventKind::ModuleFailed { .. }
        | EventKind::ModuleOperational { .. }
        | EventKind::ModuleMode { .. }
        | EventKind::HardserverStarted { .. }
        | EventKind::HardserverEnded { .. }
        | EventKind::HardserverHung
        | EventKind::HardserverStartFailed
        | EventKind::ModulesRenumbered
        | EventKind::KeysReloaded { .. }
        | EventKind::LoadChanged { .. } => None,
    };
    world.take_events().into_iter().filter_map(harm).collect()
}

const OPERATIONAL: Shown = Shown::Serving(Mode::Operational);
const MAINTENANCE: Shown = Shown::Serving(Mode::Maintenance);

#[test]
fn each_fault_is_ended_by_its_cure_and_by_nothing_less() {
    // reason, after -r, after a restart, after -M, 30 s, -c
    let table = [
        (Reason::NeedsRetry, true, true, true),
        (Reason::NeedsRestart, false, true, false),
        (Reason::NeedsClear, false, false, true),
        (Reason::Dead, false, false, false),
    ];
    for (reason, by_retry, by_restart, by_clear) in table {
        let cured_by = |cure: fn(&mut World)| {
            let mut world = world(&[]);
            fail(&mut world, 1, reason);
            assert_eq!(shown(&world, 1), Shown::Failed);
            cure(&mut world);
            pass(&mut world, 60);
            shown(&world, 1) == OPERATIONAL
        };
        assert_eq!(
            cured_by(|world| drop(world.command(1, Command::Retry))),
            by_retry,
            "{reason:?}"
        );
        assert_eq!(cured_by(restart), by_restart, "{reason:?}");
        assert_eq!(cured_by(clear), by_clear, "{reason:?}");
        assert!(!cured_by(|_| ()), "{reason:?} heals by itself");
    }
}

fn clear(world: &mut World) {
    assert!(world.command(1, Command::Maintenance).is_ok());
    pass(world, 30);
    assert!(world.command(1, Command::Clear).is_ok());
}

#[test]
fn a_silent_module_counts_as_failed_only_after_connect_broken() {
    let mut world = world(&[]);
    world.network_loss(1, None).unwrap();
    pass(&mut world, 89);
    assert_eq!(shown(&world, 1), OPERATIONAL);
    pass(&mut world, 1);
    assert_eq!(shown(&world, 1), Shown::Failed);
    assert_eq!(shown(&world, 2), OPERATIONAL);
}

#[test]
fn commands_are_held_while_silent_and_for_a_while_after_the_failure() {
    let mut world = world(&[]);
    assert_eq!(world.held_until(1, world.now), None);
    world.network_loss(1, None).unwrap();
    pass(&mut world, 10);
    assert_eq!(world.held_until(1, world.now), Some(At(45_000)));
    assert_eq!(world.held_until(1, At(0)).unwrap(), At(35_000));
    assert_eq!(world.held_until(2, world.now), None);
    pass(&mut world, 80);
    assert_eq!(world.held_until(1, world.now), Some(At(125_000)));
    pass(&mut world, 35);
    assert_eq!(world.held_until(1, world.now), None);
    assert_eq!(world.command(1, Command::Retry).to_string(), "NetworkError");
}

#[test]
fn a_session_resumes_with_its_keys_within_the_window_and_without_them_later() {
    for (lost_for, left) in [(60, 7), (200, 7), (1_795, 7), (1_900, 0)] {
        let mut world = world(&[]);
        world.network_loss(1, Some(At(lost_for * 1_000))).unwrap();
        pass(&mut world, lost_for);
        pass(&mut world, 10);
        assert_eq!(shown(&world, 1), OPERATIONAL, "{lost_for} s");
        assert_eq!(objects(&world, 1), left, "{lost_for} s");
    }
}

#[test]
fn reconnects_at_the_retry_interval_unless_a_knob_forbids_it() {
    let lost = |knobs: &[&str]| {
        let mut world = world(knobs);
        world.network_loss(1, Some(At(103_000))).unwrap();
        pass(&mut world, 109);
        assert_eq!(shown(&world, 1), Shown::Failed);
        pass(&mut world, 1);
        world
    };
    assert_eq!(shown(&lost(&[]), 1), OPERATIONAL);
    let mut world = lost(&["modules.reconnects_by_itself=false"]);
    assert_eq!(shown(&world, 1), Shown::Failed);
    assert!(world.command(1, Command::Retry).is_ok());
    assert_eq!((shown(&world, 1), objects(&world, 1)), (OPERATIONAL, 7));
}

#[test]
fn a_retry_during_resumption_can_lose_keys() {
    let mut world = world(&[
        "modules.reconnects_by_itself=false",
        "modules.retry_loses_keys=true",
    ]);
    world.network_loss(1, Some(At(100_000))).unwrap();
    pass(&mut world, 100);
    world.take_events();
    assert!(world.command(1, Command::Retry).is_ok());
    assert_eq!((shown(&world, 1), objects(&world, 1)), (OPERATIONAL, 0));
    assert!(matches!(
        damage(&mut world)[..],
        [Damage::ObjectsLost { count: 7, .. }]
    ));
}

#[test]
fn a_rebooting_hsm_is_away_for_minutes_and_comes_back_without_keys() {
    for (knob, needs) in [
        ("nothing", None),
        ("retry", Some(Cure::Retry)),
        ("clear", Some(Cure::Clear)),
    ] {
        let mut world = world(&[&format!("modules.after_reboot={knob}")]);
        world.hsm_reboot(1).unwrap();
        assert!(!world.module(1).unwrap().answers_ping(world.now));
        pass(&mut world, 239);
        assert_eq!(shown(&world, 1), Shown::Failed);
        assert_eq!(world.command(1, Command::Retry).to_string(), "NetworkError");
        pass(&mut world, 11);
        assert!(world.module(1).unwrap().answers_ping(world.now));
        let fault = world
            .module(1)
            .unwrap()
            .fault
            .as_ref()
            .map(|fault| fault.cure);
        assert_eq!(fault, needs);
        assert_eq!(shown(&world, 1) == OPERATIONAL, needs.is_none(), "{knob}");
        assert_eq!(objects(&world, 1), 0);
    }
}

#[test]
fn ping_may_answer_before_the_vcm_serves() {
    let mut world = world(&["modules.ping_during_boot=true"]);
    world.hsm_reboot(1).unwrap();
    pass(&mut world, 181);
    assert!(world.module(1).unwrap().answers_ping(world.now));
    assert!(!world.module(1).unwrap().serves());
}

#[test]
fn a_vcm_without_autostart_stays_away_until_its_provider_starts_it() {
    let mut world = world(&["modules.after_reboot=nothing"]);
    world.modules[0].device.autostart = false;
    world.hsm_reboot(1).unwrap();
    pass(&mut world, 10_000);
    assert_eq!(shown(&world, 1), Shown::Failed);
    assert!(!world.module(1).unwrap().answers_ping(world.now));
    world.start_vcm(1).unwrap();
    pass(&mut world, 70);
    assert_eq!(shown(&world, 1), OPERATIONAL);
}

#[test]
fn a_retry_works_on_the_kth_time_and_after_its_delay() {
    let mut world = world(&[]);
    let heal_after = Some("20s".parse().unwrap());
    let spec = FaultSpec {
        retries: 3,
        heal_after,
        ..FaultSpec::plain(Reason::NeedsRetry)
    };
    world.fail_module(1, &spec).unwrap();
    for _ in 0..2 {
        assert!(world.command(1, Command::Retry).is_ok());
        pass(&mut world, 60);
        assert_eq!(shown(&world, 1), Shown::Failed);
    }
    assert!(world.command(1, Command::Retry).is_ok());
    pass(&mut world, 19);
    assert_eq!(shown(&world, 1), Shown::Failed);
    pass(&mut world, 1);
    assert_eq!(shown(&world, 1), OPERATIONAL);
}

#[test]
fn a_cured_module_can_fail_again() {
    let mut world = world(&[]);
    let relapse_after = Some("60s".parse().unwrap());
    let spec = FaultSpec {
        relapse_after,
        relapses: 1,
        ..FaultSpec::plain(Reason::NeedsRetry)
    };
    world.fail_module(1, &spec).unwrap();
    let mut cure = |seconds| {
        world.command(1, Command::Retry);
        pass(&mut world, 3);
        assert_eq!(shown(&world, 1), OPERATIONAL);
        pass(&mut world, seconds);
        shown(&world, 1)
    };
    assert_eq!(cure(60), Shown::Failed);
    assert_eq!(cure(600), OPERATIONAL);
}

#[test]
fn a_clear_before_its_time_leaves_the_module_in_maintenance() {
    let mut world = world(&[]);
    fail(&mut world, 1, Reason::NeedsClear);
    world.command(1, Command::Maintenance);
    assert_eq!(shown(&world, 1), Shown::Resetting);
    pass(&mut world, 29);
    assert_eq!(shown(&world, 1), MAINTENANCE);
    world.take_events();
    assert!(world.command(1, Command::Clear).is_ok());
    let early = Damage::ClearTooEarly {
        waited_ms: 29_000,
        needed_ms: 30_000,
    };
    assert_eq!(damage(&mut world), [early]);
    pass(&mut world, 10);
    assert_eq!(shown(&world, 1), MAINTENANCE);
    world.command(1, Command::Clear);
    pass(&mut world, 5);
    assert_eq!(shown(&world, 1), OPERATIONAL);
    assert_eq!(objects(&world, 1), 0);
}

#[test]
fn a_clear_that_cures_is_told_as_the_module_s_return() {
    let mut world = world(&[]);
    fail(&mut world, 1, Reason::NeedsClear);
    world.take_events();
    clear(&mut world);
    pass(&mut world, 5);
    let kinds: Vec<_> = world
        .take_events()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    let cause = "clear".to_owned();
    assert!(
        kinds.contains(&EventKind::ModuleMode {
            mode: Mode::Maintenance
        }),
        "{kinds:?}"
    );
    assert_eq!(kinds.last(), Some(&EventKind::ModuleOperational { cause }));
}

#[test]
fn a_clear_without_maintenance_cures_nothing() {
    let mut world = world(&[]);
    fail(&mut world, 1, Reason::NeedsClear);
    world.command(1, Command::Clear);
    pass(&mut world, 60);
    assert_eq!(shown(&world, 1), Shown::Failed);
}

#[test]
fn maintenance_outlives_network_loss_and_hardserver_restart() {
    let mut world = world(&[]);
    fail(&mut world, 1, Reason::NeedsClear);
    world.command(1, Command::Maintenance);
    pass(&mut world, 5);
    world.network_loss(1, None).unwrap();
    pass(&mut world, 100);
    assert_eq!(shown(&world, 1), Shown::Failed);
    assert_eq!(world.command(1, Command::Clear).to_string(), "NetworkError");
    world.network_restore(1).unwrap();
    pass(&mut world, 10);
    assert_eq!(shown(&world, 1), MAINTENANCE);
    restart(&mut world);
    pass(&mut world, 2);
    assert_eq!(shown(&world, 1), MAINTENANCE);
    world.command(1, Command::Clear);
    pass(&mut world, 5);
    assert_eq!(shown(&world, 1), OPERATIONAL);
}

#[test]
fn harm_to_a_healthy_module_is_recorded_for_every_command_that_harms() {
    for command in [
        Command::Clear,
        Command::Maintenance,
        Command::Initialization,
        Command::Operational,
        Command::Fail,
    ] {
        let mut world = world(&[]);
        assert!(world.command(1, command).is_ok());
        let harm = damage(&mut world);
        assert!(
            matches!(harm[0], Damage::HealthyModuleDisturbed { .. }),
            "{command:?} {harm:?}"
        );
        let lost = |harm: &Damage| {
            matches!(
                harm,
                Damage::ObjectsLost {
                    count: 7,
                    module_was_healthy: true,
                    ..
                }
            )
        };
        assert!(harm.iter().any(lost), "{command:?} {harm:?}");
    }
    let mut world = world(&[]);
    world.command(1, Command::NoOp);
    world.command(1, Command::Retry);
    assert_eq!(damage(&mut world), []);
}

#[test]
fn a_restart_cuts_every_client_and_loses_every_key() {
    let mut world = world(&[]);
    assert_eq!(world.connected_clients(), 8);
    restart(&mut world);
    let harm = damage(&mut world);
    assert_eq!(harm[0], Damage::ClientsCut { count: 8 });
    let lost = harm
        .iter()
        .filter(|harm| matches!(harm, Damage::ObjectsLost { count: 7, .. }));
    assert_eq!(lost.count(), 3);
    assert_eq!(shown(&world, 2), Shown::Failed);
    pass(&mut world, 2);
    assert_eq!(shown(&world, 2), OPERATIONAL);
    assert_eq!(world.connected_clients(), 0);
    pass(&mut world, 3);
    assert_eq!(world.connected_clients(), 8);
    assert_eq!(objects(&world, 2), 0);
}

#[test]
fn applications_reload_keys_by_themselves_only_if_told_so() {
    for (knob, objects_later) in [
        ("timing.keys_reload=null", 0),
        ("timing.keys_reload=10s", 7),
    ] {
        let mut world = world(&[knob]);
        restart(&mut world);
        pass(&mut world, 60);
        assert_eq!(objects(&world, 1), objects_later, "{knob}");
        world.reload_keys();
        assert_eq!(objects(&world, 1), 7, "{knob}");
    }
}

#[test]
fn a_start_can_permute_numbers_and_leave_a_healthy_module_failed() {
    let mut world = world(&[
        "hardserver.permuting_starts=1",
        "hardserver.breaking_starts=1",
    ]);
    let esns = |world: &World| -> Vec<_> {
        (1..=3)
            .map(|number| world.module(number).unwrap().esn.clone())
            .collect()
    };
    let before = esns(&world);
    restart(&mut world);
    pass(&mut world, 30);
    let after = esns(&world);
    assert_ne!(before, after);
    assert_eq!((&before[0], &before[1]), (&after[1], &after[2]));
    let failed = (1..=3)
        .filter(|number| shown(&world, *number) == Shown::Failed)
        .count();
    assert_eq!(failed, 1);
    restart(&mut world);
    pass(&mut world, 30);
    assert_eq!(esns(&world), after);
    assert!((1..=3).all(|number| shown(&world, number) == OPERATIONAL));
}

#[test]
fn retry_of_a_healthy_module_does_what_its_knob_says() {
    for (knob, status, left) in [
        ("invalid-state", "InvalidState", 7),
        ("ok", "OK", 7),
        ("loses-keys", "OK", 0),
    ] {
        let mut world = world(&[&format!("modules.retry_on_healthy={knob}")]);
        assert_eq!(world.command(1, Command::Retry).to_string(), status);
        assert_eq!(
            (shown(&world, 1), objects(&world, 1)),
            (OPERATIONAL, left),
            "{knob}"
        );
    }
}

#[test]
fn a_late_command_takes_effect_without_its_caller() {
    let mut world = world(&[]);
    world.command_later(1, Command::Maintenance, At(20_000));
    pass(&mut world, 19);
    assert_eq!(shown(&world, 1), OPERATIONAL);
    pass(&mut world, 3);
    assert_eq!(shown(&world, 1), MAINTENANCE);
}

#[test]
fn commands_for_modules_that_are_not_there_are_refused() {
    let mut world = world(&[]);
    assert_eq!(
        world.command(9, Command::Clear).to_string(),
        "InvalidModule"
    );
    assert_eq!(world.heal(9), Err(NoSuchModule(9)));
}

#[test]
fn healing_undoes_every_fault() {
    for reason in [
        Reason::Network,
        Reason::HsmReboot,
        Reason::NeedsRetry,
        Reason::Dead,
    ] {
        let mut world = world(&[]);
        fail(&mut world, 1, reason);
        pass(&mut world, 100);
        assert_eq!(shown(&world, 1), Shown::Failed, "{reason:?}");
        world.heal(1).unwrap();
        assert_eq!(shown(&world, 1), OPERATIONAL, "{reason:?}");
    }
}

#[test]
fn follows_what_the_lab_says_of_the_network() {
    let mut world = world(&[]);
    world.follow_network("vcm1", true);
    pass(&mut world, 90);
    assert_eq!(shown(&world, 1), Shown::Failed);
    world.follow_network("vcm1", false);
    pass(&mut world, 10);
    assert_eq!(shown(&world, 1), OPERATIONAL);
}

#[test]
fn the_hsm_side_goes_on_while_no_hardserver_runs() {
    let mut world = world(&["modules.after_reboot=nothing"]);
    world.hsm_reboot(1).unwrap();
    world.hardserver_ended(Down::Died);
    pass(&mut world, 300);
    world.hardserver_started(2, 2);
    pass(&mut world, 2);
    assert_eq!(shown(&world, 1), OPERATIONAL);
}

#[test]
fn time_in_one_step_or_in_many_leads_to_the_same_world() {
    let story = |step: Duration| {
        let mut world = world(&["timing.keys_reload=7s"]);
        world.network_loss(1, Some(At(200_000))).unwrap();
        world.hsm_reboot(2).unwrap();
        fail(&mut world, 3, Reason::NeedsRetry);
        world.command(3, Command::Retry);
        let end = At(600_000);
        while world.now < end {
            let now = (world.now + step).min(end);
            world.advance(now);
        }
        let events: Vec<_> = world.take_events();
        (world, events)
    };
    let at_once = story(Duration::from_secs(600));
    for step in [10, 333, 4_999] {
        let in_steps = story(Duration::from_millis(step));
        assert_eq!(in_steps, at_once, "{step} ms");
    }
}

#[test]
fn a_world_in_which_nothing_happened_need_not_be_saved() {
    let mut world = world(&[]);
    let before = world.clone();
    pass(&mut world, 50);
    assert!(world.differs_only_in_time(&before));
    world.network_loss(1, None).unwrap();
    world.take_events();
    assert!(!world.differs_only_in_time(&before));
}

#[test]
fn the_state_survives_being_written_and_read() {
    let mut world = world(&[]);
    fail(&mut world, 1, Reason::NeedsRetry);
    world.network_loss(2, Some(At(5_000))).unwrap();
    world.command_later(3, Command::Clear, At(9_000));
    world.take_events();
    let text = serde_json::to_string(&world).unwrap();
    assert_eq!(serde_json::from_str::<World>(&text).unwrap(), world);
}
