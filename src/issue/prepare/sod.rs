//! The EF.SOD: hashes of the data groups, signed by the document signer, and tried at once.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::hash::HashAlgorithm;
use der::{Decode, Encode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use x509_cert::Certificate;
use x509_cert::ext::pkix::PrivateKeyUsagePeriod;

use super::files::DataGroups;
use super::{DocumentSigner, PrepareError};
use crate::document::profile::CardProfile;
use crate::issue::image::{CardImage, Location};
use crate::lds::sod::{LdsSecurityObject, Sod, SodContent};
use crate::lds::{DgNumber, FileId, PublicKey, SignatureAlgorithm};
use crate::pki::{ProfileKind, check_profile};

/// What the EF.SOD needs of the certificate.
struct SignerCertificate {
    issuer: Vec<u8>,
    serial: Vec<u8>,
}

pub(super) fn sign(
    profile: &CardProfile,
    groups: &DataGroups,
    document_signer: DocumentSigner<'_>,
    now: Timestamp,
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, PrepareError> {
    let certificate = certificate(document_signer, now)?;
    let hash = HashAlgorithm::from(profile.sod.hash);
    let versions = || (profile.lds.version.clone(), profile.lds.unicode_version.clone());
    let object = LdsSecurityObject {
        version: profile.sod.version.into(),
        hash_algorithm: hash.oid(),
        hashes: groups.iter().map(|(n, bytes)| (n.get().into(), hash.digest(bytes))).collect(),
        lds_version: (profile.sod.version == 1).then(versions),
    };
    let algorithm = document_signer.signer.algorithm();
    let signing_time = TimeZone::UTC.to_datetime(now).strftime("%y%m%d%H%M%SZ").to_string();
    let content = SodContent {
        object: &object,
        digest: algorithm.hash(),
        certificate: document_signer.certificate,
        issuer: &certificate.issuer,
        serial: &certificate.serial,
        signing_time: &signing_time,
        algorithm,
    };
    let message = content.signed_attributes();
    let signature = document_signer.signer.sign(&message, random)?;
    // Key stores have given well-formed signatures that were wrong.
    algorithm
        .verify(&document_signer.signer.public_key(), &message, &signature)
        .map_err(|_| PrepareError::WrongSignature)?;
    Ok(content.encode(&signature))
}

fn certificate(
    document_signer: DocumentSigner<'_>,
    now: Timestamp,
) -> Result<SignerCertificate, PrepareError> {
    let malformed = |what| move |_| PrepareError::Certificate { what };
    let certificate = Certificate::from_der(document_signer.certificate)
        .map_err(malformed("not an X.509 certificate in DER"))?;
    let tbs = certificate.tbs_certificate();
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let validity = tbs.validity();
    let from = validity.not_before.to_unix_duration().as_secs();
    let until = validity.not_after.to_unix_duration().as_secs();
    if !(from..=until).contains(&seconds) {
        return Err(PrepareError::CertificateExpired);
    }
    let period = tbs
        .get_extension::<PrivateKeyUsagePeriod>()
        .map_err(malformed("private key usage period malformed"))?;
    if let Some((_, period)) = period {
        let from = period.not_before.map_or(0, |time| time.to_unix_duration().as_secs());
        let until = period.not_after.map_or(u64::MAX, |time| time.to_unix_duration().as_secs());
        if !(from..=until).contains(&seconds) {
            return Err(PrepareError::KeyPeriodOver);
        }
    }
    // A verifier would refuse every card signed with such a certificate.
    let findings = check_profile(&certificate, ProfileKind::DocumentSigner);
    if let Some(fatal) = findings.iter().find(|finding| finding.fatal) {
        return Err(PrepareError::Certificate { what: fatal.code });
    }
    let spki = tbs.subject_public_key_info().to_der().map_err(malformed("key malformed"))?;
    let (key, _) = PublicKey::from_spki_der(&spki)
        .map_err(|_| PrepareError::Certificate { what: "key not supported" })?;
    if key != document_signer.signer.public_key() {
        return Err(PrepareError::CertificateKey);
    }
    Ok(SignerCertificate {
        issuer: tbs.issuer().to_der().map_err(malformed("issuer malformed"))?,
        serial: tbs.serial_number().as_bytes().to_vec(),
    })
}

/// Reads the finished image as a verifier would: every data group has its hash in the EF.SOD, and
/// no other has, and the signature verifies.
pub(super) fn check(
    image: &CardImage,
    document_signer: DocumentSigner<'_>,
) -> Result<(), PrepareError> {
    let failed = |what| PrepareError::SelfCheck { what };
    let file = image.file(Location::Lds1, FileId::SOD.0).ok_or(failed("EF.SOD absent"))?;
    let sod = Sod::decode(&file.content).map_err(|_| failed("EF.SOD"))?;
    let object = sod.security_object().map_err(|_| failed("LDS security object"))?;
    let hash = HashAlgorithm::from_oid(&object.hash_algorithm).ok_or(failed("hash"))?;
    let mut hashed = 0;
    for number in DgNumber::all() {
        let Some(file) = image.file(Location::Lds1, number.file().0) else { continue };
        if object.hash_of(number) != Some(&hash.digest(&file.content)[..]) {
            return Err(failed("hash of a data group"));
        }
        hashed += 1;
    }
    if hashed != object.hashes.len() {
        return Err(failed("hash of an absent data group"));
    }
    let [signer] = &sod.signers[..] else { return Err(failed("one signer")) };
    let digest = HashAlgorithm::from_oid(&signer.digest_algorithm);
    let algorithm = SignatureAlgorithm::from_der(&signer.signature_algorithm, digest)
        .map_err(|_| failed("signature algorithm"))?;
    let message = signer.signed_attributes.as_deref().ok_or(failed("signed attributes"))?;
    algorithm
        .verify(&document_signer.signer.public_key(), message, &signer.signature)
        .map_err(|_| failed("signature"))
}
