//! CV certificates as the card reads them (BSI TR-03110-3 appendices C and D, ICAO 9303-12 §7.2.2).
//!
//! Strict: the data objects of the profile in their order, lengths in the fewest bytes, nothing
//! besides. The bytes read are kept, since the signature is over them.

mod date;
mod public_key;

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{Malformed, Object, Objects};

pub use date::Date;
pub use public_key::{PublicKey, PublicKeyObject};

const CV_CERTIFICATE: u16 = 0x7F21;
const CERTIFICATE_BODY: u16 = 0x7F4E;
const SIGNATURE: u16 = 0x5F37;
const PROFILE_IDENTIFIER: u16 = 0x5F29;
/// Tag of a Certification Authority Reference, in EF.CVCA too.
pub const AUTHORITY_REFERENCE: u16 = 0x42;
const PUBLIC_KEY: u16 = 0x7F49;
const HOLDER_REFERENCE: u16 = 0x5F20;
const HOLDER_AUTHORIZATION: u16 = 0x7F4C;
const EFFECTIVE_DATE: u16 = 0x5F25;
const EXPIRATION_DATE: u16 = 0x5F24;
const EXTENSIONS: u16 = 0x65;
const OBJECT_IDENTIFIER: u16 = 0x06;
const DISCRETIONARY_DATA: u16 = 0x53;

/// id-IS, 0.4.0.127.0.7.3.1.2.1: inspection systems (BSI TR-03110-3 §C.4.1).
const INSPECTION_SYSTEMS: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x03, 0x01, 0x02, 0x01];

/// Most bytes of a reference: country code, mnemonic of up to nine characters, sequence number.
const MAX_REFERENCE: usize = 16;
/// Fewest bytes of a reference: country code and sequence number.
const MIN_REFERENCE: usize = 7;

/// Name of a public key: Certification Authority Reference or Certificate Holder Reference, 7 to
/// 16 characters of ISO/IEC 8859-1 (BSI TR-03110-3 §A.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(Vec<u8>);

impl Reference {
    /// Takes the characters.
    pub fn new(characters: &[u8]) -> Result<Self, Malformed> {
        let length = MIN_REFERENCE..=MAX_REFERENCE;
        let assigned = |c: &u8| matches!(c, 0x20..=0x7E | 0xA0..);
        if length.contains(&characters.len()) && characters.iter().all(assigned) {
            Ok(Self(characters.to_vec()))
        } else {
            Err(Malformed)
        }
    }

    /// The characters.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Access rights of inspection systems: which protected data groups may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u8);

impl Rights {
    const DG3: u8 = 0x01;
    const DG4: u8 = 0x02;

    /// From the bits of the authorization; those without a meaning fall away.
    pub const fn new(bits: u8) -> Self {
        Self(bits & (Self::DG3 | Self::DG4))
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// What both grant.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether DG3 may be read.
    pub const fn dg3(self) -> bool {
        self.0 & Self::DG3 != 0
    }

    /// Whether DG4 may be read.
    pub const fn dg4(self) -> bool {
        self.0 & Self::DG4 != 0
    }
}

/// Role of a certificate's holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Country verifying certification authority.
    Cvca,
    /// Document verifier of the card's own country.
    DomesticDocumentVerifier,
    /// Document verifier of another country.
    ForeignDocumentVerifier,
    /// Inspection system.
    InspectionSystem,
}

/// Certificate Holder Authorization Template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorization {
    /// For inspection systems: role and rights.
    InspectionSystems(Role, Rights),
    /// For terminals that have no business with this application.
    OtherTerminals,
}

/// A CV certificate.
#[derive(Debug, Clone)]
pub struct CvCertificate<'a> {
    /// Certificate body with tag and length: what the signature is over.
    pub body: &'a [u8],
    /// Signature.
    pub signature: &'a [u8],
    /// Certification Authority Reference: the key that made the signature.
    pub authority: Reference,
    /// Public key.
    pub public_key: PublicKeyObject<'a>,
    /// Certificate Holder Reference: the name of the public key.
    pub holder: Reference,
    /// Certificate Holder Authorization.
    pub authorization: Authorization,
    /// Certificate Effective Date.
    pub effective: Date,
    /// Certificate Expiration Date, the last day of validity.
    pub expiration: Date,
}

impl<'a> CvCertificate<'a> {
    /// Reads body and signature as PSO: VERIFY CERTIFICATE has them, without the tag `7F21`.
    pub fn read(field: &'a [u8]) -> Result<Self, Malformed> {
        let mut objects = Objects::new(field);
        let body = take(&mut objects, CERTIFICATE_BODY)?;
        let signature = take(&mut objects, SIGNATURE)?;
        end(&objects)?;
        Self::from_parts(&body, signature.value)
    }

    /// Reads a whole certificate with the tag `7F21`.
    pub fn read_whole(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut objects = Objects::new(bytes);
        let certificate = take(&mut objects, CV_CERTIFICATE)?;
        end(&objects)?;
        Self::read(certificate.value)
    }

    fn from_parts(body: &Object<'a>, signature: &'a [u8]) -> Result<Self, Malformed> {
        let mut objects = Objects::new(body.value);
        if take(&mut objects, PROFILE_IDENTIFIER)?.value != [0] {
            return Err(Malformed);
        }
        let authority = Reference::new(take(&mut objects, AUTHORITY_REFERENCE)?.value)?;
        let public_key = PublicKeyObject::read(take(&mut objects, PUBLIC_KEY)?.value)?;
        let holder = Reference::new(take(&mut objects, HOLDER_REFERENCE)?.value)?;
        let authorization = authorization(take(&mut objects, HOLDER_AUTHORIZATION)?.value)?;
        let effective = Date::new(take(&mut objects, EFFECTIVE_DATE)?.value)?;
        let expiration = Date::new(take(&mut objects, EXPIRATION_DATE)?.value)?;
        // Extensions are never critical, so none is looked into (BSI TR-03110-3 §C.3).
        if !objects.is_empty() {
            take(&mut objects, EXTENSIONS)?;
        }
        end(&objects)?;
        // A certificate that is valid on no day.
        if expiration < effective || signature.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            body: body.raw,
            signature,
            authority,
            public_key,
            holder,
            authorization,
            effective,
            expiration,
        })
    }
}

fn authorization(template: &[u8]) -> Result<Authorization, Malformed> {
    let mut objects = Objects::new(template);
    let terminals = take(&mut objects, OBJECT_IDENTIFIER)?.value;
    let relative = take(&mut objects, DISCRETIONARY_DATA)?.value;
    end(&objects)?;
    if terminals != INSPECTION_SYSTEMS {
        return Ok(Authorization::OtherTerminals);
    }
    let [bits] = *relative else { return Err(Malformed) };
    let role = match bits >> 6 {
        3 => Role::Cvca,
        2 => Role::DomesticDocumentVerifier,
        1 => Role::ForeignDocumentVerifier,
        _ => Role::InspectionSystem,
    };
    Ok(Authorization::InspectionSystems(role, Rights::new(bits)))
}

/// The next data object, which must have the tag and a length in the fewest bytes
/// (BSI TR-03110-3 appendix D).
fn take<'a>(objects: &mut Objects<'a>, tag: u16) -> Result<Object<'a>, Malformed> {
    let object = objects.take()?;
    let tag_bytes = if tag > 0xFF { 2 } else { 1 };
    let length_bytes = match object.value.len() {
        0..=0x7F => 1,
        0x80..=0xFF => 2,
        _ => 3,
    };
    let right =
        object.tag == tag && object.raw.len() == tag_bytes + length_bytes + object.value.len();
    if right { Ok(object) } else { Err(Malformed) }
}

fn end(objects: &Objects<'_>) -> Result<(), Malformed> {
    if objects.is_empty() { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests;
