//! Cards with little on them, and sessions with them.

use cancuoc::apdu::tlv::{Tag, encode};
use cancuoc::document::{AccessKeys, Pin, Puk};
use cancuoc::issue::{
    AccessRule, CardImage, ChipAuthenticationKey, ChipKeyUse, ImageFile, Location,
    TerminalAuthentication,
};
use cancuoc::lds::{
    ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, FileId, KeyAgreement, ParameterForm,
    PublicKey, SecurityInfoKind, SecurityInfos,
};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::chip_authentication::{
    ChipAuthenticationEvidence, ChipAuthenticationParameters, authenticate_chip,
};
use cancuoc::terminal::{
    AccessPlan, AccessPolicy, FileRead, FileReader, ReadLimits, Session, TerminalError, open_card,
};
use cancuoc::transport::CardTransport;
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};
use zeroize::Zeroizing;

use crate::authorities::{Holder, day};
use crate::cards::{self, random};

pub const CIPHERS: [BlockCipher; 4] =
    [BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256];

/// Document number and check digit by which the chip is named after BAC.
pub const DOCUMENT_NUMBER: &str = "2000000185";

/// Every password of the cards made here.
pub fn keys() -> AccessKeys {
    let (pin, puk) = (Pin::new("135790").unwrap(), Puk::new("1234567890").unwrap());
    AccessKeys { pin: Some(pin), puk: Some(puk), ..cards::keys() }
}

/// Content of the data group with that number, and of EF.COM as 30.
pub fn content(number: u8) -> Vec<u8> {
    encode(Tag(0x60), &[number; 20])
}

pub fn file(fid: u16, access: AccessRule, content: Vec<u8>) -> ImageFile {
    let sfi = Some(fid as u8 & 0x1F);
    ImageFile { location: Location::Lds1, fid, sfi, access, content }
}

pub fn card_access(infos: impl IntoIterator<Item = SecurityInfoKind>) -> ImageFile {
    let infos = SecurityInfos::from_kinds(infos).encode();
    let location = Location::MasterFile;
    ImageFile { location, ..file(FileId::CARD_ACCESS.0, AccessRule::Always, infos) }
}

/// BAC and one file.
pub fn bac_image() -> CardImage {
    CardImage {
        files: vec![file(FileId::COM.0, AccessRule::AfterAccessControl, content(30))],
        mrz_key: Some(Zeroizing::new(*cards::keys().mrz.unwrap().as_bytes())),
        bac: true,
        ..CardImage::default()
    }
}

pub fn agreement(parameters: &DomainParameters) -> KeyAgreement {
    if parameters.is_ec() { KeyAgreement::Ecdh } else { KeyAgreement::Dh }
}

/// A key of Chip Authentication.
pub fn chip_key(key: &GroupSecret, cipher: BlockCipher, id: Option<u8>) -> ChipAuthenticationKey {
    let agreement = agreement(&key.domain_parameters());
    ChipAuthenticationKey {
        protocol: ChipAuthenticationInfo::protocol_oid(agreement, cipher),
        key_id: id.map(|id| vec![id]),
        uses: ChipKeyUse { chip_authentication: true, pace_cam: false },
        key: key.clone(),
    }
}

pub fn chip_info(agreement: KeyAgreement, cipher: BlockCipher, id: Option<u8>) -> SecurityInfoKind {
    let key_id = id.map(|id| vec![id]);
    SecurityInfoKind::ChipAuthentication(ChipAuthenticationInfo {
        agreement,
        cipher,
        version: 1,
        key_id,
    })
}

pub fn public_key(key: &PublicElement) -> PublicKey {
    match key {
        PublicElement::Ec(point) => PublicKey::Ec(point.clone()),
        PublicElement::Dh(value) => PublicKey::Dh(value.clone()),
    }
}

pub fn chip_public_key(key: &PublicElement, id: Option<u8>) -> SecurityInfoKind {
    SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
        agreement: agreement(&key.domain_parameters()),
        spki: public_key(key).to_spki_der(ParameterForm::Explicit),
        key_id: id.map(|id| vec![id]),
    })
}

/// A card with BAC, Chip Authentication over P-256, Terminal Authentication, DG3 and DG4; its date
/// is 1 March 2026.
pub struct EacCard {
    pub card: SoftCard,
    /// What DG14 says.
    pub infos: SecurityInfos,
}

impl EacCard {
    pub fn trusting(cvca: &Holder) -> Self {
        let parameters = DomainParameters::Ec(Curve::P256);
        let key = GroupSecret::random(&parameters, &mut random());
        let cipher = BlockCipher::Aes128;
        let infos = SecurityInfos::from_kinds([
            chip_info(KeyAgreement::Ecdh, cipher, None),
            chip_public_key(&key.public_element(), None),
        ]);
        let mut image = bac_image();
        let references = encode(Tag(0x42), cvca.reference().as_bytes());
        let mut ef_cvca = references;
        ef_cvca.resize(36, 0);
        image.files.extend([
            file(FileId::CVCA.0, AccessRule::AfterAccessControl, ef_cvca),
            file(0x0103, AccessRule::Dg3Right, content(3)),
            file(0x0104, AccessRule::Dg4Right, content(4)),
        ]);
        image.chip_authentication = vec![chip_key(&key, cipher, None)];
        image.terminal_authentication = Some(TerminalAuthentication {
            trust_points: vec![cvca.certificate.raw().to_vec()],
            date: day("260301"),
            chip_identifier: Zeroizing::new(DOCUMENT_NUMBER.to_owned()),
        });
        Self { card: cards::personalised(&image), infos }
    }
}

pub fn bac_plan() -> AccessPlan {
    AccessPlan { policy: AccessPolicy::Bac, ..AccessPlan::pace(cards::keys()) }
}

/// Opens a card by BAC, which costs least.
pub fn open_by_bac<T: CardTransport>(card: T) -> Result<Session<T>, TerminalError> {
    let mut session = Session::new(card);
    open_card(&mut session, &bac_plan(), &mut random())?;
    Ok(session)
}

/// Reads a file of the selected application.
pub fn read<T: CardTransport>(
    session: &mut Session<T>,
    fid: u16,
) -> Result<FileRead, TerminalError> {
    FileReader::new(ReadLimits::default()).read(session, FileId(fid))
}

/// Reads EF.COM, which must be what was written.
pub fn read_com<T: CardTransport>(session: &mut Session<T>) -> Result<(), String> {
    match read(session, FileId::COM.0) {
        Ok(read) if read.content() == Some(&content(30)) => Ok(()),
        other => Err(format!("EF.COM: {other:?}")),
    }
}

/// Chip Authentication up to its proof, which a key of the parameters must have made.
pub fn prove_chip<T: CardTransport>(
    session: &mut Session<T>,
    parameters: ChipAuthenticationParameters,
) -> Result<ChipAuthenticationEvidence, String> {
    let key = parameters.card_key.clone();
    let pending =
        authenticate_chip(session, parameters, &mut random()).map_err(|e| e.to_string())?;
    read_com(session)?;
    let evidence = pending.confirm(session).ok_or("no answer under the new keys")?;
    if evidence.proves_possession_of(&key) { Ok(evidence) } else { Err("not proven".to_owned()) }
}
