//! Whether the parts of a document, and what is known of it from outside, say the same.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Check, CheckId, ChipEvidence, DocumentFiles, Evidence, Inspection};
use crate::biometrics::{FaceRecord, decode};
use crate::document::mrz::MrzExpiry;
use crate::document::name::MrzName;
use crate::document::{CardProfile, Dg13, Mrz, PartialDate, QrText};
use crate::lds::sod::Sod;
use crate::lds::{
    Com, Dg2, DgNumber, FileId, SecurityInfo, SecurityInfoKind, SecurityInfos, decode_dg1,
    security_infos_of_dg14,
};

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
    inspection: &Inspection<'_>,
) -> Vec<Check> {
    let dg = |n| DgNumber::new(n).and_then(|n| files.files.get(&n.file())).map(Vec::as_slice);
    let mrz = dg(1).and_then(|b| decode_dg1(b).ok()).and_then(|b| Mrz::parse(b).ok());
    let dg13 = dg(13).and_then(|bytes| Dg13::decode(bytes).ok());
    let today = TimeZone::UTC.to_datetime(inspection.now).date();
    let expected = inspection.expected;
    vec![
        com_sod(files),
        card_access_dg14(files.card_access.as_deref(), dg(14), chip),
        dg1_dg13(mrz.as_ref(), dg(13).is_some(), dg13.as_ref(), expected, today),
        typed_mrz(mrz.as_ref(), expected),
        qr(mrz.as_ref(), expected, today),
        validity(dg(1).is_some(), mrz.as_ref(), today),
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

/// EF.CardAccess is not protected: what it offers for PACE must stand in DG14 too, and it must not
/// hide a variant of PACE that DG14 has.
fn card_access_dg14(card_access: Option<&[u8]>, dg14: Option<&[u8]>, chip: &ChipEvidence) -> Check {
    let id = CheckId::ConsistencyCardAccessDg14;
    let (access, signed) = match (card_access, dg14) {
        (Some(access), Some(signed)) => {
            (SecurityInfos::decode("EF.CardAccess", access), security_infos_of_dg14(signed))
        }
        // The card was asked for EF.CardAccess and had none.
        (None, Some(signed)) if chip.is_downgraded() => {
            (Ok(SecurityInfos::default()), security_infos_of_dg14(signed))
        }
        _ => return Check::skipped(id, "file_not_read"),
    };
    let (access, signed) = match access.and_then(|access| Ok((access, signed?))) {
        Ok(parsed) => parsed,
        Err(error) => {
            let evidence = Evidence::new("error", error.to_string());
            return Check::failed(id, "security_infos_malformed", evidence);
        }
    };
    let missing = |from: &SecurityInfos, of: &SecurityInfo| {
        !from.infos.iter().any(|info| info.raw() == of.raw())
    };
    let names = |infos: Vec<&SecurityInfo>| -> Vec<String> {
        infos.iter().map(|info| info.oid.to_string()).collect()
    };
    let unsigned: Vec<_> = access.infos.iter().filter(|i| missing(&signed, i)).collect();
    if !unsigned.is_empty() {
        let evidence = Evidence::new("protocols", names(unsigned));
        return Check::failed(id, "card_access_not_signed", evidence);
    }
    let is_pace = |info: &&SecurityInfo| matches!(info.kind, SecurityInfoKind::Pace(_));
    let hidden: Vec<_> =
        signed.infos.iter().filter(is_pace).filter(|i| missing(&access, i)).collect();
    if !hidden.is_empty() {
        let evidence = Evidence::new("protocols", names(hidden));
        return Check::failed(id, "card_access_hides_pace", evidence);
    }
    Check::passed(id, Evidence::new("infos", access.infos.len()))
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
fn validity(present: bool, mrz: Option<&Mrz>, today: Date) -> Check {
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
            Check::failed(id, "document_expired", Evidence::new("expired_on", date.to_string()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lds::{KeyAgreement, Mapping, PaceInfo, PaceProtocol, encode_dg14};
    use crate::verify::AccessOutcome;
    use cancuoc_primitives::cipher::BlockCipher;

    fn pace(cipher: BlockCipher) -> SecurityInfoKind {
        let (agreement, mapping) = (KeyAgreement::Ecdh, Mapping::Generic);
        let protocol = PaceProtocol { agreement, mapping, cipher };
        SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id: Some(13) })
    }

    fn compare(
        access: Option<&[BlockCipher]>,
        signed: &[BlockCipher],
        downgraded: bool,
    ) -> (&'static str, &'static str) {
        let infos =
            |ciphers: &[BlockCipher]| SecurityInfos::from_kinds(ciphers.iter().copied().map(pace));
        let outcome = AccessOutcome {
            protocol: "BAC".to_owned(),
            mapping: None,
            domain: None,
            cipher: "3DES".to_owned(),
            password: "MRZ".to_owned(),
            downgraded,
        };
        let chip = ChipEvidence { access: Some(outcome), ..ChipEvidence::default() };
        let access = access.map(|ciphers| infos(ciphers).encode());
        let check = card_access_dg14(access.as_deref(), Some(&encode_dg14(&infos(signed))), &chip);
        (check.status_name(), check.code)
    }

    use BlockCipher::{Aes128, Aes256, Tdes};

    #[test]
    fn passes_when_the_offer_is_the_one_that_was_signed() {
        assert_eq!(compare(Some(&[Aes128]), &[Aes128], false), ("passed", "ok"));
    }

    #[test]
    fn fails_when_the_card_offers_what_nobody_signed() {
        let result = compare(Some(&[Tdes, Aes128]), &[Aes128], false);
        assert_eq!(result, ("failed", "card_access_not_signed"));
    }

    #[test]
    fn fails_when_the_card_hides_the_stronger_variant() {
        let result = compare(Some(&[Aes128]), &[Aes128, Aes256], false);
        assert_eq!(result, ("failed", "card_access_hides_pace"));
    }

    #[test]
    fn fails_when_card_access_was_suppressed_to_have_bac_used() {
        assert_eq!(compare(None, &[Aes128], true), ("failed", "card_access_hides_pace"));
    }

    #[test]
    fn passes_a_card_without_pace_that_was_signed_without_pace() {
        assert_eq!(compare(None, &[], true), ("passed", "ok"));
    }

    #[test]
    fn skips_what_was_not_read() {
        assert_eq!(compare(None, &[Aes128], false), ("skipped", "file_not_read"));
    }
}
