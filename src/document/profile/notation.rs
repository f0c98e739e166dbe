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

/// Several values in hexadecimal digits.
pub(crate) mod hex_list {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(values: &[Vec<u8>], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().map(hex::encode_upper))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let values = Vec::<String>::deserialize(d)?;
        let values = values.iter().map(hex::decode).collect::<Result<_, _>>();
        values.map_err(|_| D::Error::custom("hexadecimal digits are needed"))
    }
}

/// Curves by name.
pub(crate) mod curve {
    use cancuoc_primitives::curve::Curve;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<S: Serializer>(curve: &Curve, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(curve.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Curve, D::Error> {
        let name = String::deserialize(d)?;
        let known = || Curve::ALL.map(Curve::name).join(", ");
        Curve::from_name(&name)
            .ok_or_else(|| D::Error::custom(format!("no such curve; there are {}", known())))
    }
}

/// Curves by name, where there may be none.
pub(crate) mod curve_option {
    use cancuoc_primitives::curve::Curve;
    use serde::{Deserializer, Serializer};

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<S: Serializer>(curve: &Option<Curve>, s: S) -> Result<S::Ok, S::Error> {
        match curve {
            Some(curve) => super::curve::serialize(curve, s),
            None => s.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Curve>, D::Error> {
        // Where the key is absent this is not called, and TOML has no null.
        super::curve::deserialize(d).map(Some)
    }
}

/// Protocols by dotted object identifier or by the name that ICAO 9303-11 gives it.
pub(crate) mod protocol {
    use cancuoc_primitives::cipher::BlockCipher;
    use const_oid::ObjectIdentifier;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::lds::oids;
    use crate::lds::{ChipAuthenticationInfo, KeyAgreement, Mapping, PaceProtocol};

    const CIPHERS: [(&str, BlockCipher); 4] = [
        ("3DES-CBC-CBC", BlockCipher::Tdes),
        ("AES-CBC-CMAC-128", BlockCipher::Aes128),
        ("AES-CBC-CMAC-192", BlockCipher::Aes192),
        ("AES-CBC-CMAC-256", BlockCipher::Aes256),
    ];
    const MAPPINGS: [(&str, KeyAgreement, Mapping, u32); 5] = [
        ("DH-GM", KeyAgreement::Dh, Mapping::Generic, 1),
        ("ECDH-GM", KeyAgreement::Ecdh, Mapping::Generic, 2),
        ("DH-IM", KeyAgreement::Dh, Mapping::Integrated, 3),
        ("ECDH-IM", KeyAgreement::Ecdh, Mapping::Integrated, 4),
        ("ECDH-CAM", KeyAgreement::Ecdh, Mapping::ChipAuthentication, 6),
    ];

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
        let oid = by_name(&text).or_else(|| ObjectIdentifier::new(&text).ok());
        oid.ok_or_else(|| D::Error::custom("neither a protocol nor an object identifier"))
    }

    fn by_name(name: &str) -> Option<ObjectIdentifier> {
        let cipher = |name: &str| CIPHERS.into_iter().find(|(n, _)| *n == name).map(|(_, c)| c);
        if let Some(rest) = name.strip_prefix("id-CA-") {
            let (agreement, rest) = match rest.strip_prefix("ECDH-") {
                Some(rest) => (KeyAgreement::Ecdh, rest),
                None => (KeyAgreement::Dh, rest.strip_prefix("DH-")?),
            };
            return Some(ChipAuthenticationInfo::protocol_oid(agreement, cipher(rest)?));
        }
        let rest = name.strip_prefix("id-PACE-")?;
        MAPPINGS.into_iter().find_map(|(mapping_name, agreement, mapping, arc)| {
            match rest.strip_prefix(mapping_name)? {
                "" => oids::ID_PACE.push_arc(arc).ok(),
                rest => {
                    let cipher = cipher(rest.strip_prefix('-')?)?;
                    Some(PaceProtocol { agreement, mapping, cipher }.oid())
                }
            }
        })
    }
}

/// One table, or an array of them.
pub(crate) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    use core::marker::PhantomData;
    use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
    use serde::de::{Deserialize, MapAccess, SeqAccess, Visitor};

    struct OneOrMany<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("a table or an array of tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }

    deserializer.deserialize_any(OneOrMany(PhantomData))
}

/// What a switch is when nothing is said.
pub(crate) const fn yes() -> bool {
    true
}

/// Version of Chip Authentication when nothing is said.
pub(crate) const fn one() -> u8 {
    1
}

/// Version of PACE when nothing is said.
pub(crate) const fn two() -> u8 {
    2
}
