//! Basic authentication against `basic_auth_users`.
//!
//! A bcrypt check costs 50 ms and more of a CPU by design. So one runs at a time, away from the
//! threads that serve; what was once accepted is remembered, for a scrape must not cost that each
//! time; and who asks for another check than the [`LOGINS_WAITING_MAX`] that are under way is sent
//! away. Whoever is remembered does not wait in that queue, and the same login at the same time is
//! one check, however many bring it: many scrapers may start together.

mod header;
mod pending;
mod users;
mod verified;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub(crate) use self::users::{Users, hash};

use self::header::credentials;
use self::pending::Pending;
use self::users::Claim;
use self::verified::Verified;

/// bcrypt checks at a time: as in Prometheus' toolkit, so that logins take one CPU at most.
const LOGINS_CHECKED: usize = 1;

/// Different logins that may be checked or wait for it. At 70 ms each the last one waits about a
/// second.
const LOGINS_WAITING_MAX: usize = 16;

/// What became of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    Accepted,
    Refused,
    /// Too many wait already.
    Busy,
}

/// Checks logins and remembers those it accepted.
#[derive(Debug)]
pub(crate) struct Verifier {
    pending: Mutex<Pending>,
    checks: Arc<Semaphore>,
    verified: Arc<Mutex<Verified>>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            pending: Mutex::default(),
            checks: Arc::new(Semaphore::new(LOGINS_CHECKED)),
            verified: Arc::default(),
        }
    }
}

impl Verifier {
    /// Checks the credentials that a request brings.
    ///
    /// A name that is not a user's costs the same check as one that is, and ends the same way.
    pub(crate) async fn verify(&self, users: &Users, headers: &HeaderMap) -> Login {
        let Some(credentials) = credentials(headers) else {
            return Login::Refused;
        };
        let claim = users.claim(credentials);
        let digest = claim.digest();
        if lock(&self.verified).contains(&digest) {
            return Login::Accepted;
        }
        let check = lock(&self.pending).check(digest, LOGINS_WAITING_MAX);
        let Some(check) = check else {
            return Login::Busy;
        };
        // If the client whose request began it leaves, the next one goes on.
        let login = *check.get_or_init(|| self.check(claim, digest)).await;
        if login == Login::Refused {
            tracing::debug!("a login was refused");
        }
        login
    }

    async fn check(&self, claim: Claim, digest: [u8; 32]) -> Login {
        let Ok(turn) = Arc::clone(&self.checks).acquire_owned().await else {
            return Login::Busy;
        };
        // The same login may have been accepted for a client that left meanwhile.
        if lock(&self.verified).contains(&digest) {
            return Login::Accepted;
        }
        let verified = Arc::clone(&self.verified);
        // The turn goes with the check: a client that leaves does not make room for a second one.
        let checked = spawn_blocking(move || {
            let holds = claim.holds();
            if holds {
                lock(&verified).insert(digest);
            }
            drop(turn);
            holds
        });
        match checked.await {
            Ok(true) => Login::Accepted,
            Ok(false) | Err(_) => Login::Refused,
        }
    }
}

/// What is locked here is whole between any two statements, also after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
