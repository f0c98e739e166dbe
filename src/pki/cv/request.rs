//! Requests for certificates (BSI TR-03110-3 §C.2).

use cancuoc_primitives::CryptoRng;

use super::{CvIssueError, Signer, public_key_of, sign};
use crate::cvc::{AuthenticatedRequest, CvCertificate, CvRequest, HolderReference, RequestBody};

/// Makes a request that the new key signs, domain parameters included. `authority` names who is
/// asked.
///
/// # Errors
/// [`CvIssueError`]: algorithm, signer.
pub fn request(
    holder: &HolderReference,
    authority: Option<&HolderReference>,
    signer: &dyn Signer,
    random: &mut dyn CryptoRng,
) -> Result<CvRequest, CvIssueError> {
    let body = RequestBody {
        authority: authority.cloned(),
        public_key: public_key_of(signer, true)?,
        holder: holder.clone(),
        extensions: None,
    };
    let signature = sign(signer, &body.encode(), random)?;
    Ok(CvRequest::assemble(&body, &signature)?)
}

/// Signs around a request with a further key: the holder's current one, or that of a CVCA which
/// vouches for the holder. The certificate names the key.
///
/// # Errors
/// [`CvIssueError::KeyMismatch`] for another key or algorithm than the certificate's; signer.
pub fn authenticate(
    request: &CvRequest,
    certificate: &CvCertificate,
    signer: &dyn Signer,
    random: &mut dyn CryptoRng,
) -> Result<AuthenticatedRequest, CvIssueError> {
    let own = public_key_of(signer, false)?;
    if own != certificate.body().public_key.without_parameters() {
        return Err(CvIssueError::KeyMismatch(certificate.holder().clone()));
    }
    let message = AuthenticatedRequest::to_be_signed(request, certificate.holder());
    let signature = sign(signer, &message, random)?;
    Ok(AuthenticatedRequest::assemble(request, certificate.holder(), &signature)?)
}
