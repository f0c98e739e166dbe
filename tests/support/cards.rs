//! Cards made for tests: an image of any kind, personalised in-process.
#![allow(dead_code)] // each test binary uses a part

use cancuoc::apdu::tlv::{Tag, encode};
use cancuoc::document::{AccessKeys, Can, MrzKey};
use cancuoc::globalplatform::personalize::{Settings, personalize};
use cancuoc::globalplatform::{KeySet, NotReadBack};
use cancuoc::issue::{
    AccessRule, ActiveAuthenticationKey, CardImage, ChipAuthenticationKey, ChipKeyUse, ImageFile,
    Location, PaceConfiguration,
};
use cancuoc::lds::{
    AtrInfo, ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, Com, DgNumber, KeyAgreement,
    Mapping, PaceInfo, PaceProtocol, ParameterForm, PublicKey, SecurityInfoKind, SecurityInfos,
    encode_dg1, encode_dg14, encode_dg15,
};
use cancuoc::softcard::{BlankOptions, SoftCard};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

#[path = "rsa_keys.rs"]
pub mod rsa_keys;

/// The lines of DG1.
pub const MRZ: &[u8] = b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0\
NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

/// Randomness of the system.
pub fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// Keys that open every card made here.
pub fn keys() -> AccessKeys {
    let can = Some(Can::new("000018").unwrap());
    AccessKeys { can, mrz: Some(MrzKey::from_bytes([0x5B; 20])), ..AccessKeys::default() }
}

/// What card to make.
pub struct Wanted {
    pub curve: Curve,
    pub cipher: BlockCipher,
    /// Data groups that EF.COM lists.
    pub listed: Vec<u8>,
    pub rsa_bits: Option<usize>,
    pub portrait: usize,
    /// The private key on the chip is another than DG14 says.
    pub cloned: bool,
    pub pace: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            curve: Curve::BrainpoolP256r1,
            cipher: BlockCipher::Aes128,
            listed: vec![1, 2, 13, 14, 15],
            rsa_bits: None,
            portrait: 2_000,
            cloned: false,
            pace: true,
        }
    }
}

fn file(fid: u16, access: AccessRule, content: Vec<u8>) -> ImageFile {
    ImageFile { location: Location::Lds1, fid, sfi: Some(fid as u8 & 0x1F), access, content }
}

/// A data object of exactly that many bytes.
fn filler(tag: u32, length: usize) -> Vec<u8> {
    let value = (0..length).map(|i| (i % 251) as u8).collect::<Vec<_>>();
    let head = encode(Tag(tag), &value).len() - length;
    let object = encode(Tag(tag), &value[head..]);
    assert_eq!(object.len(), length);
    object
}

fn tag_of(number: u8) -> u8 {
    DgNumber::new(number).unwrap().tag().0 as u8
}

/// The image of such a card.
pub fn image(wanted: &Wanted) -> CardImage {
    let id = wanted.curve.domain_parameter_id();
    let protocol = PaceProtocol {
        agreement: KeyAgreement::Ecdh,
        mapping: Mapping::Generic,
        cipher: wanted.cipher,
    };
    let pace = PaceInfo { protocol, version: 2, parameter_id: Some(u32::from(id)) };
    let chip = SecretScalar::random(wanted.curve, &mut random());
    let chip_key = PublicKey::Ec(chip.public_point()).to_spki_der(ParameterForm::Explicit);
    let chip_info = SecurityInfoKind::ChipAuthentication(ChipAuthenticationInfo {
        agreement: KeyAgreement::Ecdh,
        cipher: wanted.cipher,
        version: 1,
        key_id: None,
    });
    let chip_key = SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
        agreement: KeyAgreement::Ecdh,
        spki: chip_key,
        key_id: None,
    });
    let algorithm = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1.3");
    let active_info = SecurityInfoKind::ActiveAuthentication { algorithm, version: 1 };
    let pace_info = SecurityInfoKind::Pace(pace);
    let access_infos = if wanted.pace {
        vec![pace_info.clone(), chip_info.clone()]
    } else {
        vec![chip_info.clone()]
    };
    let dg14 =
        encode_dg14(&SecurityInfos::from_kinds([pace_info, chip_info, chip_key, active_info]));
    let (active, active_public) = match wanted.rsa_bits {
        Some(bits) => {
            let key = rsa_keys::rsa_key(bits);
            let public = PublicKey::Rsa(key.public_key());
            (ActiveAuthenticationKey::Rsa { key, hash: HashAlgorithm::Sha256 }, public)
        }
        None => {
            let key = SecretScalar::random(wanted.curve, &mut random());
            let public = PublicKey::Ec(key.public_point());
            (ActiveAuthenticationKey::Ecdsa { key, hash: HashAlgorithm::Sha256 }, public)
        }
    };
    let com = Com {
        lds_version: "0107".to_owned(),
        unicode_version: "040000".to_owned(),
        tags: wanted.listed.iter().map(|n| tag_of(*n)).collect(),
    };
    let atr_info = AtrInfo {
        card_capabilities: vec![0xF8, 0x21, 0xC0],
        max_command_length: Some(65_535),
        max_response_length: Some(65_535),
    };
    let after = AccessRule::AfterAccessControl;
    let mut in_master_file = [
        file(0x011C, AccessRule::Always, SecurityInfos::from_kinds(access_infos).encode()),
        file(0x2F01, AccessRule::Always, atr_info.encode()),
    ];
    in_master_file.iter_mut().for_each(|f| f.location = Location::MasterFile);
    let [card_access, mut atr_info] = in_master_file;
    atr_info.sfi = Some(1);
    let on_chip =
        if wanted.cloned { SecretScalar::random(wanted.curve, &mut random()) } else { chip };
    CardImage {
        files: vec![
            card_access,
            atr_info,
            file(0x011E, after, com.encode()),
            file(0x011D, after, filler(0x77, 1_900)),
            file(0x0101, after, encode_dg1(MRZ)),
            file(0x0102, after, filler(0x75, wanted.portrait)),
            file(0x0103, AccessRule::Dg3Right, filler(0x63, 300)),
            file(0x010D, after, filler(0x6D, 362)),
            file(0x010E, after, dg14),
            file(0x010F, after, encode_dg15(&active_public)),
        ],
        mrz_key: Some(Zeroizing::new([0x5B; 20])),
        can: keys().can,
        bac: true,
        pace: vec![PaceConfiguration { protocol: protocol.oid(), domain_parameter_id: id }],
        chip_authentication: vec![ChipAuthenticationKey {
            protocol: ChipAuthenticationInfo::protocol_oid(KeyAgreement::Ecdh, wanted.cipher),
            key_id: None,
            uses: ChipKeyUse::ANY,
            key: on_chip.into(),
        }],
        active_authentication: Some(active),
        ..CardImage::default()
    }
}

/// A software card with the image on it, powered on.
pub fn personalised(image: &CardImage) -> SoftCard {
    let card = SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 9])).unwrap();
    personalise(card, image)
}

/// The same in a new file.
pub fn personalised_file(path: &std::path::Path, image: &CardImage) {
    let card = SoftCard::create(path, &BlankOptions::test([0, 0, 0, 9])).unwrap();
    personalise(card, image);
}

pub fn personalise(mut card: SoftCard, image: &CardImage) -> SoftCard {
    let keys = KeySet::test_keys().unwrap();
    let settings = Settings::new(&keys);
    let mut silent = |_| {};
    personalize(&mut card, image, &settings, &mut random(), &mut NotReadBack, &mut silent).unwrap();
    card.power_on();
    card
}
