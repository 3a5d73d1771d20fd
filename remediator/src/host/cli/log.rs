//! The log of a process that runs an attempt or finishes a section: its standard error, which is the
//! file of its attempt.

use std::io::{self, Write};

/// Writes the log from now on. Nothing depends on it: what cannot be written is lost, and what was
/// begun goes on. Left to itself the logging library reports a failed write on standard error,
/// which is the very file that cannot be written, and that report ends the process.
pub(super) fn init() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(|| Lossy(io::stderr()))
        .log_internal_errors(false)
        .with_ansi(false);
    // Fails only where a log is there already.
    let _ = subscriber.try_init();
}

/// A writer of which nobody hears that it failed.
struct Lossy<W>(W);

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn what_cannot_be_written_is_lost_and_nobody_hears_of_it() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut writer = Lossy(full);
        writer.write_all(b"a line\n").unwrap();
        writer.flush().unwrap();
        let mut kept = Lossy(Vec::new());
        kept.write_all(b"a line\n").unwrap();
        assert_eq!(kept.0, b"a line\n");
    }
}
