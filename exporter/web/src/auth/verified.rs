//! Logins that were accepted before.

use std::collections::VecDeque;

/// Accepted logins that are remembered: a few scrapers and people, each with an entry of 32 bytes.
const REMEMBERED_MAX: usize = 64;

/// Digests of accepted logins, the newest last. Refused ones are not kept, so that nobody can push
/// others out by guessing.
#[derive(Debug, Default)]
pub(super) struct Verified(VecDeque<[u8; 32]>);

impl Verified {
    pub(super) fn contains(&self, digest: &[u8; 32]) -> bool {
        self.0.contains(digest)
    }

    pub(super) fn insert(&mut self, digest: [u8; 32]) {
        if self.contains(&digest) {
            return;
        }
        if self.0.len() == REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_bounded_number() {
        let mut verified = Verified::default();
        for byte in 0..100 {
            verified.insert([byte; 32]);
            verified.insert([byte; 32]);
        }
        assert_eq!(verified.0.len(), REMEMBERED_MAX);
        assert!(verified.contains(&[99; 32]) && !verified.contains(&[0; 32]));
    }
}
