//! Lists of known defects: of documents that deviate from ICAO Doc 9303 (deviation lists, Doc 9303-3
//! §8), and the defect lists of BSI TR-03129.
//!
//! A defect on a list never makes a document better: it takes trust away, or explains to people what
//! a check found.

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use jiff::Timestamp;

use super::X509;
use crate::apdu::tlv::{Reader, Tag, encode};
use crate::lds::{Element, LdsError, comparable_name, tag, write};

/// id-icao-DeviationList.
pub const DEVIATION_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.7");
/// id-DefectList of BSI TR-03129.
pub const DEFECT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.5");
/// Most entries of a list, and of any set in one but those of document numbers.
const MAX_ENTRIES: usize = 10_000;

/// What is known of a document that a defect may concern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFacts<'a> {
    /// Document code of the MRZ without fillers: `I`, `P`, `ID`.
    pub document_type: Option<&'a str>,
    /// Document number without fillers.
    pub document_number: Option<&'a str>,
    /// When it was signed.
    pub issued: Option<Timestamp>,
}

/// Which documents an entry speaks of: those that all its criteria fit (ICAO 9303-12 §10).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerned {
    /// Issuer and serial number of the document signer.
    pub issuer_and_serial: Option<(Vec<u8>, Vec<u8>)>,
    /// Its subject key identifier.
    pub key_id: Option<Vec<u8>>,
    /// Hash of its certificate.
    pub digest: Option<(ObjectIdentifier, Vec<u8>)>,
    /// The document code.
    pub document_type: Option<String>,
    /// First and last moment of issue.
    pub issued: Option<(Timestamp, Timestamp)>,
    /// Document numbers as the list has them, one data object each: there can be hundreds of
    /// thousands.
    pub document_numbers: Option<Vec<u8>>,
}

impl Concerned {
    /// Whether the entry speaks of a document with this signer. A criterion that needs more than
    /// is known of the document does not fit.
    #[must_use]
    pub fn concerns(&self, signer: &X509, document: &DocumentFacts<'_>) -> bool {
        let code = |text: &str| text.trim_end_matches(['<', ' ']).to_ascii_uppercase();
        let by_type = self.document_type.as_ref().is_none_or(|wanted| {
            document.document_type.is_some_and(|found| code(found).starts_with(&code(wanted)))
        });
        let by_time = self.issued.is_none_or(|(first, last)| {
            document.issued.is_some_and(|issued| (first..=last).contains(&issued))
        });
        let by_number = self.document_numbers.as_ref().is_none_or(|numbers| {
            document.document_number.is_some_and(|found| has_number(numbers, &code(found)))
        });
        self.names(signer) && by_type && by_time && by_number
    }

    /// Whether what the entry says of a certificate fits this one.
    #[must_use]
    pub fn names(&self, signer: &X509) -> bool {
        let by_serial = self.issuer_and_serial.as_ref().is_none_or(|(issuer, serial)| {
            comparable_name(issuer) == comparable_name(&signer.issuer) && *serial == signer.serial
        });
        let by_key = self.key_id.is_none() || self.key_id == signer.subject_key_id();
        let by_digest = self.digest.as_ref().is_none_or(|(algorithm, digest)| {
            HashAlgorithm::from_oid(algorithm)
                .is_some_and(|hash| hash.digest(&signer.der) == *digest)
        });
        by_serial && by_key && by_digest
    }

    /// How many document numbers the entry lists.
    #[must_use]
    pub fn number_count(&self) -> usize {
        self.document_numbers.as_deref().map_or(0, |numbers| document_numbers(numbers).count())
    }
}

fn document_numbers(numbers: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(numbers);
    std::iter::from_fn(move || reader.read().ok().map(|number| number.value))
}

fn has_number(numbers: &[u8], wanted: &str) -> bool {
    document_numbers(numbers).any(|number| {
        let end = number.iter().rposition(|b| !matches!(b, b'<' | b' ')).map_or(0, |last| last + 1);
        number.get(..end).unwrap_or_default().eq_ignore_ascii_case(wanted.as_bytes())
    })
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DefectKind {
    /// The document signer is not to be trusted: revoked, on hold, or made for tests.
    CertificateRevoked,
    /// The certificate in the documents is malformed; there is another for the same key.
    CertificateReplaced,
    /// The private keys of Chip Authentication are compromised.
    ChipAuthenticationKeyCompromised,
    /// The private keys of Active Authentication are compromised.
    ActiveAuthenticationKeyCompromised,
    /// A signature of the certificate or of the security object is wrong.
    SignatureWrong,
    /// A certificate is encoded wrongly.
    CertificateEncoding,
    /// A data group is malformed.
    DataGroupMalformed,
    /// The hash of a data group in the security object is wrong.
    DataGroupHashWrong,
    /// The security object is malformed.
    SecurityObjectInvalid,
    /// EF.COM and EF.SOD say different things.
    ComSodDiscrepancy,
    /// A field of the MRZ, or its check digit, is wrong.
    MrzWrong,
    /// EF.CardSecurity or EF.ChipSecurity is malformed.
    CardSecurityMalformed,
    /// The chip cannot be used.
    ChipUnusable,
    /// The chip must be switched off between two protocols.
    PowerDownRequired,
    /// Of the eID application, which is not read here.
    EidApplication,
    /// Of a type that is not known here.
    Other,
}

/// Types of both lists.
const KINDS: [(&str, DefectKind); 26] = [
    ("0.4.0.127.0.7.3.1.5.1.1", DefectKind::CertificateRevoked),
    ("0.4.0.127.0.7.3.1.5.1.2", DefectKind::CertificateReplaced),
    ("0.4.0.127.0.7.3.1.5.1.3", DefectKind::ChipAuthenticationKeyCompromised),
    ("0.4.0.127.0.7.3.1.5.1.4", DefectKind::ActiveAuthenticationKeyCompromised),
    ("0.4.0.127.0.7.3.1.5.2.1", DefectKind::DataGroupMalformed),
    ("0.4.0.127.0.7.3.1.5.2.2", DefectKind::SecurityObjectInvalid),
    ("0.4.0.127.0.7.3.1.5.2.3", DefectKind::ComSodDiscrepancy),
    ("0.4.0.127.0.7.3.1.5.3.1", DefectKind::EidApplication),
    ("0.4.0.127.0.7.3.1.5.3.2", DefectKind::EidApplication),
    ("0.4.0.127.0.7.3.1.5.3.3", DefectKind::EidApplication),
    ("0.4.0.127.0.7.3.1.5.3.4", DefectKind::EidApplication),
    ("0.4.0.127.0.7.3.1.5.4.1", DefectKind::CardSecurityMalformed),
    ("0.4.0.127.0.7.3.1.5.4.2", DefectKind::CardSecurityMalformed),
    ("0.4.0.127.0.7.3.1.5.4.3", DefectKind::PowerDownRequired),
    ("0.4.0.127.0.7.3.1.5.4.4", DefectKind::CertificateEncoding),
    ("2.23.136.1.1.7.1.1", DefectKind::SignatureWrong),
    ("2.23.136.1.1.7.1.2", DefectKind::CertificateEncoding),
    ("2.23.136.1.1.7.1.3", DefectKind::CertificateEncoding),
    ("2.23.136.1.1.7.1.4", DefectKind::ActiveAuthenticationKeyCompromised),
    ("2.23.136.1.1.7.2.1", DefectKind::DataGroupMalformed),
    ("2.23.136.1.1.7.2.2", DefectKind::DataGroupHashWrong),
    ("2.23.136.1.1.7.2.3", DefectKind::SignatureWrong),
    ("2.23.136.1.1.7.2.4", DefectKind::ComSodDiscrepancy),
    ("2.23.136.1.1.7.3.1", DefectKind::MrzWrong),
    ("2.23.136.1.1.7.3.2", DefectKind::MrzWrong),
    ("2.23.136.1.1.7.4", DefectKind::ChipUnusable),
];

impl DefectKind {
    fn of(oid: &ObjectIdentifier) -> Self {
        let oid = oid.to_string();
        KINDS.iter().find(|(known, _)| *known == oid).map_or(Self::Other, |(_, kind)| *kind)
    }

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CertificateRevoked => "certificate_revoked",
            Self::CertificateReplaced => "certificate_replaced",
            Self::ChipAuthenticationKeyCompromised => "chip_authentication_key_compromised",
            Self::ActiveAuthenticationKeyCompromised => "active_authentication_key_compromised",
            Self::SignatureWrong => "signature_wrong",
            Self::CertificateEncoding => "certificate_encoding",
            Self::DataGroupMalformed => "data_group_malformed",
            Self::DataGroupHashWrong => "data_group_hash_wrong",
            Self::SecurityObjectInvalid => "security_object_invalid",
            Self::ComSodDiscrepancy => "com_sod_discrepancy",
            Self::MrzWrong => "mrz_wrong",
            Self::CardSecurityMalformed => "card_security_malformed",
            Self::ChipUnusable => "chip_unusable",
            Self::PowerDownRequired => "power_down_required",
            Self::EidApplication => "eid_application",
            Self::Other => "other",
        }
    }
}

/// A defect of certain documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDefect {
    /// Which documents.
    pub concerned: Concerned,
    /// What is wrong.
    pub kind: DefectKind,
    /// Type of the defect, as the list has it.
    pub oid: ObjectIdentifier,
    /// Numbers that belong to it: of data groups, of a field, or the status of a revocation.
    pub numbers: Vec<u32>,
    /// What the issuer says of it.
    pub description: Option<String>,
}

/// The defects of a deviation list, out of the content that was signed.
///
/// # Errors
/// [`LdsError`].
pub fn decode_deviation_list(content: &[u8]) -> Result<Vec<KnownDefect>, LdsError> {
    let mut fields = Element::parse("deviation list", content)?.expect(tag::SEQUENCE)?.children();
    fields.any()?.small_integer()?;
    let digest = match fields.optional(tag::SEQUENCE)? {
        Some(algorithm) => Some(algorithm.children().any()?.oid()?),
        None => None,
    };
    let deviations = fields.tagged(tag::SET)?.children().all(MAX_ENTRIES)?;
    fields.finish()?;
    let mut defects = Vec::new();
    for deviation in deviations {
        let mut parts = deviation.expect(tag::SEQUENCE)?.children();
        let concerned = deviation_documents(&parts.tagged(tag::SEQUENCE)?, digest)?;
        let descriptions = parts.tagged(tag::SET)?.children().all(MAX_ENTRIES)?;
        parts.finish()?;
        for description in descriptions {
            defects.push(deviation_description(&description, &concerned)?);
            check_count(&defects, &deviation)?;
        }
    }
    Ok(defects)
}

fn check_count(defects: &[KnownDefect], at: &Element<'_>) -> Result<(), LdsError> {
    if defects.len() > MAX_ENTRIES { Err(at.fault("too many defects")) } else { Ok(()) }
}

/// `DeviationDocuments`. The choice within it is tagged implicitly or explicitly, as issuers please.
fn deviation_documents(
    documents: &Element<'_>,
    digest: Option<ObjectIdentifier>,
) -> Result<Concerned, LdsError> {
    let mut concerned = Concerned::default();
    for field in documents.children().all(8)? {
        match field.tag() {
            Tag(0x80 | 0xA0) => concerned.document_type = Some(text(&field)?),
            Tag(0xA1) => {
                let mut parts = field.children();
                let first = parts.any()?;
                let mut inner = first.children();
                // [1] EXPLICIT has the SEQUENCE of both inside; [1] IMPLICIT the name itself.
                let (issuer, serial) = match parts.next_element()? {
                    Some(serial) => (first, serial),
                    None => (inner.any()?, inner.any()?),
                };
                let serial = serial.expect(tag::INTEGER)?.value().to_vec();
                concerned.issuer_and_serial = Some((issuer.raw().to_vec(), serial));
            }
            Tag(0x82 | 0xA2) => concerned.key_id = Some(octets(&field)?),
            Tag(0x83 | 0xA3) => {
                let algorithm =
                    digest.ok_or_else(|| field.fault("digest without its algorithm"))?;
                concerned.digest = Some((algorithm, octets(&field)?));
            }
            Tag(0xA4) => {
                let mut times = field.children();
                concerned.issued = Some((times.any()?.time()?, times.any()?.time()?));
            }
            Tag(0xA5) => concerned.document_numbers = Some(field.value().to_vec()),
            _ => return Err(field.fault("unknown field")),
        }
    }
    Ok(concerned)
}

/// The bytes of an OCTET STRING, tagged implicitly or explicitly.
fn octets(field: &Element<'_>) -> Result<Vec<u8>, LdsError> {
    if field.tag().is_constructed() {
        Ok(field.children().any()?.octets()?.to_vec())
    } else {
        Ok(field.value().to_vec())
    }
}

fn text(field: &Element<'_>) -> Result<String, LdsError> {
    let bytes =
        if field.tag().is_constructed() { field.children().any()?.value() } else { field.value() };
    std::str::from_utf8(bytes).map(ToOwned::to_owned).map_err(|_| field.fault("text is not UTF-8"))
}

fn deviation_description(
    description: &Element<'_>,
    concerned: &Concerned,
) -> Result<KnownDefect, LdsError> {
    let mut fields = description.expect(tag::SEQUENCE)?.children();
    let first = fields.any()?;
    let (words, oid) = match first.tag() {
        tag::OID => (None, first.oid()?),
        _ => (Some(text(&first)?), fields.any()?.oid()?),
    };
    let parameters = fields.optional(Tag(0xA0))?;
    let inner = parameters.map(|p| p.children().any()).transpose()?;
    let numbers = inner.filter(|p| p.tag() == tag::INTEGER);
    let numbers = numbers.iter().map(Element::small_integer).collect::<Result<_, _>>()?;
    let kind = DefectKind::of(&oid);
    Ok(KnownDefect { concerned: concerned.clone(), kind, oid, numbers, description: words })
}

/// The defects of a defect list of BSI TR-03129, out of the content that was signed.
///
/// # Errors
/// [`LdsError`].
pub fn decode_defect_list(content: &[u8]) -> Result<Vec<KnownDefect>, LdsError> {
    let mut fields = Element::parse("defect list", content)?.expect(tag::SEQUENCE)?.children();
    fields.any()?.small_integer()?;
    let hash = fields.any()?;
    let hash = match hash.tag() {
        tag::OID => hash.oid()?,
        _ => hash.expect(tag::SEQUENCE)?.children().any()?.oid()?,
    };
    let entries = fields.tagged(tag::SET)?.children().all(MAX_ENTRIES)?;
    fields.finish()?;
    let mut defects = Vec::new();
    for entry in entries {
        let mut parts = entry.expect(tag::SEQUENCE)?.children();
        let concerned = signer_identifier(&parts.any()?)?;
        let digest = parts.optional(tag::OCTET_STRING)?.map(|d| (hash, d.value().to_vec()));
        let concerned = Concerned { digest, ..concerned };
        for known in parts.tagged(tag::SET)?.children().all(MAX_ENTRIES)? {
            defects.push(known_defect(&known, &concerned)?);
            check_count(&defects, &entry)?;
        }
        parts.finish()?;
    }
    Ok(defects)
}

/// `SignerIdentifier` of CMS.
fn signer_identifier(element: &Element<'_>) -> Result<Concerned, LdsError> {
    let mut concerned = Concerned::default();
    if element.tag() == Tag(0x80) {
        concerned.key_id = Some(element.value().to_vec());
        return Ok(concerned);
    }
    let mut parts = element.expect(tag::SEQUENCE)?.children();
    let issuer = parts.tagged(tag::SEQUENCE)?.raw().to_vec();
    let serial = parts.tagged(tag::INTEGER)?.value().to_vec();
    parts.finish()?;
    concerned.issuer_and_serial = Some((issuer, serial));
    Ok(concerned)
}

/// ENUMERATED.
const ENUMERATED: Tag = Tag(0x0A);

fn known_defect(known: &Element<'_>, concerned: &Concerned) -> Result<KnownDefect, LdsError> {
    let mut fields = known.expect(tag::SEQUENCE)?.children();
    let oid = fields.any()?.oid()?;
    let numbers = match fields.next_element()? {
        Some(parameters) => match parameters.tag() {
            ENUMERATED => vec![enumerated(&parameters)?],
            tag::SET => {
                let numbers = parameters.children().all(32)?;
                numbers.iter().map(Element::small_integer).collect::<Result<_, _>>()?
            }
            // A certificate or file that replaces the one in the documents: it is not used.
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    let kind = DefectKind::of(&oid);
    Ok(KnownDefect { concerned: concerned.clone(), kind, oid, numbers, description: None })
}

fn enumerated(element: &Element<'_>) -> Result<u32, LdsError> {
    match element.value() {
        [value @ 0..=0x7F] => Ok(u32::from(*value)),
        _ => Err(element.fault("malformed ENUMERATED")),
    }
}

/// The content of a defect list of BSI TR-03129 with these defects. What that format cannot say, a
/// description or the type and numbers of documents, is left out.
#[must_use]
pub fn encode_defect_list(hash: HashAlgorithm, defects: &[KnownDefect]) -> Vec<u8> {
    let entries = defects.iter().map(|defect| {
        let concerned = &defect.concerned;
        let signer = match (&concerned.issuer_and_serial, &concerned.key_id) {
            (Some((issuer, serial)), _) => {
                write::sequence(&[issuer, &encode(tag::INTEGER, serial)])
            }
            (None, id) => encode(Tag(0x80), id.as_deref().unwrap_or_default()),
        };
        let digest = concerned.digest.as_ref().map(|(_, digest)| write::octets(digest));
        let parameters = match (defect.kind, &defect.numbers[..]) {
            (DefectKind::CertificateRevoked, numbers) => {
                encode(ENUMERATED, &[numbers.first().map_or(0, |n| *n as u8)])
            }
            (_, []) => Vec::new(),
            (_, numbers) => write::set_of(numbers.iter().map(|n| write::integer(*n)).collect()),
        };
        let known = write::sequence(&[&write::oid(&defect.oid), &parameters]);
        write::sequence(&[&signer, &digest.unwrap_or_default(), &write::set_of(vec![known])])
    });
    write::sequence(&[
        &write::integer(0),
        &write::oid(&hash.oid()),
        &write::set_of(entries.collect()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::country_name;
    use proptest::prelude::*;

    /// The content of the deviation list that Germany published in November 2018.
    const GERMAN: &str = "3081bd020100300706052b0e03021a3181ae3081ab3057a155304f310b3009060355040613\
        024445310d300b060355040a0c0462756e64310c300a060355040b0c03627369310c300a06035504051303303133\
        3115301306035504030c0c637363612d6765726d616e790202014231503\
        04e133d436f756e747279206e616d6520697320656e636f646564206173205554462d3820696e7374656164206f\
        66205072696e7461626c6520537472696e672e0608678108010107010\
        2a003020100";

    #[test]
    fn reads_the_published_deviation_list() {
        let defects = decode_deviation_list(&hex::decode(GERMAN).unwrap()).unwrap();
        let [defect] = &defects[..] else { panic!("{defects:?}") };
        assert_eq!(defect.kind, DefectKind::CertificateEncoding);
        let description = "Country name is encoded as UTF-8 instead of Printable String.";
        assert_eq!(defect.description.as_deref(), Some(description));
        let (issuer, serial) = defect.concerned.issuer_and_serial.as_ref().unwrap();
        assert_eq!(crate::lds::country_of_name(issuer).as_deref(), Some("DE"));
        assert_eq!((&serial[..], &defect.numbers[..]), (&[1, 0x42][..], &[0][..]));
    }

    fn defect(kind: &str, numbers: &[u32]) -> KnownDefect {
        let oid = ObjectIdentifier::new_unwrap(kind);
        let name = country_name("VN", "Specimen", "CSCA");
        let concerned =
            Concerned { issuer_and_serial: Some((name, vec![0, 0x80])), ..Concerned::default() };
        let kind = DefectKind::of(&oid);
        KnownDefect { concerned, kind, oid, numbers: numbers.to_vec(), description: None }
    }

    #[test]
    fn reads_back_a_defect_list() {
        let by_key = Concerned { key_id: Some(vec![7; 20]), ..Concerned::default() };
        let defects = [
            defect("0.4.0.127.0.7.3.1.5.1.1", &[4]),
            defect("0.4.0.127.0.7.3.1.5.2.1", &[2, 14]),
            KnownDefect { concerned: by_key, ..defect("0.4.0.127.0.7.3.1.5.2.3", &[]) },
        ];
        let mut read =
            decode_defect_list(&encode_defect_list(HashAlgorithm::Sha256, &defects)).unwrap();
        read.sort_by_key(|defect| defect.kind);
        assert_eq!(read, defects);
    }

    #[test]
    fn document_numbers_are_compared_without_fillers() {
        let numbers = [&[0x13, 9][..], b"CA00000AL", &[0x13, 3], b"X1<"].concat();
        for (wanted, found) in
            [("CA00000AL", true), ("ca00000al", true), ("X1", true), ("X", false)]
        {
            assert_eq!(has_number(&numbers, wanted), found, "{wanted}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_on_altered_lists(place in any::<prop::sample::Index>(), bits in 1..=255u8) {
            let mut bytes = hex::decode(GERMAN).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= bits;
            let _ = decode_deviation_list(&bytes);
            let _ = decode_defect_list(&bytes);
        }
    }
}
