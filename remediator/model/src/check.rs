//! Runs a model to closure: until every state that can be reached was visited. Called by `main` for
//! every model, and by the tests that break a rule and want to see the property fail.
//!
//! States are told apart by 64-bit fingerprints: with 10^7 of them, the chance that two share one
//! and a state is therefore left out is below 10^-5.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::time::{Duration, Instant};

use stateright::report::{ReportData, ReportDiscovery, Reporter};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Path, Property};

use crate::Size;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The model.
    pub model: &'static str,
    /// Different states.
    pub unique: usize,
    /// States with repetitions: how many transitions were followed.
    pub total: usize,
    /// Breadth first, the longest of the shortest ways to a state, in actions; with several threads about
    /// that. Depth first, the longest way that was gone.
    pub depth: usize,
    /// How long it took.
    pub time: Duration,
    /// Every property with its verdict, in the model's order.
    pub properties: Vec<Judged>,
}

/// A property with its verdict.
#[derive(Debug)]
pub struct Judged {
    /// Its name.
    pub name: &'static str,
    /// What is expected of it.
    pub expectation: Expectation,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is true in every reachable state.
    Holds,
    /// It is true in a reachable state.
    Reached,
    /// It is false in a reachable state: the way there, an action a line, and the state.
    Violated(String),
    /// It is true in no reachable state, so that it proves nothing.
    NotReached,
    /// The run stopped at another property's violation before this one was decided.
    Undecided,
}

impl Outcome {
    /// Whether every property is as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        let good = |judged: &Judged| matches!(judged.verdict, Verdict::Holds | Verdict::Reached);
        self.properties.iter().all(good)
    }

    /// The names of the properties that are violated.
    #[must_use]
    pub fn violated(&self) -> Vec<&'static str> {
        let violated = |judged: &&Judged| matches!(judged.verdict, Verdict::Violated(_));
        let names = self.properties.iter().filter(violated);
        names.map(|judged| judged.name).collect()
    }
}

/// Something that is asked of a state.
pub type Is<M> = fn(&M, &<M as Model>::State) -> bool;

/// The properties of a model: what must hold `always`, and what of the rest is `possible` in this estate.
pub fn properties<M: Model>(
    always: &[(&'static str, Is<M>)],
    sometimes: &[(&'static str, Is<M>)],
    possible: &[&'static str],
) -> Vec<Property<M>> {
    let always = always.iter().map(|&(name, is)| Property::always(name, is));
    let asked = sometimes.iter().filter(|(name, _)| possible.contains(name));
    let sometimes = asked.map(|&(name, is)| Property::sometimes(name, is));
    always.chain(sometimes).collect()
}

/// Visits every state of `model` that can be reached, on `threads` threads. Stops early at the
/// first violation only.
///
/// The quick size goes breadth first, whose ways to a violation are the shortest. The full size would hold
/// tens of gigabytes of states that wait for their turn: it goes depth first, and says each minute on
/// standard error how far it is.
#[must_use]
pub fn check<M>(size: Size, name: &'static str, model: M, threads: usize) -> Outcome
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let began = Instant::now();
    let checker = model
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures);
    match size {
        Size::Quick => judged(name, &checker.spawn_bfs().join(), began),
        Size::Full => {
            let mut progress = Progress {
                model: name,
                minutes: 0,
            };
            judged(
                name,
                &checker.spawn_dfs().join_and_report(&mut progress),
                began,
            )
        }
    }
}

fn judged<M>(name: &'static str, checker: &impl Checker<M>, began: Instant) -> Outcome
where
    M: Model,
    M::State: Clone + Debug + Hash + PartialEq,
    M::Action: Clone + Debug + PartialEq,
{
    let mut found = checker.discoveries();
    let properties = checker.model().properties();
    let stopped = properties
        .iter()
        .any(|property| fails(property) && found.contains_key(property.name));
    let judge = |property: Property<M>| Judged {
        name: property.name,
        verdict: verdict(&property, found.remove(property.name), stopped),
        expectation: property.expectation,
    };
    Outcome {
        model: name,
        unique: checker.unique_state_count(),
        total: checker.state_count(),
        depth: checker.max_depth(),
        time: began.elapsed(),
        properties: properties.into_iter().map(judge).collect(),
    }
}

/// Says each minute on standard error how far a long run is.
struct Progress {
    model: &'static str,
    minutes: u64,
}

impl<M: Model> Reporter<M> for Progress {
    #[expect(
        clippy::print_stderr,
        reason = "a person waits for a run of many minutes"
    )]
    fn report_checking(&mut self, data: ReportData) {
        let minutes = data.duration.as_secs() / 60;
        if minutes > self.minutes {
            self.minutes = minutes;
            eprintln!(
                "{}: {} states, {} with repetitions, {minutes} min",
                self.model, data.unique_states, data.total_states,
            );
        }
    }

    fn report_discoveries(&mut self, _: &M, _: BTreeMap<&'static str, ReportDiscovery<M>>) {}

    /// The run's end waits for the last one.
    fn delay(&self) -> Duration {
        Duration::from_millis(200)
    }
}

fn fails<M: Model>(property: &Property<M>) -> bool {
    property.expectation.discovery_is_failure()
}

fn verdict<M>(
    property: &Property<M>,
    found: Option<Path<M::State, M::Action>>,
    stopped: bool,
) -> Verdict
where
    M: Model,
    M::State: Debug,
    M::Action: Debug,
{
    match (found, fails(property)) {
        (Some(path), true) => Verdict::Violated(shown(path)),
        (Some(_), false) => Verdict::Reached,
        (None, _) if stopped => Verdict::Undecided,
        (None, true) => Verdict::Holds,
        (None, false) => Verdict::NotReached,
    }
}

/// Every action of the way, and the state that it ends in.
fn shown<State: Debug, Action: Debug>(path: Path<State, Action>) -> String {
    let last = format!("{:#?}", path.last_state());
    let actions = path.into_actions().into_iter().enumerate();
    let lines = actions.map(|(number, action)| format!("{:>4}  {action:?}\n", number + 1));
    lines.chain([last]).collect()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} states, {} with repetitions, depth {}, {:.1} s",
            self.model,
            self.unique,
            self.total,
            self.depth,
            self.time.as_secs_f64()
        )?;
        self.properties
            .iter()
            .try_for_each(|judged| write!(f, "{judged}"))
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expectation = match self.expectation {
            Expectation::Always => "always",
            Expectation::Eventually => "eventually",
            Expectation::Sometimes => "sometimes",
        };
        let verdict = match self.verdict {
            Verdict::Holds => "holds",
            Verdict::Reached => "reached",
            Verdict::Violated(_) => "VIOLATED",
            Verdict::NotReached => "NEVER REACHED",
            Verdict::Undecided => "undecided",
        };
        writeln!(f, "  {verdict:<13}  {expectation:<9}  {}", self.name)?;
        if let Verdict::Violated(path) = &self.verdict {
            path.lines()
                .try_for_each(|line| writeln!(f, "      {line}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts to its limit.
    struct Counter {
        limit: u8,
    }

    impl Model for Counter {
        type State = u8;
        type Action = u8;

        fn init_states(&self) -> Vec<u8> {
            vec![0]
        }

        fn actions(&self, _: &u8, actions: &mut Vec<u8>) {
            actions.extend([1, 2]);
        }

        fn next_state(&self, count: &u8, step: u8) -> Option<u8> {
            Some(count + step).filter(|&count| count <= self.limit)
        }

        fn properties(&self) -> Vec<Property<Self>> {
            vec![
                Property::always("below nine", |_, &count| count < 9),
                Property::sometimes("five", |_, &count| count == 5),
                Property::sometimes("twenty", |_, &count| count == 20),
            ]
        }
    }

    fn verdicts(outcome: &Outcome) -> Vec<Verdict> {
        let verdicts = outcome.properties.iter().map(|judged| &judged.verdict);
        verdicts.cloned().collect()
    }

    #[test]
    fn visits_everything_and_says_what_was_never_reached() {
        for size in [Size::Quick, Size::Full] {
            let outcome = check(size, "counter", Counter { limit: 8 }, 1);
            assert_eq!((outcome.unique, outcome.total), (9, 16));
            let expected = [Verdict::Holds, Verdict::Reached, Verdict::NotReached];
            assert_eq!(verdicts(&outcome), expected);
            assert!(!outcome.passed());
        }
    }

    #[test]
    fn shows_the_way_to_a_violation() {
        let outcome = check(Size::Quick, "counter", Counter { limit: 9 }, 1);
        assert_eq!(outcome.violated(), ["below nine"]);
        assert_eq!(verdicts(&outcome)[2], Verdict::Undecided);
        let text = outcome.to_string();
        assert!(
            text.contains("VIOLATED       always     below nine\n         1  "),
            "{text}"
        );
        assert!(text.contains("\n      9\n"), "{text}");
    }
}
