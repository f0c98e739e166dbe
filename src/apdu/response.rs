//! Response APDUs (ISO/IEC 7816-3 §12.1).

use super::{ApduError, StatusWord};

/// A response: the data field and the status word.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseApdu {
    /// Response data field, up to 65 536 bytes.
    pub data: Vec<u8>,
    /// Status word.
    pub status: StatusWord,
}

impl ResponseApdu {
    /// Splits the bytes of a response.
    ///
    /// # Errors
    /// [`ApduError::ResponseTooShort`] when there is no room for the status word,
    /// [`ApduError::ResponseTooLong`] over 65 538 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApduError> {
        if bytes.len() > 65_538 {
            return Err(ApduError::ResponseTooLong { length: bytes.len() });
        }
        match bytes {
            [data @ .., sw1, sw2] => Ok(Self {
                data: data.to_vec(),
                status: StatusWord(u16::from_be_bytes([*sw1, *sw2])),
            }),
            _ => Err(ApduError::ResponseTooShort { length: bytes.len() }),
        }
    }
}

impl std::fmt::Debug for ResponseApdu {
    // Data may be personal: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ResponseApdu {{ {} bytes, {:?} }}", self.data.len(), self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_data_from_status() {
        let r = ResponseApdu::parse(&[1, 2, 0x90, 0]).unwrap();
        assert_eq!((r.data.as_slice(), r.status), (&[1, 2][..], StatusWord::OK));
    }

    #[test]
    fn refuses_a_response_without_status_word() {
        assert_eq!(ResponseApdu::parse(&[0x90]), Err(ApduError::ResponseTooShort { length: 1 }));
    }

    #[test]
    fn does_not_show_data_in_debug_output() {
        let r = ResponseApdu::parse(&[0x41, 0x42, 0x90, 0]).unwrap();
        assert_eq!(format!("{r:?}"), "ResponseApdu { 2 bytes, SW 9000 }");
    }
}
