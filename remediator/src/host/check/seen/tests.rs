use super::super::State;
use super::*;

#[test]
fn every_status_of_a_source_but_an_answer_has_something_to_do() {
    for (status, expected) in [
        (SourceStatus::Ok, State::Ok),
        (SourceStatus::NotAsked, State::Unknown),
        (
            SourceStatus::Failed("exit status 1".to_owned()),
            State::NotOk,
        ),
        (SourceStatus::TimedOut, State::NotOk),
        (SourceStatus::PermissionDenied, State::NotOk),
    ] {
        let found = source("enquiry", &status);
        assert_eq!(found.state, expected, "{status:?}");
        assert_eq!(found.to_do.is_none(), expected == State::Ok);
    }
}

#[test]
fn only_a_check_that_passed_or_is_none_is_fine() {
    let text = || "why".to_owned();
    for (said, expected) in [
        (None, State::Ok),
        (Some(ServiceCheck::Passed), State::Ok),
        (Some(ServiceCheck::Failed(text())), State::NotOk),
        (Some(ServiceCheck::Unknown(text())), State::NotOk),
    ] {
        assert_eq!(service_check(said.as_ref()).state, expected, "{said:?}");
    }
}

#[test]
fn only_a_hardserver_that_is_up_is_fine() {
    for (look, expected) in [
        (HardserverLook::Up, State::Ok),
        (HardserverLook::SuspectedDown, State::NotOk),
        (HardserverLook::Unresponsive, State::NotOk),
        (HardserverLook::PermissionDenied, State::NotOk),
        (HardserverLook::Unknown, State::Unknown),
    ] {
        assert_eq!(hardserver(look).state, expected, "{look:?}");
    }
}
