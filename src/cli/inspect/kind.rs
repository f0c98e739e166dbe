//! What a file is, told from its first data objects. Names of files are not looked at.

use super::cv;
use crate::apdu::tlv::{Reader, Tag, Tlv, read_header};
use crate::biometrics::ImageFormat;
use crate::cvc::{AUTHENTICATION, CERTIFICATE};
use crate::document::{Mrz, QrText};
use crate::lds::{DgNumber, Element, SignedData, tag};
use crate::terminal::terminal_authentication::decode_ef_cvca;
use crate::trust::{DEFECT_LIST, DEVIATION_LIST, ldif};

/// The kinds of files that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Com,
    Dir,
    AtrInfo,
    Sod,
    SecurityInfos,
    CardSecurity,
    DataGroup(DgNumber),
    MasterList,
    DeviationList,
    DefectList,
    Ldif,
    SignedData,
    LdsSecurityObject,
    Certificate,
    CertificateRequest,
    Crl,
    PublicKey,
    PrivateKey,
    EncryptedPrivateKey,
    CvCertificate,
    CvRequest,
    CvAuthenticatedRequest,
    Cvca,
    FaceRecord,
    Image(ImageFormat),
    Mrz,
    QrText,
    Tlv,
    Unknown,
}

impl Kind {
    /// Stable name in JSON; the names for people stand in the catalogue.
    pub(super) fn name(self) -> String {
        let name = match self {
            Self::DataGroup(number) => return format!("ef_dg{}", number.get()),
            Self::Image(format) => return format!("image_{}", format.extension()),
            Self::Com => "ef_com",
            Self::Dir => "ef_dir",
            Self::AtrInfo => "ef_atr_info",
            Self::Sod => "ef_sod",
            Self::SecurityInfos => "security_infos",
            Self::CardSecurity => "ef_card_security",
            Self::MasterList => "master_list",
            Self::DeviationList => "deviation_list",
            Self::DefectList => "defect_list",
            Self::Ldif => "ldif",
            Self::SignedData => "cms_signed_data",
            Self::LdsSecurityObject => "lds_security_object",
            Self::Certificate => "certificate",
            Self::CertificateRequest => "certificate_request",
            Self::Crl => "crl",
            Self::PublicKey => "public_key",
            Self::PrivateKey => "private_key",
            Self::EncryptedPrivateKey => "encrypted_private_key",
            Self::CvCertificate => "cv_certificate",
            Self::CvRequest => "cv_request",
            Self::CvAuthenticatedRequest => "cv_authenticated_request",
            Self::Cvca => "ef_cvca",
            Self::FaceRecord => "face_record",
            Self::Mrz => "mrz",
            Self::QrText => "qr_text",
            Self::Tlv => "tlv",
            Self::Unknown => "unknown",
        };
        name.to_owned()
    }

    /// What the bytes are.
    pub(super) fn of(bytes: &[u8]) -> Self {
        if let Some(format) = ImageFormat::sniff(bytes) {
            return Self::Image(format);
        }
        if bytes.starts_with(b"FAC\0") {
            return Self::FaceRecord;
        }
        if ldif::is_ldif(bytes) {
            return Self::Ldif;
        }
        if let Some(kind) = std::str::from_utf8(bytes).ok().and_then(of_text) {
            return kind;
        }
        let Some((first, whole)) = first_object(bytes) else { return Self::Unknown };
        let kind = Self::of_object(&first, bytes);
        // The start of a file tells what it is, but any bytes can start as some data object.
        if whole || kind != Self::Tlv { kind } else { Self::Unknown }
    }

    fn of_object(first: &Tlv<'_>, bytes: &[u8]) -> Self {
        match first.tag {
            Tag(0x60) => Self::Com,
            Tag(0x61) if first_child(first) == Some(Tag(0x4F)) => Self::Dir,
            Tag(0x77) => Self::Sod,
            CERTIFICATE => cv::kind_of(first),
            AUTHENTICATION if first_child(first) == Some(CERTIFICATE) => {
                Self::CvAuthenticatedRequest
            }
            Tag(0x42) if decode_ef_cvca(bytes).is_ok() => Self::Cvca,
            Tag(0x43 | 0x46 | 0x47 | 0x7F66 | 0xE0) => Self::AtrInfo,
            tag::SET => Self::SecurityInfos,
            tag::SEQUENCE => of_sequence(first),
            other => match DgNumber::from_tag(other) {
                Some(number) => Self::DataGroup(number),
                None if Tlv::parse_exact(bytes).is_ok() => Self::Tlv,
                None => Self::Unknown,
            },
        }
    }
}

/// The first data object, and whether it is there to its end.
fn first_object(bytes: &[u8]) -> Option<(Tlv<'_>, bool)> {
    if let Ok(tlv) = Reader::new(bytes).read() {
        return Some((tlv, true));
    }
    let header = read_header(bytes).ok()?;
    let value = bytes.get(header.header_length..)?;
    Some((Tlv { tag: header.tag, value, raw: bytes, offset: 0 }, false))
}

fn of_text(text: &str) -> Option<Kind> {
    if QrText::parse(text).is_ok() {
        return Some(Kind::QrText);
    }
    // Every MRZ has fillers; texts of hexadecimal digits have none.
    (text.contains('<') && Mrz::parse_text(text).is_ok()).then_some(Kind::Mrz)
}

fn first_child(tlv: &Tlv<'_>) -> Option<Tag> {
    tlv.children().read().ok().map(|child| child.tag)
}

/// Tags of the first members of a SEQUENCE.
fn members<'a>(tlv: &Tlv<'a>) -> Vec<Tlv<'a>> {
    let mut reader = tlv.children();
    std::iter::from_fn(|| reader.read().ok()).take(4).collect()
}

fn of_sequence(sequence: &Tlv<'_>) -> Kind {
    const INTEGER: u32 = tag::INTEGER.0;
    const SEQUENCE: u32 = tag::SEQUENCE.0;
    const OCTETS: u32 = tag::OCTET_STRING.0;
    const BITS: u32 = tag::BIT_STRING.0;
    let members = members(sequence);
    let tags: Vec<u32> = members.iter().map(|m| m.tag.0).collect();
    match tags[..] {
        [0x06, 0xA0, ..] => of_content_info(sequence),
        [SEQUENCE, SEQUENCE, BITS] => members.first().map_or(Kind::Tlv, of_signed),
        [SEQUENCE, BITS] => Kind::PublicKey,
        [SEQUENCE, OCTETS] => Kind::EncryptedPrivateKey,
        [INTEGER, SEQUENCE, OCTETS, ..] | [INTEGER, OCTETS, ..] => Kind::PrivateKey,
        [INTEGER, SEQUENCE, SEQUENCE, ..] => Kind::LdsSecurityObject,
        // RSAPrivateKey: nine numbers.
        [INTEGER, INTEGER, INTEGER, INTEGER] => Kind::PrivateKey,
        _ => Kind::Tlv,
    }
}

fn of_content_info(sequence: &Tlv<'_>) -> Kind {
    let Ok(signed) = SignedData::decode("CMS", sequence.raw) else { return Kind::SignedData };
    match signed.content_type {
        crate::lds::MASTER_LIST => Kind::MasterList,
        DEVIATION_LIST => Kind::DeviationList,
        DEFECT_LIST => Kind::DefectList,
        crate::lds::SECURITY_OBJECT => Kind::CardSecurity,
        _ => Kind::SignedData,
    }
}

/// Certificate, request or revocation list: all are what is signed, algorithm, signature.
fn of_signed(signed: &Tlv<'_>) -> Kind {
    let tags: Vec<u32> = members(signed).iter().map(|m| m.tag.0).collect();
    match tags[..] {
        [0xA0, 0x02, ..] | [0x02, 0x30, 0x30, 0x30] if is_certificate(signed) => Kind::Certificate,
        [0x02, 0x30, 0x30, 0xA0] => Kind::CertificateRequest,
        [0x02, 0x30, 0x30, ..] | [0x30, 0x30, ..] => Kind::Crl,
        _ => Kind::Tlv,
    }
}

/// A certificate of version 1 has no version; its validity comes after the issuer, where a
/// revocation list has a time.
fn is_certificate(signed: &Tlv<'_>) -> bool {
    let file = Element::parse("certificate", signed.raw).and_then(|tbs| {
        let mut fields = tbs.children();
        fields.optional(Tag(0xA0))?;
        fields.any()?;
        fields.any()?;
        fields.any()?;
        fields.tagged(tag::SEQUENCE)
    });
    file.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind(path: &str) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/");
        Kind::of(&std::fs::read(format!("{folder}{path}")).unwrap()).name()
    }

    #[test]
    fn knows_every_specimen() {
        for (path, expected) in [
            ("bsi-tr03105-5/EF_COM.bin", "ef_com"),
            ("bsi-tr03105-5/EF_SOD.bin", "ef_sod"),
            ("bsi-tr03105-5/Datagroup1.bin", "ef_dg1"),
            ("bsi-tr03105-5/Datagroup2.bin", "ef_dg2"),
            ("bsi-tr03105-5/Datagroup3.bin", "ef_dg3"),
            ("bsi-tr03105-5/Datagroup4.bin", "ef_dg4"),
            ("bsi-tr03105-5/Datagroup14.bin", "ef_dg14"),
            ("bsi-tr03105-5/Datagroup15.bin", "ef_dg15"),
            ("bsi-tr03105-5/DG14_pk.bin", "public_key"),
            ("bsi-tr03105-5/DG14_sk.pkcs8", "private_key"),
            ("roots/de-csca07.cer", "certificate"),
            ("masterlist-nl-2026-07-22.ml", "master_list"),
            ("masterlist-de-2026-05-28.ml", "master_list"),
            ("cvc/dv_cert_19.cvcert", "cv_certificate"),
            ("specimen/portrait.jpg", "image_jpg"),
            ("specimen/portrait.jp2", "image_jp2"),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn knows_files_by_their_start_alone() {
        let sod = include_bytes!("../../../testvectors/bsi-2008/EF_SOD.bin");
        assert_eq!(Kind::of(&sod[..200]), Kind::Sod);
    }

    #[test]
    fn tells_an_application_list_from_the_first_data_group() {
        assert_eq!(Kind::of(&[0x61, 7, 0x4F, 5, 1, 2, 3, 4, 5]), Kind::Dir);
        assert_eq!(Kind::of(&crate::lds::encode_dg1(&[b'<'; 90])).name(), "ef_dg1");
    }

    #[test]
    fn knows_texts() {
        let mrz = b"IDVNM2000000185001200000018<<6\n0001018F4001016VNM<<<<<<<<<<<0\nNGUYEN<<THI<MAU<<<<<<<<<<<<<<<\n";
        assert_eq!(Kind::of(mrz), Kind::Mrz);
        let qr = "001200000018||Nguyễn Thị Mẫu|01012000|Nữ|Hà Nội|01072021";
        assert_eq!(Kind::of(qr.as_bytes()), Kind::QrText);
    }

    proptest! {
        #[test]
        fn whatever_it_is_can_be_described(
            first in prop::sample::select(vec![
                0x30u32, 0x31, 0x60, 0x61, 0x63, 0x6B, 0x6D, 0x6E, 0x6F, 0x75, 0x76, 0x77, 0x47, 0x7F,
                0x42, 0x67, 0x7F21,
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let bytes = crate::apdu::tlv::encode(Tag(first), &rest);
            let kind = Kind::of(&bytes);
            let _ = crate::cli::inspect::describe::describe(kind, &bytes);
        }
    }
}
