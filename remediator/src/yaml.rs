//! The one place that reads YAML: the remediator's and the host runner's configuration files.
//!
//! Callers hand in a serde struct with `deny_unknown_fields`; what comes back is the value or an
//! error with the file, the key path as far as the parser knows it, and line and column.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// A value and where in the file it stands.
pub use serde_saphyr::Spanned;

/// Largest accepted configuration file: 8 MiB. 1,000 hosts with 10 modules take about 1 MB.
pub const FILE_SIZE_MAX: u64 = 8 << 20;

/// Why a YAML file gave no value.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is larger than [`FILE_SIZE_MAX`].
    #[error("{} is larger than {FILE_SIZE_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The text is not what it should be: the parser's words, with line and column.
    #[error("{}: {problem}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        problem: String,
    },
}

/// Reads the file at `path` as a `T`.
///
/// # Errors
/// [`YamlError`] says whether it could not be read, or which line is wrong.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, YamlError> {
    let text = read_text(path)?;
    parse(&text).map_err(|problem| YamlError::Parse {
        path: path.to_owned(),
        problem,
    })
}

/// Reads `text` as a `T`.
///
/// # Errors
/// The parser's words, with line and column; never an excerpt of the text, which may hold a secret.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())
}

fn read_text(path: &Path) -> Result<String, YamlError> {
    let failed = |source| YamlError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_SIZE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > FILE_SIZE_MAX {
        return Err(YamlError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        wait: String,
        #[serde(default)]
        more: BTreeMap<String, u32>,
    }

    #[test]
    fn names_the_line_of_an_unknown_key() {
        let problem = parse::<Example>("wait: 30s\nwiat: 30s\n").unwrap_err();
        assert!(
            problem.contains("wiat") && problem.contains("line 2"),
            "{problem}"
        );
    }

    #[test]
    fn names_the_line_of_a_wrong_type_without_quoting_the_file() {
        let problem = parse::<Example>("wait: 30s\nmore: {a: seekrit}\n").unwrap_err();
        assert!(problem.contains("line 2"), "{problem}");
        assert!(!problem.contains("wait: 30s"), "{problem}");
    }

    #[test]
    fn refuses_a_repeated_key() {
        assert!(
            parse::<Example>("wait: 1s\nwait: 2s\n")
                .unwrap_err()
                .contains("wait")
        );
    }

    #[test]
    fn a_missing_file_is_a_read_error_and_an_empty_one_a_parse_error() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("remediator.yaml");
        assert!(matches!(
            read::<Example>(&missing),
            Err(YamlError::Read { .. })
        ));
        let mut empty = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(
            read::<Example>(empty.path()),
            Err(YamlError::Parse { .. })
        ));
        empty.write_all(b"wait: 30s\n").unwrap();
        let value: Example = read(empty.path()).unwrap();
        assert_eq!(value.wait, "30s");
    }
}
