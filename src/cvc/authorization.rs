//! Certificate Holder Authorization Template: role and rights (BSI TR-03110-3 §C.4, ICAO 9303-11
//! §7.1.5).

use const_oid::ObjectIdentifier;

use super::{CvcError, DISCRETIONARY, HOLDER_AUTHORIZATION, OBJECT_IDENTIFIER};
use crate::apdu::tlv::{Tlv, encode};

/// What kind of terminal the template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalType {
    /// id-IS: inspection system, which reads travel documents.
    InspectionSystem,
    /// id-AT: authentication terminal.
    Authentication,
    /// id-ST: signature terminal.
    Signature,
    /// Any other; kept as its object identifier.
    Other(ObjectIdentifier),
}

const TYPES: [(TerminalType, ObjectIdentifier, usize); 3] = [
    (TerminalType::InspectionSystem, ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.2.1"), 1),
    (TerminalType::Authentication, ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.2.2"), 5),
    (TerminalType::Signature, ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.2.3"), 1),
];

/// Longest relative authorization in bytes.
const MAX_BYTES: usize = 32;

/// The holder's role: the two highest bits of the relative authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Country Verifying Certification Authority.
    Cvca,
    /// Document verifier of the CVCA's own country.
    DomesticDv,
    /// Document verifier of another country.
    ForeignDv,
    /// A terminal.
    Terminal,
}

impl Role {
    /// Short name: `CVCA`, `domestic DV`, `foreign DV`, `terminal`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cvca => "CVCA",
            Self::DomesticDv => "domestic DV",
            Self::ForeignDv => "foreign DV",
            Self::Terminal => "terminal",
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Cvca => 0xC0,
            Self::DomesticDv => 0x80,
            Self::ForeignDv => 0x40,
            Self::Terminal => 0x00,
        }
    }

    /// Whether a holder with this role may issue a certificate with the other.
    #[must_use]
    pub const fn may_issue(self, other: Self) -> bool {
        match self {
            // A CVCA certifies its own next key by a link certificate.
            Self::Cvca => !matches!(other, Self::Terminal),
            Self::DomesticDv | Self::ForeignDv => matches!(other, Self::Terminal),
            Self::Terminal => false,
        }
    }
}

/// Rights of an inspection system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    /// Read DG3, the fingerprints.
    pub dg3: bool,
    /// Read DG4, the iris.
    pub dg4: bool,
}

impl Rights {
    /// Both.
    pub const ALL: Self = Self { dg3: true, dg4: true };

    const fn from_byte(byte: u8) -> Self {
        Self { dg3: byte & 0x01 != 0, dg4: byte & 0x02 != 0 }
    }

    const fn to_byte(self) -> u8 {
        self.dg3 as u8 | (self.dg4 as u8) << 1
    }

    /// What both give.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { dg3: self.dg3 && other.dg3, dg4: self.dg4 && other.dg4 }
    }

    /// Whether the other has nothing that this has not.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        (self.dg3 || !other.dg3) && (self.dg4 || !other.dg4)
    }
}

/// Certificate Holder Authorization Template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// Kind of terminal.
    pub terminal_type: TerminalType,
    /// Relative authorization as it stands.
    bytes: Vec<u8>,
}

impl Chat {
    /// The template of an inspection system's chain.
    #[must_use]
    pub fn inspection_system(role: Role, rights: Rights) -> Self {
        let bytes = vec![role.bits() | rights.to_byte()];
        Self { terminal_type: TerminalType::InspectionSystem, bytes }
    }

    pub(super) fn decode(template: &Tlv<'_>) -> Result<Self, CvcError> {
        let fault = |what| CvcError::field("holder authorization", what);
        let mut children = template.children();
        let oid = children.read_tag(OBJECT_IDENTIFIER)?.value;
        let bytes = children.read_tag(DISCRETIONARY)?.value.to_vec();
        children.finish()?;
        let oid = ObjectIdentifier::from_bytes(oid)
            .map_err(|_| fault("the kind of terminal is no object identifier"))?;
        let known = TYPES.iter().find(|(_, known, _)| *known == oid);
        let terminal_type = known.map_or(TerminalType::Other(oid), |(kind, ..)| *kind);
        let right_length = known.is_none_or(|(_, _, length)| bytes.len() == *length);
        if bytes.is_empty() || bytes.len() > MAX_BYTES || !right_length {
            return Err(fault("the relative authorization has the wrong length"));
        }
        Ok(Self { terminal_type, bytes })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let known = TYPES.iter().find(|(kind, ..)| *kind == self.terminal_type);
        let oid = match self.terminal_type {
            TerminalType::Other(oid) => oid,
            _ => known.map_or(TYPES[0].1, |(_, oid, _)| *oid),
        };
        let mut value = encode(OBJECT_IDENTIFIER, oid.as_bytes());
        value.extend(encode(DISCRETIONARY, &self.bytes));
        encode(HOLDER_AUTHORIZATION, &value)
    }

    /// Relative authorization: role in the two highest bits, rights in the others.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Role.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.bytes.first().copied().unwrap_or_default() & 0xC0 {
            0xC0 => Role::Cvca,
            0x80 => Role::DomesticDv,
            0x40 => Role::ForeignDv,
            _ => Role::Terminal,
        }
    }

    /// Rights of an inspection system; none for any other kind of terminal.
    #[must_use]
    pub fn rights(&self) -> Rights {
        match (self.terminal_type, self.bytes.as_slice()) {
            (TerminalType::InspectionSystem, [byte]) => Rights::from_byte(*byte),
            _ => Rights::default(),
        }
    }
}
