//! How profiles write identifiers.

/// Object identifiers as dotted text.
pub(crate) mod oid_text {
    use const_oid::ObjectIdentifier;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        oid: &ObjectIdentifier,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_str(oid)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<ObjectIdentifier, D::Error> {
        let text = String::deserialize(d)?;
        ObjectIdentifier::new(&text).map_err(|_| D::Error::custom("not an object identifier"))
    }
}

/// File identifiers as four hexadecimal digits.
pub(crate) mod hex_u16 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<S: Serializer>(value: &u16, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{value:04X}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u16, D::Error> {
        let text = String::deserialize(d)?;
        let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u16::from_str_radix(&text, 16).ok().filter(|_| digits);
        value.ok_or_else(|| D::Error::custom("four hexadecimal digits are needed"))
    }
}

/// Short file identifiers as two hexadecimal digits.
pub(crate) mod hex_u8_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<S: Serializer>(value: &Option<u8>, s: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => s.collect_str(&format_args!("{value:02X}")),
            None => s.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u8>, D::Error> {
        let Some(text) = Option::<String>::deserialize(d)? else { return Ok(None) };
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u8::from_str_radix(&text, 16).ok().filter(|_| digits);
        value.map(Some).ok_or_else(|| D::Error::custom("two hexadecimal digits are needed"))
    }
}

/// Bytes as hexadecimal digits.
pub(crate) mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode_upper(value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(d)?;
        hex::decode(text).map_err(|_| D::Error::custom("hexadecimal digits are needed"))
    }
}
