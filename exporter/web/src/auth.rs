//! Basic authentication against `basic_auth_users`.
//!
//! A bcrypt check costs 50 ms and more of a CPU by design. So one runs at a time, away from the
//! threads that serve; what was once accepted is remembered, for a scrape must not cost that each
//! time; and who asks for more checks than a queue of [`LOGINS_WAITING_MAX`] is sent away. Whoever
//! is remembered does not wait in that queue.

mod header;
mod users;
mod verified;

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub(crate) use self::users::{Users, hash};

use self::header::credentials;
use self::verified::Verified;

/// bcrypt checks at a time: as in Prometheus' toolkit, so that logins take one CPU at most.
const LOGINS_CHECKED: usize = 1;

/// Logins that may wait for a check. At 70 ms each the last one waits about a second.
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
    waiting: Semaphore,
    checks: Arc<Semaphore>,
    verified: Mutex<Verified>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            waiting: Semaphore::new(LOGINS_WAITING_MAX),
            checks: Arc::new(Semaphore::new(LOGINS_CHECKED)),
            verified: Mutex::default(),
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
        if self.verified().contains(&digest) {
            return Login::Accepted;
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Login::Busy;
        };
        let Ok(turn) = Arc::clone(&self.checks).acquire_owned().await else {
            return Login::Busy;
        };
        // The turn goes with the check: a client that leaves does not make room for a second one.
        let checked = spawn_blocking(move || {
            let holds = claim.holds();
            drop(turn);
            holds
        });
        if checked.await.unwrap_or(false) {
            self.verified().insert(digest);
            return Login::Accepted;
        }
        tracing::debug!("a login was refused");
        Login::Refused
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
