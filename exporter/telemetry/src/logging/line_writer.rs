//! Lines on their way to standard error: [`logging`](super) queues them, a thread of its own writes
//! them.
//!
//! Whoever logs may hold a lock or be the only thread that sends echoes, and standard error may be
//! a pipe that nobody reads: a line that finds no room is lost and counted, and nobody waits for it.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Lines that may wait. 1,000 modules that become unreachable and come back at once log one line
/// each time; with some 200 bytes each this is less than 0.5 MB.
pub(super) const LINES_MAX: usize = 2_048;

/// How long the end of the program waits for the lines that are left. Long enough for anybody who
/// reads them, short beside the 90 s in which a service has to end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Where lines wait. Every [`Write::write`] is one line.
#[derive(Debug)]
pub(super) struct LineWriter(Mutex<Queue>);

/// Held only for as long as it takes to queue a line, never while one is written.
#[derive(Debug)]
struct Queue {
    /// `None` at the end of the program.
    sender: Option<SyncSender<Entry>>,
    /// Lines that found no room since one was queued.
    lost: u64,
}

#[derive(Debug)]
struct Entry {
    /// Lines that were lost immediately before this one.
    lost_before: u64,
    line: Vec<u8>,
}

/// Keeps the log going. Dropping it at the end of the program writes the lines that are left, for
/// at most a second, so that a standard error that nobody reads does not hold up the end.
/// `std::process::exit` drops nothing: drop this before.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct LogGuard(Option<Ending>);

#[derive(Debug)]
struct Ending {
    lines: Arc<LineWriter>,
    /// Nothing is sent: it is disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl LineWriter {
    /// Starts the thread that writes to `output`. It keeps at most `lines_max` lines, and says how
    /// many it has lost with what `loss` makes of the number.
    ///
    /// # Errors
    ///
    /// If there can be no more threads.
    pub(super) fn start(
        output: impl Write + Send + 'static,
        lines_max: usize,
        loss: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> io::Result<(Arc<Self>, LogGuard)> {
        let (sender, queued) = mpsc::sync_channel(lines_max);
        let (end, ended) = mpsc::channel();
        let lines = Arc::new(Self(Mutex::new(Queue {
            sender: Some(sender),
            lost: 0,
        })));
        let writing = Arc::clone(&lines);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                writing.run(output, &queued, loss);
                drop(end);
            })?;
        let ending = Ending {
            lines: Arc::clone(&lines),
            ended,
        };
        Ok((lines, LogGuard(Some(ending))))
    }

    /// Writes lines until no more can come. There is nobody to tell that one cannot be written.
    fn run(&self, mut output: impl Write, queued: &Receiver<Entry>, loss: impl Fn(u64) -> Vec<u8>) {
        let mut write = |lost: u64, line: &[u8]| {
            if lost > 0 {
                let _ = output.write_all(&loss(lost));
            }
            let _ = output.write_all(line);
        };
        for entry in queued {
            write(entry.lost_before, &entry.line);
        }
        let lost_last = self.queue().lost;
        write(lost_last, &[]);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let line_length = line.len();
        let line = line.to_vec();
        self.queue().push(line);
        Ok(line_length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    fn push(&mut self, line: Vec<u8>) {
        let Some(sender) = &self.sender else { return };
        let lost_before = self.lost;
        self.lost = match sender.try_send(Entry { lost_before, line }) {
            Ok(()) => 0,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => lost_before + 1,
        };
    }
}

impl LogGuard {
    /// There is no thread, and so nothing that is left at the end.
    pub(super) fn of_nothing() -> Self {
        Self(None)
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        if let Some(ending) = self.0.take() {
            ending.lines.queue().sender = None;
            let _ended_or_late = ending.ended.recv_timeout(LAST_LINES);
        }
    }
}
