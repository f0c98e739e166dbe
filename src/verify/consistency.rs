//! Whether the parts of a document, and what is known of it from outside, say the same.

mod comparison;
mod holder;
mod security_infos;
mod surface;
mod validity;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Check, CheckId, ChipEvidence, DocumentFiles, Evidence, Inspection};
use crate::biometrics::{FaceRecord, PixelBudget};
use crate::document::dg13::Dg13View;
use crate::document::{CardProfile, Dg13, Mrz, PersonalNumber, QrText};
use crate::lds::sod::LdsSecurityObject;
use crate::lds::{CardSecurity, Com, Dg2, DgNumber, FileId, decode_dg1};

/// What is known of the document from outside its chip.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// MRZ as typed or scanned.
    pub mrz: Option<Mrz>,
    /// The 12-digit number as typed.
    pub number: Option<PersonalNumber>,
    /// Text of the QR code.
    pub qr: Option<QrText>,
    /// Profile that numbers the fields of DG13.
    pub profile: Option<CardProfile>,
}

/// What the files say of the holder.
struct Holder<'a> {
    /// Whether there is a DG1.
    has_dg1: bool,
    mrz: Option<&'a Mrz>,
    /// Whether there is a DG13.
    has_dg13: bool,
    dg13: Option<&'a Dg13>,
    profile: &'a CardProfile,
    today: Date,
}

impl<'a> Holder<'a> {
    /// The national data by the names of the profile.
    fn national(&self) -> Option<Dg13View<'a>> {
        Some(self.dg13?.view(&self.profile.dg13))
    }
}

/// All checks of consistency, validity and biometric format.
pub(super) fn check(
    files: &DocumentFiles,
    chip: &ChipEvidence,
    object: Option<&LdsSecurityObject>,
    card_security: Option<&CardSecurity>,
    inspection: &Inspection<'_>,
) -> Vec<Check> {
    let dg = |n| files.data_group(n);
    let mrz = dg(1).and_then(|b| decode_dg1(b).ok()).and_then(|b| Mrz::parse(b).ok());
    let dg13 = dg(13).and_then(|bytes| Dg13::decode(bytes).ok());
    let expected = inspection.expected;
    let profile = expected.profile.as_ref().unwrap_or_else(|| CardProfile::can_cuoc_2021());
    let holder = Holder {
        has_dg1: dg(1).is_some(),
        mrz: mrz.as_ref(),
        has_dg13: dg(13).is_some(),
        dg13: dg13.as_ref(),
        profile,
        today: TimeZone::UTC.to_datetime(inspection.now).date(),
    };
    vec![
        com_sod(files, object),
        security_infos::card_access_dg14(files.card_access.as_deref(), dg(14), chip),
        match files.card_security {
            None => Check::skipped(CheckId::ConsistencyCardSecurity, "not_offered"),
            Some(_) => {
                security_infos::card_security(card_security, files.card_access.as_deref(), dg(14))
            }
        },
        holder::dg1_dg13(&holder),
        surface::mrz(&holder, expected),
        surface::qr(&holder, expected),
        validity::check(&holder, inspection.policy),
        biometrics(dg(2)),
    ]
}

/// EF.COM is not protected: it must not hide or invent what the security object lists.
pub(super) fn com_sod(files: &DocumentFiles, object: Option<&LdsSecurityObject>) -> Check {
    let id = CheckId::ConsistencyComSod;
    let (Some(com), Some(object)) = (files.files.get(&FileId::COM), object) else {
        return Check::skipped(id, "file_not_read");
    };
    let com = match Com::decode(com) {
        Ok(com) => com,
        Err(error) => {
            return Check::failed(id, "com_malformed", Evidence::new("error", error.to_string()));
        }
    };
    let listed = com.data_groups();
    let only_com: Vec<_> =
        listed.iter().filter(|n| object.hash_of(**n).is_none()).map(ToString::to_string).collect();
    let only_sod: Vec<_> = DgNumber::all()
        .filter(|n| object.hash_of(*n).is_some() && !listed.contains(n))
        .map(|n| n.to_string())
        .collect();
    if !only_sod.is_empty() {
        return Check::failed(id, "com_hides_data_group", Evidence::new("data_groups", only_sod));
    }
    if !only_com.is_empty() {
        return Check::failed(id, "com_lists_unsigned", Evidence::new("data_groups", only_com));
    }
    let own = (com.lds_version, com.unicode_version);
    if let Some(signed) = object.lds_version.clone().filter(|signed| *signed != own) {
        let text = |(lds, unicode): (String, String)| vec![lds, unicode];
        let evidence = Evidence::new("com", text(own)).and("sod", text(signed));
        return Check::failed(id, "lds_version_mismatch", evidence);
    }
    let names: Vec<_> = listed.iter().map(ToString::to_string).collect();
    Check::passed(id, Evidence::new("data_groups", names))
}

/// Whether the portrait can be shown. A picture that cannot be decoded does not make the data a
/// forgery.
fn biometrics(dg2: Option<&[u8]>) -> Check {
    let id = CheckId::BiometricsFormat;
    let Some(bytes) = dg2 else { return Check::skipped(id, "file_not_read") };
    let unsupported =
        |code, error: String| Check::unsupported(id, code, Evidence::new("error", error));
    let dg2 = match Dg2::decode(bytes) {
        Ok(dg2) => dg2,
        Err(error) => return unsupported("dg2_malformed", error.to_string()),
    };
    let (mut pictures, mut budget) = (0, PixelBudget::default());
    for template in &dg2.templates {
        if template.constructed {
            return unsupported("biometric_format_unknown", "ISO/IEC 39794".to_owned());
        }
        let record = match FaceRecord::decode(&template.data) {
            Ok(record) => record,
            Err(error) => return unsupported("face_record_malformed", error.to_string()),
        };
        for image in &record.images {
            if let Err(error) = budget.decode(&image.data) {
                return unsupported("portrait_not_decodable", error.to_string());
            }
            pictures += 1;
        }
    }
    if pictures == 0 {
        return unsupported("portrait_missing", "no picture".to_owned());
    }
    Check::passed(id, Evidence::new("pictures", pictures))
}

#[cfg(test)]
mod tests;
