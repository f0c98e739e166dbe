//! Digital signature scheme 1 of ISO/IEC 9796-2: RSA with partial message recovery, as Active
//! Authentication uses it (ICAO 9303-11 §6.1.2.2).

use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPublicKey;

use super::ActiveAuthenticationError;

/// The shortest modulus that is accepted.
pub const MIN_RSA_BITS: usize = 1024;

/// Header of a message that is recovered in part: bits 01, more data, no padding, border nibble.
const HEADER: u8 = 0x6A;

/// Opens a signature over `M1 || M2`, where M2 is the terminal's challenge, and checks the hash.
///
/// Both ways to make the signature are accepted, as the standard asks: the power itself (ISO/IEC
/// 9796-2 §B.6) and the smaller of it and its complement (§B.4).
///
/// # Errors
/// [`ActiveAuthenticationError`].
pub fn recover(
    key: &RsaPublicKey,
    signature: &[u8],
    challenge: &[u8],
) -> Result<HashAlgorithm, ActiveAuthenticationError> {
    let (bits, modulus) = (key.bits(), key.modulus());
    if bits < MIN_RSA_BITS || !bits.is_multiple_of(8) {
        return Err(ActiveAuthenticationError::KeyLength { bits });
    }
    let (found, expected) = (signature.len(), bits / 8);
    if found != expected {
        return Err(ActiveAuthenticationError::Length { found, expected });
    }
    let opened = key.raw(signature).map_err(|_| ActiveAuthenticationError::Signature)?;
    let message = representative(&modulus, opened).ok_or(ActiveAuthenticationError::Trailer)?;
    check(&message, challenge)
}

/// The opened number, or the modulus less it: whichever ends in the nibble C.
fn representative(modulus: &[u8], opened: Vec<u8>) -> Option<Vec<u8>> {
    let ends_in_c = |number: &[u8]| number.last().is_some_and(|byte| byte & 0x0F == 0x0C);
    if ends_in_c(&opened) {
        return Some(opened);
    }
    let mut borrow = 0;
    let mut complement: Vec<u8> = modulus
        .iter()
        .rev()
        .zip(opened.iter().rev())
        .map(|(m, o)| {
            let difference = i16::from(*m) - i16::from(*o) - borrow;
            borrow = i16::from(difference < 0);
            (difference & 0xFF) as u8
        })
        .collect();
    complement.reverse();
    ends_in_c(&complement).then_some(complement)
}

/// `6A || M1 || H(M1 || M2) || trailer`.
fn check(message: &[u8], challenge: &[u8]) -> Result<HashAlgorithm, ActiveAuthenticationError> {
    let (hash, body) = trailer(message).ok_or(ActiveAuthenticationError::Trailer)?;
    let (header, rest) = body.split_first().ok_or(ActiveAuthenticationError::Header)?;
    if *header != HEADER {
        return Err(ActiveAuthenticationError::Header);
    }
    let m1_length = rest.len().checked_sub(hash.output_len());
    let (m1, digest) = m1_length
        .filter(|length| *length > 0)
        .and_then(|length| rest.split_at_checked(length))
        .ok_or(ActiveAuthenticationError::Signature)?;
    if hash.digest_parts(&[m1, challenge]) != digest {
        return Err(ActiveAuthenticationError::Signature);
    }
    Ok(hash)
}

/// The hash that the trailer names, and what stands before it: BC is SHA-1, otherwise the number
/// of ISO/IEC 10118-3 and CC.
fn trailer(message: &[u8]) -> Option<(HashAlgorithm, &[u8])> {
    match message {
        [body @ .., 0xBC] => Some((HashAlgorithm::Sha1, body)),
        [body @ .., number, 0xCC] => {
            let hash = match number {
                0x33 => HashAlgorithm::Sha1,
                0x34 => HashAlgorithm::Sha256,
                0x35 => HashAlgorithm::Sha512,
                0x36 => HashAlgorithm::Sha384,
                0x38 => HashAlgorithm::Sha224,
                _ => return None,
            };
            Some((hash, body))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    // ICAO 9303-11 appendix F: the message representative F and the terminal's nonce. The example
    // gives no key, so that the step before it is tested with keys of our own.
    const PUBLISHED: [u8; 128] = hex!(
        "6A9D2784A67F8E7C659973EA1AEA25D95B6C8F91E5002F369F0FBDCE8A3CEC19"
        "91B543F1696546C5524CF23A5303CD6C98599F40B79F377B5F3A1406B3B4D8F9"
        "6784D23AA88DB7E1032A405E69325FA91A6E86F5C71AEA978264C4A207446DAD"
        "4E7292E2DCDA3024B47DA8C063AA1E6D22FBD976AB0FE73D94D2D9C6D88127BC"
    );
    const NONCE: [u8; 8] = hex!("F173589974BF40C6");

    #[test]
    fn accepts_the_published_message() {
        assert_eq!(check(&PUBLISHED, &NONCE), Ok(HashAlgorithm::Sha1));
    }

    #[test]
    fn refuses_the_published_message_for_another_nonce() {
        let error = ActiveAuthenticationError::Signature;
        assert_eq!(check(&PUBLISHED, &[0; 8]), Err(error));
    }

    #[test]
    fn refuses_another_header() {
        for header in [0x4A, 0x6B, 0x4B, 0x00] {
            let mut message = PUBLISHED;
            message[0] = header;
            assert_eq!(check(&message, &NONCE), Err(ActiveAuthenticationError::Header));
        }
    }

    #[test]
    fn refuses_an_unknown_trailer() {
        for trailer in [[0x27, 0xAC], [0x37, 0xCC], [0x31, 0xCC], [0x00, 0x00]] {
            let mut message = PUBLISHED;
            message[126..].copy_from_slice(&trailer);
            assert_eq!(check(&message, &NONCE), Err(ActiveAuthenticationError::Trailer));
        }
    }

    #[test]
    fn refuses_a_trailer_of_another_hash() {
        let mut message = PUBLISHED.to_vec();
        message[126..].copy_from_slice(&[0x34, 0xCC]);
        assert_eq!(check(&message, &NONCE), Err(ActiveAuthenticationError::Signature));
    }

    #[test]
    fn never_panics_on_messages_shorter_than_a_hash() {
        for length in 0..40 {
            let mut message = vec![HEADER; length];
            message.push(0xBC);
            assert!(check(&message, &NONCE).is_err());
        }
    }

    #[test]
    fn takes_the_complement_where_it_ends_in_c() {
        // 0x0110 - 0x0054 = 0x00BC.
        assert_eq!(representative(&[0x01, 0x10], vec![0x00, 0x54]), Some(vec![0x00, 0xBC]));
        assert_eq!(representative(&[0x01, 0x10], vec![0x00, 0x53]), None);
    }
}
