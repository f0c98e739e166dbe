//! When a token is asked again, and after how long.

use std::time::Duration;

use cryptoki::error::{Error, RvError};

/// How often and after how long a token that does not answer is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most tries of one operation.
    pub tries: u32,
    /// Before the second try; each further wait is twice the last one.
    pub first_wait: Duration,
    /// Longest wait between two tries.
    pub longest_wait: Duration,
    /// Most sessions at once: whoever wants another waits, so that a slow token is not flooded.
    pub sessions: usize,
    /// How long a session is waited for.
    pub session_wait: Duration,
}

impl Default for RetryPolicy {
    /// Six tries in about three seconds; eight sessions.
    fn default() -> Self {
        Self {
            tries: 6,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(2),
            sessions: 8,
            session_wait: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// The wait after so many failed tries; none when that was the last.
    #[must_use]
    pub fn wait_after(&self, tries: u32) -> Option<Duration> {
        if tries >= self.tries {
            return None;
        }
        let doubled = self.first_wait.saturating_mul(1 << tries.saturating_sub(1).min(16));
        Some(doubled.min(self.longest_wait))
    }
}

/// What an error of a module calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// A new session, with a new login.
    NewSession,
    /// Waiting, and a new start of the module.
    Wait,
    /// Nothing: the PIN was wrong, and may be tried by no machine.
    WrongPin,
    /// Nothing: the PIN is locked.
    LockedPin,
    /// Nothing.
    None,
}

/// What an error calls for.
pub(super) const fn remedy(error: &Error) -> Remedy {
    use RvError::*;
    let Error::Pkcs11(value, _) = error else { return Remedy::None };
    match value {
        PinIncorrect | PinInvalid | PinLenRange | PinExpired => Remedy::WrongPin,
        PinLocked => Remedy::LockedPin,
        SessionClosed
        | SessionHandleInvalid
        | UserNotLoggedIn
        | KeyHandleInvalid
        | ObjectHandleInvalid
        | OperationActive
        | OperationNotInitialized => Remedy::NewSession,
        // Throttling and lost connections have codes of the vendors' own too.
        DeviceError
        | DeviceMemory
        | DeviceRemoved
        | TokenNotPresent
        | TokenNotRecognized
        | GeneralError
        | FunctionFailed
        | FunctionCanceled
        | Cancel
        | HostMemory
        | SessionCount
        | SlotIdInvalid
        | CryptokiNotInitialized
        | VendorDefined(_) => Remedy::Wait,
        _ => Remedy::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

    #[test]
    fn waits_twice_as_long_each_time_and_then_gives_up() {
        let policy = RetryPolicy {
            tries: 5,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_millis(300),
            ..RetryPolicy::default()
        };
        let waits: Vec<_> = (1..=5).map(|tries| policy.wait_after(tries)).collect();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(waits, [ms(100), ms(200), ms(300), ms(300), None]);
    }

    #[test]
    fn never_tries_a_pin_again() {
        for value in [RvError::PinIncorrect, RvError::PinInvalid, RvError::PinLocked] {
            let remedy = remedy(&Error::Pkcs11(value, Function::Login));
            assert!(matches!(remedy, Remedy::WrongPin | Remedy::LockedPin), "{value:?}");
        }
    }
}
