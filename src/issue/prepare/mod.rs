//! Data preparation: a record becomes the image of a card.

mod chip_keys;

use thiserror::Error;

use crate::error::ErrorCode;

/// Why no image could be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PrepareError {
    /// A new key pair failed its trial.
    #[error("the new key pair for {key} failed its trial")]
    KeyTrial {
        /// Which key.
        key: &'static str,
    },
}

impl ErrorCode for PrepareError {
    fn code(&self) -> &'static str {
        match self {
            Self::KeyTrial { .. } => "key_trial_failed",
        }
    }
}

#[cfg(test)]
pub(crate) mod test_random {
    use rand_core::UnwrapErr;

    /// Randomness of the system, for tests.
    pub(crate) fn system_random() -> UnwrapErr<getrandom::SysRng> {
        UnwrapErr(getrandom::SysRng)
    }
}
