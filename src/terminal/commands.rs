//! The commands a terminal sends to an eMRTD, each with its section.

use crate::apdu::tlv::{Tag, encode};
use crate::apdu::{CommandApdu, Ne};
use crate::lds::{FileId, LDS1_AID, ShortFileId};

/// SELECT of the LDS1 application by its identifier, no response data (ICAO 9303-10 §3.6.1).
#[must_use]
pub fn select_lds1() -> CommandApdu {
    CommandApdu::new(0x00, 0xA4, 0x04, 0x0C).with_data(LDS1_AID)
}

/// SELECT of the master file by its identifier, no response data (ISO/IEC 7816-4 §11.2.2).
#[must_use]
pub fn select_master_file() -> CommandApdu {
    CommandApdu::new(0x00, 0xA4, 0x00, 0x0C).with_data([0x3F, 0x00])
}

/// SELECT of an EF under the current DF, no response data (ICAO 9303-10 §3.6.2).
#[must_use]
pub fn select_file(file: FileId) -> CommandApdu {
    CommandApdu::new(0x00, 0xA4, 0x02, 0x0C).with_data(file.0.to_be_bytes())
}

/// READ BINARY from the start of the EF with a short identifier, which becomes the current EF
/// (ICAO 9303-10 §3.6.3).
#[must_use]
pub const fn read_binary_short(file: ShortFileId, ne: Ne) -> CommandApdu {
    CommandApdu::new(0x00, 0xB0, 0x80 | file.get(), 0x00).with_ne(ne)
}

/// READ BINARY of the current EF at an offset up to 32 767 (ISO/IEC 7816-4 §11.3.3).
#[must_use]
pub const fn read_binary(offset: u16, ne: Ne) -> CommandApdu {
    let [p1, p2] = offset.to_be_bytes();
    CommandApdu::new(0x00, 0xB0, p1 & 0x7F, p2).with_ne(ne)
}

/// READ BINARY with odd instruction of the current EF at any offset: DO'54' carries the offset,
/// the data comes in DO'53' (ICAO 9303-10 §3.6.3.3). `ne` counts the head of DO'53' too.
#[must_use]
pub fn read_binary_odd(offset: u32, ne: Ne) -> CommandApdu {
    let bytes = offset.to_be_bytes();
    // 32 768 and more take two bytes at least.
    let skip = bytes.iter().take(2).take_while(|b| **b == 0).count();
    let offset = encode(Tag(0x54), bytes.get(skip..).unwrap_or_default());
    CommandApdu::new(0x00, 0xB1, 0x00, 0x00).with_data(offset).with_ne(ne)
}

/// GET CHALLENGE of eight bytes (ICAO 9303-11 §4.3.4.1).
#[must_use]
pub fn get_challenge() -> CommandApdu {
    CommandApdu::new(0x00, 0x84, 0x00, 0x00).with_ne(Ne::new(8))
}

/// EXTERNAL AUTHENTICATE of BAC (ICAO 9303-11 §4.3.4.2).
#[must_use]
pub fn external_authenticate(cryptogram: Vec<u8>) -> CommandApdu {
    CommandApdu::new(0x00, 0x82, 0x00, 0x00).with_data(cryptogram).with_ne(Ne::new(40))
}

/// INTERNAL AUTHENTICATE of Active Authentication (ICAO 9303-11 §6.1.3).
#[must_use]
pub fn internal_authenticate(challenge: [u8; 8], ne: Ne) -> CommandApdu {
    CommandApdu::new(0x00, 0x88, 0x00, 0x00).with_data(challenge).with_ne(ne)
}

/// MSE:Set AT for mutual authentication (PACE, ICAO 9303-11 §4.4.4.1).
#[must_use]
pub fn mse_set_at_mutual(data: Vec<u8>) -> CommandApdu {
    CommandApdu::new(0x00, 0x22, 0xC1, 0xA4).with_data(data)
}

/// MSE:Set AT for internal authentication (Chip Authentication, ICAO 9303-11 §6.2.4.2).
#[must_use]
pub fn mse_set_at_internal(data: Vec<u8>) -> CommandApdu {
    CommandApdu::new(0x00, 0x22, 0x41, 0xA4).with_data(data)
}

/// MSE:Set KAT for computation (Chip Authentication with 3DES, ICAO 9303-11 §6.2.4.1).
#[must_use]
pub fn mse_set_kat(data: Vec<u8>) -> CommandApdu {
    CommandApdu::new(0x00, 0x22, 0x41, 0xA6).with_data(data)
}

/// GENERAL AUTHENTICATE (ICAO 9303-11 §4.4.4.2, §6.2.4.2); all but the last of a chain have
/// class 10.
#[must_use]
pub fn general_authenticate(content: &[u8], last: bool) -> CommandApdu {
    let cla = if last { 0x00 } else { 0x10 };
    CommandApdu::new(cla, 0x86, 0x00, 0x00)
        .with_data(encode(Tag(0x7C), content))
        .with_ne(Ne::MAX_SHORT)
}

/// RESET RETRY COUNTER of the PIN without a new one: gives it all its tries back, in a session
/// that the PUK has opened (BSI TR-03110-3 §B.11.3).
#[must_use]
pub const fn reset_retry_counter_of_pin() -> CommandApdu {
    CommandApdu::new(0x00, 0x2C, 0x03, 0x03)
}

/// MSE:Set DST: names the key that verifies the next certificate (ICAO 9303-11 §7.1.4.3.4).
#[must_use]
pub fn mse_set_dst(data: Vec<u8>) -> CommandApdu {
    CommandApdu::new(0x00, 0x22, 0x81, 0xB6).with_data(data)
}

/// PSO: VERIFY CERTIFICATE with body and signature (ICAO 9303-11 §7.1.4.3.4).
#[must_use]
pub fn verify_certificate(value: Vec<u8>) -> CommandApdu {
    CommandApdu::new(0x00, 0x2A, 0x00, 0xBE).with_data(value)
}

/// MSE:Set AT for external authentication (Terminal Authentication, ICAO 9303-11 §7.1.4.3.5).
#[must_use]
pub fn mse_set_at_external(data: Vec<u8>) -> CommandApdu {
    CommandApdu::new(0x00, 0x22, 0x81, 0xA4).with_data(data)
}

/// EXTERNAL AUTHENTICATE of Terminal Authentication (ICAO 9303-11 §7.1.4.3.7).
#[must_use]
pub fn external_authenticate_terminal(signature: Vec<u8>) -> CommandApdu {
    CommandApdu::new(0x00, 0x82, 0x00, 0x00).with_data(signature)
}

/// GET RESPONSE (ISO/IEC 7816-4 §11.8.1).
#[must_use]
pub const fn get_response(ne: Ne) -> CommandApdu {
    CommandApdu::new(0x00, 0xC0, 0x00, 0x00).with_ne(ne)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn encodes_the_offset_of_an_odd_read() {
        let read = read_binary_odd(0x8000, Ne::new(220));
        assert_eq!(read.encode().unwrap(), hex!("00B100000454028000DC"));
        let read = read_binary_odd(0x01_0000, Ne::new(220));
        assert_eq!(read.encode().unwrap(), hex!("00B10000055403010000DC"));
    }

    #[test]
    fn never_marks_a_long_offset_as_a_short_identifier() {
        assert_eq!(read_binary(0x7FFF, Ne::new(1)).encode().unwrap(), hex!("00B07FFF01"));
    }
}
