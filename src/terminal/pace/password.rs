//! The passwords of PACE, and what a card tells of their tries (ICAO 9303-11 §4.4, BSI TR-03110-2
//! §3.3, BSI TR-03110-3 §B.11).

use crate::apdu::StatusWord;
use crate::document::{Can, MrzKey, Pin, Puk};
use crate::terminal::TerminalError;

/// A password of PACE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PacePassword {
    /// The key of the MRZ: reference 1.
    Mrz(MrzKey),
    /// The card access number: reference 2.
    Can(Can),
    /// The holder's PIN: reference 3. The card counts its tries.
    Pin(Pin),
    /// The PUK: reference 4. The card counts its uses.
    Puk(Puk),
}

impl PacePassword {
    /// `MRZ`, `CAN`, `PIN` or `PUK`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Mrz(_) => "MRZ",
            Self::Can(_) => "CAN",
            Self::Pin(_) => "PIN",
            Self::Puk(_) => "PUK",
        }
    }

    pub(super) const fn reference(&self) -> u8 {
        match self {
            Self::Mrz(_) => 1,
            Self::Can(_) => 2,
            Self::Pin(_) => 3,
            Self::Puk(_) => 4,
        }
    }

    /// What is hashed to the key of the nonce (ICAO 9303-11 §9.7.3).
    pub(super) fn secret(&self) -> &[u8] {
        match self {
            Self::Mrz(key) => key.as_bytes(),
            Self::Can(can) => can.as_bytes(),
            Self::Pin(pin) => pin.as_bytes(),
            Self::Puk(puk) => puk.as_bytes(),
        }
    }

    /// What the answer to MSE:Set AT says of the password: the tries left, where it tells them.
    ///
    /// A PIN with one try left is suspended: it may be used only in a session that the CAN has
    /// opened (`resumed`). Other passwords are never suspended.
    pub(super) fn check_selection(
        &self,
        step: &'static str,
        status: StatusWord,
        resumed: bool,
    ) -> Result<Option<u8>, TerminalError> {
        if let Some(fault) = self.unusable(status) {
            return Err(fault);
        }
        match (status.tries_left(), self) {
            _ if status.is_ok() => Ok(None),
            (Some(1), Self::Pin(_)) if !resumed => Err(self.suspended()),
            (Some(left), _) => Ok(Some(left)),
            (None, _) => Err(TerminalError::Refused { step, status }),
        }
    }

    /// What the answer to GENERAL AUTHENTICATE says of the password; `last` where it is the
    /// answer to the terminal's token.
    pub(super) fn check_step(
        &self,
        step: &'static str,
        status: StatusWord,
        last: bool,
    ) -> Result<(), TerminalError> {
        let password = self.name();
        if status.is_ok() {
            return Ok(());
        }
        match (self.unusable(status), status.0) {
            (Some(fault), _) => Err(fault),
            (None, 0x6300 | 0x63C1..=0x63CF) if last => {
                Err(TerminalError::WrongPassword { password, tries_left: status.tries_left() })
            }
            (None, _) => Err(TerminalError::Refused { step, status }),
        }
    }

    fn unusable(&self, status: StatusWord) -> Option<TerminalError> {
        let password = self.name();
        match status.0 {
            0x63C0 | 0x6983 => Some(TerminalError::PasswordBlocked { password }),
            0x6283 | 0x6984 => Some(TerminalError::PasswordDeactivated { password }),
            0x6985 if matches!(self, Self::Pin(_)) => Some(self.suspended()),
            _ => None,
        }
    }

    const fn suspended(&self) -> TerminalError {
        TerminalError::PasswordSuspended { password: self.name() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin() -> PacePassword {
        PacePassword::Pin(Pin::new("1234").unwrap())
    }

    fn can() -> PacePassword {
        PacePassword::Can(Can::new("123456").unwrap())
    }

    fn selected(password: &PacePassword, status: u16) -> Result<Option<u8>, TerminalError> {
        password.check_selection("MSE", StatusWord(status), false)
    }

    #[test]
    fn tells_the_tries_left() {
        assert_eq!(selected(&pin(), 0x9000), Ok(None));
        assert_eq!(selected(&pin(), 0x63C2), Ok(Some(2)));
        let wrong = TerminalError::WrongPassword { password: "PIN", tries_left: Some(1) };
        assert_eq!(pin().check_step("token", StatusWord(0x63C1), true), Err(wrong));
    }

    #[test]
    fn takes_the_last_try_of_a_pin_for_suspended_until_it_is_resumed() {
        let error = TerminalError::PasswordSuspended { password: "PIN" };
        assert_eq!(selected(&pin(), 0x63C1), Err(error.clone()));
        assert_eq!(pin().check_step("nonce", StatusWord(0x6985), false), Err(error));
        let resumed = pin().check_selection("MSE", StatusWord(0x63C1), true);
        assert_eq!(resumed, Ok(Some(1)));
    }

    #[test]
    fn never_takes_another_password_for_suspended() {
        assert_eq!(selected(&can(), 0x63C1), Ok(Some(1)));
        let puk = PacePassword::Puk(Puk::new("123456").unwrap());
        assert_eq!(selected(&puk, 0x63C1), Ok(Some(1)));
        let status = StatusWord(0x6985);
        let refused = TerminalError::Refused { step: "nonce", status };
        assert_eq!(can().check_step("nonce", status, false), Err(refused));
    }

    #[test]
    fn tells_a_blocked_password_from_a_deactivated_one() {
        for status in [0x63C0, 0x6983] {
            let blocked = TerminalError::PasswordBlocked { password: "PIN" };
            assert_eq!(selected(&pin(), status), Err(blocked));
        }
        for status in [0x6283, 0x6984] {
            let deactivated = TerminalError::PasswordDeactivated { password: "PIN" };
            assert_eq!(selected(&pin(), status), Err(deactivated));
        }
    }

    #[test]
    fn takes_a_failed_step_before_the_token_for_a_refusal() {
        let status = StatusWord(0x6300);
        let refused = TerminalError::Refused { step: "nonce", status };
        assert_eq!(pin().check_step("nonce", status, false), Err(refused));
    }
}
