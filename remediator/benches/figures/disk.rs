//! How long the disk takes beside what is measured, under the same load: a virtual one stalls at times.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const BETWEEN: Duration = Duration::from_millis(50);

/// Writes 4 KiB again and again, and waits for each to be durable.
pub(crate) struct Disk {
    stop: Sender<()>,
    watching: JoinHandle<Vec<Duration>>,
}

impl Disk {
    /// Begins, in a file of this directory.
    pub(crate) fn watch(directory: &Path) -> Self {
        let mut file = File::create(directory.join("probe")).unwrap();
        let (stop, stopped) = channel();
        let watching = std::thread::spawn(move || {
            let mut took = Vec::new();
            while stopped.recv_timeout(BETWEEN) == Err(RecvTimeoutError::Timeout) {
                let begun = Instant::now();
                file.rewind().unwrap();
                file.write_all(&[1; 4096]).unwrap();
                file.sync_data().unwrap();
                took.push(begun.elapsed());
            }
            took
        });
        Self { stop, watching }
    }

    /// Ends; how long each write took.
    pub(crate) fn took(self) -> Vec<Duration> {
        drop(self.stop);
        self.watching.join().unwrap()
    }
}
