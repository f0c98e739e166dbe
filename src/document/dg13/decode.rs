//! Reading DG13 under limits.

use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use super::{
    Dg13, Dg13Error, Dg13Field, Element, MAX_LENGTH, StringType, TAG_DG13, TAG_INTEGER, TAG_OID,
    TAG_PRINTABLE, TAG_SEQUENCE, TAG_SET, TAG_UTF8,
};
use crate::apdu::tlv::{Reader, Tlv};

/// SEQUENCEs in SEQUENCEs that are still taken apart: two more than any shape of a field needs.
const MAX_NESTING: usize = 4;

pub(super) fn decode(bytes: &[u8]) -> Result<Dg13, Dg13Error> {
    if bytes.len() > MAX_LENGTH {
        return Err(Dg13Error::TooLong { length: bytes.len() });
    }
    let mut file = Reader::new(bytes);
    let outer = file.read_tag(TAG_DG13)?;
    let trailing = bytes.len() - outer.raw.len();

    let mut content = outer.children();
    let sequence = content.read_tag(TAG_SEQUENCE)?;
    content.finish()?;

    let mut members = sequence.children();
    let version = members.read_tag(TAG_INTEGER)?;
    let version = integer(version.value).ok_or(Dg13Error::Version { offset: version.offset })?;
    let oid = members.read_tag(TAG_OID)?;
    let oid = ObjectIdentifier::from_bytes(oid.value)
        .map_err(|_| Dg13Error::Oid { offset: oid.offset })?;
    let set = members.read_tag(TAG_SET)?;
    members.finish()?;

    let mut fields = Vec::new();
    let mut reader = set.children();
    while let Some(member) = reader.read_optional()? {
        fields.push(field(&member));
    }
    Ok(Dg13 { raw: Zeroizing::new(bytes.to_vec()), version, oid, fields, trailing })
}

/// A non-negative INTEGER of up to four bytes.
fn integer(value: &[u8]) -> Option<u32> {
    let (first, _) = value.split_first()?;
    if first & 0x80 != 0 || value.len() > 4 {
        return None;
    }
    Some(value.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn field(member: &Tlv<'_>) -> Dg13Field {
    let offset = member.offset;
    numbered(member).unwrap_or_else(|| Dg13Field {
        number: None,
        elements: vec![element(member, 0)],
        offset,
    })
}

fn numbered(member: &Tlv<'_>) -> Option<Dg13Field> {
    let sequence = member.expect(TAG_SEQUENCE).ok()?;
    let mut children = sequence.children();
    let number = integer(children.read_tag(TAG_INTEGER).ok()?.value)?;
    let mut elements = Vec::new();
    while let Some(child) = children.read_optional().ok()? {
        elements.push(element(&child, 0));
    }
    Some(Dg13Field { number: Some(number), elements, offset: member.offset })
}

fn element(tlv: &Tlv<'_>, depth: usize) -> Element {
    match tlv.tag {
        TAG_UTF8 => Element::Text { string: StringType::Utf8, bytes: tlv.value.to_vec() },
        TAG_PRINTABLE => Element::Text { string: StringType::Printable, bytes: tlv.value.to_vec() },
        TAG_SEQUENCE if depth < MAX_NESTING => sequence(tlv, depth).unwrap_or_else(|| other(tlv)),
        _ => other(tlv),
    }
}

fn other(tlv: &Tlv<'_>) -> Element {
    Element::Other { tag: tlv.tag, value: tlv.value.to_vec() }
}

/// `None` when the content is no sequence of data objects: it is then kept as bytes.
fn sequence(tlv: &Tlv<'_>, depth: usize) -> Option<Element> {
    let mut elements = Vec::new();
    let mut children = tlv.children();
    while let Some(child) = children.read_optional().ok()? {
        elements.push(element(&child, depth + 1));
    }
    Some(Element::Sequence(elements))
}
