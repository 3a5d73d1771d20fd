//! The load hook: asks the site to take load from an HSM, and to give it back.
//!
//! The engine decides when ([`config::load`](crate::config::load) says at which load), records that
//! it asks, calls, and records what came of it. What a hook is told is the HSM's name in the
//! inventory and what the remediator made itself: nothing of an alert reaches it.
//!
//! A call that failed may still have had its effect. So the engine restores after every call to
//! shed, and calls again with the same [`IdempotencyKey`], also after a crash: a hook must take the
//! same key a second time as done.

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

pub use vcm_recovery::fleet::load::LoadAction;
use vcm_recovery::ids::{HsmName, IncidentId, StoreId};
use vcm_recovery::time::Time;

use crate::config::load::Hook;
use crate::outward::TrustError;

mod command;
mod error;
mod http;

pub use error::{HttpFailure, LoadHookError};

use command::CommandHook;
use http::HttpHook;

/// Longest accepted key, in bytes.
const KEY_LENGTH_MAX: usize = 128;

/// Most of what a hook says that is repeated in an error, in characters.
const EXCERPT_MAX: usize = 300;

/// Names one request to the hook: the same for each repetition of it, never used for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

/// A text that is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "key {0:?} is empty, longer than {KEY_LENGTH_MAX} bytes, or holds other than letters, digits and . _ : -"
)]
pub struct IdempotencyKeyError(String);

impl IdempotencyKey {
    /// The key of what the event `seq` of this store asks for.
    #[must_use]
    pub fn of_event(store: StoreId, seq: u64) -> Self {
        Self(format!("{store}-{seq}"))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        let fits = !text.is_empty() && text.len() <= KEY_LENGTH_MAX;
        if fits && text.chars().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdempotencyKeyError(
                text.chars().take(KEY_LENGTH_MAX).collect(),
            ))
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request to the hook. A repetition, also after a crash, is equal to the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRequest {
    /// What is asked for.
    pub action: LoadAction,
    /// The device, as the inventory names it.
    pub hsm: HsmName,
    /// Names this request.
    pub key: IdempotencyKey,
    /// When it was decided.
    pub since: Time,
    /// The incidents it is about, for people to look up; may be empty.
    pub incidents: Vec<IncidentId>,
}

/// A call of the hook under way.
pub type HookCall<'a> = Pin<Box<dyn Future<Output = Result<(), LoadHookError>> + Send + 'a>>;

/// What the engine wants of a load hook.
pub trait LoadHook: fmt::Debug + Send + Sync {
    /// Asks, and returns when the hook has said yes, or will not in the time it has.
    ///
    /// Dropping the call ends it: a command is stopped, a request may have arrived. Two calls for
    /// one HSM must not run at once.
    ///
    /// # Errors
    /// [`LoadHookError`] names the hook and what it said. It may have done what was asked all the
    /// same.
    fn call<'a>(&'a self, request: &'a LoadRequest) -> HookCall<'a>;
}

/// The hook that the configuration describes.
///
/// # Errors
/// [`TrustError`] if the authorities for `https` cannot be read any more.
pub fn hook(config: &Hook) -> Result<Arc<dyn LoadHook>, TrustError> {
    Ok(match config {
        Hook::Http(http) => Arc::new(HttpHook::new(http.as_ref().clone())?),
        Hook::Command(command) => Arc::new(CommandHook::new(command.clone())),
    })
}

/// An instant as people and other programs write it.
fn rfc_3339(at: Time) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map_or_else(|_| at.as_millis().to_string(), |at| at.to_string())
}

/// The beginning of what a hook said, on one line.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(EXCERPT_MAX)
        .collect()
}

#[cfg(test)]
mod tests;
