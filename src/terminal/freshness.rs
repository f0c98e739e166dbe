//! Values of a card that must be drawn afresh each time: nonces and ephemeral keys.
//!
//! A card that gives one a second time has a broken random number generator, or is a recording.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use cancuoc_primitives::hash::HashAlgorithm;

/// Most values remembered; the oldest are forgotten first.
const CAPACITY: usize = 4_096;

/// What cards have sent so far, as hashes. Clones share their memory, so that one register can
/// serve all sessions of a process.
///
/// ```
/// use cancuoc::terminal::FreshnessRegister;
/// let register = FreshnessRegister::default();
/// assert!(register.is_fresh(b"a nonce"));
/// assert!(!register.clone().is_fresh(b"a nonce"));
/// ```
#[derive(Clone, Default)]
pub struct FreshnessRegister(Arc<Mutex<VecDeque<[u8; 16]>>>);

impl FreshnessRegister {
    /// Remembers a value; false where it has come before.
    #[must_use]
    pub fn is_fresh(&self, value: &[u8]) -> bool {
        let digest = HashAlgorithm::Sha256.digest(value);
        let Some(digest) = digest.first_chunk::<16>() else { return false };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(digest) {
            return false;
        }
        if seen.len() >= CAPACITY {
            seen.pop_front();
        }
        seen.push_back(*digest);
        true
    }
}

impl std::fmt::Debug for FreshnessRegister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FreshnessRegister(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_value_that_has_come_before() {
        let register = FreshnessRegister::default();
        assert!(register.is_fresh(b"one") && register.is_fresh(b"two"));
        assert!(!register.is_fresh(b"one"));
    }

    #[test]
    fn forgets_the_oldest_value_rather_than_grow() {
        let register = FreshnessRegister::default();
        for n in 0..=CAPACITY {
            assert!(register.is_fresh(&n.to_be_bytes()));
        }
        assert!(register.is_fresh(&0usize.to_be_bytes()));
        assert!(!register.is_fresh(&CAPACITY.to_be_bytes()));
    }
}
