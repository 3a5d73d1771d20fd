//! What the remediator shows of itself: a bearer token, or a name with its password, from a file.
//!
//! The file is read again for each request, so that a secret can be changed while the program runs.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Largest accepted secret, in bytes. A signed token has about 2 kB.
const SECRET_MAX: u64 = 16 << 10;

/// Where the secret is. It is never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A bearer token.
    Bearer {
        /// The file that holds it; white space around it does not count.
        file: PathBuf,
    },
    /// A name and a password.
    Basic {
        /// The name, without a colon.
        username: String,
        /// The file that holds the password; a line end after it does not count.
        password_file: PathBuf,
    },
}

/// Why there are no credentials. Never shows what the file holds.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What it holds is empty, longer than 16 KiB, or no header can carry it.
    #[error("{} holds no secret that can be sent", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// The program is on its way down.
    #[error("the program is ending")]
    Ending,
}

impl Credentials {
    /// The value of the header `Authorization`, read now. Blocks for as long as the file does.
    ///
    /// # Errors
    /// [`CredentialsError`] says what is wrong with the file.
    pub fn header(&self) -> Result<HeaderValue, CredentialsError> {
        let path = self.file();
        let text = secret(path)?;
        let text = match self {
            Self::Bearer { .. } => format!("Bearer {}", text.trim()),
            Self::Basic { username, .. } => {
                let password = text.trim_end_matches(['\r', '\n']);
                format!("Basic {}", BASE64.encode(format!("{username}:{password}")))
            }
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| unusable(path))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// [`header`](Self::header), beside the runtime's own threads.
    pub(super) async fn read(&self) -> Result<HeaderValue, CredentialsError> {
        let credentials = self.clone();
        let reading = tokio::task::spawn_blocking(move || credentials.header());
        reading.await.unwrap_or(Err(CredentialsError::Ending))
    }

    fn file(&self) -> &Path {
        match self {
            Self::Bearer { file } => file,
            Self::Basic { password_file, .. } => password_file,
        }
    }
}

fn secret(path: &Path) -> Result<String, CredentialsError> {
    let failed = |source| CredentialsError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(SECRET_MAX + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.trim().is_empty() || text.len() as u64 > SECRET_MAX {
        return Err(unusable(path));
    }
    Ok(text)
}

fn unusable(path: &Path) -> CredentialsError {
    CredentialsError::Unusable {
        path: path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn bearer(file: &tempfile::NamedTempFile) -> Credentials {
        Credentials::Bearer {
            file: file.path().to_owned(),
        }
    }

    #[test]
    fn reads_the_file_anew_each_time() {
        let file = file(b" first \n");
        let credentials = bearer(&file);
        assert_eq!(credentials.header().unwrap(), "Bearer first");
        std::fs::write(file.path(), "second").unwrap();
        assert_eq!(credentials.header().unwrap(), "Bearer second");
    }

    #[test]
    fn a_password_keeps_the_blanks_that_are_its_own() {
        let file = file(b" p w \r\n");
        let credentials = Credentials::Basic {
            username: "u".to_owned(),
            password_file: file.path().to_owned(),
        };
        assert_eq!(credentials.header().unwrap(), "Basic dTogcCB3IA==");
    }

    #[test]
    fn refuses_what_no_header_can_carry_without_showing_it() {
        let long = vec![b'x'; 17 << 10];
        for text in [&b"  \n"[..], b"s3\ncret", b"s3\x01cret", &long] {
            let error = bearer(&file(text)).header().unwrap_err();
            assert!(matches!(error, CredentialsError::Unusable { .. }));
            assert!(!error.to_string().contains("s3"), "{error}");
        }
        assert!(matches!(
            bearer(&file(b"\xff\xfe")).header(),
            Err(CredentialsError::Read { .. })
        ));
        let missing = Credentials::Bearer {
            file: "/nonexistent/token".into(),
        };
        assert!(matches!(
            missing.header(),
            Err(CredentialsError::Read { .. })
        ));
    }

    #[test]
    fn never_shows_the_secret() {
        let value = bearer(&file(b"s3cret")).header().unwrap();
        assert!(!format!("{value:?}").contains("s3cret"));
    }
}
