//! The signature of an evidence file, by the key of the checkpoint that recorded it: the second
//! line of the file, over the bytes of the first.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::hash::HashAlgorithm;
use jiff::Timestamp;

use super::format::{Bytes, SignatureLine};
use super::{EvidenceError, InspectionRecord, MAX_LENGTH};
use crate::lds::{ParameterForm, PublicKey, SignatureAlgorithm};
use crate::pki::{Signer, SignerError};
use crate::trust::X509;

/// The schema of the second line.
pub const SCHEMA: &str = "cancuoc.evidence-signature/1";

/// Who signed an evidence file. The signature verifies; whether the key is anybody's that one knows
/// is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The key.
    pub key: PublicKey,
    /// SHA-256 of its SubjectPublicKeyInfo as it stands in the file, hexadecimal.
    pub fingerprint: String,
    /// Certificate in DER, where the file has one.
    pub certificate: Option<Vec<u8>>,
}

/// A key that evidence files may be signed with.
#[derive(Debug, Clone)]
pub struct KnownSigner {
    /// The key.
    pub key: PublicKey,
    /// From when to when, where a certificate says so.
    pub validity: Option<(Timestamp, Timestamp)>,
}

impl KnownSigner {
    /// From a certificate or a SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        if let Ok(certificate) = X509::decode(der) {
            let validity = Some(certificate.validity());
            return Some(Self { key: certificate.key, validity });
        }
        let (key, _) = PublicKey::from_spki_der(der).ok()?;
        Some(Self { key, validity: None })
    }
}

/// The file: the line, and the signature where there is a signer.
///
/// # Errors
/// [`SignerError`]; a signature that does not verify never goes out.
pub fn file(
    line: &[u8],
    signer: Option<(&dyn Signer, Option<&[u8]>)>,
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SignerError> {
    let mut file = [line, b"\n"].concat();
    if let Some((signer, certificate)) = signer {
        let signature = signer.sign(line, random)?;
        let (algorithm, key) = (signer.algorithm(), signer.public_key());
        algorithm.verify(&key, line, &signature).map_err(|_| SignerError::Key)?;
        let line = SignatureLine {
            schema: SCHEMA.into(),
            algorithm: Bytes(algorithm.to_der()),
            public_key: Bytes(key.to_spki_der(ParameterForm::Named)),
            certificate: certificate.map(|der| Bytes(der.to_vec())),
            signature: Bytes(signature),
        };
        let written = serde_json::to_vec(&line);
        file.extend(written.map_err(|e| SignerError::Unavailable(e.to_string()))?);
        file.push(b'\n');
    }
    Ok(file)
}

/// An evidence file that was read.
#[derive(Debug, Clone)]
pub struct EvidenceFile {
    /// What it records.
    pub record: InspectionRecord,
    /// Who signed it; none where nobody did.
    pub signed_by: Option<SignedBy>,
}

impl EvidenceFile {
    /// Reads a file, and verifies its signature where it has one.
    ///
    /// # Errors
    /// [`EvidenceError`]; a signature that does not verify among them.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let (line, signed_by) = signed_line(bytes)?;
        Ok(Self { record: InspectionRecord::decode(line)?, signed_by })
    }

    /// Asks for a signature by one of these keys, at a time when it was valid.
    ///
    /// # Errors
    /// [`EvidenceError::NotSigned`], [`EvidenceError::Signer`], [`EvidenceError::Signature`].
    pub fn require_signer(&self, known: &[KnownSigner]) -> Result<(), EvidenceError> {
        require_signer(self.signed_by.as_ref(), self.record.time, known)
    }
}

/// Asks for a signature by one of these keys, at a time when it was valid.
pub(super) fn require_signer(
    signed_by: Option<&SignedBy>,
    time: Timestamp,
    known: &[KnownSigner],
) -> Result<(), EvidenceError> {
    let signed_by = signed_by.ok_or(EvidenceError::NotSigned)?;
    let mut own = known.iter().filter(|known| known.key == signed_by.key).peekable();
    if own.peek().is_none() {
        let fingerprint = signed_by.fingerprint.clone();
        return Err(EvidenceError::Signer { fingerprint });
    }
    let is_valid = |known: &KnownSigner| {
        known.validity.is_none_or(|(from, until)| (from..=until).contains(&time))
    };
    if own.any(is_valid) {
        return Ok(());
    }
    Err(invalid("the signer's certificate was not valid at the time of the record"))
}

/// The first line of a file, and who signed it; the signature is verified.
pub(super) fn signed_line(bytes: &[u8]) -> Result<(&[u8], Option<SignedBy>), EvidenceError> {
    if bytes.len() > MAX_LENGTH {
        return Err(EvidenceError::TooLong);
    }
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    match memchr::memchr(b'\n', lines) {
        Some(end) => {
            let (line, second) = (&lines[..end], &lines[end + 1..]);
            Ok((line, Some(verify(line, second)?)))
        }
        None => Ok((lines, None)),
    }
}

fn invalid(reason: impl ToString) -> EvidenceError {
    EvidenceError::Signature { reason: reason.to_string() }
}

fn verify(line: &[u8], second: &[u8]) -> Result<SignedBy, EvidenceError> {
    let signature: SignatureLine<'_> =
        serde_json::from_slice(second).map_err(|error| match EvidenceError::json(&error) {
            EvidenceError::Malformed { what, column, .. } => {
                EvidenceError::Malformed { what, line: 2, column }
            }
            other => other,
        })?;
    if signature.schema != SCHEMA {
        return Err(EvidenceError::field("signature.schema", "unknown"));
    }
    let (key, _) = PublicKey::from_spki_der(&signature.public_key.0)
        .map_err(|error| EvidenceError::field("signature.public_key", error))?;
    let algorithm = SignatureAlgorithm::from_der(&signature.algorithm.0, None)
        .map_err(|error| EvidenceError::field("signature.algorithm", error))?;
    if algorithm.hash() == HashAlgorithm::Sha1 {
        return Err(EvidenceError::field("signature.algorithm", "SHA-1 signs no evidence"));
    }
    algorithm.verify(&key, line, &signature.signature.0).map_err(invalid)?;
    let certificate = signature.certificate.map(|bytes| bytes.0);
    if let Some(der) = &certificate {
        let certificate = X509::decode(der)
            .map_err(|error| EvidenceError::field("signature.certificate", error))?;
        if certificate.key != key {
            return Err(EvidenceError::field("signature.certificate", "has another key"));
        }
    }
    let fingerprint = hex::encode(HashAlgorithm::Sha256.digest(&signature.public_key.0));
    Ok(SignedBy { key, fingerprint, certificate })
}
