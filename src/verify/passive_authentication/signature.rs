//! The signature of the security object (RFC 5652 §5.4, §5.6).

use cancuoc_primitives::hash::HashAlgorithm;

use super::failed;
use crate::lds::SignatureAlgorithm;
use crate::lds::sod::{SignerIdentifier, SignerInfo, Sod};
use crate::trust::X509;
use crate::verify::{Check, CheckId, Evidence};

const ID: CheckId = CheckId::PaSodSignature;

/// Verifies the signature with the certificate that the signer names; gives that certificate.
pub(super) fn check(sod: &Sod) -> (Check, Option<X509>) {
    let fail = |code, what: &str| Check::failed(ID, code, Evidence::new("error", what));
    let Some(signer) = sod.signers.first() else {
        return (fail("sod_no_signer", "no SignerInfo"), None);
    };
    let candidates: Vec<_> = sod.certificates.iter().map(|der| X509::decode(der)).collect();
    let mut fitting = candidates.iter().flatten().filter(|c| names(&signer.identifier, c));
    let Some(certificate) = fitting.next().cloned() else {
        let check = match candidates.into_iter().find_map(Result::err) {
            Some(error) => failed(ID, &error),
            None => fail("ds_certificate_not_found", "no certificate fits the signer"),
        };
        return (check, None);
    };
    if fitting.next().is_some() {
        return (fail("ds_certificate_ambiguous", "two certificates fit the signer"), None);
    }
    (verify(sod, signer, &certificate), Some(certificate))
}

fn names(identifier: &SignerIdentifier, certificate: &X509) -> bool {
    match identifier {
        SignerIdentifier::IssuerAndSerial { issuer, serial } => {
            *issuer == certificate.issuer && *serial == certificate.serial
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            certificate.subject_key_id().as_ref() == Some(id)
        }
    }
}

fn verify(sod: &Sod, signer: &SignerInfo, certificate: &X509) -> Check {
    let fail = |code, what: &str| Check::failed(ID, code, Evidence::new("error", what));
    let Some(digest) = HashAlgorithm::from_oid(&signer.digest_algorithm) else {
        return fail("digest_algorithm_unsupported", &signer.digest_algorithm.to_string());
    };
    let attributes = match signer.attributes() {
        Ok(Some(attributes)) => attributes,
        // Without them the signature is over the content alone, which only other content types
        // may have (RFC 5652 §5.3).
        Ok(None) => return fail("signed_attributes_missing", "no signed attributes"),
        Err(error) => return failed(ID, &error),
    };
    if attributes.content_types != [sod.content_type] {
        return fail("content_type_mismatch", "contentType attribute is not the content's type");
    }
    match &attributes.message_digests[..] {
        [value] if *value == digest.digest(&sod.content) => {}
        [_] => return fail("message_digest_mismatch", "messageDigest is not that of the content"),
        _ => return fail("message_digest_missing", "not exactly one messageDigest"),
    }
    let algorithm = match SignatureAlgorithm::from_der(&signer.signature_algorithm, Some(digest)) {
        Ok(algorithm) => algorithm,
        Err(error) => return failed(ID, &error),
    };
    if algorithm.hash() != digest {
        return fail("digest_algorithm_mismatch", "digest algorithm is not the signature's");
    }
    let signed = signer.signed_attributes.as_deref().unwrap_or_default();
    match algorithm.verify(&certificate.key, signed, &signer.signature) {
        Ok(()) => {
            let evidence = Evidence::new("algorithm", algorithm.description())
                .and("key", certificate.key.description())
                .and("weak", digest == HashAlgorithm::Sha1);
            Check::passed(ID, evidence)
        }
        Err(error) => failed(ID, &error),
    }
}
