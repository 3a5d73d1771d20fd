//! The attempt's log, which takes the output of a command that may outlive us: a pipe would end it
//! when we die.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The most that is read of one command's output and left in the log, in bytes.
pub(super) const OUTPUT_MAX: u64 = 1 << 20;

pub(super) struct Log {
    path: PathBuf,
    from: u64,
}

impl Log {
    pub(super) fn open(path: &Path) -> io::Result<(File, Self)> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        let from = file.metadata()?.len();
        let path = path.to_owned();
        Ok((file, Self { path, from }))
    }

    /// What came since it was opened; what is more than [`OUTPUT_MAX`] is cut off in the file too.
    /// What cannot be read is not known, and changes nothing.
    pub(super) fn read(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.read_into(&mut bytes);
        bytes
    }

    fn read_into(self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).open(self.path)?;
        let end = self.from.saturating_add(OUTPUT_MAX);
        if file.metadata()?.len() > end {
            file.set_len(end)?;
        }
        file.seek(SeekFrom::Start(self.from))?;
        file.take(OUTPUT_MAX).read_to_end(bytes)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn gives_what_came_since_and_cuts_what_is_too_much() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        let (mut file, log) = Log::open(&path).unwrap();
        file.write_all(b"since").unwrap();
        assert_eq!(log.read(), b"since");
        let (mut file, log) = Log::open(&path).unwrap();
        file.write_all(&vec![b'x'; 3 << 20]).unwrap();
        assert_eq!(log.read().len() as u64, OUTPUT_MAX);
        let length = std::fs::metadata(&path).unwrap().len();
        assert_eq!(length, OUTPUT_MAX + "before\nsince".len() as u64);
        file.write_all(b"more").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length + 4);
    }
}
