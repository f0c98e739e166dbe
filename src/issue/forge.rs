//! Forgeries for tests: a good image with one defect that a verifier must find.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::group::GroupSecret;
use cancuoc_primitives::rsa::RsaPrivateKey;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use super::image::{
    AccessRule, ActiveAuthenticationKey, CardImage, ChipAuthenticationKey, ImageFile, Location,
};
use crate::apdu::tlv::{Tag, encode};
use crate::error::ErrorCode;
use crate::lds::sod::{Sod, SodContent};
use crate::lds::{Com, FileId, LdsError, ParameterForm, PublicKey};
use crate::pki::{
    CertificateKind, CertificateRequest, KeyKind, Signer, SignerError, SoftwareKey, Validity,
    country_name, issue,
};

/// What is wrong with the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// All data of a genuine card in a chip without its private keys.
    Clone,
    /// A letter of the name in DG13 is another one.
    AlteredDg13,
    /// Signed by somebody who calls himself the issuer.
    ForeignDs,
    /// Signed with a document signer certificate that had expired.
    ExpiredDs,
    /// A data group more than the security object lists.
    UnsignedDg,
}

/// Why a forgery cannot be made.
#[derive(Debug, Error)]
pub enum ForgeError {
    /// The image lacks the file to be changed.
    #[error("the card has no {0}")]
    Missing(&'static str),
    /// A file of the image cannot be read.
    #[error(transparent)]
    Lds(#[from] LdsError),
    /// A key could not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl ErrorCode for ForgeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "forge_file_missing",
            Self::Lds(error) => error.code(),
            Self::Signer(error) => error.code(),
        }
    }
}

/// The issuer whose cards are forged.
#[derive(Clone, Copy)]
pub struct ForgedIssuer<'a> {
    /// Key of the country signing CA, for a certificate that it issued but that has expired.
    pub csca: &'a dyn Signer,
    /// Its name in DER.
    pub name: &'a [u8],
    /// Two letters of the country.
    pub country: &'a str,
}

impl Forgery {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Clone, Self::AlteredDg13, Self::ForeignDs, Self::ExpiredDs, Self::UnsignedDg];

    /// Name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clone => "clone",
            Self::AlteredDg13 => "altered-dg13",
            Self::ForeignDs => "foreign-ds",
            Self::ExpiredDs => "expired-ds",
            Self::UnsignedDg => "unsigned-dg",
        }
    }

    /// Puts the defect into the image of a good card, and changes nothing else.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub fn apply(
        self,
        image: &mut CardImage,
        issuer: ForgedIssuer<'_>,
        now: Timestamp,
        random: &mut dyn CryptoRng,
    ) -> Result<(), ForgeError> {
        match self {
            Self::Clone => {
                forget_keys(image, random)?;
                Ok(())
            }
            Self::AlteredDg13 => alter_dg13(image),
            Self::ForeignDs => {
                // A CA with a key of its own, which claims the name and the key identifier.
                let claimed = issuer.csca.public_key();
                let own = key(random)?;
                let fake = ForgedIssuer { csca: &own, ..issuer };
                sign_again(image, fake, &claimed, valid_from(now, 30), now, random)
            }
            Self::ExpiredDs => {
                // Within the validity of a CA made a day ago, so that this alone is wrong.
                let hours = |count| now.saturating_sub(SignedDuration::from_hours(count));
                let (from, until) = (hours(20).unwrap_or(now), hours(1).unwrap_or(now));
                let validity =
                    Validity { not_before: from, not_after: until, key_not_after: until };
                sign_again(image, issuer, &issuer.csca.public_key(), validity, now, random)
            }
            Self::UnsignedDg => add_unsigned(image),
        }
    }
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn valid_from(now: Timestamp, past: i64) -> Validity {
    let not_before = now.saturating_sub(days(past)).unwrap_or(now);
    let not_after = now.saturating_add(days(3650)).unwrap_or(now);
    Validity { not_before, not_after, key_not_after: not_after }
}

fn key(random: &mut dyn CryptoRng) -> Result<SoftwareKey, SignerError> {
    SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, random).map_err(|_| SignerError::Key)
}

/// The private keys never leave a chip, so a copy has others.
pub(crate) fn forget_keys(
    image: &mut CardImage,
    random: &mut dyn CryptoRng,
) -> Result<(), SignerError> {
    for ca in &mut image.chip_authentication {
        *ca = ChipAuthenticationKey {
            protocol: ca.protocol,
            key_id: ca.key_id.clone(),
            uses: ca.uses,
            key: GroupSecret::random(&ca.key.domain_parameters(), random),
        };
    }
    image.active_authentication = match image.active_authentication.take() {
        Some(ActiveAuthenticationKey::Ecdsa { key, hash }) => {
            let key = SecretScalar::random(key.curve(), random);
            Some(ActiveAuthenticationKey::Ecdsa { key, hash })
        }
        Some(ActiveAuthenticationKey::Rsa { key, hash }) => {
            let bits = key.public_key().bits();
            let key = RsaPrivateKey::generate(bits, random).map_err(|_| SignerError::Key)?;
            Some(ActiveAuthenticationKey::Rsa { key, hash })
        }
        None => None,
    };
    Ok(())
}

fn file<'a>(
    image: &'a mut CardImage,
    fid: u16,
    name: &'static str,
) -> Result<&'a mut ImageFile, ForgeError> {
    let mut files = image.files.iter_mut();
    files.find(|f| f.location == Location::Lds1 && f.fid == fid).ok_or(ForgeError::Missing(name))
}

/// Changes a letter of a text: any will do, as long as the structure stays whole and the MRZ still
/// fits.
fn alter_dg13(image: &mut CardImage) -> Result<(), ForgeError> {
    let content = &mut file(image, 0x010D, "EF.DG13")?.content;
    let letter = content.iter_mut().rev().find(|b| b.is_ascii_lowercase());
    match letter {
        Some(letter) => *letter = if *letter == b'a' { b'o' } else { b'a' },
        None => return Err(ForgeError::Missing("text in EF.DG13")),
    }
    Ok(())
}

fn add_unsigned(image: &mut CardImage) -> Result<(), ForgeError> {
    let dg11 = encode(Tag(0x6B), &encode(Tag(0x5C), &[0x5F, 0x0E]));
    image.files.push(ImageFile {
        location: Location::Lds1,
        fid: 0x010B,
        sfi: Some(11),
        access: AccessRule::AfterAccessControl,
        content: dg11,
    });
    // The index stays as it was: the group is there for readers that ask for it.
    Com::decode(&file(image, FileId::COM.0, "EF.COM")?.content)?;
    Ok(())
}

/// A new document signer signs the same hashes; its certificate says that `claimed` signed it.
fn sign_again(
    image: &mut CardImage,
    issuer: ForgedIssuer<'_>,
    claimed: &PublicKey,
    validity: Validity,
    now: Timestamp,
    random: &mut dyn CryptoRng,
) -> Result<(), ForgeError> {
    let signer = key(random)?;
    let request = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &[0x5D, 0x01],
        issuer: issuer.name,
        subject: &country_name(issuer.country, "Specimen", "Document Signer"),
        country: issuer.country,
        public_key: &signer.public_key(),
        parameters: ParameterForm::Named,
        issuer_key: claimed,
        validity,
    };
    let certificate = issue(&request, issuer.csca, random)?;
    let sod = file(image, FileId::SOD.0, "EF.SOD")?;
    let object = Sod::decode(&sod.content)?.security_object()?;
    let signing_time = TimeZone::UTC.to_datetime(now).strftime("%y%m%d%H%M%SZ").to_string();
    let content = SodContent {
        object: &object,
        digest: signer.algorithm().hash(),
        certificate: &certificate,
        issuer: issuer.name,
        serial: &[0x5D, 0x01],
        signing_time: &signing_time,
        algorithm: signer.algorithm(),
    };
    let signature = signer.sign(&content.signed_attributes(), random)?;
    sod.content = content.encode(&signature);
    Ok(())
}
