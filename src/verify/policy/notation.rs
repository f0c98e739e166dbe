//! How policies name what they accept: by the field's own short names, exactly.

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use serde::{Deserialize, Deserializer, de::Error};

use super::{ActiveAuthenticationAlgorithm, ChipProof};
use crate::lds::{KeyAgreement, Mapping};

/// Something that a policy lists.
pub(super) trait Named: Copy + PartialEq + 'static {
    const ALL: &'static [Self];
    fn label(self) -> &'static str;
}

impl Named for Mapping {
    const ALL: &'static [Self] = &[Self::Generic, Self::Integrated, Self::ChipAuthentication];
    fn label(self) -> &'static str {
        self.name()
    }
}

impl Named for KeyAgreement {
    const ALL: &'static [Self] = &[Self::Ecdh, Self::Dh];
    fn label(self) -> &'static str {
        self.name()
    }
}

impl Named for BlockCipher {
    const ALL: &'static [Self] = &[Self::Tdes, Self::Aes128, Self::Aes192, Self::Aes256];
    fn label(self) -> &'static str {
        self.name()
    }
}

impl Named for Curve {
    const ALL: &'static [Self] = &Curve::ALL;
    fn label(self) -> &'static str {
        self.name()
    }
}

impl Named for HashAlgorithm {
    const ALL: &'static [Self] = &HashAlgorithm::ALL;
    fn label(self) -> &'static str {
        self.name()
    }
}

impl Named for ActiveAuthenticationAlgorithm {
    const ALL: &'static [Self] = &[Self::Ecdsa, Self::Rsa];
    fn label(self) -> &'static str {
        match self {
            Self::Ecdsa => "ECDSA",
            Self::Rsa => "RSA",
        }
    }
}

impl Named for ChipProof {
    const ALL: &'static [Self] =
        &[Self::ChipAuthentication, Self::PaceCam, Self::ActiveAuthentication];
    fn label(self) -> &'static str {
        match self {
            Self::ChipAuthentication => "CA",
            Self::PaceCam => "PACE-CAM",
            Self::ActiveAuthentication => "AA",
        }
    }
}

/// A list of names, each once, at least one.
pub(super) fn list<'de, D: Deserializer<'de>, T: Named>(d: D) -> Result<Vec<T>, D::Error> {
    let list = list_or_none(d)?;
    if list.is_empty() { Err(D::Error::custom("an empty list accepts nothing")) } else { Ok(list) }
}

/// A list of names, each once.
pub(super) fn list_or_none<'de, D: Deserializer<'de>, T: Named>(d: D) -> Result<Vec<T>, D::Error> {
    let mut list = Vec::new();
    for name in Vec::<String>::deserialize(d)? {
        let found = T::ALL.iter().find(|item| item.label() == name).copied();
        let item = found.ok_or_else(|| {
            let known: Vec<_> = T::ALL.iter().map(|item| item.label()).collect();
            let name: String = name.chars().take(40).collect();
            D::Error::custom(format!("{name:?} is none of {}", known.join(", ")))
        })?;
        if list.contains(&item) {
            return Err(D::Error::custom(format!("{} stands twice", item.label())));
        }
        list.push(item);
    }
    Ok(list)
}
