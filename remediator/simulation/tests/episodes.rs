//! Episodes as a whole: they replay, ordinary troubles end as they should, and the run is not vacuous.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "single kinds of event are looked for"
)]

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use vcm_recovery::event::Change;
use vcm_recovery::guard::Guard;
use vcm_recovery::tier::Rung;
use vcm_simulation::campaign::{self, TAIL};
use vcm_simulation::checker::Way;
use vcm_simulation::episode::Episode;
use vcm_simulation::knobs::{
    Enrolment, Icmp, Knobs, Layout, Load, Modes, People, Permitted, Reconnect, Retry, WallClock,
    Windows,
};
use vcm_simulation::trouble::Trouble;

fn episode(seed: u64) -> Episode {
    let mut episode = Episode::new(seed, false);
    episode.run(TAIL);
    episode
}

/// What comes of one trouble on a site with these knobs.
fn one(knobs: Knobs, trouble: Trouble) -> Episode {
    let mut episode = Episode::of(1, knobs, true, None);
    episode.plan_one(trouble);
    episode.run(TAIL);
    let violations = episode.checker().violations();
    assert!(
        violations.is_empty(),
        "{violations:?}\n{}",
        episode.history().lines().join("\n")
    );
    episode
}

fn ways(episode: &Episode) -> Vec<Way> {
    episode
        .checker()
        .results()
        .iter()
        .map(|result| result.way)
        .collect()
}

fn acts(episode: &Episode) -> Vec<Rung> {
    let results = episode.checker().results().iter();
    results
        .flat_map(|result| result.acts.iter().map(|(rung, _)| *rung))
        .collect()
}

#[test]
fn same_seed_gives_the_same_events() {
    for seed in [3, 4, 5] {
        assert_eq!(episode(seed).events(), episode(seed).events());
    }
    assert_ne!(episode(3).events(), episode(4).events());
}

#[test]
fn module_that_needs_a_retry_is_retried_once_and_recovered() {
    let episode = one(Knobs::ORDINARY, Trouble::NeedsRetry);
    assert_eq!(ways(&episode), [Way::ByUs]);
    assert_eq!(acts(&episode), [Rung::Retry]);
}

#[test]
fn lost_network_that_heals_by_itself_is_never_acted_on() {
    let episode = one(Knobs::ORDINARY, Trouble::NetworkLost);
    assert_eq!(acts(&episode), []);
}

#[test]
fn filtered_icmp_keeps_every_rung_from_starting() {
    let knobs = Knobs {
        icmp: Icmp::Filtered,
        ..Knobs::ORDINARY
    };
    let episode = one(knobs, Trouble::NeedsRetry);
    assert_eq!(acts(&episode), []);
    assert!(!episode.checker().results()[0].pages.is_empty());
}

#[test]
fn whole_ladder_is_climbed_where_the_policy_permits_it() {
    let knobs = Knobs {
        policy: Permitted::Everything,
        retry: Retry::Nothing,
        reconnect: Reconnect::Never,
        ..Knobs::ORDINARY
    };
    let episode = one(knobs, Trouble::NeedsClear);
    assert_eq!(ways(&episode), [Way::ByUs]);
    let acts = acts(&episode);
    assert_eq!(acts.last(), Some(&Rung::Clear));
    assert!(
        acts.contains(&Rung::Retry) && acts.contains(&Rung::Restart),
        "{acts:?}"
    );
}

/// Of one VCM on two hosts and of a network HSM on two, over places drawn by seeds.
#[test]
fn only_a_vcm_is_cleared_where_a_module_is_enrolled_on_two_hosts() {
    let clears = |enrolment: Enrolment| -> usize {
        let knobs = Knobs {
            layout: Layout::Wide,
            policy: Permitted::Everything,
            reconnect: Reconnect::Never,
            people: People::Absent,
            enrolment,
            ..Knobs::ORDINARY
        };
        let episode = |seed| {
            let mut episode = Episode::of(seed, knobs, false, None);
            episode.plan_one(Trouble::NeedsClear);
            episode.run(TAIL);
            let violations = episode.checker().violations();
            assert!(violations.is_empty(), "seed {seed}: {violations:?}");
            acts(&episode)
                .iter()
                .filter(|rung| **rung == Rung::Clear)
                .count()
        };
        (0..24).map(episode).sum()
    };
    let (once, both) = (clears(Enrolment::Once), clears(Enrolment::NetworkHsm));
    assert!(once > both && both > 0, "{once} and {both} clears");
    assert!(clears(Enrolment::ClearCutsBoth) > 0);
}

/// Whoever set the windows meant the wall clock; the judge sees that nothing starts outside them.
#[test]
fn no_window_is_known_while_the_wall_clock_and_the_programs_time_are_apart() {
    let apart = |seed| {
        let set = |knobs: &mut Knobs| {
            knobs.windows = Windows::ByNight;
            knobs.clock = WallClock::StepsForward;
        };
        let mut episode = Episode::misled(seed, &set, &|_| {});
        episode.run(TAIL);
        assert_eq!(episode.checker().violations(), []);
        let refuses = |change: &Change| match change {
            Change::Decided(ruling) => ruling.verdicts.iter().any(|given| {
                given.guard == Guard::OutsideWindow && given.verdict.reason().contains("60 s apart")
            }),
            _ => false,
        };
        let mut events = episode.events().iter();
        events.any(|event| refuses(&event.entry.change))
    };
    assert!((0..100).any(apart));
}

#[test]
fn observe_mode_runs_nothing_and_records_what_it_would_have_run() {
    let knobs = Knobs {
        mode: Modes::Observe,
        ..Knobs::ORDINARY
    };
    let episode = one(knobs, Trouble::NeedsRetry);
    assert_eq!(acts(&episode), []);
    assert!(kinds(&episode).contains("ShadowStarted"));
}

#[test]
fn approve_mode_retries_when_a_person_has_approved_it() {
    let knobs = Knobs {
        mode: Modes::Approve,
        reconnect: Reconnect::Never,
        people: People::Meddling,
        ..Knobs::ORDINARY
    };
    let episode = one(knobs, Trouble::NeedsRetry);
    assert_eq!(acts(&episode), [Rung::Retry]);
    assert!(kinds(&episode).contains("ApprovalUsed"));
}

#[test]
fn load_that_is_in_the_way_is_taken_and_returns_whatever_the_hook_does() {
    for load in [Load::HookWorks, Load::HookFails, Load::HookForgets] {
        let knobs = Knobs {
            load,
            layout: Layout::Shared,
            ..Knobs::ORDINARY
        };
        let episode = one(knobs, Trouble::Overload);
        assert_eq!(ways(&episode), [Way::ByUs]);
        let kinds = kinds(&episode);
        assert!(
            kinds.contains("LoadShed") && kinds.contains("LoadRestored"),
            "{kinds:?}"
        );
    }
}

fn kinds(episode: &Episode) -> BTreeSet<&'static str> {
    let events = episode.events().iter();
    events.map(|event| event.entry.change.kind()).collect()
}

#[test]
fn campaign_comes_to_the_same_on_one_thread_and_on_two() {
    let run = |jobs| {
        let streams = campaign::run(&[1, 2], 60, NonZeroUsize::new(jobs).unwrap());
        campaign::Outcome::joined(&streams)
    };
    assert_eq!(run(1).tally, run(2).tally);
}

/// Otherwise nothing that holds would mean anything.
#[test]
fn episodes_reach_what_they_are_about() {
    let mut kinds = BTreeSet::new();
    let mut rungs = BTreeSet::new();
    let mut starts = 0;
    for seed in 0..300 {
        let episode = episode(seed);
        kinds.extend(
            episode
                .events()
                .iter()
                .map(|event| event.entry.change.kind()),
        );
        rungs.extend(acts(&episode));
        starts += episode.starts() - 1;
        let interrupted = |change: &Change| match change {
            Change::AttemptReported { report, .. } => {
                matches!(report, vcm_recovery::attempt::Report::Interrupted { .. })
            }
            _ => false,
        };
        if episode
            .events()
            .iter()
            .any(|event| interrupted(&event.entry.change))
        {
            kinds.insert("interrupted");
        }
    }
    assert_eq!(rungs.len(), 3, "{rungs:?}");
    assert!(starts > 300, "{starts}");
    for kind in [
        "ApprovalAsked",
        "ApprovalAnswered",
        "ApprovalUsed",
        "ApprovalExpired",
        "Paused",
        "Resumed",
        "IncidentLatched",
        "PageRaised",
        "interrupted",
        "Held",
        "Released",
        "ShadowStarted",
        "LoadShed",
        "LoadRestored",
        "LoadReported",
        "ClockStepped",
        "GapFound",
        "Started",
    ] {
        assert!(kinds.contains(kind), "{kind} never happened: {kinds:?}");
    }
}
