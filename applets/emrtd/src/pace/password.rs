//! Passwords of PACE, and the tries that PIN and PUK have (BSI TR-03110-2 §2.3, TR-03110-3 §B.1).
//!
//! A try is taken in memory before the terminal's token is looked at, and given back when it is
//! right: pulling the card out in between gains nothing.

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv;
use cancuoc_card_runtime::{NonVolatileMemory, StatusWord, Write};
use zeroize::Zeroizing;

use crate::store;

/// The password is blocked.
const BLOCKED: StatusWord = StatusWord(0x6983);
/// The password is suspended: it needs PACE with the CAN first.
const SUSPENDED: StatusWord = StatusWord(0x6985);

/// A password by its reference in MSE:Set AT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// The key of the MRZ.
    Mrz,
    /// The card access number.
    Can,
    /// The holder's PIN.
    Pin,
    /// The unblocking key.
    Puk,
}

impl Password {
    /// From the value of `83`.
    pub const fn from_reference(value: &[u8]) -> Option<Self> {
        match value {
            [1] => Some(Self::Mrz),
            [2] => Some(Self::Can),
            [3] => Some(Self::Pin),
            [4] => Some(Self::Puk),
            _ => None,
        }
    }

    /// Records of the value and of the tries left, where they are counted.
    const fn counted(self) -> Option<(u32, u32)> {
        match self {
            Self::Mrz | Self::Can => None,
            Self::Pin => Some((store::PIN, store::PIN_TRIES)),
            Self::Puk => Some((store::PUK, store::PUK_TRIES)),
        }
    }

    /// The password itself, if the card has it.
    pub fn secret(self, memory: &dyn NonVolatileMemory) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Mrz => store::secret(memory, store::MRZ_KEY),
            Self::Can => store::secret(memory, store::CAN),
            Self::Pin => digits(memory, store::PIN),
            Self::Puk => digits(memory, store::PUK),
        }
    }

    /// Tries left and tries at the beginning; none for a password that is not counted.
    fn tries(self, memory: &dyn NonVolatileMemory) -> Option<(u8, u8)> {
        let (value, left) = self.counted()?;
        let [most] = *tlv::find(memory.read(value)?, 0x82)? else { return None };
        // A counter that cannot be read is one without tries.
        let left = match memory.read(left) {
            Some([left]) => (*left).min(most),
            _ => 0,
        };
        Some((left, most))
    }

    /// What MSE:Set AT answers: 9000, or 63CX when tries were lost.
    pub fn announce(self, memory: &dyn NonVolatileMemory) -> StatusWord {
        match self.tries(memory) {
            Some((left, most)) if left < most => StatusWord(0x63C0 | u16::from(left)),
            _ => StatusWord::OK,
        }
    }

    /// Whether it may be tried now.
    ///
    /// # Errors
    /// 6983 when it is blocked; 6985 when the PIN is suspended and `resumed` is false.
    pub fn check(self, memory: &dyn NonVolatileMemory, resumed: bool) -> Result<(), StatusWord> {
        match self.tries(memory) {
            Some((0, _)) => Err(BLOCKED),
            Some((1, most)) if self == Self::Pin && most > 1 && !resumed => Err(SUSPENDED),
            _ => Ok(()),
        }
    }

    /// Takes a try away before the token is checked.
    ///
    /// # Errors
    /// 6983, 6581.
    pub fn take_try(self, memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
        let Some((left, _)) = self.tries(memory) else { return Ok(()) };
        let left = left.checked_sub(1).ok_or(BLOCKED)?;
        self.set_tries(memory, left)
    }

    /// Gives all tries back.
    ///
    /// # Errors
    /// 6581.
    pub fn reset_tries(self, memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
        match self.tries(memory) {
            Some((left, most)) if left < most => self.set_tries(memory, most),
            _ => Ok(()),
        }
    }

    fn set_tries(self, memory: &mut dyn NonVolatileMemory, left: u8) -> Result<(), StatusWord> {
        let Some((_, key)) = self.counted() else { return Ok(()) };
        store::put(memory, key, &[left])
    }

    /// What a wrong token is answered with.
    pub fn wrong(self, memory: &dyn NonVolatileMemory) -> StatusWord {
        match self.tries(memory) {
            Some((left, _)) => StatusWord(0x63C0 | u16::from(left)),
            None => StatusWord(0x6300),
        }
    }
}

fn digits(memory: &dyn NonVolatileMemory, key: u32) -> Option<Zeroizing<Vec<u8>>> {
    tlv::find(memory.read(key)?, 0x81).map(|digits| Zeroizing::new(digits.to_vec()))
}

/// Groupings 0203 and 0204: digits in `81`, tries in `82`; the counter starts full.
///
/// # Errors
/// 6A80 for anything else.
pub fn personalize(
    memory: &mut dyn NonVolatileMemory,
    password: Password,
    data: &[u8],
) -> Result<(), StatusWord> {
    let (value, left) = password.counted().ok_or(StatusWord::WRONG_DATA)?;
    let longest = if password == Password::Pin { 12 } else { 16 };
    let (Some(digits), Some([tries @ 1..=15])) = (tlv::find(data, 0x81), tlv::find(data, 0x82))
    else {
        return Err(StatusWord::WRONG_DATA);
    };
    if !(4..=longest).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(StatusWord::WRONG_DATA);
    }
    let writes =
        [Write::Put { key: value, value: data }, Write::Put { key: left, value: &[*tries] }];
    memory.apply(&writes).map_err(store::status)
}
