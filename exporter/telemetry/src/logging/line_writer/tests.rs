//! Lines for an output that is stopped and let go.

use std::sync::Condvar;

use super::*;

/// A guard against a hang; nothing here takes long.
const DEADLINE: Duration = Duration::from_secs(60);

/// An output that takes its time: as many lines as it is allowed.
#[derive(Clone, Default)]
struct Output(Arc<(Mutex<Taken>, Condvar)>);

#[derive(Default)]
struct Taken {
    /// Writes that have begun.
    begun: usize,
    /// Writes that may go through.
    allowed: usize,
    lines: Vec<String>,
}

impl Output {
    fn allow(&self, lines: usize) {
        self.0.0.lock().unwrap().allowed = lines;
        self.0.1.notify_all();
    }

    fn wait_until(&self, reached: impl Fn(&Taken) -> bool) -> Vec<String> {
        let (taken, changed) = &*self.0;
        let taken = taken.lock().unwrap();
        let (taken, timed_out) = changed
            .wait_timeout_while(taken, DEADLINE, |taken| !reached(taken))
            .unwrap();
        assert!(!timed_out.timed_out(), "{:?}", taken.lines);
        taken.lines.clone()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, changed) = &*self.0;
        let mut taken = taken.lock().unwrap();
        taken.begun += 1;
        changed.notify_all();
        let mut taken = changed
            .wait_while(taken, |taken| taken.lines.len() >= taken.allowed)
            .unwrap();
        taken.lines.push(String::from_utf8_lossy(bytes).into());
        changed.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start(output: &Output, lines_max: usize) -> (Arc<LineWriter>, LogGuard) {
    let loss = |lost| format!("lost {lost}").into_bytes();
    LineWriter::start(output.clone(), lines_max, loss).unwrap()
}

/// The first is being written, so that the queue is empty and stays as it is filled.
fn blocked(output: &Output, lines_max: usize) -> (Arc<LineWriter>, LogGuard) {
    let (lines, guard) = start(output, lines_max);
    log(&lines, 0..1);
    output.wait_until(|taken| taken.begun == 1);
    (lines, guard)
}

fn log(mut lines: &LineWriter, numbers: std::ops::Range<usize>) {
    for number in numbers {
        lines.write_all(number.to_string().as_bytes()).unwrap();
    }
}

/// Fails where it hangs.
fn drop_in_time(guard: LogGuard) {
    let (end, ended) = mpsc::channel();
    thread::spawn(move || {
        drop(guard);
        end.send(())
    });
    ended.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn writes_what_is_logged_while_the_program_goes_on() {
    let output = Output::default();
    output.allow(usize::MAX);
    let (lines, _guard) = start(&output, 4);
    log(&lines, 0..1);
    assert_eq!(output.wait_until(|taken| !taken.lines.is_empty()), ["0"]);
}

#[test]
fn loses_what_finds_no_room_and_says_how_much_before_the_next_line() {
    let output = Output::default();
    let (lines, guard) = blocked(&output, 4);
    log(&lines, 1..8);
    output.allow(5);
    output.wait_until(|taken| taken.lines.len() == 5);
    log(&lines, 8..10);
    output.allow(usize::MAX);
    drop_in_time(guard);
    let written = output.wait_until(|taken| taken.lines.len() >= 8);
    assert_eq!(written, ["0", "1", "2", "3", "4", "lost 3", "8", "9"]);
}

#[test]
fn says_at_the_end_what_was_lost_last() {
    let output = Output::default();
    let (lines, guard) = blocked(&output, 1);
    log(&lines, 1..4);
    output.allow(usize::MAX);
    drop_in_time(guard);
    let written = output.wait_until(|taken| taken.lines.len() >= 3);
    assert_eq!(written, ["0", "1", "lost 2"]);
}

#[test]
fn end_writes_everything_that_is_left() {
    let output = Output::default();
    let (lines, guard) = blocked(&output, LINES_MAX);
    log(&lines, 1..LINES_MAX + 1);
    output.allow(usize::MAX);
    drop_in_time(guard);
    let expected: Vec<_> = (0..=LINES_MAX).map(|number| number.to_string()).collect();
    assert_eq!(output.wait_until(|_| true), expected);
}

#[test]
fn output_that_blocks_holds_up_neither_a_line_nor_the_end() {
    let output = Output::default();
    let (lines, guard) = blocked(&output, 4);
    log(&lines, 1..10_000);
    drop_in_time(guard);
    log(&lines, 10_000..10_001);
    assert!(output.wait_until(|_| true).is_empty());
    output.allow(usize::MAX);
}

/// Lines of one thread stay in their order, and none is cut, whoever else logs.
#[test]
fn lines_of_several_threads_are_whole_and_in_order() {
    let output = Output::default();
    output.allow(usize::MAX);
    let (lines, guard) = start(&output, LINES_MAX);
    thread::scope(|scope| {
        for first in [1_000, 2_000, 3_000] {
            let lines = &lines;
            scope.spawn(move || log(lines, first..first + 500));
        }
    });
    drop_in_time(guard);
    let written = output.wait_until(|_| true);
    for first in [1_000, 2_000, 3_000] {
        let expected: Vec<_> = (first..first + 500).map(|n| n.to_string()).collect();
        let of_one = |line: &&String| line.as_bytes()[0] == expected[0].as_bytes()[0];
        let found: Vec<_> = written.iter().filter(of_one).cloned().collect();
        assert_eq!(found, expected);
    }
    assert_eq!(written.len(), 1_500);
}
