//! The issuing side of the PKI of Terminal Authentication (BSI TR-03110-3 §2.5, appendix C): a
//! country verifying CA (CVCA) certifies document verifiers (DV), these certify inspection systems.

mod authority;
mod error;
mod folder;
mod request;

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::ecdsa::EcdsaSignature;

use super::{Signer, SignerError};
use crate::cvc::{CvPublicKey, HolderReference, TaAlgorithm};
use crate::lds::{PublicKey, SignatureAlgorithm};

pub use authority::{CvAuthority, MAX_CVCA_DAYS, Terms, self_signed};
pub use error::CvIssueError;
pub use folder::{CvFolder, Part, file_stem, read_cv_file};
pub use request::{authenticate, request};

/// The algorithm of Terminal Authentication that a key signs with.
fn algorithm_of(signer: &dyn Signer) -> Result<TaAlgorithm, CvIssueError> {
    TaAlgorithm::from_signature_algorithm(signer.algorithm()).ok_or(CvIssueError::Algorithm)
}

/// The signer's key as it stands in a certificate or request.
fn public_key_of(signer: &dyn Signer, with_parameters: bool) -> Result<CvPublicKey, CvIssueError> {
    CvPublicKey::new(algorithm_of(signer)?, &signer.public_key(), with_parameters)
        .ok_or(CvIssueError::Algorithm)
}

/// Signs in the form of CV certificates: `r || s` or an RSA number.
fn sign(
    signer: &dyn Signer,
    message: &[u8],
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, CvIssueError> {
    let signature = signer.sign_verified(message, random)?;
    let (SignatureAlgorithm::Ecdsa(_), PublicKey::Ec(point)) =
        (signer.algorithm(), signer.public_key())
    else {
        return Ok(signature);
    };
    let plain =
        EcdsaSignature::from_der(&signature).and_then(|numbers| numbers.to_plain(point.curve()));
    Ok(plain.map_err(|_| SignerError::Key)?)
}

/// Whether two references are keys of one holder: all but the sequence number is the same.
#[must_use]
pub fn is_same_holder(one: &HolderReference, other: &HolderReference) -> bool {
    (one.country(), one.mnemonic()) == (other.country(), other.mnemonic())
}

#[cfg(test)]
mod tests;
