//! Response APDUs as the card writes them.

use alloc::vec::Vec;

use crate::MemoryError;

/// Status word SW1 SW2 (ISO/IEC 7816-4 §5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// Normal processing.
    pub const OK: Self = Self(0x9000);
    /// End of file reached before Ne bytes were read.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// Memory failure.
    pub const MEMORY_FAILURE: Self = Self(0x6581);
    /// Wrong length.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// Security status not satisfied.
    pub const SECURITY_STATUS: Self = Self(0x6982);
    /// Authentication method blocked.
    pub const BLOCKED: Self = Self(0x6983);
    /// Conditions of use not satisfied.
    pub const CONDITIONS: Self = Self(0x6985);
    /// Command not allowed: no current EF.
    pub const NO_CURRENT_FILE: Self = Self(0x6986);
    /// Expected secure messaging data objects are missing.
    pub const SM_MISSING: Self = Self(0x6987);
    /// Secure messaging data objects are incorrect.
    pub const SM_INCORRECT: Self = Self(0x6988);
    /// Incorrect parameters in the command data field.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// Function not supported.
    pub const NOT_SUPPORTED: Self = Self(0x6A81);
    /// File or application not found.
    pub const NOT_FOUND: Self = Self(0x6A82);
    /// Not enough memory space.
    pub const NO_MEMORY: Self = Self(0x6A84);
    /// Incorrect parameters P1-P2.
    pub const WRONG_P1P2: Self = Self(0x6A86);
    /// Referenced data not found.
    pub const REFERENCE_NOT_FOUND: Self = Self(0x6A88);
    /// Wrong parameters P1-P2: offset outside the file.
    pub const WRONG_OFFSET: Self = Self(0x6B00);
    /// Instruction not supported.
    pub const INS_NOT_SUPPORTED: Self = Self(0x6D00);
    /// Class not supported.
    pub const CLA_NOT_SUPPORTED: Self = Self(0x6E00);
}

/// A response APDU.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Response data field.
    pub data: Vec<u8>,
    /// Status word.
    pub status: StatusWord,
}

impl Response {
    /// Data and 9000.
    #[must_use]
    pub const fn ok(data: Vec<u8>) -> Self {
        Self { data, status: StatusWord::OK }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.data;
        bytes.extend(self.status.0.to_be_bytes());
        bytes
    }
}

impl From<MemoryError> for StatusWord {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::Full => Self::NO_MEMORY,
            MemoryError::OutOfRange | MemoryError::Failed => Self::MEMORY_FAILURE,
        }
    }
}

impl From<StatusWord> for Response {
    fn from(status: StatusWord) -> Self {
        Self { data: Vec::new(), status }
    }
}

impl From<Result<Vec<u8>, StatusWord>> for Response {
    fn from(result: Result<Vec<u8>, StatusWord>) -> Self {
        match result {
            Ok(data) => Self::ok(data),
            Err(status) => status.into(),
        }
    }
}
