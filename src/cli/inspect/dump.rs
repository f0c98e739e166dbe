//! Data objects as a tree, with the names that are known for their tags.

use serde_json::{Map, Value, json};

use crate::apdu::tlv::{MAX_DEPTH, Reader, Tag, Tlv};
use crate::cli::inspect::certificate::oid_name;
use crate::lds::{DgNumber, Element, tag};

/// Most data objects shown.
const MAX_OBJECTS: usize = 4_096;
/// Most bytes of a value shown.
const MAX_SHOWN: usize = 64;

/// Names of tags that mean the same wherever they stand in the files of a document.
const NAMES: &[(u32, &str)] = &[
    (0x01, "BOOLEAN"),
    (0x02, "INTEGER"),
    (0x03, "BIT STRING"),
    (0x04, "OCTET STRING"),
    (0x05, "NULL"),
    (0x06, "OBJECT IDENTIFIER"),
    (0x0C, "UTF8String"),
    (0x13, "PrintableString"),
    (0x16, "IA5String"),
    (0x17, "UTCTime"),
    (0x18, "GeneralizedTime"),
    (0x30, "SEQUENCE"),
    (0x31, "SET"),
    (0x42, "Certification Authority Reference"),
    (0x4F, "Application identifier"),
    (0x53, "Discretionary data"),
    (0x5C, "Tag list"),
    (0x5F01, "LDS version"),
    (0x5F0E, "Full name"),
    (0x5F1F, "MRZ"),
    (0x5F20, "Certificate Holder Reference"),
    (0x5F24, "Certificate Expiration Date"),
    (0x5F25, "Certificate Effective Date"),
    (0x5F29, "Certificate Profile Identifier"),
    (0x5F2E, "Biometric data block"),
    (0x5F36, "Unicode version"),
    (0x5F37, "Signature"),
    (0x60, "EF.COM"),
    (0x65, "Certificate Extensions"),
    (0x67, "Authentication"),
    (0x73, "Discretionary data template"),
    (0x77, "EF.SOD"),
    (0x7F21, "CV Certificate"),
    (0x7F2E, "Biometric data block"),
    (0x7F49, "Public Key"),
    (0x7F4C, "Certificate Holder Authorization Template"),
    (0x7F4E, "Certificate Body"),
    (0x7F60, "Biometric information template"),
    (0x7F61, "Biometric information group template"),
];

/// All data objects in the bytes; what cannot be read ends the list with `malformed`.
pub(super) fn dump(bytes: &[u8]) -> Value {
    let mut left = MAX_OBJECTS;
    Value::Array(objects(Reader::new(bytes), 0, &mut left))
}

fn objects(mut reader: Reader<'_>, depth: usize, left: &mut usize) -> Vec<Value> {
    let mut found = Vec::new();
    while *left > 0 {
        match reader.read_optional() {
            Ok(Some(tlv)) => {
                *left -= 1;
                found.push(object(&tlv, depth, left));
            }
            Ok(None) => return found,
            Err(error) => {
                found.push(json!({ "offset": error.offset, "malformed": error.to_string() }));
                return found;
            }
        }
    }
    found
}

fn object(tlv: &Tlv<'_>, depth: usize, left: &mut usize) -> Value {
    let mut object = Map::new();
    object.insert("tag".into(), json!(tlv.tag.to_string()));
    if let Some(name) = name(tlv.tag, depth) {
        object.insert("name".into(), json!(name));
    }
    object.insert("offset".into(), json!(tlv.offset));
    object.insert("length".into(), json!(tlv.value.len()));
    if tlv.tag.is_constructed() && depth < MAX_DEPTH {
        object.insert("objects".into(), json!(objects(tlv.children(), depth + 1, left)));
    } else {
        let shown = tlv.value.get(..MAX_SHOWN).unwrap_or(tlv.value);
        object.insert("hex".into(), json!(hex::encode_upper(shown)));
        if let Some(meaning) = meaning(tlv) {
            object.insert("meaning".into(), json!(meaning));
        }
    }
    Value::Object(object)
}

fn name(tag: Tag, depth: usize) -> Option<String> {
    if depth == 0
        && let Some(number) = DgNumber::from_tag(tag).filter(|n| n.get() != 7)
    {
        return Some(number.file().name());
    }
    NAMES.iter().find(|(number, _)| *number == tag.0).map(|(_, name)| (*name).to_owned())
}

/// What a value says, where its type tells.
fn meaning(tlv: &Tlv<'_>) -> Option<String> {
    match tlv.tag {
        tag::OID => Element::parse("", tlv.raw).ok()?.oid().ok().map(|oid| oid_name(&oid)),
        Tag(0x5F24 | 0x5F25) => match tlv.value {
            [y1, y2, m1, m2, d1, d2] if tlv.value.iter().all(|d| *d < 10) => {
                Some(format!("20{y1}{y2}-{m1}{m2}-{d1}{d2}"))
            }
            _ => None,
        },
        Tag(
            0x0C | 0x13 | 0x16 | 0x17 | 0x18 | 0x42 | 0x5F20 | 0x5F01 | 0x5F36 | 0x5F0E | 0x5F1F,
        ) => {
            let shown = tlv.value.get(..MAX_SHOWN * 2).unwrap_or(tlv.value);
            std::str::from_utf8(shown).ok().map(ToOwned::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_the_parts_of_a_cv_certificate() {
        let bytes = include_bytes!("../../../testvectors/cvc/dv_cert_19.cvcert");
        let text = dump(bytes).to_string();
        for part in ["CV Certificate", "DETESTCVCA00003", "DETESTDVDE019", "id-TA", "20"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn says_where_it_breaks_off() {
        let value = dump(&[0x30, 0x03, 0x02, 0x01, 0x07, 0x04, 0x05]);
        assert_eq!(value[1]["offset"], 5);
        assert!(value[1]["malformed"].is_string());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = dump(&bytes);
        }

        #[test]
        fn follows_no_endless_nesting(depth in 1usize..2_000) {
            let mut bytes = Vec::new();
            for _ in 0..depth {
                bytes = crate::apdu::tlv::encode(Tag(0x30), &bytes);
            }
            prop_assert!(dump(&bytes).is_array());
        }
    }
}
