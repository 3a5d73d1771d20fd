use vcm_recovery::alert::Ignored;

use super::*;

#[test]
fn who_does_not_answer_is_asked_again_soon_and_then_less_and_less_often() {
    let seconds = |rounds| backoff(rounds).as_secs();
    assert_eq!([1, 2, 3, 4].map(seconds), [1, 2, 4, 8]);
    assert!(backoff(u32::MAX) > Duration::from_secs(3600));
}

#[test]
fn each_change_of_a_peer_is_said_once() {
    let cut = |bytes| PeerError::CutShort { bytes };
    let unreadable = PeerError::Unreadable {
        alerts: 1,
        first: Ignored::Malformed(String::new()),
    };
    for (before, now, expected) in [
        (None, None, None),
        (None, Some(cut(1)), Some(Change::Worse)),
        (Some(cut(1)), Some(cut(2)), None),
        (Some(cut(1)), Some(unreadable), Some(Change::Worse)),
        (Some(cut(1)), None, Some(Change::Better)),
    ] {
        assert_eq!(
            change(before.as_ref(), now.as_ref()),
            expected,
            "{before:?} {now:?}"
        );
    }
}
