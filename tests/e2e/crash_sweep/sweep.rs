//! All points of one ladder, many side by side: they wait far more than they compute.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Condvar, Mutex, PoisonError},
    thread,
};

use vcm_lab::lab::LabError;

use crate::must;

use super::{
    host::{self, Ran},
    kill::{self, Kill, NEVER, Point, With},
    ladder::Ladder,
};

/// How often a point is played until it is reached. On a busy machine an order may come too late for
/// the observation that it was decided on, is refused, and the kill that waited for it goes astray.
const TRIES: usize = 3;

const WITH: [With; 3] = [With::Nothing, With::Remediator, With::Power];

/// Points that are still to be played, and what came of the others.
struct Sweep {
    ladder: &'static Ladder,
    waiting: VecDeque<Point>,
    playing: usize,
    swept: BTreeMap<&'static str, usize>,
    /// Syncs that were counted, by the kind of the points, and points that were never there.
    counted: BTreeMap<&'static str, u32>,
    missed: Vec<Point>,
    /// How often each point has been played in vain.
    tried: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

/// Plays every point and prints how many there were.
///
/// # Panics
/// If a property did not hold anywhere, or a point could not be played.
pub(super) fn sweep(ladder: &'static Ladder) {
    must(kill::must_trace());
    let sweep = Mutex::new(Sweep::new(ladder));
    let changed = Condvar::new();
    thread::scope(|scope| {
        for _ in 0..ladder.side_by_side {
            scope.spawn(|| {
                while let Some(point) = next(&sweep, &changed) {
                    let ran = play(ladder, point);
                    lock(&sweep).take(point, ran);
                    changed.notify_all();
                }
            });
        }
    });
    let mut sweep = lock(&sweep);
    sweep.end();
    sweep.tell();
    assert!(sweep.wrong.is_empty(), "{}", sweep.wrong.join("\n"));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next point; waits while one that is being played may bring more.
fn next(sweep: &Mutex<Sweep>, changed: &Condvar) -> Option<Point> {
    let mut sweep = lock(sweep);
    loop {
        if let Some(point) = sweep.waiting.pop_front() {
            sweep.playing += 1;
            return Some(point);
        }
        if sweep.playing == 0 {
            return None;
        }
        sweep = changed.wait(sweep).unwrap_or_else(PoisonError::into_inner);
    }
}

fn play(ladder: &'static Ladder, point: Point) -> Result<Ran, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let ran: Result<Ran, LabError> = runtime.block_on(host::run(ladder, point));
    ran.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}

impl Sweep {
    fn new(ladder: &'static Ladder) -> Self {
        let mut sweep = Self {
            ladder,
            waiting: VecDeque::new(),
            playing: 0,
            swept: BTreeMap::new(),
            counted: BTreeMap::new(),
            missed: Vec::new(),
            tried: BTreeMap::new(),
            wrong: Vec::new(),
        };
        // First those that count how far the others go.
        sweep.runner_syncs([NEVER]);
        sweep.commits([NEVER]);
        if ladder.resume_syncs > 0 {
            sweep.resume_syncs([NEVER]);
            sweep.resume_syncs(1..=ladder.resume_syncs);
        }
        for &(line, knob) in ladder.effects {
            for when in ["before", "after"] {
                let kill = Kill::Effect { line, knob, when };
                sweep.waiting.extend(WITH.map(|with| Point { kill, with }));
            }
        }
        sweep.runner_syncs(1..=ladder.syncs);
        sweep.commits(1..=ladder.commits);
        sweep
    }

    fn runner_syncs(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for n in numbers {
            let kill = Kill::RunnerSync(n);
            let with = if n == NEVER { &WITH[..1] } else { &WITH[..] };
            self.waiting
                .extend(with.iter().map(|&with| Point { kill, with }));
        }
    }

    fn resume_syncs(&mut self, numbers: impl IntoIterator<Item = u32>) {
        let first = self.ladder.effects[0].1;
        let with = With::Nothing;
        let kill = |n| Kill::ResumeSync { first, n };
        let points = numbers.into_iter().map(|n| Point {
            kill: kill(n),
            with,
        });
        self.waiting.extend(points);
    }

    fn commits(&mut self, numbers: impl IntoIterator<Item = u32>) {
        let with = With::Nothing;
        let points = numbers.into_iter().map(|n| Point {
            kill: Kill::Commit(n),
            with,
        });
        self.waiting.extend(points);
    }

    fn take(&mut self, point: Point, ran: Result<Ran, String>) {
        self.playing -= 1;
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => return self.object(point, &error),
        };
        for violation in ran.evidence.violations(self.ladder, point) {
            let files = ran.evidence.files.display();
            self.object(point, &format!("{violation} ({files})"));
        }
        if point.kills_nobody() {
            self.counted.insert(point.kind(), ran.traced.syncs);
            self.go_as_far_as(point.kill, ran.traced.syncs);
        } else if ran.reached {
            *self.swept.entry(point.kind()).or_default() += 1;
        } else {
            self.not_reached(point);
        }
    }

    /// Plays the point again, unless it was played in vain too often or is known not to be there.
    fn not_reached(&mut self, point: Point) {
        let counted = self.counted.get(point.kind());
        let there = counted.is_none_or(|counted| point.number().is_none_or(|n| n <= *counted));
        let tried = self.tried.entry(point.to_string()).or_default();
        *tried += 1;
        if there && *tried < TRIES {
            self.waiting.push_back(point);
        } else {
            self.missed.push(point);
        }
    }

    /// Adds the points that the ladder did not know of.
    fn go_as_far_as(&mut self, kill: Kill, counted: u32) {
        match kill {
            Kill::RunnerSync(_) => self.runner_syncs(self.ladder.syncs + 1..=counted),
            Kill::ResumeSync { .. } => self.resume_syncs(self.ladder.resume_syncs + 1..=counted),
            Kill::Commit(_) => self.commits(self.ladder.commits + 1..=counted),
            Kill::Effect { .. } => {}
        }
    }

    /// Objects to every point that was missed although it is there. How often the remediator looks,
    /// and so commits, depends on the clock: its last commits may be missed.
    fn end(&mut self) {
        for point in std::mem::take(&mut self.missed) {
            let counted = self.counted.get(point.kind()).copied().unwrap_or(u32::MAX);
            let slack = if matches!(point.kill, Kill::Commit(_)) {
                counted / 3
            } else {
                0
            };
            if point.number().is_none_or(|n| n <= counted - slack) {
                self.object(point, &format!("not reached, of {counted}"));
            }
        }
    }

    fn object(&mut self, point: Point, what: &str) {
        self.wrong
            .push(format!("{}, {point}: {what}", self.ladder.name));
    }

    #[expect(clippy::print_stdout, reason = "the stage shows it")]
    fn tell(&self) {
        let counts = self
            .swept
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"));
        let counts: Vec<String> = counts.collect();
        println!(
            "swept {}: killed at {} points ({}), {} violations",
            self.ladder.name,
            self.swept.values().sum::<usize>(),
            counts.join(", "),
            self.wrong.len()
        );
    }
}
