//! What stands behind the steps: hooks, and commands that outlive their time.

use super::*;
use crate::host::journal::record::Hook;

fn hook_started() -> Record {
    let hook = Hook::AfterRestart;
    Record::HookStarted { hook }
}

fn hook_finished(exit: StepExit) -> Record {
    let output = String::new();
    Record::HookFinished { exit, output }
}

/// A restart with its hook, up to the process of the hook.
fn restart() -> Vec<Record> {
    let restart = Step::RestartHardserver;
    vec![
        accepted(Rung::Restart, &[restart]),
        started(0, restart),
        Record::Process(process(101)),
        finished(0, StepExit::Code(0)),
        hook_started(),
        Record::Process(process(102)),
    ]
}

fn pids(records: &[Record]) -> Vec<i32> {
    let story = story(records.to_vec()).unwrap();
    let processes = story.processes("boot");
    processes.iter().map(|process| process.pid).collect()
}

#[test]
fn the_section_stays_open_until_its_hook_is_over() {
    let mut records = restart();
    for length in 2..=records.len() {
        assert_eq!(word(records[..length].to_vec()), "section open");
    }
    records.extend([hook_finished(StepExit::Code(1)), ended()]);
    assert_eq!(word(records), "ended");
}

#[test]
fn the_process_of_a_hook_is_told_from_those_of_the_steps() {
    let mut records = restart();
    assert_eq!(pids(&records), [100, 102]);
    let unseen = story(records[..5].to_vec())
        .unwrap()
        .unseen_child_of("boot");
    assert_eq!(unseen, Some(process(100)), "the hook was about to start");
    records.push(hook_finished(StepExit::StillRunning));
    assert_eq!(pids(&records), [100, 102], "it was not ended");
    *records.last_mut().unwrap() = hook_finished(StepExit::TimedOut);
    assert_eq!(pids(&records), [100]);
    // A process that resumes starts the hardserver once more.
    records.push(started(1, Step::StartHardserver));
    let again = story(records.clone()).unwrap();
    assert_eq!(again.unseen_child_of("boot"), Some(process(100)));
    records.push(Record::Process(process(103)));
    let again = story(records.clone()).unwrap();
    assert_eq!(again.steps[1].process, Some(process(103)));
    assert_eq!(pids(&records), [100, 103]);
}

#[test]
fn a_hook_starts_once_and_only_behind_a_step() {
    let restart = restart();
    let behind = |more: Vec<Record>| {
        let records = [restart.clone(), more].concat();
        story(records).map(|_| ())
    };
    let refused = Err(OutOfOrder { seq: 6 });
    assert_eq!(behind(vec![hook_started()]), refused);
    assert_eq!(behind(vec![Record::Process(process(103))]), refused);
    let twice = vec![hook_finished(StepExit::Unseen); 2];
    assert_eq!(behind(twice), Err(OutOfOrder { seq: 7 }));
    for early in [hook_started(), hook_finished(StepExit::Unseen)] {
        let records = vec![restart[0].clone(), early];
        assert_eq!(story(records), Err(OutOfOrder { seq: 1 }));
    }
}

#[test]
fn what_is_still_running_is_said_until_something_else_is_known() {
    let still = Record::StillRunning {
        command: "init.d-ncipher restart".to_owned(),
    };
    let mut records = restart()[..3].to_vec();
    records.push(still.clone());
    let told = |records: &[Record], alive| status(&story(records.to_vec()).unwrap(), alive);
    let Status::StillRunning { detail } = told(&records, Alive::Runner) else {
        panic!("{:?}", told(&records, Alive::Runner));
    };
    assert!(detail.contains("init.d-ncipher restart"), "{detail}");
    let Status::StillRunning { detail } = told(&records, Alive::Command) else {
        panic!("{:?}", told(&records, Alive::Command));
    };
    assert!(detail.contains("outlives"), "{detail}");
    assert_eq!(word(records.clone()), "section open");
    records.push(finished(0, StepExit::Code(0)));
    assert_eq!(told(&records, Alive::Runner), Status::Running);
    let early = vec![restart()[0].clone(), still];
    assert_eq!(story(early), Err(OutOfOrder { seq: 1 }));
}
