//! Whether the parts of a document, and what is known of it from outside, say the same.

mod security_infos;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Check, CheckId, ChipEvidence, DocumentFiles, Evidence, Inspection, Policy};
use crate::biometrics::{FaceRecord, decode};
use crate::document::mrz::MrzExpiry;
use crate::document::name::MrzName;
use crate::document::{CardProfile, Dg13, Mrz, PartialDate, QrText};
use crate::lds::sod::Sod;
use crate::lds::{CardSecurity, Com, Dg2, DgNumber, FileId, decode_dg1};

/// What is known of the document from outside its chip.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// MRZ as typed or scanned.
    pub mrz: Option<Mrz>,
    /// Text of the QR code.
    pub qr: Option<QrText>,
    /// Profile that numbers the fields of DG13.
    pub profile: Option<CardProfile>,
}

/// All checks of consistency, validity and biometric format.
pub(super) fn check(
    files: &DocumentFiles,
    chip: &ChipEvidence,
    card_security: Option<&CardSecurity>,
    inspection: &Inspection<'_>,
) -> Vec<Check> {
    let dg = |n| DgNumber::new(n).and_then(|n| files.files.get(&n.file())).map(Vec::as_slice);
    let mrz = dg(1).and_then(|b| decode_dg1(b).ok()).and_then(|b| Mrz::parse(b).ok());
    let dg13 = dg(13).and_then(|bytes| Dg13::decode(bytes).ok());
    let today = TimeZone::UTC.to_datetime(inspection.now).date();
    let expected = inspection.expected;
    vec![
        com_sod(files),
        security_infos::card_access_dg14(files.card_access.as_deref(), dg(14), chip),
        security_infos::card_security(card_security, files.card_access.as_deref(), dg(14)),
        dg1_dg13(mrz.as_ref(), dg(13).is_some(), dg13.as_ref(), expected, today),
        typed_mrz(mrz.as_ref(), expected),
        qr(mrz.as_ref(), expected, today),
        validity(dg(1).is_some(), mrz.as_ref(), today, inspection.policy),
        biometrics(dg(2)),
    ]
}

/// EF.COM is not protected: it must not hide or invent what the security object lists.
fn com_sod(files: &DocumentFiles) -> Check {
    let id = CheckId::ConsistencyComSod;
    let sod = files.files.get(&FileId::SOD).and_then(|bytes| Sod::decode(bytes).ok());
    let object = sod.and_then(|sod| sod.security_object().ok());
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
    if object.lds_version.is_some_and(|(lds, _)| lds != com.lds_version) {
        return Check::failed(id, "lds_version_mismatch", Evidence::new("com", com.lds_version));
    }
    let names: Vec<_> = listed.iter().map(ToString::to_string).collect();
    Check::passed(id, Evidence::new("data_groups", names))
}

fn profile(expected: &Expected) -> &CardProfile {
    expected.profile.as_ref().unwrap_or_else(|| CardProfile::can_cuoc_2021())
}

/// Number, birth, sex and name in the MRZ and in the national data group.
fn dg1_dg13(
    mrz: Option<&Mrz>,
    present: bool,
    dg13: Option<&Dg13>,
    expected: &Expected,
    today: Date,
) -> Check {
    let id = CheckId::ConsistencyDg1Dg13;
    if !present {
        return Check::skipped(id, "not_offered");
    }
    let (Some(mrz), Some(dg13)) = (mrz, dg13) else {
        return Check::unsupported(
            id,
            "dg13_not_decoded",
            Evidence::new("decoded", dg13.is_some()),
        );
    };
    let profile = profile(expected);
    let view = dg13.view(&profile.dg13);
    let mut differs = Vec::new();
    if let (Some(a), Some(b)) = (view.personal_number(), mrz.personal_number())
        && a != b
    {
        differs.push("number");
    }
    if let (Some(a), Some(b)) = (view.date("birth_date"), mrz.birth().birth(today))
        && !same_date(a, b)
    {
        differs.push("birth");
    }
    if let Some(name) = view.text("full_name")
        && let Ok(name) = MrzName::from_full_name(name)
        && name.td1().trim_end_matches('<') != mrz_name(mrz)
    {
        differs.push("name");
    }
    if differs.is_empty() {
        Check::passed(id, Evidence::new("compared", ["number", "birth", "name"].to_vec()))
    } else {
        Check::failed(id, "dg1_dg13_differ", Evidence::new("fields", differs))
    }
}

/// The name line of a TD1 document.
fn mrz_name(mrz: &Mrz) -> &str {
    mrz.lines().nth(2).unwrap_or_default().trim_end_matches('<')
}

/// Equal as far as both are known.
fn same_date(a: PartialDate, b: PartialDate) -> bool {
    a == b
}

fn typed_mrz(mrz: Option<&Mrz>, expected: &Expected) -> Check {
    let id = CheckId::ConsistencyMrz;
    match (&expected.mrz, mrz) {
        (None, _) => Check::skipped(id, "not_given"),
        (_, None) => Check::skipped(id, "file_not_read"),
        (Some(typed), Some(read)) if typed.as_str() == read.as_str() => {
            Check::passed(id, Evidence::new("characters", typed.as_str().len()))
        }
        _ => Check::failed(id, "mrz_differs", Evidence::new("compared", "MRZ")),
    }
}

fn qr(mrz: Option<&Mrz>, expected: &Expected, today: Date) -> Check {
    let id = CheckId::ConsistencyQr;
    let (qr, mrz) = match (&expected.qr, mrz) {
        (None, _) => return Check::skipped(id, "not_given"),
        (_, None) => return Check::skipped(id, "file_not_read"),
        (Some(qr), Some(mrz)) => (qr, mrz),
    };
    let mut differs = Vec::new();
    if mrz.personal_number().as_ref() != Some(qr.personal_number()) {
        differs.push("number");
    }
    if let (Some(a), Some(b)) = (qr.birth(), mrz.birth().birth(today))
        && !same_date(a, b)
    {
        differs.push("birth");
    }
    if differs.is_empty() {
        Check::passed(id, Evidence::new("compared", ["number", "birth"].to_vec()))
    } else {
        Check::failed(id, "qr_differs", Evidence::new("fields", differs))
    }
}

/// Check digits and date of expiry of the MRZ.
fn validity(present: bool, mrz: Option<&Mrz>, today: Date, policy: &Policy) -> Check {
    let id = CheckId::DocumentValidity;
    let Some(mrz) = mrz else {
        return if present {
            Check::failed(id, "mrz_malformed", Evidence::new("file", "EF.DG1"))
        } else {
            Check::skipped(id, "file_not_read")
        };
    };
    if !mrz.faults().is_empty() {
        return Check::failed(id, "mrz_check_digit", Evidence::new("faults", mrz.faults().len()));
    }
    match mrz.expiry().expiry() {
        MrzExpiry::Never => Check::passed(id, Evidence::new("expires", "never")),
        MrzExpiry::On(date) if date < today => {
            let evidence = Evidence::new("expired_on", date.to_string());
            if policy.tolerates_expiry() {
                Check::warned(id, "document_expired", evidence)
            } else {
                Check::failed(id, "document_expired", evidence)
            }
        }
        MrzExpiry::On(date) => Check::passed(id, Evidence::new("expires", date.to_string())),
        _ => Check::failed(id, "expiry_malformed", Evidence::new("file", "EF.DG1")),
    }
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
    let mut pictures = 0;
    for template in &dg2.templates {
        if template.constructed {
            return unsupported("biometric_format_unknown", "ISO/IEC 39794".to_owned());
        }
        let record = match FaceRecord::decode(&template.data) {
            Ok(record) => record,
            Err(error) => return unsupported("face_record_malformed", error.to_string()),
        };
        for image in &record.images {
            if let Err(error) = decode(&image.data) {
                return unsupported("portrait_not_decodable", error.to_string());
            }
            pictures += 1;
        }
    }
    Check::passed(id, Evidence::new("pictures", pictures))
}
