//! Names of certificates (X.501): their text, their country, and whether two are the same.

use const_oid::ObjectIdentifier;

use super::{Element, tag};

/// Most attributes of a name that are read.
const MAX_ATTRIBUTES: usize = 32;

/// Types of attributes with their usual letters (RFC 4519).
const LETTERS: [(&str, &str); 9] = [
    ("2.5.4.6", "C"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.5", "serialNumber"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");

/// The attributes of a name in their order, or nothing where it is malformed.
fn attributes(name: &[u8]) -> Option<Vec<(ObjectIdentifier, Element<'_>)>> {
    let sets = Element::parse("name", name).ok()?.expect(tag::SEQUENCE).ok()?;
    let mut found = Vec::new();
    for set in sets.children().all(MAX_ATTRIBUTES).ok()? {
        for pair in set.children().all(MAX_ATTRIBUTES).ok()? {
            let mut parts = pair.children();
            found.push((parts.any().ok()?.oid().ok()?, parts.any().ok()?));
        }
    }
    Some(found)
}

/// The text of a string of any of ASN.1's types; nothing for another type or broken text.
fn text(value: &Element<'_>) -> Option<String> {
    let bytes = value.value();
    match value.tag().0 {
        0x0C | 0x12 | 0x13 | 0x16 => std::str::from_utf8(bytes).ok().map(ToOwned::to_owned),
        // TeletexString, as Latin-1: what those who still write it mean by it.
        0x14 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        0x1C => {
            let quads = bytes.chunks(4).map(|c| c.iter().fold(0, |n, b| n << 8 | u32::from(*b)));
            quads.map(char::from_u32).collect()
        }
        0x1E => {
            let pairs = bytes.chunks(2).map(|c| c.iter().fold(0, |n, b| n << 8 | u16::from(*b)));
            char::decode_utf16(pairs).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

fn text_or_hexadecimal(value: &Element<'_>) -> String {
    text(value).unwrap_or_else(|| format!("#{}", hex::encode_upper(value.raw())))
}

/// A name for people, in the order it is written in: `C=VN, O=Specimen, CN=CSCA`; its bytes where it
/// is malformed.
#[must_use]
pub fn name_text(name: &[u8]) -> String {
    let Some(attributes) = attributes(name) else { return format!("#{}", hex::encode_upper(name)) };
    let parts = attributes.iter().map(|(oid, value)| {
        let oid = oid.to_string();
        let letters =
            LETTERS.iter().find(|(number, _)| *number == oid).map(|(_, letters)| *letters);
        format!("{}={}", letters.unwrap_or(&oid), text_or_hexadecimal(value))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// The two letters of a name's country in upper case, if it has one.
#[must_use]
pub fn country_of_name(name: &[u8]) -> Option<String> {
    let attributes = attributes(name)?;
    let (_, country) = attributes.iter().find(|(oid, _)| *oid == COUNTRY)?;
    text(country).map(|country| country.to_ascii_uppercase())
}

/// What is the same for names that mean the same: neither the type of a string nor upper and lower
/// case nor the number of spaces tells them apart (RFC 5280 §7.1). A malformed name is its bytes.
#[must_use]
pub fn comparable_name(name: &[u8]) -> Vec<u8> {
    let Some(attributes) = attributes(name) else { return name.to_vec() };
    let mut comparable = Vec::with_capacity(name.len());
    for (oid, value) in attributes {
        let text = text_or_hexadecimal(&value).to_lowercase();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // With its length before it no part can run into the next.
        for part in [oid.as_bytes(), text.as_bytes()] {
            comparable.extend_from_slice(&part.len().to_be_bytes());
            comparable.extend_from_slice(part);
        }
    }
    comparable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apdu::tlv::{Tag, encode};
    use crate::lds::write;
    use proptest::prelude::*;

    fn name(parts: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let part = |(oid, string, text): &(&str, u32, &[u8])| {
            let oid = write::oid(&ObjectIdentifier::new_unwrap(oid));
            write::set_of(vec![write::sequence(&[&oid, &encode(Tag(*string), text)])])
        };
        write::sequence(&[&parts.iter().flat_map(part).collect::<Vec<u8>>()])
    }

    #[test]
    fn writes_a_name_in_its_order() {
        let name = name(&[("2.5.4.6", 0x13, b"vn"), ("2.5.4.3", 0x1E, &[0x1E, 0xC0])]);
        assert_eq!(name_text(&name), "C=vn, CN=\u{1EC0}");
        assert_eq!(country_of_name(&name).as_deref(), Some("VN"));
    }

    #[test]
    fn compares_names_by_what_they_mean() {
        let one = name(&[("2.5.4.6", 0x13, b"NL"), ("2.5.4.3", 0x13, b"CSCA  nl")]);
        let other = name(&[("2.5.4.6", 0x0C, b"nl"), ("2.5.4.3", 0x0C, b" csca NL")]);
        let third = name(&[("2.5.4.6", 0x13, b"NL"), ("2.5.4.3", 0x13, b"CSCAnl")]);
        assert_eq!(comparable_name(&one), comparable_name(&other));
        assert_ne!(comparable_name(&one), comparable_name(&third));
    }

    #[test]
    fn an_attribute_cannot_be_moved_into_the_text_of_another() {
        let one = name(&[("2.5.4.3", 0x0C, b"a"), ("2.5.4.3", 0x0C, b"b")]);
        let other = name(&[("2.5.4.3", 0x0C, b"a\0\x55\x04\x03\0b")]);
        assert_ne!(comparable_name(&one), comparable_name(&other));
    }

    proptest! {
        #[test]
        fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = (name_text(&bytes), country_of_name(&bytes), comparable_name(&bytes));
        }
    }
}
