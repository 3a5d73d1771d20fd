//! Logins that are being checked or wait for it, shared by all who bring the same one.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use tokio::sync::OnceCell;

use super::Login;

/// What becomes of one login; one of those who wait for it sees to it.
pub(super) type Check = OnceCell<Login>;

/// The checks that somebody waits for. An outcome is forgotten with the last of them: what was
/// refused is checked again when it is asked again.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<[u8; 32], Weak<Check>>);

impl Pending {
    /// Returns the check of a login: the one under way, or another one where there are fewer than
    /// `max`.
    pub(super) fn check(&mut self, digest: [u8; 32], max: usize) -> Option<Arc<Check>> {
        self.0.retain(|_, check| check.strong_count() > 0);
        if let Some(check) = self.0.get(&digest).and_then(Weak::upgrade) {
            return Some(check);
        }
        if self.0.len() >= max {
            return None;
        }
        let check = Arc::default();
        self.0.insert(digest, Arc::downgrade(&check));
        Some(check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_login_is_one_check_and_different_ones_are_bounded() {
        let mut pending = Pending::default();
        let first = pending.check([1; 32], 2).unwrap();
        let second = pending.check([2; 32], 2).unwrap();
        assert!(pending.check([3; 32], 2).is_none());
        assert!(Arc::ptr_eq(&first, &pending.check([1; 32], 2).unwrap()));
        drop(second);
        assert!(pending.check([3; 32], 2).is_some());
    }

    #[test]
    fn an_outcome_is_forgotten_with_the_last_who_waits_for_it() {
        let mut pending = Pending::default();
        let check = pending.check([1; 32], 1).unwrap();
        check.set(Login::Refused).unwrap();
        drop(check);
        assert_eq!(pending.check([1; 32], 1).unwrap().get(), None);
    }
}
