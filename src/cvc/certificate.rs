//! CV certificates (BSI TR-03110-3 §C.1, §D.1).

use cancuoc_primitives::curve::Curve;

use super::{
    AUTHORITY_REFERENCE, BODY, CERTIFICATE, Chat, CvDate, CvPublicKey, CvcError, EFFECTIVE_DATE,
    EXPIRATION_DATE, EXTENSIONS, HOLDER_AUTHORIZATION, HOLDER_REFERENCE, HolderReference,
    MAX_LENGTH, PROFILE_IDENTIFIER, PUBLIC_KEY, SIGNATURE,
};
use crate::apdu::tlv::{Tlv, encode};
use crate::lds::PublicKey;

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateBody {
    /// Who issued it: Certification Authority Reference.
    pub authority: HolderReference,
    /// The certified key.
    pub public_key: CvPublicKey,
    /// Whose it is: Certificate Holder Reference.
    pub holder: HolderReference,
    /// Role and rights.
    pub authorization: Chat,
    /// First day of validity.
    pub effective: CvDate,
    /// Last day of validity.
    pub expiration: CvDate,
    /// Certificate extensions (`65`) as they stand, tag and length included.
    pub extensions: Option<Vec<u8>>,
}

impl CertificateBody {
    /// The body `7F4E`: what is signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let parts = [
            encode(PROFILE_IDENTIFIER, &[0]),
            encode(AUTHORITY_REFERENCE, self.authority.as_bytes()),
            self.public_key.encode(),
            encode(HOLDER_REFERENCE, self.holder.as_bytes()),
            self.authorization.encode(),
            encode(EFFECTIVE_DATE, &self.effective.encode()),
            encode(EXPIRATION_DATE, &self.expiration.encode()),
            self.extensions.clone().unwrap_or_default(),
        ];
        encode(BODY, &parts.concat())
    }

    fn decode(body: &Tlv<'_>) -> Result<Self, CvcError> {
        let mut children = body.children();
        check_profile(&children.read_tag(PROFILE_IDENTIFIER)?)?;
        let authority = HolderReference::new(children.read_tag(AUTHORITY_REFERENCE)?.value)?;
        let public_key = CvPublicKey::decode(&children.read_tag(PUBLIC_KEY)?)?;
        let holder = HolderReference::new(children.read_tag(HOLDER_REFERENCE)?.value)?;
        let authorization = Chat::decode(&children.read_tag(HOLDER_AUTHORIZATION)?)?;
        let effective = CvDate::decode(children.read_tag(EFFECTIVE_DATE)?.value)?;
        let expiration = CvDate::decode(children.read_tag(EXPIRATION_DATE)?.value)?;
        let extensions = children.read_if(EXTENSIONS)?.map(|tlv| tlv.raw.to_vec());
        children.finish()?;
        if expiration < effective {
            return Err(CvcError::field(
                "date",
                "the expiration date is before the effective date",
            ));
        }
        Ok(Self { authority, public_key, holder, authorization, effective, expiration, extensions })
    }

    /// Whether the holder certifies its own key.
    #[must_use]
    pub fn is_self_signed(&self) -> bool {
        self.authority == self.holder
    }
}

pub(super) fn check_profile(profile: &Tlv<'_>) -> Result<(), CvcError> {
    if profile.value == [0] {
        Ok(())
    } else {
        Err(CvcError::field("profile identifier", "not version 1, whose identifier is 0"))
    }
}

/// A certificate: its bytes and what they say.
#[derive(Clone, PartialEq, Eq)]
pub struct CvCertificate {
    raw: Vec<u8>,
    body_bytes: Vec<u8>,
    body: CertificateBody,
    signature: Vec<u8>,
}

impl CvCertificate {
    /// Reads `7F21` and nothing after it. The signature is not checked.
    ///
    /// # Errors
    /// [`CvcError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CvcError> {
        if bytes.len() > MAX_LENGTH {
            return Err(CvcError::field("certificate", "longer than 8192 bytes"));
        }
        let certificate = Tlv::parse_exact(bytes)?.expect(CERTIFICATE)?;
        let mut children = certificate.children();
        let body = children.read_tag(BODY)?;
        let signature = children.read_tag(SIGNATURE)?.value.to_vec();
        children.finish()?;
        Ok(Self {
            raw: bytes.to_vec(),
            body_bytes: body.raw.to_vec(),
            body: CertificateBody::decode(&body)?,
            signature,
        })
    }

    /// Reads certificates that stand one after another.
    ///
    /// # Errors
    /// [`CvcError`].
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, CvcError> {
        let mut reader = crate::apdu::tlv::Reader::new(bytes);
        let mut all = Vec::new();
        while let Some(tlv) = reader.read_optional()? {
            all.push(Self::decode(tlv.raw)?);
        }
        Ok(all)
    }

    /// Puts body and signature together and reads the result.
    ///
    /// # Errors
    /// [`CvcError`] when the body cannot be read again.
    pub fn assemble(body: &CertificateBody, signature: &[u8]) -> Result<Self, CvcError> {
        let value = [body.encode(), encode(SIGNATURE, signature)].concat();
        Self::decode(&encode(CERTIFICATE, &value))
    }

    /// The certificate as it was read.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Body and signature as they were read: the data field of PSO: VERIFY CERTIFICATE.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        Tlv::parse_exact(&self.raw).map(|tlv| tlv.value).unwrap_or_default()
    }

    /// The body as it was read: what is signed.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.body_bytes
    }

    /// What it says.
    #[must_use]
    pub const fn body(&self) -> &CertificateBody {
        &self.body
    }

    /// The signature: `r || s`, or an RSA number.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whose it is.
    #[must_use]
    pub const fn holder(&self) -> &HolderReference {
        &self.body.holder
    }

    /// Who issued it.
    #[must_use]
    pub const fn authority(&self) -> &HolderReference {
        &self.body.authority
    }

    /// The key ready for use; see [`CvPublicKey::resolve`].
    ///
    /// # Errors
    /// As [`CvPublicKey::resolve`].
    pub fn public_key(&self, inherited: Option<Curve>) -> Result<PublicKey, CvcError> {
        self.body.public_key.resolve(inherited, &self.body.holder)
    }

    /// Checks the signature with the issuer's certificate, whose curve is given where it has no
    /// domain parameters of its own.
    ///
    /// # Errors
    /// [`CvcError::Issuer`], [`CvcError::IssuerRole`], [`CvcError::Signature`] and those of the
    /// issuer's key.
    pub fn verify(&self, issuer: &Self, inherited: Option<Curve>) -> Result<(), CvcError> {
        let holder = || self.body.holder.clone();
        if self.authority() != issuer.holder() {
            let (found, wanted) = (self.authority().clone(), issuer.holder().clone());
            return Err(CvcError::Issuer { holder: holder(), found, wanted });
        }
        let (role, own) = (&issuer.body.authorization, &self.body.authorization);
        if role.terminal_type != own.terminal_type || !role.role().may_issue(own.role()) {
            let issuer = issuer.holder().clone();
            return Err(CvcError::IssuerRole { holder: holder(), issuer });
        }
        let key = issuer.public_key(inherited)?;
        let algorithm = issuer.body.public_key.algorithm.signature_algorithm();
        algorithm
            .verify(&key, &self.body_bytes, &self.signature)
            .map_err(|fault| CvcError::Signature { holder: holder(), fault })
    }

    /// Checks that a day is within the validity, both ends included.
    ///
    /// # Errors
    /// [`CvcError::NotYetValid`], [`CvcError::Expired`].
    pub fn check_validity(&self, day: CvDate) -> Result<(), CvcError> {
        let holder = self.body.holder.clone();
        if day < self.body.effective {
            return Err(CvcError::NotYetValid { holder, from: self.body.effective });
        }
        if day > self.body.expiration {
            return Err(CvcError::Expired { holder, until: self.body.expiration });
        }
        Ok(())
    }
}

impl std::fmt::Debug for CvCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CvCertificate({} by {})", self.body.holder, self.body.authority)
    }
}
