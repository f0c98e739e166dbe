//! Status words (ISO/IEC 7816-4 §5.6).

use core::fmt;

/// The two bytes SW1 SW2 that end every response APDU.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// Normal processing.
    pub const OK: Self = Self(0x9000);
    /// End of file reached before Ne bytes were read; the data that came is good.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// Wrong length.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// Last command of a chain expected.
    pub const LAST_OF_CHAIN_EXPECTED: Self = Self(0x6883);
    /// Security status not satisfied.
    pub const SECURITY_STATUS: Self = Self(0x6982);
    /// Authentication method blocked.
    pub const BLOCKED: Self = Self(0x6983);
    /// Conditions of use not satisfied.
    pub const CONDITIONS: Self = Self(0x6985);
    /// Expected secure messaging data objects are missing.
    pub const SM_MISSING: Self = Self(0x6987);
    /// Secure messaging data objects are incorrect.
    pub const SM_INCORRECT: Self = Self(0x6988);
    /// Incorrect parameters in the command data field.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// File or application not found.
    pub const NOT_FOUND: Self = Self(0x6A82);
    /// Wrong parameters P1-P2: for READ BINARY the offset lies outside the file.
    pub const WRONG_OFFSET: Self = Self(0x6B00);
    /// Instruction code not supported.
    pub const INS_NOT_SUPPORTED: Self = Self(0x6D00);
    /// Class not supported.
    pub const CLA_NOT_SUPPORTED: Self = Self(0x6E00);

    /// First byte.
    #[must_use]
    pub const fn sw1(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Second byte.
    #[must_use]
    pub const fn sw2(self) -> u8 {
        self.0 as u8
    }

    /// Whether processing was normal: 9000.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0x9000
    }

    /// Bytes still to be fetched with GET RESPONSE, for `61xx` (256 for `6100`).
    #[must_use]
    pub const fn more_data(self) -> Option<usize> {
        match (self.sw1(), self.sw2()) {
            (0x61, 0) => Some(256),
            (0x61, n) => Some(n as usize),
            _ => None,
        }
    }

    /// The Le that the card wants, for `6Cxx` (256 for `6C00`).
    #[must_use]
    pub const fn wanted_le(self) -> Option<usize> {
        match (self.sw1(), self.sw2()) {
            (0x6C, 0) => Some(256),
            (0x6C, n) => Some(n as usize),
            _ => None,
        }
    }

    /// Tries left, for `63Cx`.
    #[must_use]
    pub const fn tries_left(self) -> Option<u8> {
        if self.0 & 0xFFF0 == 0x63C0 { Some((self.0 & 0xF) as u8) } else { None }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SW {:04X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::StatusWord;

    #[test]
    fn reads_counts_from_status_words() {
        assert_eq!(StatusWord(0x6105).more_data(), Some(5));
        assert_eq!(StatusWord(0x6100).more_data(), Some(256));
        assert_eq!(StatusWord(0x6C00).wanted_le(), Some(256));
        assert_eq!(StatusWord(0x63C2).tries_left(), Some(2));
        assert_eq!(StatusWord::OK.more_data(), None);
    }
}
