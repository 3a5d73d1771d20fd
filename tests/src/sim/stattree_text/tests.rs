use super::*;
use crate::sim::{
    clock::At,
    estate::Estate,
    world::{FaultSpec, Reason},
};

fn world(knobs: &[&str]) -> World {
    let mut world = World::new(Estate::generated(2), At(0));
    for knob in knobs {
        world.knobs = world.knobs.with(knob).unwrap();
    }
    world.hardserver_started(1, 1);
    world
}

fn printed(world: &World, path: &str) -> Option<String> {
    let path: Vec<_> = path.split_whitespace().map(str::to_owned).collect();
    text(world, &path)
}

#[test]
fn indents_by_three_and_puts_values_in_their_column() {
    let all = printed(&world(&[]), "").unwrap();
    assert!(
        all.starts_with("+ServerGlobals:\n   -Uptime               0\n"),
        "{all}"
    );
    assert!(
        all.contains("\n         -CacheEntriesInserted 0\n"),
        "{all}"
    );
    assert!(
        all.contains("\n         -CPULoadPercent       20\n"),
        "{all}"
    );
}

#[test]
fn prints_from_the_node_that_is_named() {
    let world = world(&[]);
    let part = printed(&world, "PerModule 2 ModuleObjStats").unwrap();
    assert!(
        part.starts_with("+ModuleObjStats:\n   -ObjectCount          7\n"),
        "{part}"
    );
    assert_eq!(printed(&world, "PerModule 9"), None);
}

#[test]
fn counts_on_while_time_passes_and_stands_still_when_failed() {
    let mut world = world(&["text.failed_statistics=all"]);
    let count = |world: &World| commands_of(&world.modules[0]);
    world.advance(At(10_000));
    assert_eq!(count(&world), 1_000);
    world
        .fail_module(1, &FaultSpec::plain(Reason::Dead))
        .unwrap();
    world.advance(At(20_000));
    assert_eq!(count(&world), 1_000);
}

#[test]
fn leaves_out_or_shortens_a_failed_module() {
    for (knob, present, short) in [
        ("missing", false, true),
        ("few", true, true),
        ("all", true, false),
    ] {
        let mut world = world(&[&format!("text.failed_statistics={knob}")]);
        world
            .fail_module(1, &FaultSpec::plain(Reason::Dead))
            .unwrap();
        assert_eq!(printed(&world, "PerModule 1").is_some(), present, "{knob}");
        assert_eq!(
            printed(&world, "PerModule 1 ModuleJobStats").is_none(),
            short,
            "{knob}"
        );
        assert!(
            printed(&world, "PerModule 2 ModuleJobStats").is_some(),
            "{knob}"
        );
    }
}

#[test]
fn leaves_out_what_a_tenant_may_not_see_and_numbers_differently() {
    let missing = r#"text.missing_statistics=["ModuleEnvStats","CPULoadPercent"]"#;
    let world = world(&[missing, "text.statistics_numbered_from=10"]);
    let all = printed(&world, "").unwrap();
    assert!(
        !all.contains("ModuleEnvStats") && !all.contains("CPULoadPercent"),
        "{all}"
    );
    assert!(printed(&world, "PerModule 11").is_some());
    assert!(printed(&world, "PerModule 1").is_none());
}

#[test]
fn lists_two_thousand_connections() {
    let mut world = world(&[]);
    world.clients = vec![crate::sim::estate::Clients {
        process: "/opt/app".into(),
        count: 2_000,
    }];
    let all = printed(&world, "Connections").unwrap();
    assert!(all.contains("+#2001:") && !all.contains("+#2002:"));
    assert!(
        printed(&world, "ServerGlobals")
            .unwrap()
            .contains("-ClientCount          2001")
    );
}
