//! Requests for CV certificates (BSI TR-03110-3 §C.2).

use super::{
    AUTHENTICATION, AUTHORITY_REFERENCE, BODY, CERTIFICATE, CvCertificate, CvPublicKey, CvcError,
    EXTENSIONS, HOLDER_REFERENCE, HolderReference, MAX_LENGTH, PROFILE_IDENTIFIER, PUBLIC_KEY,
    SIGNATURE, certificate,
};
use crate::apdu::tlv::{Tlv, encode};
use cancuoc_primitives::curve::Curve;

/// What a request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestBody {
    /// The authority that is asked, where it is named.
    pub authority: Option<HolderReference>,
    /// The key to be certified.
    pub public_key: CvPublicKey,
    /// The reference that the holder wishes for.
    pub holder: HolderReference,
    /// Certificate extensions (`65`) as they stand, tag and length included.
    pub extensions: Option<Vec<u8>>,
}

impl RequestBody {
    /// The body `7F4E`: what is signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let authority = self.authority.as_ref().map(|a| encode(AUTHORITY_REFERENCE, a.as_bytes()));
        let parts = [
            encode(PROFILE_IDENTIFIER, &[0]),
            authority.unwrap_or_default(),
            self.public_key.encode(),
            encode(HOLDER_REFERENCE, self.holder.as_bytes()),
            self.extensions.clone().unwrap_or_default(),
        ];
        encode(BODY, &parts.concat())
    }

    fn decode(body: &Tlv<'_>) -> Result<Self, CvcError> {
        let mut children = body.children();
        certificate::check_profile(&children.read_tag(PROFILE_IDENTIFIER)?)?;
        let authority = children.read_if(AUTHORITY_REFERENCE)?;
        let authority = authority.map(|tlv| HolderReference::new(tlv.value)).transpose()?;
        let public_key = CvPublicKey::decode(&children.read_tag(PUBLIC_KEY)?)?;
        let holder = HolderReference::new(children.read_tag(HOLDER_REFERENCE)?.value)?;
        let extensions = children.read_if(EXTENSIONS)?.map(|tlv| tlv.raw.to_vec());
        children.finish()?;
        Ok(Self { authority, public_key, holder, extensions })
    }
}

/// A request, signed with the key that it asks a certificate for: proof that the holder has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CvRequest {
    raw: Vec<u8>,
    body_bytes: Vec<u8>,
    body: RequestBody,
    signature: Vec<u8>,
}

impl CvRequest {
    /// Reads `7F21` and nothing after it. The signature is not checked.
    ///
    /// # Errors
    /// [`CvcError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CvcError> {
        if bytes.len() > MAX_LENGTH {
            return Err(CvcError::field("request", "longer than 8192 bytes"));
        }
        let request = Tlv::parse_exact(bytes)?.expect(CERTIFICATE)?;
        let mut children = request.children();
        let body = children.read_tag(BODY)?;
        let signature = children.read_tag(SIGNATURE)?.value.to_vec();
        children.finish()?;
        Ok(Self {
            raw: bytes.to_vec(),
            body_bytes: body.raw.to_vec(),
            body: RequestBody::decode(&body)?,
            signature,
        })
    }

    /// Puts body and signature together and reads the result.
    ///
    /// # Errors
    /// [`CvcError`] when the body cannot be read again.
    pub fn assemble(body: &RequestBody, signature: &[u8]) -> Result<Self, CvcError> {
        let value = [body.encode(), encode(SIGNATURE, signature)].concat();
        Self::decode(&encode(CERTIFICATE, &value))
    }

    /// The request as it was read.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The body as it was read: what is signed.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.body_bytes
    }

    /// What it says.
    #[must_use]
    pub const fn body(&self) -> &RequestBody {
        &self.body
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Checks that the holder has the key; `inherited` is the curve of the authority, for a request
    /// without domain parameters.
    ///
    /// # Errors
    /// [`CvcError::Signature`] and those of the key.
    pub fn verify(&self, inherited: Option<Curve>) -> Result<(), CvcError> {
        let key = self.body.public_key.resolve(inherited, &self.body.holder)?;
        let algorithm = self.body.public_key.algorithm.signature_algorithm();
        algorithm
            .verify(&key, &self.body_bytes, &self.signature)
            .map_err(|fault| CvcError::Signature { holder: self.body.holder.clone(), fault })
    }
}

/// A request that another key signed too: the holder's former one, or that of an authority that
/// vouches for the holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedRequest {
    raw: Vec<u8>,
    signed: Vec<u8>,
    request: CvRequest,
    authority: HolderReference,
    signature: Vec<u8>,
}

impl AuthenticatedRequest {
    /// Reads `67` and nothing after it. No signature is checked.
    ///
    /// # Errors
    /// [`CvcError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CvcError> {
        if bytes.len() > MAX_LENGTH {
            return Err(CvcError::field("request", "longer than 8192 bytes"));
        }
        let mut children = Tlv::parse_exact(bytes)?.expect(AUTHENTICATION)?.children();
        let request = children.read_tag(CERTIFICATE)?;
        let authority = children.read_tag(AUTHORITY_REFERENCE)?;
        let signature = children.read_tag(SIGNATURE)?.value.to_vec();
        children.finish()?;
        Ok(Self {
            raw: bytes.to_vec(),
            signed: [request.raw, authority.raw].concat(),
            request: CvRequest::decode(request.raw)?,
            authority: HolderReference::new(authority.value)?,
            signature,
        })
    }

    /// What the outer signature is made over: the request and the reference of the outer key.
    #[must_use]
    pub fn to_be_signed(request: &CvRequest, authority: &HolderReference) -> Vec<u8> {
        [request.raw(), &encode(AUTHORITY_REFERENCE, authority.as_bytes())].concat()
    }

    /// Puts request, reference of the outer key and its signature together.
    ///
    /// # Errors
    /// [`CvcError`] when the result cannot be read again.
    pub fn assemble(
        request: &CvRequest,
        authority: &HolderReference,
        signature: &[u8],
    ) -> Result<Self, CvcError> {
        let mut value = Self::to_be_signed(request, authority);
        value.extend(encode(SIGNATURE, signature));
        Self::decode(&encode(AUTHENTICATION, &value))
    }

    /// The request as it was read, with its frame.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The request inside.
    #[must_use]
    pub const fn request(&self) -> &CvRequest {
        &self.request
    }

    /// Whose key signed the frame.
    #[must_use]
    pub const fn authority(&self) -> &HolderReference {
        &self.authority
    }

    /// Checks the outer signature with the certificate of its key.
    ///
    /// # Errors
    /// [`CvcError::Issuer`] for another key's certificate, [`CvcError::Signature`].
    pub fn verify(&self, key: &CvCertificate, inherited: Option<Curve>) -> Result<(), CvcError> {
        let holder = || self.request.body.holder.clone();
        if self.authority != *key.holder() {
            let (found, wanted) = (self.authority.clone(), key.holder().clone());
            return Err(CvcError::Issuer { holder: holder(), found, wanted });
        }
        let public_key = key.public_key(inherited)?;
        let algorithm = key.body().public_key.algorithm.signature_algorithm();
        algorithm
            .verify(&public_key, &self.signed, &self.signature)
            .map_err(|fault| CvcError::Signature { holder: holder(), fault })
    }
}
