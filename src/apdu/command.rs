//! Command APDUs, short and extended (ISO/IEC 7816-3 §12.1.3).

use thiserror::Error;

use crate::error::ErrorCode;

/// A fault in the bytes of a command or response APDU.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApduError {
    /// More than 65 535 bytes of command data.
    #[error("command data field of {length} bytes exceeds 65535")]
    CommandTooLong {
        /// Bytes given.
        length: usize,
    },
    /// A response without status word.
    #[error("response of {length} bytes has no room for a status word")]
    ResponseTooShort {
        /// Bytes received.
        length: usize,
    },
    /// A response over 65 538 bytes.
    #[error("response of {length} bytes is longer than any APDU can be")]
    ResponseTooLong {
        /// Bytes received.
        length: usize,
    },
}

impl ErrorCode for ApduError {
    fn code(&self) -> &'static str {
        match self {
            Self::CommandTooLong { .. } => "apdu_command_too_long",
            Self::ResponseTooShort { .. } => "apdu_response_too_short",
            Self::ResponseTooLong { .. } => "apdu_response_too_long",
        }
    }
}

/// The number of response bytes expected, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ne(u32);

impl Ne {
    /// As many as there are, at most 256: short Le `00`.
    pub const MAX_SHORT: Self = Self(256);
    /// As many as there are, at most 65 536: extended Le `0000`.
    pub const MAX_EXTENDED: Self = Self(65_536);

    /// `n` bytes, clamped to 1..=65 536.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self(n.clamp(1, 65_536) as u32)
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// A command APDU before it is put on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandApdu {
    /// Class byte.
    pub cla: u8,
    /// Instruction byte.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Command data field, up to 65 535 bytes; empty when there is none.
    pub data: Vec<u8>,
    /// Response bytes expected; `None` where Le must be absent.
    pub ne: Option<Ne>,
}

impl CommandApdu {
    /// A command without data and without Le.
    #[must_use]
    pub const fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla, ins, p1, p2, data: Vec::new(), ne: None }
    }

    /// The same with a command data field.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// The same with an Le field.
    #[must_use]
    pub const fn with_ne(mut self, ne: Ne) -> Self {
        self.ne = Some(ne);
        self
    }

    /// The four header bytes.
    #[must_use]
    pub const fn header(&self) -> [u8; 4] {
        [self.cla, self.ins, self.p1, self.p2]
    }

    /// Whether it fits only into an extended APDU: over 255 bytes of data or over 256 expected.
    #[must_use]
    pub fn needs_extended(&self) -> bool {
        self.data.len() > 255 || self.ne.is_some_and(|ne| ne.get() > 256)
    }

    /// The bytes on the wire: the short form where it fits, else the extended form.
    ///
    /// # Errors
    /// [`ApduError::CommandTooLong`] over 65 535 bytes of data.
    pub fn encode(&self) -> Result<Vec<u8>, ApduError> {
        if self.needs_extended() { self.encode_extended() } else { Ok(self.encode_short()) }
    }

    fn encode_short(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(6 + self.data.len());
        out.extend(self.header());
        if !self.data.is_empty() {
            out.push(self.data.len() as u8);
            out.extend(&self.data);
        }
        if let Some(ne) = self.ne {
            out.push(ne.get() as u8); // 256 is 00
        }
        out
    }

    /// The bytes on the wire in the extended form, even where the short one fits.
    ///
    /// # Errors
    /// [`ApduError::CommandTooLong`] over 65 535 bytes of data.
    pub fn encode_extended(&self) -> Result<Vec<u8>, ApduError> {
        let length = u16::try_from(self.data.len())
            .map_err(|_| ApduError::CommandTooLong { length: self.data.len() })?;
        let mut out = Vec::with_capacity(9 + self.data.len());
        out.extend(self.header());
        if length > 0 {
            out.push(0);
            out.extend(length.to_be_bytes());
            out.extend(&self.data);
        }
        if let Some(ne) = self.ne {
            if length == 0 {
                out.push(0);
            }
            out.extend((ne.get() as u16).to_be_bytes()); // 65 536 is 0000
        }
        Ok(out)
    }
}

impl std::fmt::Debug for CommandApdu {
    // Data may be personal or secret: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "CommandApdu {{ {:02X}{:02X}{:02X}{:02X}, {} bytes, {:?} }}",
            self.cla,
            self.ins,
            self.p1,
            self.p2,
            self.data.len(),
            self.ne
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(data: usize, ne: Option<usize>) -> CommandApdu {
        let c = CommandApdu::new(0, 0xB0, 1, 2).with_data(vec![7; data]);
        match ne {
            Some(n) => c.with_ne(Ne::new(n)),
            None => c,
        }
    }

    #[test]
    fn encodes_the_four_short_cases() {
        assert_eq!(command(0, None).encode().unwrap(), [0, 0xB0, 1, 2]);
        assert_eq!(command(0, Some(256)).encode().unwrap(), [0, 0xB0, 1, 2, 0]);
        assert_eq!(command(1, None).encode().unwrap(), [0, 0xB0, 1, 2, 1, 7]);
        assert_eq!(command(1, Some(5)).encode().unwrap(), [0, 0xB0, 1, 2, 1, 7, 5]);
    }

    #[test]
    fn encodes_the_extended_cases() {
        assert_eq!(command(0, Some(257)).encode().unwrap(), [0, 0xB0, 1, 2, 0, 1, 1]);
        assert_eq!(command(0, Some(65_536)).encode().unwrap(), [0, 0xB0, 1, 2, 0, 0, 0]);
        let long = command(256, Some(1)).encode().unwrap();
        assert_eq!(long[..7], [0, 0xB0, 1, 2, 0, 1, 0]);
        assert_eq!(long[long.len() - 2..], [0, 1]);
        assert_eq!(long.len(), 7 + 256 + 2);
    }

    #[test]
    fn refuses_data_over_65535_bytes() {
        assert_eq!(
            command(65_536, None).encode(),
            Err(ApduError::CommandTooLong { length: 65_536 })
        );
    }
}
