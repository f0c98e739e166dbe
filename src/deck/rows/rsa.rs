//! N16, and of N18 what needs RSA: keys and paddings.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::modular::Modulus;
use cancuoc_primitives::rsa::RsaPrivateKey;
use const_oid::ObjectIdentifier;
use hex_literal::hex;
use md5::{Digest, Md5};

use super::object::{LEGACY, SIGNATURE, object_by};
use crate::apdu::tlv::Tag;
use crate::deck::certificate::CertificateDraft;
use crate::deck::entry::failed;
use crate::deck::signed_object::{MESSAGE_DIGEST, SignedObject};
use crate::deck::workshop::{DocumentSigner, Workshop};
use crate::deck::{Card, DeckError, Entry};
use crate::lds::{SignatureAlgorithm, write};
use crate::pki::SoftwareKey;

type Made = Result<Card, DeckError>;

/// Name of the good card whose document signer has an RSA key.
pub(super) const GOOD: &str = "N16-good";
const GOOD_PSS: &str = "N16-good-pss";

/// MD5.
pub(super) const MD5: &str = "1.2.840.113549.2.5";
const MD5_WITH_RSA: &str = "1.2.840.113549.1.1.4";
pub(super) const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
const MGF1: &str = "1.2.840.113549.1.1.8";
const SHA256: HashAlgorithm = HashAlgorithm::Sha256;

/// Modulus and private exponent of keys so short that nothing here makes them; the public exponent
/// is 65 537.
const RSA_512: (&[u8], &[u8]) = (
    &hex!(
        "C83F22B1C33C55C0B324E00D602A2A7CC18018451C323CAE11FA3727A1287055"
        "8F494289AF69D53D282C5B79B08ED523B860D2EEEA7038C7C82B5C3E982F8661"
    ),
    &hex!(
        "A0C517CCD2ABF9493A4B2BDB714EC947DA6F468D0E0343769A1662FBDD46C350"
        "71372F0D8894DBFA40D17A2991B37C9CD754BE4769FDCFDF2303E303390FF001"
    ),
);
pub(super) const RSA_768: (&[u8], &[u8]) = (
    &hex!(
        "CD2336C474E0F1FD729506BBAE9EC42A49733B6DE653A792E3D9B1229480EE4E"
        "717BB5BE335B41BE573CE43806B8A58C523975CC24E65C830C5A6F8A08753235"
        "C2F3DD0F559BC915B08C01C553BED5B9D1CAEDF2BF162CBA77C8DBE1C2328D4B"
    ),
    &hex!(
        "361F6354C3ED918B280F0F9EB6FCA68EEDA01C7EEB7508D265914AFDEFA670B9"
        "7B91832AF28BD235B0F89CD1F75C0239212276C09DE029559DA53FB48C1C53B3"
        "1A705EE46FCF30859C8BA1117BAAA8191A45D11BA638DC74A5DA8E56D1BD3B01"
    ),
);

pub(super) const ENTRIES: &[Entry] = &[
    Entry::good(GOOD, |w| {
        let signer = w.signer_with(w.rsa_key()?, |_| {})?;
        object_by(w, &signer, |_, _| Ok(()))
    }),
    Entry::good(GOOD_PSS, |w| {
        let signer = w.signer_with(w.rsa_key()?.with_pss(true), |_| {})?;
        object_by(w, &signer, |_, _| Ok(()))
    }),
    Entry::forged("N16-exponent-one", &[failed(SIGNATURE, "rsa_key_invalid")], |w| {
        // Every number is its own signature.
        let n = w.rsa_secret()?.public_key().modulus();
        by_key(w, &n, &[1], |_, object| padded(object, n.len()))
    })
    .twin(GOOD),
    Entry::forged("N16-exponent-even", &[failed(SIGNATURE, "rsa_key_invalid")], |w| {
        let key = w.rsa_secret()?;
        let n = key.public_key().modulus();
        by_key(w, &n, &[1, 0, 0], |random, object| sign(&key, &padded(object, n.len())?, random))
    })
    .twin(GOOD),
    Entry::forged("N16-512-bits", &[failed(SIGNATURE, "rsa_key_invalid")], |w| short(w, RSA_512))
        .twin(GOOD),
    Entry::forged("N16-768-bits", &[failed(SIGNATURE, "rsa_key_invalid")], |w| short(w, RSA_768))
        .twin(GOOD),
    Entry::forged("N16-garbage", &[failed(SIGNATURE, "signature_invalid")], |w| {
        // Eight bytes of padding, the hash, and then whatever makes the length right.
        with_message(w, |object, length| {
            let mut message = [&[0, 1][..], &[0xFF; 8], &[0], &digest_info(object)].concat();
            message.resize(length, 0x5A);
            Ok(message)
        })
    })
    .twin(GOOD),
    Entry::forged("N16-no-parameters", &[failed(SIGNATURE, "signature_invalid")], |w| {
        // DigestInfo whose algorithm lacks the NULL: another encoding than the one there is.
        with_message(w, |object, length| {
            let algorithm = write::sequence(&[&write::oid(&SHA256.oid())]);
            let info = write::sequence(&[&algorithm, &write::octets(&digest(object))]);
            Ok(padding(&info, length))
        })
    })
    .twin(GOOD),
    Entry::forged("N16-pss-salt", &[failed(SIGNATURE, "signature_invalid")], |w| {
        pss_signed(w, SHA256, 20, 32)
    })
    .twin(GOOD_PSS),
    Entry::forged("N16-pss-mask", &[failed(SIGNATURE, "pss_parameters_unsupported")], |w| {
        pss_signed(w, HashAlgorithm::Sha1, 32, 32)
    })
    .twin(GOOD_PSS),
    Entry::forged("N18-rsa-1024", &[failed("pa.ds_certificate", "policy_ds_key")], rsa_1024)
        .twin(GOOD),
    Entry::good("N18-rsa-1024-allowed", rsa_1024).under(LEGACY),
    Entry::forged("N18-md5-signature", &[failed(SIGNATURE, "algorithm_broken")], |w| {
        let key = w.rsa_secret()?;
        let signer = w.signer_with(w.rsa_key()?, |_| {})?;
        object_by(w, &signer, |w, object| {
            let digest = Md5::digest(&object.content);
            let signer = &mut object.signers[0];
            signer.digest = oid(MD5);
            signer.set_attribute(MESSAGE_DIGEST, write::octets(&digest));
            signer.algorithm = write::sequence(&[&write::oid(&oid(MD5_WITH_RSA)), &[5, 0]]);
            let algorithm = write::sequence(&[&write::oid(&oid(MD5)), &[5, 0]]);
            let digest = Md5::digest(signer.to_be_signed());
            let info = write::sequence(&[&algorithm, &write::octets(&digest)]);
            let message = padding(&info, key.public_key().modulus().len());
            signer.signature = w.with_random(|random| sign(&key, &message, random))?;
            Ok(())
        })
    })
    .twin(GOOD),
];

fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

fn rsa_1024(workshop: &Workshop) -> Made {
    let key = SoftwareKey::from(workshop.weak_rsa_secret()?);
    let signer = workshop.signer_with(key, |_| {})?;
    object_by(workshop, &signer, |_, _| Ok(()))
}

/// The raw operation with the private key.
fn sign(
    key: &RsaPrivateKey,
    message: &[u8],
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, DeckError> {
    Ok(key.raw(message, random)?)
}

/// SHA-256 of what the first signer signs.
fn digest(object: &SignedObject) -> Vec<u8> {
    SHA256.digest(&object.signers[0].to_be_signed())
}

/// DigestInfo of it (RFC 8017 §9.2).
fn digest_info(object: &SignedObject) -> Vec<u8> {
    let algorithm = write::sequence(&[&write::oid(&SHA256.oid()), &[5, 0]]);
    write::sequence(&[&algorithm, &write::octets(&digest(object))])
}

/// EMSA-PKCS1-v1_5 of a DigestInfo.
fn padding(info: &[u8], length: usize) -> Vec<u8> {
    let padding = vec![0xFF; length.saturating_sub(info.len() + 3)];
    [&[0, 1], &padding[..], &[0], info].concat()
}

fn padded(object: &SignedObject, length: usize) -> Result<Vec<u8>, DeckError> {
    Ok(padding(&digest_info(object), length))
}

/// A document signer with the usual RSA key, whose certificate names other numbers.
fn by_key(
    workshop: &Workshop,
    n: &[u8],
    e: &[u8],
    signature: impl FnOnce(&mut dyn CryptoRng, &SignedObject) -> Result<Vec<u8>, DeckError>,
) -> Made {
    let mut signer = workshop.signer_with(workshop.rsa_key()?, |_| {})?;
    let mut draft = CertificateDraft::of(&signer.certificate)?;
    let numbers = write::sequence(&[&write::positive_integer(n), &write::positive_integer(e)]);
    let algorithm = write::sequence(&[&write::oid(&oid(RSA_ENCRYPTION)), &[5, 0]]);
    draft.key = write::sequence(&[&algorithm, &write::bits(&numbers)]);
    signer.certificate = workshop.with_random(|r| draft.sign(&workshop.csca.key, r))?;
    object_by(workshop, &signer, |w, object| {
        let signature = w.with_random(|random| signature(random, object))?;
        object.signers[0].signature = signature;
        Ok(())
    })
}

/// A key too short to be made elsewhere here, with a signature that is right.
fn short(workshop: &Workshop, (n, d): (&[u8], &[u8])) -> Made {
    by_key(workshop, n, &[1, 0, 1], |_, object| {
        let message = padded(object, n.len())?;
        let modulus = Modulus::new(n).map_err(|_| DeckError::Defect("a modulus"))?;
        let message = modulus.element(&message).ok_or(DeckError::Defect("a message"))?;
        Ok(message.pow(d).to_bytes().to_vec())
    })
}

/// A signature over a message representative of its own.
fn with_message(
    workshop: &Workshop,
    message: impl FnOnce(&SignedObject, usize) -> Result<Vec<u8>, DeckError>,
) -> Made {
    let key = workshop.rsa_secret()?;
    let signer = workshop.signer_with(workshop.rsa_key()?, |_| {})?;
    object_by(workshop, &signer, |w, object| {
        let message = message(object, key.public_key().modulus().len())?;
        object.signers[0].signature = w.with_random(|random| sign(&key, &message, random))?;
        Ok(())
    })
}

/// RSASSA-PSS with a salt and a mask of its own; the parameters say the mask, and `told` for the
/// length of the salt.
fn pss_signed(workshop: &Workshop, mask: HashAlgorithm, salt: usize, told: usize) -> Made {
    let key = workshop.rsa_secret()?;
    let DocumentSigner { certificate, .. } = workshop.signer_with(workshop.rsa_key()?, |_| {})?;
    let signer = DocumentSigner { key: workshop.rsa_key()?.with_pss(true), certificate };
    object_by(workshop, &signer, |w, object| {
        object.signers[0].algorithm = pss_algorithm(mask, told);
        let length = key.public_key().modulus().len();
        let message = encode_pss(&digest(object), mask, &vec![0xA5; salt], length);
        object.signers[0].signature = w.with_random(|random| sign(&key, &message, random))?;
        Ok(())
    })
}

/// AlgorithmIdentifier of RSASSA-PSS with SHA-256 (RFC 4055 §3.1).
fn pss_algorithm(mask: HashAlgorithm, salt: usize) -> Vec<u8> {
    let hash = |hash: HashAlgorithm| write::sequence(&[&write::oid(&hash.oid()), &[5, 0]]);
    if mask == SHA256 {
        return SignatureAlgorithm::RsaPss { hash: SHA256, salt_len: salt }.to_der();
    }
    let mask = write::sequence(&[&write::oid(&oid(MGF1)), &hash(mask)]);
    let parameters = write::sequence(&[
        &write::constructed(Tag(0xA0), &[&hash(SHA256)]),
        &write::constructed(Tag(0xA1), &[&mask]),
        &write::constructed(Tag(0xA2), &[&write::integer(salt as u32)]),
    ]);
    write::sequence(&[&write::oid(&oid(RSASSA_PSS)), &parameters])
}

/// EMSA-PSS-ENCODE with SHA-256 for a modulus of whole bytes (RFC 8017 §9.1.1).
fn encode_pss(digest: &[u8], mask: HashAlgorithm, salt: &[u8], length: usize) -> Vec<u8> {
    let hash = SHA256.digest_parts(&[&[0; 8], digest, salt]);
    let mut block = vec![0; length.saturating_sub(hash.len() + salt.len() + 2)];
    block.push(1);
    block.extend_from_slice(salt);
    for (counter, chunk) in block.chunks_mut(mask.output_len()).enumerate() {
        let mask = mask.digest_parts(&[&hash, &(counter as u32).to_be_bytes()]);
        chunk.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
    block[0] &= 0x7F;
    [&block[..], &hash, &[0xBC]].concat()
}
