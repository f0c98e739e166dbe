use std::sync::OnceLock;

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::ecdsa::sign_prehashed;
use cancuoc_primitives::rsa::{RsaPrivateKey, RsaPublicKey};
use proptest::prelude::*;

use super::*;
use crate::terminal::testing::Fixed;
use crate::transport::TransportError;

const CHALLENGE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// Random enough for a test, and the same each time.
struct Counting(u64);

impl rand_core::TryRng for Counting {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|n| n as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 += 1;
        let digest = HashAlgorithm::Sha256.digest(&self.0.to_be_bytes());
        Ok(digest.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b)))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = self.try_next_u64()? as u8;
        }
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Counting {}

fn rsa_key() -> &'static RsaPrivateKey {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| RsaPrivateKey::generate(1024, &mut Counting(1)).unwrap())
}

/// A message representative with the header, hash and trailer given.
fn representative(header: u8, hash: HashAlgorithm, trailer: &[u8], challenge: &[u8]) -> Vec<u8> {
    let m1 = vec![0x5C; 128 - 1 - hash.output_len() - trailer.len()];
    let digest = hash.digest_parts(&[&m1, challenge]);
    [&[header], &m1[..], &digest, trailer].concat()
}

fn sign(representative: &[u8]) -> ActiveAuthenticationEvidence {
    let response = rsa_key().raw(representative, &mut Counting(7)).unwrap();
    ActiveAuthenticationEvidence { challenge: CHALLENGE, response }
}

fn rsa_public() -> PublicKey {
    PublicKey::Rsa(rsa_key().public_key())
}

#[test]
fn accepts_rsa_signatures_with_every_trailer_of_the_standard() {
    use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
    let trailers: [(HashAlgorithm, &[u8]); 6] = [
        (Sha1, &[0xBC]),
        (Sha1, &[0x33, 0xCC]),
        (Sha224, &[0x38, 0xCC]),
        (Sha256, &[0x34, 0xCC]),
        (Sha384, &[0x36, 0xCC]),
        (Sha512, &[0x35, 0xCC]),
    ];
    for (hash, trailer) in trailers {
        let evidence = sign(&representative(0x6A, hash, trailer, &CHALLENGE));
        assert_eq!(evidence.verify(&rsa_public(), None), Ok(hash));
    }
}

#[test]
fn accepts_longer_keys() {
    let hash = HashAlgorithm::Sha256;
    for bits in [1280, 2048, 3072] {
        let key = RsaPrivateKey::generate(bits, &mut Counting(2)).unwrap();
        let m1 = vec![0x5C; bits / 8 - 1 - hash.output_len() - 2];
        let digest = hash.digest_parts(&[&m1, &CHALLENGE]);
        let message = [&[0x6A], &m1[..], &digest, &[0x34, 0xCC]].concat();
        let response = key.raw(&message, &mut Counting(7)).unwrap();
        let evidence = ActiveAuthenticationEvidence { challenge: CHALLENGE, response };
        let key = PublicKey::Rsa(key.public_key());
        assert_eq!(evidence.verify(&key, None), Ok(hash), "{bits} bits");
    }
}

#[test]
fn refuses_a_key_whose_length_is_no_whole_number_of_bytes() {
    let modulus = [&[0x0F][..], &[0xA5; 128]].concat();
    let key = PublicKey::Rsa(RsaPublicKey::new(&modulus, &[1, 0, 1]).unwrap());
    let evidence = ActiveAuthenticationEvidence { challenge: CHALLENGE, response: vec![1; 129] };
    let error = ActiveAuthenticationError::KeyLength { bits: 1028 };
    assert_eq!(evidence.verify(&key, None), Err(error));
}

#[test]
fn accepts_the_smaller_of_power_and_complement() {
    let mut evidence =
        sign(&representative(0x6A, HashAlgorithm::Sha256, &[0x34, 0xCC], &CHALLENGE));
    let modulus = rsa_key().public_key().modulus();
    let mut borrow = 0i16;
    for (s, m) in evidence.response.iter_mut().zip(&modulus).rev() {
        let difference = i16::from(*m) - i16::from(*s) - borrow;
        borrow = i16::from(difference < 0);
        *s = (difference & 0xFF) as u8;
    }
    assert_eq!(evidence.verify(&rsa_public(), None), Ok(HashAlgorithm::Sha256));
}

#[test]
fn refuses_an_rsa_signature_over_another_challenge() {
    let evidence = sign(&representative(0x6A, HashAlgorithm::Sha256, &[0x34, 0xCC], &[9; 8]));
    let error = ActiveAuthenticationError::Signature;
    assert_eq!(evidence.verify(&rsa_public(), None), Err(error));
}

#[test]
fn refuses_a_recovered_message_without_its_header() {
    let evidence = sign(&representative(0x4A, HashAlgorithm::Sha256, &[0x34, 0xCC], &CHALLENGE));
    assert_eq!(evidence.verify(&rsa_public(), None), Err(ActiveAuthenticationError::Header));
}

#[test]
fn refuses_a_recovered_message_with_an_unknown_trailer() {
    let evidence = sign(&representative(0x6A, HashAlgorithm::Sha256, &[0x3F, 0xCC], &CHALLENGE));
    assert_eq!(evidence.verify(&rsa_public(), None), Err(ActiveAuthenticationError::Trailer));
}

#[test]
fn refuses_an_rsa_signature_of_another_length() {
    let mut evidence =
        sign(&representative(0x6A, HashAlgorithm::Sha256, &[0x34, 0xCC], &CHALLENGE));
    evidence.response.pop();
    let error = ActiveAuthenticationError::Length { found: 127, expected: 128 };
    assert_eq!(evidence.verify(&rsa_public(), None), Err(error));
}

fn oid(hash: u32) -> Option<ObjectIdentifier> {
    ECDSA_PLAIN.push_arc(hash).ok()
}

fn ecdsa(curve: Curve, hash: HashAlgorithm, challenge: &[u8]) -> (PublicKey, Vec<u8>) {
    let secret = SecretScalar::from_bytes(curve, &[7; 20]).unwrap();
    let signature = sign_prehashed(&secret, &hash.digest(challenge), &mut Counting(3)).unwrap();
    (PublicKey::Ec(secret.public_point()), signature.to_plain(curve).unwrap())
}

#[test]
fn accepts_ecdsa_signatures_on_every_curve_with_every_hash() {
    use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
    for (arc, hash) in [(1, Sha1), (2, Sha224), (3, Sha256), (4, Sha384), (5, Sha512)] {
        for curve in Curve::ALL {
            let (key, response) = ecdsa(curve, hash, &CHALLENGE);
            let evidence = ActiveAuthenticationEvidence { challenge: CHALLENGE, response };
            assert_eq!(evidence.verify(&key, oid(arc)), Ok(hash));
        }
    }
}

#[test]
fn refuses_an_ecdsa_signature_with_another_hash_than_dg14_says() {
    let (key, response) = ecdsa(Curve::P256, HashAlgorithm::Sha256, &CHALLENGE);
    let evidence = ActiveAuthenticationEvidence { challenge: CHALLENGE, response };
    let error = ActiveAuthenticationError::Signature;
    assert_eq!(evidence.verify(&key, oid(5)), Err(error));
}

#[test]
fn refuses_an_ecdsa_signature_over_an_old_challenge() {
    let (key, response) = ecdsa(Curve::P256, HashAlgorithm::Sha256, &[9; 8]);
    let evidence = ActiveAuthenticationEvidence { challenge: CHALLENGE, response };
    let error = ActiveAuthenticationError::Signature;
    assert_eq!(evidence.verify(&key, oid(3)), Err(error));
}

#[test]
fn refuses_an_ecdsa_key_without_a_hash_announced() {
    let (key, response) = ecdsa(Curve::P256, HashAlgorithm::Sha256, &CHALLENGE);
    let evidence = ActiveAuthenticationEvidence { challenge: CHALLENGE, response };
    assert_eq!(evidence.verify(&key, None), Err(ActiveAuthenticationError::HashNotAnnounced));
    // ecdsa-plain-RIPEMD160.
    assert_eq!(evidence.verify(&key, oid(6)), Err(ActiveAuthenticationError::UnknownAlgorithm));
}

#[test]
fn refuses_an_ecdsa_signature_in_der() {
    let curve = Curve::P256;
    let (key, plain) = ecdsa(curve, HashAlgorithm::Sha256, &CHALLENGE);
    let response = EcdsaSignature::from_plain(curve, &plain).unwrap().to_der().unwrap();
    let evidence = ActiveAuthenticationEvidence { challenge: CHALLENGE, response };
    let error = evidence.verify(&key, oid(3)).unwrap_err();
    assert!(matches!(error, ActiveAuthenticationError::Length { expected: 64, .. }));
}

/// Records the one command it is sent.
struct Recorder(Vec<u8>);

impl CardTransport for Recorder {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.0 = command.to_vec();
        Ok(vec![0xAA, 0x90, 0])
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

#[test]
fn sends_a_fresh_challenge_in_one_command() {
    let mut session = Session::new(Recorder(Vec::new()));
    let evidence =
        authenticate_actively(&mut session, &rsa_public(), &mut Fixed::new(&CHALLENGE)).unwrap();
    assert_eq!((evidence.challenge, evidence.response), (CHALLENGE, vec![0xAA]));
    let expected = [&[0, 0x88, 0, 0, 8], &CHALLENGE[..], &[0]].concat();
    assert_eq!(session.into_transport().0, expected);
}

#[test]
fn asks_for_extended_length_where_the_signature_needs_it() {
    // A stand-in modulus of 2048 bits: only its length counts here.
    let mut modulus = vec![0xFF; 256];
    modulus[255] = 0xFD;
    let key = cancuoc_primitives::rsa::RsaPublicKey::new(&modulus, &[1, 0, 1]).unwrap();
    let mut session = Session::new(Recorder(Vec::new()));
    session.allow_extended_length(true);
    session.start_secure_messaging(
        crate::terminal::secure_messaging::SecureMessaging::from_secret(BlockCipher::Aes128, b"k"),
    );
    let key = PublicKey::Rsa(key);
    authenticate_actively(&mut session, &key, &mut Fixed::new(&CHALLENGE)).unwrap_err();
    let sent = session.into_transport().0;
    assert_eq!((&sent[4..5], &sent[sent.len() - 2..]), (&[0][..], &[0, 0][..]));
}

proptest! {
    #[test]
    fn never_panics_and_never_accepts_any_response(
        response in prop::collection::vec(any::<u8>(), 0..140),
    ) {
        let evidence = ActiveAuthenticationEvidence { challenge: CHALLENGE, response };
        prop_assert!(evidence.verify(&rsa_public(), None).is_err());
        let (key, _) = ecdsa(Curve::P256, HashAlgorithm::Sha256, &CHALLENGE);
        prop_assert!(evidence.verify(&key, oid(3)).is_err());
    }
}
