//! What the peers that the remediator calls have in common: address, credentials, authorities.

use std::path::PathBuf;

use vcm_telemetry::logging::chain;

use super::checker::Checker;
use super::raw::Text;
use crate::outward::{Address, Client, Credentials, Trust};

/// The bearer token in the file, which must be usable now.
pub(super) fn bearer(checker: &mut Checker, key: &str, file: &Text) -> Option<Credentials> {
    let credentials = Credentials::Bearer {
        file: readable(checker, key, file)?,
    };
    usable(checker, key, file, credentials)
}

/// The name with the password in the file, which must be usable now.
pub(super) fn basic(
    checker: &mut Checker,
    key: &str,
    username: String,
    file: &Text,
) -> Option<Credentials> {
    let credentials = Credentials::Basic {
        username,
        password_file: readable(checker, key, file)?,
    };
    usable(checker, key, file, credentials)
}

/// Whom to believe: the file's authorities, else those of this machine where one address needs them.
pub(super) fn trust<'a>(
    checker: &mut Checker,
    key: &str,
    file: Option<&Text>,
    mut addresses: impl Iterator<Item = &'a Address>,
) -> Trust {
    let needed = addresses.any(|address| address.uri().scheme_str() == Some("https"));
    let trust = match file {
        Some(file) => match readable(checker, key, file) {
            Some(path) => Trust::File(path),
            None => return Trust::Nobody,
        },
        None if needed => Trust::Machine,
        None => return Trust::Nobody,
    };
    if let Err(error) = Client::new(&trust, None) {
        let message = chain(&error);
        match file {
            Some(file) => checker.problem_at(key, file, message),
            None => checker.problem(key, message),
        }
    }
    trust
}

fn readable(checker: &mut Checker, key: &str, file: &Text) -> Option<PathBuf> {
    let path = checker.path(key, Some(file), "");
    path.is_absolute().then_some(path)
}

fn usable(
    checker: &mut Checker,
    key: &str,
    file: &Text,
    credentials: Credentials,
) -> Option<Credentials> {
    match credentials.header() {
        Ok(_value) => Some(credentials),
        Err(error) => {
            checker.problem_at(key, file, chain(&error));
            None
        }
    }
}
