//! Reads the web configuration file and everything that it names.

use std::io;
use std::path::{Path, PathBuf};

use vcm_yaml::{Document, Scalar, Section, YamlError, text};

use super::ConfigError;
use super::files::Files;
use super::headers::header;
use super::protection::Protection;
use super::{rate_limit, tls};
use crate::auth::{Users, hash};

/// What one reading gave.
pub(super) struct Loaded {
    pub(super) protection: Result<Protection, ConfigError>,
    pub(super) files: Files,
}

impl Loaded {
    /// Whether the files are usable and hold just what `earlier` held.
    pub(super) fn is_usable_as(&self, earlier: &Files) -> bool {
        self.protection.is_ok() && self.files.same_content(earlier)
    }
}

/// What is needed, and gathered, while the file is read.
pub(super) struct Reading {
    /// Where relative paths begin.
    dir: PathBuf,
    files: Files,
    /// Accepted, and to be known.
    remarks: Vec<String>,
}

impl Reading {
    /// Reads a file that the configuration names.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.read(&self.dir.join(path))
    }

    pub(super) fn remark(&mut self, key: &str, text: &str) {
        self.remarks.push(format!("{key}: {text}"));
    }
}

/// Reads the file at `path`. Blocks.
pub(super) fn load(path: &Path) -> Loaded {
    let mut reading = Reading {
        dir: path.parent().map(Path::to_owned).unwrap_or_default(),
        files: Files::default(),
        remarks: Vec::new(),
    };
    let protection = document(path, &mut reading)
        .and_then(|document| document.read(|root| protection(root, &mut reading)))
        .map(|protection| Protection {
            remarks: std::mem::take(&mut reading.remarks),
            ..protection
        });
    Loaded {
        protection: protection.map_err(ConfigError::from),
        files: reading.files,
    }
}

fn document(path: &Path, reading: &mut Reading) -> Result<Document, YamlError> {
    let failed = |source| YamlError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = reading.files.read(path).map_err(failed)?;
    let not_text = |error| failed(io::Error::new(io::ErrorKind::InvalidData, error));
    let text = String::from_utf8(bytes).map_err(not_text)?;
    Document::parse(path, &text)
}

fn protection(root: &mut Section<'_>, reading: &mut Reading) -> Option<Protection> {
    let (http2, headers) = root
        .section("http_server_config", |http| {
            let http2 = http.optional("http2", boolean).unwrap_or(true);
            let headers = http.mapping("headers", header).unwrap_or_default();
            Some((http2, headers))
        })
        .unwrap_or((true, Vec::new()));
    let tls = root.section("tls_server_config", |tls| tls::read(tls, http2, reading));
    let users = root.mapping("basic_auth_users", user).unwrap_or_default();
    let rate_limit = root.section("rate_limit", rate_limit::read);
    Some(Protection {
        tls,
        users: Users::new(users),
        headers: headers
            .into_iter()
            .filter_map(|(_, header)| header)
            .collect(),
        rate_limit,
        remarks: Vec::new(),
    })
}

fn user(name: &str, scalar: &Scalar) -> Result<String, String> {
    if name.contains(':') {
        return Err("is a name with a colon, which nobody can log in with".to_owned());
    }
    hash(&text(scalar)?)
}

/// Takes a boolean as the toolkit's parser does, which knows the words of YAML 1.1.
pub(super) fn boolean(scalar: &Scalar) -> Result<bool, String> {
    match scalar {
        Scalar::Boolean(value) => return Ok(*value),
        Scalar::Text(word) => match word.to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" => return Ok(true),
            "n" | "no" | "off" => return Ok(false),
            _ => {}
        },
        Scalar::Integer(_) | Scalar::Float(_) => {}
    }
    Err("is not true or false".to_owned())
}
