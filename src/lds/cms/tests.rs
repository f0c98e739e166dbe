use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::ecdsa::sign_prehashed;
use cancuoc_primitives::hash::HashAlgorithm;
use getrandom::SysRng;
use hex_literal::hex;
use rand_core::UnwrapErr;

use super::*;
use crate::apdu::tlv::encode;
use crate::error::ErrorCode;
use crate::lds::sod::{LDS_SECURITY_OBJECT_TYPES, LdsSecurityObject, Sod, SodContent};
use crate::lds::{ParameterForm, PublicKey, SignatureAlgorithm, write};

const SOD: &[u8] = include_bytes!("../../../testvectors/bsi-tr03105-5/EF_SOD.bin");
const SOD_2008: &[u8] = include_bytes!("../../../testvectors/bsi-2008/EF_SOD.bin");
const KEY_ID: [u8; 4] = [1, 2, 3, 4];

/// A document signer with a certificate signed by itself.
struct Signer {
    key: SecretScalar,
    hash: HashAlgorithm,
}

impl Signer {
    fn new(curve: Curve, hash: HashAlgorithm) -> Self {
        Self { key: SecretScalar::random(curve, &mut UnwrapErr(SysRng)), hash }
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Ecdsa(self.hash)
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::Ec(self.key.public_point())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = self.hash.digest(message);
        sign_prehashed(&self.key, &digest, &mut UnwrapErr(SysRng)).unwrap().to_der().unwrap()
    }

    fn name() -> Vec<u8> {
        let country =
            [write::oid(&ObjectIdentifier::new_unwrap("2.5.4.6")), b"\x13\x02VN".to_vec()];
        let common = [write::oid(&ObjectIdentifier::new_unwrap("2.5.4.3")), b"\x0C\x02DS".to_vec()];
        let part = |part: &[Vec<u8>]| write::set_of(vec![write::sequence(&[&part.concat()])]);
        write::sequence(&[&part(&country), &part(&common)])
    }

    fn certificate(&self, form: ParameterForm) -> Vec<u8> {
        let time = |text: &str| encode(tag::UTC_TIME, text.as_bytes());
        let key_id = write::sequence(&[
            &write::oid(&ObjectIdentifier::new_unwrap("2.5.29.14")),
            &write::octets(&write::octets(&KEY_ID)),
        ]);
        let tbs = write::sequence(&[
            &hex!("A003020102"),
            &write::integer(0x1234),
            &self.algorithm().to_der(),
            &Self::name(),
            &write::sequence(&[&time("260101000000Z"), &time("361231235959Z")]),
            &Self::name(),
            &self.public_key().to_spki_der(form),
            &write::constructed(Tag(0xA3), &[&write::sequence(&[&key_id])]),
        ]);
        let signature = self.sign(&tbs);
        write::sequence(&[&tbs, &self.algorithm().to_der(), &write::bits(&signature)])
    }

    fn sod(&self, form: ParameterForm) -> Vec<u8> {
        let object = LdsSecurityObject {
            version: 1,
            hash_algorithm: self.hash.oid(),
            hashes: vec![(1, self.hash.digest(b"DG1")), (13, self.hash.digest(b"DG13"))],
            lds_version: Some(("0108".into(), "040000".into())),
        };
        let certificate = self.certificate(form);
        let content = SodContent {
            object: &object,
            digest: self.hash,
            certificate: &certificate,
            issuer: &Self::name(),
            serial: &[0x12, 0x34],
            signing_time: "261123120000Z",
            algorithm: self.algorithm(),
        };
        content.encode(&self.sign(&content.signed_attributes()))
    }
}

fn specimen() -> SignedData {
    let signer = Signer::new(Curve::P256, HashAlgorithm::Sha256);
    (*Sod::decode(&signer.sod(ParameterForm::Named)).unwrap()).clone()
}

fn fault(data: &SignedData) -> Option<SignedDataFault> {
    match data.checked_signer(&LDS_SECURITY_OBJECT_TYPES) {
        Ok(signer) => signer.verify_with_embedded_certificate().err(),
        Err(fault) => Some(fault),
    }
}

/// Replaces the signed attributes by others.
fn with_attributes(attributes: &[Vec<u8>]) -> SignedData {
    let mut data = specimen();
    data.signers[0].signed_attributes = Some(write::set_of(attributes.to_vec()));
    data
}

fn attribute(oid: &ObjectIdentifier, values: &[Vec<u8>]) -> Vec<u8> {
    write::sequence(&[&write::oid(oid), &write::set_of(values.to_vec())])
}

fn content_type(data: &SignedData) -> Vec<u8> {
    attribute(&CONTENT_TYPE, &[write::oid(&data.content_type)])
}

#[test]
fn the_published_security_objects_verify() {
    for (bytes, subject) in [(SOD, true), (SOD_2008, true)] {
        let sod = Sod::decode(bytes).unwrap();
        let signer = sod.checked_signer(&LDS_SECURITY_OBJECT_TYPES).unwrap();
        assert_eq!(signer.verify_with_embedded_certificate().is_ok(), subject);
    }
}

#[test]
fn verifies_what_it_builds_on_every_hash_function_and_form_of_key() {
    for (curve, hash, form) in [
        (Curve::P256, HashAlgorithm::Sha256, ParameterForm::Named),
        (Curve::BrainpoolP384r1, HashAlgorithm::Sha384, ParameterForm::Named),
        (Curve::BrainpoolP512r1, HashAlgorithm::Sha512, ParameterForm::Explicit),
    ] {
        let sod = Sod::decode(&Signer::new(curve, hash).sod(form)).unwrap();
        assert_eq!(fault(&sod), None);
        let time = sod.signers[0].attributes().unwrap().unwrap().signing_timestamp().unwrap();
        assert_eq!(time.to_string(), "2026-11-23T12:00:00Z");
    }
}

#[test]
fn finds_the_certificate_by_its_key_identifier() {
    let mut data = specimen();
    data.signers[0].identifier = SignerIdentifier::SubjectKeyIdentifier(KEY_ID.to_vec());
    assert_eq!(fault(&data), None);
}

#[test]
fn refuses_an_object_that_nobody_signed() {
    let mut data = specimen();
    data.signers.clear();
    assert_eq!(fault(&data), Some(SignedDataFault::NoSigner));
}

#[test]
fn refuses_two_signers_even_if_both_are_good() {
    let mut data = specimen();
    data.signers.push(data.signers[0].clone());
    assert_eq!(fault(&data), Some(SignedDataFault::SeveralSigners { count: 2 }));
}

#[test]
fn refuses_a_content_of_another_type() {
    let mut data = specimen();
    data.content_type = SIGNED_DATA;
    assert_eq!(fault(&data), Some(SignedDataFault::ForeignContentType { found: SIGNED_DATA }));
}

#[test]
fn refuses_a_signature_without_attributes() {
    let mut data = specimen();
    data.signers[0].signed_attributes = None;
    assert_eq!(fault(&data), Some(SignedDataFault::NoSignedAttributes));
}

#[test]
fn refuses_a_content_type_attribute_that_differs() {
    let digest = attribute(&MESSAGE_DIGEST, &[write::octets(&[0; 32])]);
    let foreign = attribute(&CONTENT_TYPE, &[write::oid(&SIGNED_DATA)]);
    let data = with_attributes(&[foreign, digest]);
    assert_eq!(fault(&data), Some(SignedDataFault::ContentTypeDiffers));
}

#[test]
fn refuses_attributes_without_content_type() {
    let digest = attribute(&MESSAGE_DIGEST, &[write::octets(&[0; 32])]);
    let data = with_attributes(&[digest]);
    assert_eq!(fault(&data), Some(SignedDataFault::ContentTypeCount { count: 0 }));
}

#[test]
fn refuses_attributes_without_message_digest() {
    let data = with_attributes(&[content_type(&specimen())]);
    assert_eq!(fault(&data), Some(SignedDataFault::MessageDigestCount { count: 0 }));
}

#[test]
fn refuses_two_message_digests() {
    let digests = [write::octets(&[0; 32]), write::octets(&[1; 32])];
    let data = with_attributes(&[content_type(&specimen()), attribute(&MESSAGE_DIGEST, &digests)]);
    assert_eq!(fault(&data), Some(SignedDataFault::MessageDigestCount { count: 2 }));
}

#[test]
fn refuses_a_changed_content() {
    let mut data = specimen();
    *data.content.last_mut().unwrap() ^= 1;
    assert_eq!(fault(&data), Some(SignedDataFault::MessageDigestDiffers));
}

#[test]
fn refuses_changed_attributes() {
    let mut data = specimen();
    let attributes = data.signers[0].signed_attributes.as_mut().unwrap();
    let position = attributes.windows(4).position(|w| w == b"2611").unwrap();
    attributes[position] ^= 1;
    assert_eq!(fault(&data).map(|f| f.code()), Some("signature_invalid"));
}

#[test]
fn refuses_a_changed_signature() {
    let mut data = specimen();
    *data.signers[0].signature.last_mut().unwrap() ^= 1;
    assert_eq!(fault(&data).map(|f| f.code()), Some("signature_invalid"));
}

#[test]
fn refuses_a_digest_algorithm_other_than_the_signatures() {
    let mut data = specimen();
    data.signers[0].digest_algorithm = HashAlgorithm::Sha1.oid();
    let expected =
        SignedDataFault::DigestAlgorithmDiffers { digest: "SHA-1", signature: "SHA-256" };
    assert_eq!(fault(&data), Some(expected));
}

#[test]
fn refuses_md5() {
    let md5 = ObjectIdentifier::new_unwrap("1.2.840.113549.2.5");
    let mut data = specimen();
    data.signers[0].digest_algorithm = md5;
    assert_eq!(fault(&data), Some(SignedDataFault::DigestAlgorithm(md5)));
}

#[test]
fn refuses_a_signer_without_certificate() {
    let mut data = specimen();
    data.certificates.clear();
    assert_eq!(fault(&data), Some(SignedDataFault::NoCertificate));
}

#[test]
fn refuses_a_signer_that_names_two_certificates() {
    let mut data = specimen();
    data.certificates.push(data.certificates[0].clone());
    assert_eq!(fault(&data), Some(SignedDataFault::SeveralCertificates { count: 2 }));
}

#[test]
fn refuses_a_certificate_whose_inner_algorithm_differs() {
    let signer = Signer::new(Curve::P256, HashAlgorithm::Sha256);
    let mut bytes = signer.certificate(ParameterForm::Named);
    let oid = write::oid(&ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"));
    let position = bytes.windows(oid.len()).position(|w| w == oid).unwrap();
    bytes[position + oid.len() - 1] = 3;
    let error = CertificateParts::decode(&bytes).unwrap_err();
    assert!(error.to_string().contains("inside and outside differ"), "{error}");
}

/// Runs `openssl`; `None` where there is none on this machine.
fn openssl(folder: &std::path::Path, arguments: &[&str]) -> Option<std::process::Output> {
    std::process::Command::new("openssl").args(arguments).current_dir(folder).output().ok()
}

#[test]
fn openssl_accepts_what_is_built_and_refuses_it_altered() {
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::new(Curve::BrainpoolP256r1, HashAlgorithm::Sha256);
    let sod = signer.sod(ParameterForm::Named);
    let cms = Element::parse("EF.SOD", &sod).unwrap().value();
    let hash = signer.hash.digest(b"DG13");
    let position = cms.windows(32).position(|w| w == hash).unwrap();
    let mut altered = cms.to_vec();
    altered[position] ^= 1;
    std::fs::write(folder.path().join("sod.cms"), cms).unwrap();
    std::fs::write(folder.path().join("bad.cms"), &altered).unwrap();
    let verify = |file| {
        // Content and signature by the certificate inside; chains are another test's.
        let arguments =
            ["cms", "-verify", "-inform", "DER", "-in", file, "-noverify", "-binary", "-out", "o"];
        openssl(folder.path(), &arguments)
    };
    let Some(good) = verify("sod.cms") else {
        eprintln!("skipped: no openssl on this machine");
        return;
    };
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert!(!verify("bad.cms").unwrap().status.success());
}
