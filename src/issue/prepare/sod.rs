//! What the document signer signs, tried at once: the EF.SOD with the hashes of the data groups, and
//! EF.CardSecurity with the security infos of the master file.

use std::cell::RefCell;

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use der::{Decode, Encode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use x509_cert::Certificate;
use x509_cert::ext::pkix::PrivateKeyUsagePeriod;

use super::files::DataGroups;
use super::{DocumentSigner, PrepareError};
use crate::apdu::tlv::{Tag, encode};
use crate::document::profile::CardProfile;
use crate::issue::image::{CardImage, Location};
use crate::lds::sod::{LDS_SECURITY_OBJECT, LDS_SECURITY_OBJECT_TYPES, LdsSecurityObject, Sod};
use crate::lds::{
    CardSecurity, CertificateParts, DgNumber, FileId, PublicKey, SECURITY_OBJECT, SecurityInfos,
    SignedContent, SignedData,
};
use crate::pki::{ProfileKind, check_profile};

/// What the EF.SOD needs of the certificate.
struct SignerCertificate {
    issuer: Vec<u8>,
    serial: Vec<u8>,
}

/// The document signer at the time of signing.
pub(super) struct Signing<'a> {
    document_signer: DocumentSigner<'a>,
    now: Timestamp,
    /// Whether the signature carries its time.
    with_time: bool,
    verified: RefCell<Vec<Verified>>,
}

/// What was signed and a signature that was verified over it.
pub(super) type Verified = (Vec<u8>, Vec<u8>);

impl<'a> Signing<'a> {
    pub(super) const fn new(
        profile: &CardProfile,
        document_signer: DocumentSigner<'a>,
        now: Timestamp,
    ) -> Self {
        let with_time = profile.sod.signing_time;
        Self { document_signer, now, with_time, verified: RefCell::new(Vec::new()) }
    }

    /// ContentInfo with the content, signed.
    fn sign(
        &self,
        content_type: ObjectIdentifier,
        content: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, PrepareError> {
        let DocumentSigner { signer, certificate: der } = self.document_signer;
        let certificate = certificate(self.document_signer, self.now)?;
        let algorithm = signer.algorithm();
        let time = TimeZone::UTC.to_datetime(self.now).strftime("%y%m%d%H%M%SZ").to_string();
        let content = SignedContent {
            content_type,
            content,
            digest: algorithm.hash(),
            certificate: der,
            issuer: &certificate.issuer,
            serial: &certificate.serial,
            signing_time: self.with_time.then_some(&time),
            algorithm,
        };
        let message = content.signed_attributes();
        let signature = signer.sign_verified(&message, random)?;
        let encoded = content.encode(&signature);
        self.verified.borrow_mut().push((message, signature));
        Ok(encoded)
    }

    /// What was signed so far.
    pub(super) fn verified(self) -> Vec<Verified> {
        self.verified.into_inner()
    }

    /// The EF.SOD over the data groups.
    pub(super) fn sod(
        &self,
        profile: &CardProfile,
        groups: &DataGroups,
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, PrepareError> {
        let hash = HashAlgorithm::from(profile.sod.hash);
        let versions = || (profile.lds.version.clone(), profile.lds.unicode_version.clone());
        let object = LdsSecurityObject {
            version: profile.sod.version.into(),
            hash_algorithm: hash.oid(),
            hashes: groups.iter().map(|(n, bytes)| (n.get().into(), hash.digest(bytes))).collect(),
            lds_version: (profile.sod.version == 1).then(versions),
        };
        let signed = self.sign(LDS_SECURITY_OBJECT, &object.encode(), random)?;
        Ok(encode(Tag(0x77), &signed))
    }

    /// EF.CardSecurity (ICAO 9303-11 §9.2.11): the infos under the same signature as the data groups.
    pub(super) fn card_security(
        &self,
        infos: &SecurityInfos,
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, PrepareError> {
        self.sign(SECURITY_OBJECT, &infos.encode(), random)
    }
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
    let parts = CertificateParts::decode(document_signer.certificate)
        .map_err(|_| PrepareError::Certificate { what: "not an X.509 certificate in DER" })?;
    let findings = check_profile(&parts, ProfileKind::DocumentSigner);
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
    verified: &[Verified],
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
    verify(&sod, &LDS_SECURITY_OBJECT_TYPES, document_signer, verified)
        .ok_or(failed("signature"))?;
    if let Some(file) = image.file(Location::MasterFile, FileId::SOD.0) {
        let failed = failed("EF.CardSecurity");
        let Ok(object) = CardSecurity::decode(&file.content) else { return Err(failed) };
        verify(&object.signed_data, &[SECURITY_OBJECT], document_signer, verified).ok_or(failed)?;
    }
    Ok(())
}

/// Whether a signed object keeps all rules and carries the signature of this document signer. One
/// that was verified over these very bytes when it was made is not verified again.
fn verify(
    object: &SignedData,
    types: &[ObjectIdentifier],
    DocumentSigner { signer: own, .. }: DocumentSigner<'_>,
    verified: &[Verified],
) -> Option<()> {
    let signer = object.checked_signer(types).ok()?;
    let message = signer.signer.signed_attributes.as_deref()?;
    let signature = &signer.signer.signature;
    let known = verified.iter().any(|(m, s)| m == message && s == signature);
    if known && signer.algorithm == own.algorithm() {
        return Some(());
    }
    signer.algorithm.verify(&own.public_key(), message, signature).ok()
}
