//! SecurityInfos: the protocols and keys that a chip announces in EF.CardAccess, DG14 and
//! EF.CardSecurity (ICAO 9303-11 §9.2, BSI TR-03110-3 §A.1.1).

use cancuoc_primitives::cipher::BlockCipher;
use const_oid::ObjectIdentifier;

use super::{Element, LdsError, tag, write};
use crate::apdu::tlv::encode;

/// Most security infos that are read from one file.
const MAX_INFOS: usize = 64;
/// Most keys of Chip Authentication among them: to find out that a key's own prime field is none takes
/// long, and no chip has so many.
const MAX_KEYS: usize = 8;

/// Object identifiers of protocols.
pub mod oids {
    use const_oid::ObjectIdentifier;

    /// id-PK: public keys for Chip Authentication.
    pub const ID_PK: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.1");
    /// id-TA: Terminal Authentication.
    pub const ID_TA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2");
    /// id-CA: Chip Authentication.
    pub const ID_CA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.3");
    /// id-PACE.
    pub const ID_PACE: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.4");
    /// id-icao-mrtd-security-aaProtocolObject: Active Authentication.
    pub const ID_AA: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.5");
}

/// How two keys agree on a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAgreement {
    /// Diffie-Hellman over a prime field.
    Dh,
    /// Diffie-Hellman over an elliptic curve.
    Ecdh,
}

/// How PACE maps the nonce to a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mapping {
    /// Generic Mapping.
    Generic,
    /// Integrated Mapping.
    Integrated,
    /// Chip Authentication Mapping.
    ChipAuthentication,
}

impl Mapping {
    /// Short name: `GM`, `IM`, `CAM`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "GM",
            Self::Integrated => "IM",
            Self::ChipAuthentication => "CAM",
        }
    }
}

/// A variant of PACE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PaceProtocol {
    /// Key agreement.
    pub agreement: KeyAgreement,
    /// Mapping.
    pub mapping: Mapping,
    /// Cipher of the session keys.
    pub cipher: BlockCipher,
}

/// PACEInfo (ICAO 9303-11 §9.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaceInfo {
    /// Protocol.
    pub protocol: PaceProtocol,
    /// Version: 2.
    pub version: u32,
    /// Domain parameters: standardised ones 0 to 31, or the identifier of explicit ones.
    pub parameter_id: Option<u32>,
}

/// PACEDomainParameterInfo (ICAO 9303-11 §9.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaceDomainParameterInfo {
    /// Key agreement.
    pub agreement: KeyAgreement,
    /// Mapping.
    pub mapping: Mapping,
    /// AlgorithmIdentifier with the parameters in DER, as read.
    pub parameters: Vec<u8>,
    /// Identifier by which a PACEInfo names them.
    pub parameter_id: Option<u32>,
}

/// ChipAuthenticationInfo (ICAO 9303-11 §9.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipAuthenticationInfo {
    /// Key agreement.
    pub agreement: KeyAgreement,
    /// Cipher of the session keys.
    pub cipher: BlockCipher,
    /// Version: 1.
    pub version: u32,
    /// Identifier of the key, where there are several: the content bytes of the INTEGER.
    pub key_id: Option<Vec<u8>>,
}

/// ChipAuthenticationPublicKeyInfo (ICAO 9303-11 §9.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipAuthenticationPublicKeyInfo {
    /// Key agreement.
    pub agreement: KeyAgreement,
    /// SubjectPublicKeyInfo in DER, as read.
    pub spki: Vec<u8>,
    /// Identifier of the key, where there are several.
    pub key_id: Option<Vec<u8>>,
}

/// What a security info says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecurityInfoKind {
    /// A PACE variant.
    Pace(PaceInfo),
    /// Explicit domain parameters of PACE.
    PaceDomainParameters(PaceDomainParameterInfo),
    /// A Chip Authentication variant.
    ChipAuthentication(ChipAuthenticationInfo),
    /// A Chip Authentication key.
    ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo),
    /// Signature algorithm of Active Authentication with ECDSA (ICAO 9303-11 §9.2.7).
    ActiveAuthentication {
        /// Algorithm (BSI TR-03111).
        algorithm: ObjectIdentifier,
        /// Version: 1.
        version: u32,
    },
    /// Terminal Authentication (ICAO 9303-11 §9.2.8).
    TerminalAuthentication {
        /// Version.
        version: u32,
    },
    /// Anything else: kept as bytes.
    Other,
}

/// A security info: its bytes and what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityInfo {
    /// Protocol.
    pub oid: ObjectIdentifier,
    /// What it says.
    pub kind: SecurityInfoKind,
    raw: Vec<u8>,
}

/// A set of security infos in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityInfos {
    /// The infos.
    pub infos: Vec<SecurityInfo>,
}

impl KeyAgreement {
    /// Short name: `DH`, `ECDH`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dh => "DH",
            Self::Ecdh => "ECDH",
        }
    }

    const fn arc(self) -> u32 {
        match self {
            Self::Dh => 1,
            Self::Ecdh => 2,
        }
    }

    const fn from_arc(arc: u32) -> Option<Self> {
        match arc {
            1 => Some(Self::Dh),
            2 => Some(Self::Ecdh),
            _ => None,
        }
    }
}

const fn cipher_from_arc(arc: u32) -> Option<BlockCipher> {
    match arc {
        1 => Some(BlockCipher::Tdes),
        2 => Some(BlockCipher::Aes128),
        3 => Some(BlockCipher::Aes192),
        4 => Some(BlockCipher::Aes256),
        _ => None,
    }
}

const fn cipher_arc(cipher: BlockCipher) -> u32 {
    match cipher {
        BlockCipher::Tdes => 1,
        BlockCipher::Aes128 => 2,
        BlockCipher::Aes192 => 3,
        BlockCipher::Aes256 => 4,
    }
}

/// The arcs of `oid` after `base`, at most two.
fn arcs_after(base: &ObjectIdentifier, oid: &ObjectIdentifier) -> Option<Vec<u32>> {
    oid.as_bytes().strip_prefix(base.as_bytes())?;
    let arcs: Vec<u32> = oid.arcs().skip(base.arcs().count()).collect();
    (arcs.len() <= 2).then_some(arcs)
}

fn extend(base: ObjectIdentifier, arcs: &[u32]) -> ObjectIdentifier {
    arcs.iter().fold(base, |oid, arc| oid.push_arc(*arc).unwrap_or(oid))
}

const fn pace_variant(arc: u32) -> Option<(KeyAgreement, Mapping)> {
    match arc {
        1 => Some((KeyAgreement::Dh, Mapping::Generic)),
        2 => Some((KeyAgreement::Ecdh, Mapping::Generic)),
        3 => Some((KeyAgreement::Dh, Mapping::Integrated)),
        4 => Some((KeyAgreement::Ecdh, Mapping::Integrated)),
        6 => Some((KeyAgreement::Ecdh, Mapping::ChipAuthentication)),
        _ => None,
    }
}

const fn pace_arc(agreement: KeyAgreement, mapping: Mapping) -> u32 {
    match (agreement, mapping) {
        (KeyAgreement::Dh, Mapping::Integrated) => 3,
        (KeyAgreement::Dh, _) => 1,
        (KeyAgreement::Ecdh, Mapping::Generic) => 2,
        (KeyAgreement::Ecdh, Mapping::Integrated) => 4,
        (KeyAgreement::Ecdh, Mapping::ChipAuthentication) => 6,
    }
}

impl PaceProtocol {
    /// The protocol of an object identifier.
    #[must_use]
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        let [variant, cipher] = arcs_after(&oids::ID_PACE, oid)?.try_into().ok()?;
        let (agreement, mapping) = pace_variant(variant)?;
        let cipher = cipher_from_arc(cipher)?;
        // Chip Authentication Mapping is defined for AES only.
        let defined = mapping != Mapping::ChipAuthentication || cipher != BlockCipher::Tdes;
        defined.then_some(Self { agreement, mapping, cipher })
    }

    /// Its object identifier.
    #[must_use]
    pub fn oid(self) -> ObjectIdentifier {
        let variant = pace_arc(self.agreement, self.mapping);
        extend(oids::ID_PACE, &[variant, cipher_arc(self.cipher)])
    }
}

impl PaceDomainParameterInfo {
    /// The info of a mapping, `id-PACE-ECDH-GM` for instance: its object identifier has no arc for
    /// a cipher.
    #[must_use]
    pub fn new(
        protocol: &ObjectIdentifier,
        parameters: Vec<u8>,
        parameter_id: Option<u32>,
    ) -> Option<Self> {
        let [variant] = arcs_after(&oids::ID_PACE, protocol)?.try_into().ok()?;
        let (agreement, mapping) = pace_variant(variant)?;
        Some(Self { agreement, mapping, parameters, parameter_id })
    }
}

impl ChipAuthenticationInfo {
    /// Agreement and cipher of an object identifier under id-CA.
    #[must_use]
    pub fn protocol_from_oid(oid: &ObjectIdentifier) -> Option<(KeyAgreement, BlockCipher)> {
        let [agreement, cipher] = arcs_after(&oids::ID_CA, oid)?.try_into().ok()?;
        Some((KeyAgreement::from_arc(agreement)?, cipher_from_arc(cipher)?))
    }

    /// Object identifier of a variant of Chip Authentication.
    #[must_use]
    pub fn protocol_oid(agreement: KeyAgreement, cipher: BlockCipher) -> ObjectIdentifier {
        extend(oids::ID_CA, &[agreement.arc(), cipher_arc(cipher)])
    }
}

/// Whether the protocol is one whose security infos are read.
fn is_known(oid: &ObjectIdentifier) -> bool {
    let bases = [oids::ID_PK, oids::ID_TA, oids::ID_CA, oids::ID_PACE, oids::ID_AA];
    bases.iter().any(|base| arcs_after(base, oid).is_some())
}

impl SecurityInfo {
    /// The bytes of the SEQUENCE as read or written.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Writes a security info; nothing for [`SecurityInfoKind::Other`], whose bytes only a file has.
    #[must_use]
    pub fn new(kind: SecurityInfoKind) -> Option<Self> {
        let key_id = |id: &Option<Vec<u8>>| {
            id.as_ref().map(|id| encode(tag::INTEGER, id)).unwrap_or_default()
        };
        let (oid, body) = match &kind {
            SecurityInfoKind::Pace(info) => {
                let parameters = info.parameter_id.map(write::integer).unwrap_or_default();
                (info.protocol.oid(), [write::integer(info.version), parameters].concat())
            }
            SecurityInfoKind::PaceDomainParameters(info) => (
                extend(oids::ID_PACE, &[pace_arc(info.agreement, info.mapping)]),
                [
                    info.parameters.clone(),
                    info.parameter_id.map(write::integer).unwrap_or_default(),
                ]
                .concat(),
            ),
            SecurityInfoKind::ChipAuthentication(info) => (
                ChipAuthenticationInfo::protocol_oid(info.agreement, info.cipher),
                [write::integer(info.version), key_id(&info.key_id)].concat(),
            ),
            SecurityInfoKind::ChipAuthenticationPublicKey(info) => (
                extend(oids::ID_PK, &[info.agreement.arc()]),
                [info.spki.clone(), key_id(&info.key_id)].concat(),
            ),
            SecurityInfoKind::ActiveAuthentication { algorithm, version } => {
                (oids::ID_AA, [write::integer(*version), write::oid(algorithm)].concat())
            }
            SecurityInfoKind::TerminalAuthentication { version } => {
                (oids::ID_TA, write::integer(*version))
            }
            SecurityInfoKind::Other => return None,
        };
        let raw = write::sequence(&[&write::oid(&oid), &body]);
        Some(Self { oid, kind, raw })
    }

    fn decode(element: &Element<'_>) -> Result<Self, LdsError> {
        let mut children = element.expect(tag::SEQUENCE)?.children();
        let oid = children.any()?.oid()?;
        let raw = element.raw().to_vec();
        if !is_known(&oid) {
            // Whatever its structure is, it is not ours to judge.
            return Ok(Self { oid, kind: SecurityInfoKind::Other, raw });
        }
        let required = children.any()?;
        let optional = children.next_element()?;
        children.finish()?;
        let kind = Self::decode_kind(&oid, &required, optional.as_ref())?;
        Ok(Self { oid, kind, raw })
    }

    fn decode_kind(
        oid: &ObjectIdentifier,
        required: &Element<'_>,
        optional: Option<&Element<'_>>,
    ) -> Result<SecurityInfoKind, LdsError> {
        let key_id = || match optional {
            Some(id) => id.expect(tag::INTEGER).map(|id| Some(id.value().to_vec())),
            None => Ok(None),
        };
        if let Some(protocol) = PaceProtocol::from_oid(oid) {
            return Ok(SecurityInfoKind::Pace(PaceInfo {
                protocol,
                version: required.small_integer()?,
                parameter_id: optional.map(Element::small_integer).transpose()?,
            }));
        }
        let domain_parameters = arcs_after(&oids::ID_PACE, oid).and_then(|arcs| match arcs[..] {
            [arc] => pace_variant(arc),
            _ => None,
        });
        if let Some((agreement, mapping)) = domain_parameters {
            return Ok(SecurityInfoKind::PaceDomainParameters(PaceDomainParameterInfo {
                agreement,
                mapping,
                parameters: required.expect(tag::SEQUENCE)?.raw().to_vec(),
                parameter_id: optional.map(Element::small_integer).transpose()?,
            }));
        }
        if let Some((agreement, cipher)) = ChipAuthenticationInfo::protocol_from_oid(oid) {
            return Ok(SecurityInfoKind::ChipAuthentication(ChipAuthenticationInfo {
                agreement,
                cipher,
                version: required.small_integer()?,
                key_id: key_id()?,
            }));
        }
        let key_agreement = arcs_after(&oids::ID_PK, oid).and_then(|arcs| match arcs[..] {
            [arc] => KeyAgreement::from_arc(arc),
            _ => None,
        });
        if let Some(agreement) = key_agreement {
            let spki = required.expect(tag::SEQUENCE)?.raw().to_vec();
            let info = ChipAuthenticationPublicKeyInfo { agreement, spki, key_id: key_id()? };
            return Ok(SecurityInfoKind::ChipAuthenticationPublicKey(info));
        }
        match (*oid, optional) {
            (oids::ID_AA, Some(algorithm)) => Ok(SecurityInfoKind::ActiveAuthentication {
                algorithm: algorithm.oid()?,
                version: required.small_integer()?,
            }),
            (oids::ID_TA, _) => {
                Ok(SecurityInfoKind::TerminalAuthentication { version: required.small_integer()? })
            }
            _ => Ok(SecurityInfoKind::Other),
        }
    }
}

impl SecurityInfos {
    /// Reads a SET OF SecurityInfo; any order of its elements.
    ///
    /// # Errors
    /// [`LdsError`], with `file` as the name of where it stands.
    pub fn decode(file: &'static str, bytes: &[u8]) -> Result<Self, LdsError> {
        let set = Element::parse(file, bytes)?.expect(tag::SET)?;
        let infos = set.children().all(MAX_INFOS)?;
        let infos = infos.iter().map(SecurityInfo::decode).collect::<Result<_, _>>()?;
        let infos = Self { infos };
        if infos.chip_authentication_keys().count() > MAX_KEYS {
            return Err(set.fault("too many keys of Chip Authentication"));
        }
        Ok(infos)
    }

    /// The SET with the infos' own bytes in their order.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let infos: Vec<&[u8]> = self.infos.iter().map(SecurityInfo::raw).collect();
        encode(tag::SET, &infos.concat())
    }

    /// A set of new infos, in DER's order.
    #[must_use]
    pub fn from_kinds(kinds: impl IntoIterator<Item = SecurityInfoKind>) -> Self {
        let mut infos: Vec<_> = kinds.into_iter().filter_map(SecurityInfo::new).collect();
        infos.sort_by(|a, b| a.raw.cmp(&b.raw));
        Self { infos }
    }

    /// The PACE variants.
    pub fn pace(&self) -> impl Iterator<Item = &PaceInfo> {
        self.infos.iter().filter_map(|info| match &info.kind {
            SecurityInfoKind::Pace(pace) => Some(pace),
            _ => None,
        })
    }

    /// The explicit domain parameters of PACE.
    pub fn pace_domain_parameters(&self) -> impl Iterator<Item = &PaceDomainParameterInfo> {
        self.infos.iter().filter_map(|info| match &info.kind {
            SecurityInfoKind::PaceDomainParameters(parameters) => Some(parameters),
            _ => None,
        })
    }

    /// The Chip Authentication variants.
    pub fn chip_authentication(&self) -> impl Iterator<Item = &ChipAuthenticationInfo> {
        self.infos.iter().filter_map(|info| match &info.kind {
            SecurityInfoKind::ChipAuthentication(ca) => Some(ca),
            _ => None,
        })
    }

    /// The Chip Authentication keys.
    pub fn chip_authentication_keys(
        &self,
    ) -> impl Iterator<Item = &ChipAuthenticationPublicKeyInfo> {
        self.infos.iter().filter_map(|info| match &info.kind {
            SecurityInfoKind::ChipAuthenticationPublicKey(key) => Some(key),
            _ => None,
        })
    }

    /// Signature algorithm of Active Authentication with ECDSA.
    #[must_use]
    pub fn active_authentication_algorithm(&self) -> Option<ObjectIdentifier> {
        self.infos.iter().find_map(|info| match &info.kind {
            SecurityInfoKind::ActiveAuthentication { algorithm, .. } => Some(*algorithm),
            _ => None,
        })
    }
}
