use proptest::prelude::*;

use super::*;
use PageReason::{
    ApprovalRequired, AttemptUnknown, CriticalSection, Exhausted, HandedOver, HostRunner,
    MadeWorse, NetworkBad, ObservationUnknown, PermissionDenied, Stuck,
};

/// An incident, as the fold and the decision drive it together.
#[derive(Default)]
struct Case {
    called: Called,
    open: BTreeSet<PageReason>,
    raised: Vec<PageReason>,
}

impl Case {
    fn wants(&mut self, wanted: &[PageReason]) -> &mut Self {
        let settled = self
            .called
            .settle(&self.open, &wanted.iter().copied().collect());
        for &reason in settled.difference(&self.open) {
            self.called.raised(reason);
            self.raised.push(reason);
        }
        self.open = settled;
        self
    }

    fn answered(&mut self) -> &mut Self {
        self.called.answered();
        self
    }

    fn reopened(&mut self) -> &mut Self {
        self.called = Called::default();
        self
    }
}

/// What is wanted, step by step; what is raised in all; what is open at the end.
type Row<'a> = (&'a [&'a [PageReason]], &'a [PageReason], &'a [PageReason]);

#[test]
fn calls_once_to_look_and_once_more_to_decide_or_take_over() {
    let table: &[Row<'_>] = &[
        // Nothing wanted, nothing open.
        (&[&[]], &[], &[]),
        // A cause that goes calls nobody off, and nobody anew when it returns.
        (&[&[NetworkBad], &[]], &[NetworkBad], &[NetworkBad]),
        (
            &[&[NetworkBad], &[], &[NetworkBad]],
            &[NetworkBad],
            &[NetworkBad],
        ),
        // Another reason to look is no second call.
        (
            &[&[NetworkBad], &[Stuck], &[PermissionDenied], &[HostRunner]],
            &[NetworkBad],
            &[NetworkBad],
        ),
        (&[&[Stuck], &[NetworkBad, HostRunner]], &[Stuck], &[Stuck]),
        // What demands more takes its place, and keeps it.
        (
            &[&[NetworkBad], &[ApprovalRequired], &[NetworkBad]],
            &[NetworkBad, ApprovalRequired],
            &[ApprovalRequired],
        ),
        (
            &[&[NetworkBad], &[Exhausted]],
            &[NetworkBad, Exhausted],
            &[Exhausted],
        ),
        // Asked anew: one call.
        (
            &[&[ApprovalRequired], &[], &[ApprovalRequired]],
            &[ApprovalRequired],
            &[ApprovalRequired],
        ),
        (
            &[&[ApprovalRequired], &[Exhausted], &[Stuck]],
            &[ApprovalRequired, Exhausted],
            &[Exhausted],
        ),
        // Two calls are all.
        (
            &[&[Stuck], &[ApprovalRequired], &[Exhausted], &[HandedOver]],
            &[Stuck, ApprovalRequired],
            &[ApprovalRequired],
        ),
        // Of two at once the one that demands more.
        (&[&[HostRunner, Exhausted]], &[Exhausted], &[Exhausted]),
    ];
    for (steps, raised, open) in table {
        let mut case = Case::default();
        for wanted in *steps {
            case.wants(wanted);
        }
        assert_eq!(case.raised, *raised, "{steps:?}");
        assert_eq!(case.open, open.iter().copied().collect(), "{steps:?}");
    }
}

#[test]
fn calls_at_once_beside_and_beyond_every_other_page() {
    let mut case = Case::default();
    case.wants(&[Stuck]).wants(&[ApprovalRequired]);
    case.wants(&[CriticalSection]).wants(&[AttemptUnknown]);
    assert_eq!(
        case.raised,
        [Stuck, ApprovalRequired, CriticalSection, AttemptUnknown]
    );
    case.wants(&[MadeWorse]);
    let open = BTreeSet::from([ApprovalRequired, MadeWorse]);
    assert_eq!(case.open, open, "the cause of the others is gone");
}

#[test]
fn what_asks_at_once_spares_the_call_to_look_while_it_is_open() {
    let mut case = Case::default();
    case.wants(&[AttemptUnknown])
        .wants(&[AttemptUnknown, HostRunner]);
    assert_eq!(case.raised, [AttemptUnknown]);
    case.wants(&[HostRunner]);
    assert_eq!(case.raised, [AttemptUnknown, HostRunner]);
}

#[test]
fn an_answer_ends_the_first_request_and_the_next_one_calls_again() {
    let mut case = Case::default();
    case.wants(&[ApprovalRequired]).answered().wants(&[]);
    assert!(case.open.is_empty());
    case.wants(&[ApprovalRequired]).answered().wants(&[]);
    assert_eq!(case.raised, [ApprovalRequired, ApprovalRequired]);
    assert_eq!(
        case.open,
        BTreeSet::from([ApprovalRequired]),
        "no call left"
    );
}

#[test]
fn an_answer_ends_no_page_that_asked_for_something_else() {
    let mut case = Case::default();
    case.wants(&[ObservationUnknown]).answered().wants(&[]);
    assert_eq!(case.open, BTreeSet::from([ObservationUnknown]));
}

#[test]
fn an_incident_that_a_person_has_begun_anew_has_its_calls_again() {
    let mut case = Case::default();
    case.wants(&[NetworkBad]).wants(&[Exhausted]);
    case.reopened().wants(&[]);
    assert!(case.open.is_empty());
    case.wants(&[Stuck]).wants(&[Exhausted]);
    assert_eq!(case.raised, [NetworkBad, Exhausted, Stuck, Exhausted]);
}

#[derive(Clone, Debug)]
enum Step {
    Wants(Vec<PageReason>),
    Answered,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reasons = proptest::collection::vec(proptest::sample::select(&PageReason::ALL[..]), 0..3);
    let step = prop_oneof![5 => reasons.prop_map(Step::Wants), 1 => Just(Step::Answered)];
    proptest::collection::vec(step, 0..30)
}

proptest! {
    #[test]
    fn never_calls_more_than_twice_and_never_leaves_a_cause_untold(steps in steps()) {
        let mut case = Case::default();
        for step in steps {
            match step {
                Step::Answered => {
                    case.answered();
                }
                Step::Wants(wanted) => {
                    case.wants(&wanted);
                    prop_assert!(wanted.is_empty() || !case.open.is_empty());
                    for reason in wanted.into_iter().filter(|reason| at_once(*reason)) {
                        prop_assert!(case.open.contains(&reason));
                    }
                }
            }
            let counted = case.raised.iter().filter(|reason| !at_once(**reason));
            prop_assert!(counted.count() <= CALLS_MAX, "{:?}", case.raised);
            let others = case.open.iter().filter(|reason| !at_once(**reason));
            prop_assert!(others.count() <= 1, "{:?}", case.open);
        }
    }
}
