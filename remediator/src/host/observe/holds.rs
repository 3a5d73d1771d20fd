//! The files that keep a host or one of its modules as they are: pause, hold, and hold of a module.
//!
//! They are the host's own: nobody needs to reach the remediator to put one in place. Whatever is
//! there counts, also what cannot be read; the text is only shown.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nshield::ModuleNumber;

/// The longest text that is shown, in characters.
const TEXT_MAX: usize = 200;

/// The most that is read of a file, in bytes: enough for [`TEXT_MAX`] characters of any width.
const READ_MAX: u64 = 1024;

/// The text of a file while it is there; anything but "not found" holds.
#[must_use]
pub fn text(path: &Path) -> Option<String> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Ok(_) | Err(_) => {}
    }
    let text = read(path).unwrap_or_else(|error| format!("the file cannot be read: {error}"));
    let visible = text.trim().chars().filter(|c| !c.is_control());
    let text: String = visible.take(TEXT_MAX).collect();
    Some(if text.is_empty() {
        "no reason is given".to_owned()
    } else {
        text
    })
}

/// Only of a regular file: reading a pipe would wait for somebody to write to it.
fn read(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The file that holds one module: the hold file's name with a dot and the number behind it.
#[must_use]
pub fn of_module(hold_file: &Path, module: ModuleNumber) -> PathBuf {
    let mut name = OsString::from(hold_file);
    name.push(format!(".{module}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_there_holds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hold");
        assert_eq!(text(&path), None);
        for (content, shown) in [
            ("", "no reason is given"),
            (" \n\u{7}", "no reason is given"),
            ("upgrade, jo\n", "upgrade, jo"),
            ("\x1b[31mred\nsecond", "[31mredsecond"),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(text(&path).unwrap(), shown, "{content:?}");
        }
        fs::write(&path, "x".repeat(1 << 20)).unwrap();
        assert_eq!(text(&path).unwrap().len(), TEXT_MAX);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/nonexistent", &path).unwrap();
        assert!(text(&path).unwrap().contains("cannot be read"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(text(&path).unwrap().contains("no regular file"));
        assert!(text(&path.join("below/that")).is_none());
    }

    #[test]
    fn a_file_in_a_directory_that_is_none_is_not_there_to_be_read_and_holds() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(text(&file.path().join("hold")).is_some());
    }

    #[test]
    fn a_module_has_a_file_of_its_own() {
        let module = 12.try_into().unwrap();
        assert_eq!(
            of_module(Path::new("/etc/vcm-remediator/hold"), module),
            Path::new("/etc/vcm-remediator/hold.12")
        );
    }
}
