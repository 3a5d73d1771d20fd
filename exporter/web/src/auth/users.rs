//! The users of the web configuration file, and what somebody claims to be one of them.

use std::collections::BTreeMap;
use std::fmt;

use bcrypt::HashParts;
use sha2::{Digest, Sha256};

use super::header::Credentials;

/// Length of salt and hash together, in bcrypt's base64.
const SALT_AND_HASH: usize = 53;

/// Names with the bcrypt hashes of their passwords; at least one.
pub(crate) struct Users {
    hashes: BTreeMap<Vec<u8>, String>,
    /// What a name is checked against that is nobody's.
    decoy: String,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.hashes.len())
    }
}

impl Users {
    /// Takes names with hashes that [`hash`] accepted; nothing if there are none, for then nobody
    /// is asked to log in.
    pub(crate) fn new(hashes: Vec<(String, String)>) -> Option<Self> {
        // The dearest: an unknown name must not be told apart by a quick answer.
        let cost = hashes.iter().filter_map(|(_, hash)| cost(hash)).max()?;
        let by_name = |(name, hash): (String, String)| (name.into_bytes(), hash);
        Some(Self {
            hashes: hashes.into_iter().map(by_name).collect(),
            // Of zeroes: which password made them does not matter, for the outcome is not used.
            decoy: format!("$2b${cost:02}${}", ".".repeat(SALT_AND_HASH)),
        })
    }

    pub(super) fn claim(&self, credentials: Credentials) -> Claim {
        let Credentials { user, password } = credentials;
        let hash = self.hashes.get(&user);
        Claim {
            known: hash.is_some(),
            hash: hash.unwrap_or(&self.decoy).clone(),
            user,
            password,
        }
    }
}

fn cost(hash: &str) -> Option<u32> {
    let parts: HashParts = hash.parse().ok()?;
    Some(parts.get_cost())
}

/// Checks that a text is a bcrypt hash and can be verified.
///
/// # Errors
///
/// If it is not; the message does not repeat it.
pub(crate) fn hash(text: &str) -> Result<String, String> {
    let cost = cost(text).ok_or("is not a bcrypt hash, such as htpasswd -nB makes")?;
    if !(4..=31).contains(&cost) {
        return Err("has a bcrypt cost that is not from 4 to 31".to_owned());
    }
    Ok(text.to_owned())
}

/// Credentials beside the hash that they have to match.
pub(super) struct Claim {
    known: bool,
    hash: String,
    user: Vec<u8>,
    password: Vec<u8>,
}

impl Claim {
    /// Returns what stands for this claim among those that were verified: it names the user and the
    /// hash too, so that a changed password or user is another claim.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [&self.user, self.hash.as_bytes(), &self.password] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// Checks the password: some 50 ms of work, also for a user that is not known.
    pub(super) fn holds(&self) -> bool {
        let matches = bcrypt::verify(&self.password, &self.hash).unwrap_or(false);
        self.known && matches
    }
}
