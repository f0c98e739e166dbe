//! The passwords of PACE and their retry counters (BSI TR-03110-2 §2.5, TR-03110-3 §B.11).
//!
//! MRZ and CAN never block. PIN and PUK have a number of tries, and a try is taken in non-volatile
//! memory before the card looks at what the terminal sent: no power cut gives it back. A PIN with one
//! try left is suspended until a session was opened with the CAN; without tries it is blocked until
//! a session was opened with the PUK.

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Objects};
use cancuoc_card_runtime::{Command, NonVolatileMemory, StatusWord, Write};
use zeroize::Zeroizing;

use crate::Session;
use crate::store;

/// Authentication failed.
const FAILED: StatusWord = StatusWord(0x6300);
/// Tag of the digits in a stored PIN or PUK.
const DIGITS: u16 = 0x81;
/// Tag of the number of tries in a stored PIN or PUK.
const TRIES: u16 = 0x82;
/// Most tries: what the last half byte of 63CX holds.
const MAX_TRIES: u8 = 15;

/// A password of PACE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// Document number, date of birth, date of expiry.
    Mrz,
    /// Card access number.
    Can,
    /// Personal identification number.
    Pin,
    /// PIN unblock key.
    Puk,
}

impl Password {
    /// The password of MSE:Set AT's data object `83` (BSI TR-03110-3 §B.11.1).
    pub const fn from_reference(reference: u8) -> Option<Self> {
        match reference {
            1 => Some(Self::Mrz),
            2 => Some(Self::Can),
            3 => Some(Self::Pin),
            4 => Some(Self::Puk),
            _ => None,
        }
    }

    /// What keys are derived from: SHA-1 of the MRZ information, or the digits (ICAO 9303-11 table
    /// 14). Nothing when the card has no such password.
    pub fn secret(self, memory: &dyn NonVolatileMemory) -> Option<Zeroizing<Vec<u8>>> {
        let record = store::secret(memory, self.record())?;
        match self {
            Self::Mrz | Self::Can => Some(record),
            Self::Pin | Self::Puk => {
                tlv::find(&record, DIGITS).map(|digits| Zeroizing::new(digits.to_vec()))
            }
        }
    }

    const fn record(self) -> u32 {
        match self {
            Self::Mrz => store::MRZ_KEY,
            Self::Can => store::CAN,
            Self::Pin => store::PIN,
            Self::Puk => store::PUK,
        }
    }

    /// Record of the retry counter, for a password that has one.
    const fn counter(self) -> Option<u32> {
        match self {
            Self::Mrz | Self::Can => None,
            Self::Pin => Some(store::PIN_TRIES),
            Self::Puk => Some(store::PUK_TRIES),
        }
    }

    /// Tries left. A counter that cannot be read has none left.
    fn tries_left(self, memory: &dyn NonVolatileMemory) -> Option<u8> {
        match memory.read(self.counter()?) {
            Some([left @ 0..=MAX_TRIES]) => Some(*left),
            _ => Some(0),
        }
    }

    /// Tries there are after a success.
    fn most_tries(self, memory: &dyn NonVolatileMemory) -> Option<u8> {
        match tlv::find(memory.read(self.record())?, TRIES)? {
            [most @ 1..=MAX_TRIES] => Some(*most),
            _ => None,
        }
    }

    fn is_suspended(self, memory: &dyn NonVolatileMemory) -> bool {
        self == Self::Pin && self.tries_left(memory) == Some(1)
    }

    /// What MSE:Set AT warns of: 63CX with the tries left, when some were taken. The password is
    /// chosen all the same.
    pub fn warning(self, memory: &dyn NonVolatileMemory) -> Option<StatusWord> {
        let left = self.tries_left(memory)?;
        let all_there = self.most_tries(memory).is_some_and(|most| left >= most);
        (!all_there || self.is_suspended(memory)).then_some(StatusWord(0x63C0 | u16::from(left)))
    }

    /// Refuses to work with a blocked password, 6983, and with a suspended one, 6985, unless the
    /// session was opened with the CAN.
    pub fn check_usable(
        self,
        memory: &dyn NonVolatileMemory,
        opened_by: Option<Self>,
    ) -> Result<(), StatusWord> {
        if self.tries_left(memory) == Some(0) {
            return Err(StatusWord::BLOCKED);
        }
        if self.is_suspended(memory) && opened_by != Some(Self::Can) {
            return Err(StatusWord::CONDITIONS);
        }
        Ok(())
    }

    /// Takes a try. Only when this was stored may the terminal's proof be looked at.
    pub fn take_try(self, memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
        let (Some(counter), Some(left)) = (self.counter(), self.tries_left(memory)) else {
            return Ok(());
        };
        let left = left.checked_sub(1).ok_or(StatusWord::BLOCKED)?;
        store::put(memory, counter, &[left])
    }

    /// Gives all tries back after a success.
    pub fn reset(self, memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
        match (self.counter(), self.most_tries(memory)) {
            (Some(counter), Some(most)) => store::put(memory, counter, &[most]),
            (Some(_), None) => Err(StatusWord::REFERENCE_NOT_FOUND),
            (None, _) => Ok(()),
        }
    }

    /// What a failed authentication is answered with: 6300, or 63CX with the tries left.
    pub fn failed(self, memory: &dyn NonVolatileMemory) -> StatusWord {
        let left = self.tries_left(memory);
        left.map_or(FAILED, |left| StatusWord(0x63C0 | u16::from(left)))
    }
}

/// RESET RETRY COUNTER (BSI TR-03110-3 §B.11.3): unblocks the PIN in a session opened with the PUK
/// (P1 = 03), or sets another one in a session opened with the PIN (P1 = 02).
pub fn reset_retry_counter(
    session: &Session,
    memory: &mut dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let needed = match (command.p1, command.p2) {
        (0x03, 0x03) => Password::Puk,
        (0x02, 0x03) => Password::Pin,
        _ => return Err(StatusWord::WRONG_P1P2),
    };
    if memory.read(store::PIN).is_none() {
        return Err(StatusWord::REFERENCE_NOT_FOUND);
    }
    if !session.is_open() || session.opened_by != Some(needed) {
        return Err(StatusWord::SECURITY_STATUS);
    }
    if needed == Password::Puk {
        if !command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        Password::Pin.reset(memory)?;
    } else {
        let most = Password::Pin.most_tries(memory).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
        store_counted(memory, Password::Pin, command.data, most)?;
    }
    Ok(Vec::new())
}

/// Data groupings 0203 and 0204: the digits of PIN or PUK and the number of tries.
pub fn personalize(
    memory: &mut dyn NonVolatileMemory,
    password: Password,
    data: &[u8],
) -> Result<(), StatusWord> {
    let mut objects = Objects::new(data);
    let mut value = |tag| match objects.take() {
        Ok(object) if object.tag == tag => Ok(object.value),
        _ => Err(StatusWord::WRONG_DATA),
    };
    let (digits, tries) = (value(DIGITS)?, value(TRIES)?);
    let [most @ 1..=MAX_TRIES] = *tries else { return Err(StatusWord::WRONG_DATA) };
    if !objects.is_empty() {
        return Err(StatusWord::WRONG_DATA);
    }
    store_counted(memory, password, digits, most)
}

/// Stores PIN or PUK with all tries, in one step.
fn store_counted(
    memory: &mut dyn NonVolatileMemory,
    password: Password,
    digits: &[u8],
    most: u8,
) -> Result<(), StatusWord> {
    let lengths = if password == Password::Pin { 4..=12 } else { 4..=16 };
    let counter = password.counter().ok_or(StatusWord::WRONG_DATA)?;
    if !lengths.contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(StatusWord::WRONG_DATA);
    }
    let mut record = Zeroizing::new(Vec::with_capacity(digits.len() + 5));
    tlv::put(&mut record, DIGITS, digits);
    tlv::put(&mut record, TRIES, &[most]);
    let writes = [
        Write::Put { key: password.record(), value: &record },
        Write::Put { key: counter, value: &[most] },
    ];
    memory.apply(&writes).map_err(store::status)
}
