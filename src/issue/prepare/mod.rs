//! Data preparation: a record becomes the image of a card.
//!
//! Nothing leaves here untried: the keys of the card are tested, the signature of the EF.SOD is
//! verified with the certificate that goes out with it, and the image is read back and compared
//! with what it was made of.

mod chip_keys;
mod files;
mod sod;
mod terminal;

pub(crate) use terminal::trust_point_reference;

use cancuoc_primitives::CryptoRng;
use jiff::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use self::files::DataGroups;
use super::image::{
    AccessRule, CardImage, ExplicitDomainParameters, ImageFile, Location, PaceConfiguration,
};
use super::record::Record;
use crate::document::profile::{CardProfile, FileAccess, FileLocation};
use crate::error::ErrorCode;
use crate::pki::{Signer, SignerError};

/// Why no image could be made.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// A new key pair failed its trial.
    #[error("the new key pair for {key} failed its trial")]
    KeyTrial {
        /// Which key.
        key: &'static str,
    },
    /// The card profile asks for something that cannot be made.
    #[error("card profile: {what}")]
    Profile {
        /// What.
        what: &'static str,
    },
    /// A certificate given as a trust point is no CV certificate of a CA.
    #[error("trust point {number} is no CV certificate of a country verifying CA")]
    TrustPoint {
        /// Which, from 1.
        number: usize,
    },
    /// The document signer certificate cannot be read.
    #[error("document signer certificate: {what}")]
    Certificate {
        /// What is wrong.
        what: &'static str,
    },
    /// The document signer certificate is not valid at the time of signing.
    #[error("the document signer certificate is not valid at the time of signing")]
    CertificateExpired,
    /// The period in which the private key may sign is over, or has not begun.
    #[error("the document signer key may not sign at this time (private key usage period)")]
    KeyPeriodOver,
    /// The certificate belongs to another key.
    #[error("the document signer certificate does not belong to the signing key")]
    CertificateKey,
    /// The signer failed.
    #[error("signing the EF.SOD: {0}")]
    Signer(#[from] SignerError),
    /// The finished image does not read back as what it was made of.
    #[error("the finished image does not read back: {what}")]
    SelfCheck {
        /// Which part.
        what: &'static str,
    },
}

impl ErrorCode for PrepareError {
    fn code(&self) -> &'static str {
        match self {
            Self::KeyTrial { .. } => "key_trial_failed",
            Self::Profile { .. } => "profile_not_supported",
            Self::TrustPoint { .. } => "trust_point_malformed",
            Self::Certificate { .. } => "signer_certificate_malformed",
            Self::CertificateExpired => "signer_certificate_not_valid",
            Self::KeyPeriodOver => "signer_key_period_over",
            Self::CertificateKey => "signer_certificate_of_other_key",
            Self::Signer(error) => error.code(),
            Self::SelfCheck { .. } => "image_self_check_failed",
        }
    }
}

/// What signs the EF.SOD.
#[derive(Clone, Copy)]
pub struct DocumentSigner<'a> {
    /// The key.
    pub signer: &'a dyn Signer,
    /// Its certificate in DER; it goes into the EF.SOD.
    pub certificate: &'a [u8],
}

/// Makes the image of a card: fresh chip keys, all files, the signed EF.SOD.
///
/// # Errors
/// [`PrepareError`].
pub fn prepare(
    record: &Record,
    document_signer: DocumentSigner<'_>,
    now: Timestamp,
    random: &mut dyn CryptoRng,
) -> Result<CardImage, PrepareError> {
    let profile: &CardProfile = &record.profile;
    let mut chip_authentication = Vec::new();
    for key in &profile.chip_authentication {
        chip_authentication.push(chip_keys::chip_authentication(key, random)?);
    }
    let active_authentication = match profile.active_authentication {
        Some(aa) => Some(chip_keys::active_authentication(aa, random)?),
        None => None,
    };
    let infos = files::security_infos(
        profile,
        record.access.pace,
        &chip_authentication,
        active_authentication.as_ref(),
    )?;
    let groups = files::data_groups(record, &infos, active_authentication.as_ref());
    let signing = sod::Signing::new(profile, document_signer, now);
    let terminal_authentication = terminal::authentication(record, now)?;
    let contents = Contents {
        card_security: infos
            .card_security
            .as_ref()
            .map(|infos| signing.card_security(infos, random))
            .transpose()?,
        sod: signing.sod(profile, &groups, random)?,
        cvca: terminal_authentication.as_ref().map(terminal::cvca).transpose()?,
        infos,
        groups,
    };
    let files = place(record, &contents)?;

    let pace = profile.access.pace.iter().filter(|_| record.access.pace);
    let own = profile.access.domain_parameters.iter().filter(|_| record.access.pace);
    let opened = record.access.bac || record.access.pace;
    let image = CardImage {
        files,
        mrz_key: opened.then(|| Zeroizing::new(*record.mrz.key().as_bytes())),
        can: record.access.pace.then(|| profile.can(&record.personal_number)).transpose().map_err(
            |_| PrepareError::Profile { what: "the derivation of the CAN does not give one" },
        )?,
        pin: record.access.pin.clone().zip(profile.passwords.pin.map(|pin| pin.tries)),
        puk: record.access.puk.clone().zip(profile.passwords.puk.map(|puk| puk.tries)),
        bac: record.access.bac,
        pace: pace
            .map(|pace| PaceConfiguration {
                protocol: pace.protocol,
                domain_parameter_id: pace.parameter,
            })
            .collect(),
        domain_parameters: own
            .map(|own| ExplicitDomainParameters { id: own.id, domain_parameter_id: own.parameter })
            .collect(),
        chip_authentication,
        active_authentication,
        terminal_authentication,
    };
    sod::check(&image, document_signer, &signing.verified())?;
    Ok(image)
}

/// What the files are filled with.
struct Contents {
    infos: files::Infos,
    groups: DataGroups,
    sod: Vec<u8>,
    card_security: Option<Vec<u8>>,
    cvca: Option<Vec<u8>>,
}

/// Puts the contents into the files of the profile, in its order.
fn place(record: &Record, contents: &Contents) -> Result<Vec<ImageFile>, PrepareError> {
    let profile: &CardProfile = &record.profile;
    let Contents { infos, groups, .. } = contents;
    let mut placed = Vec::new();
    for file in &profile.files {
        let content = match file.name.as_str() {
            "EF.CardAccess" => record.access.pace.then(|| infos.card_access.encode()),
            "EF.ATR/INFO" => Some(files::atr_info(profile)),
            "EF.DIR" => Some(files::dir()),
            "EF.COM" => Some(files::com(profile, groups)),
            "EF.SOD" => Some(contents.sod.clone()),
            "EF.CardSecurity" => contents.card_security.clone(),
            "EF.CVCA" => contents.cvca.clone(),
            _ => groups.iter().find(|(n, _)| n.file().0 == file.fid).map(|(_, b)| b.clone()),
        };
        let Some(content) = content else { continue };
        let access = record.access.files.get(&file.name).copied().unwrap_or(file.access);
        placed.push(ImageFile {
            location: match file.location {
                FileLocation::Mf => Location::MasterFile,
                FileLocation::Lds1 => Location::Lds1,
            },
            fid: file.fid,
            sfi: file.sfi,
            access: match access {
                FileAccess::Always => AccessRule::Always,
                FileAccess::AfterAccessControl => AccessRule::AfterAccessControl,
                FileAccess::Dg3Right => AccessRule::Dg3Right,
                FileAccess::Dg4Right => AccessRule::Dg4Right,
            },
            content,
        });
    }
    let placed_at = |location, fid| {
        placed.iter().any(|file: &ImageFile| file.location == location && file.fid == fid)
    };
    if !groups.iter().all(|(number, _)| placed_at(Location::Lds1, number.file().0)) {
        return Err(PrepareError::Profile { what: "a data group has no file" });
    }
    if contents.cvca.is_some() && !placed_at(Location::Lds1, terminal::CVCA_FILE) {
        return Err(PrepareError::Profile { what: "Terminal Authentication needs EF.CVCA" });
    }
    Ok(placed)
}

#[cfg(test)]
mod tests;
