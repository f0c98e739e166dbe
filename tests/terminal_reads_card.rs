//! The terminal reads the software card in-process: two implementations of access control, secure
//! messaging, authentication and file reading meet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cancuoc::apdu::tlv::{Tag, encode};
use cancuoc::document::{AccessKeys, Can, MrzKey};
use cancuoc::globalplatform::KeySet;
use cancuoc::globalplatform::personalize::{
    Inspection, ReadBack, ReadBackError, Settings, personalize,
};
use cancuoc::issue::{
    AccessRule, ActiveAuthenticationKey, CardImage, ChipAuthenticationKey, ImageFile, Location,
    PaceConfiguration,
};
use cancuoc::lds::{
    AtrInfo, ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, Com, DgNumber, FileId,
    KeyAgreement, Mapping, PaceInfo, PaceProtocol, ParameterForm, PublicKey, SecurityInfoKind,
    SecurityInfos, encode_dg1, encode_dg14, encode_dg15,
};
use cancuoc::softcard::{BlankOptions, SoftCard};
use cancuoc::terminal::{
    AccessPlan, AccessPolicy, ChipReading, ExtendedLength, FileRead, Proof, ReadOptions,
    TerminalError, read_chip,
};
use cancuoc::transport::{CardTransport, TransportError};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

const MRZ: &[u8] = b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0\
NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
const CIPHERS: [BlockCipher; 4] =
    [BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256];

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn keys() -> AccessKeys {
    let can = Some(Can::new("000018").unwrap());
    AccessKeys { can, mrz: Some(MrzKey::from_bytes([0x5B; 20])) }
}

/// What card to make.
struct Wanted {
    curve: Curve,
    cipher: BlockCipher,
    /// Data groups that EF.COM lists.
    listed: Vec<u8>,
    rsa_bits: Option<usize>,
    portrait: usize,
    /// The private key on the chip is another than DG14 says.
    cloned: bool,
    pace: bool,
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

fn image(wanted: &Wanted) -> CardImage {
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
            let key = RsaPrivateKey::generate(bits, &mut random()).unwrap();
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
            key: on_chip,
        }],
        active_authentication: Some(active),
    }
}

/// Takes everything for granted: these tests do the reading themselves.
struct NoInspection;

impl Inspection for NoInspection {
    fn is_same_document(
        &mut self,
        _: &mut dyn CardTransport,
        _: &CardImage,
    ) -> Result<bool, ReadBackError> {
        Ok(false)
    }
    fn read_back(
        &mut self,
        _: &mut dyn CardTransport,
        _: &CardImage,
    ) -> Result<ReadBack, ReadBackError> {
        Ok(ReadBack::default())
    }
}

fn personalised(image: &CardImage) -> SoftCard {
    let mut card = SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 9])).unwrap();
    let keys = KeySet::test_keys().unwrap();
    let settings = Settings { keys: &keys, level: None, max_data: None };
    let mut silent = |_| {};
    personalize(&mut card, image, &settings, &mut random(), &mut NoInspection, &mut silent)
        .unwrap();
    card.power_on();
    card
}

fn plan(policy: AccessPolicy, prefer_mrz: bool) -> AccessPlan {
    AccessPlan { keys: keys(), policy, prefer_mrz }
}

fn read(
    card: impl CardTransport,
    plan: &AccessPlan,
    options: &ReadOptions,
) -> Result<ChipReading, TerminalError> {
    read_chip(card, plan, options, &mut random(), &mut |_, _| {})
}

fn short() -> ReadOptions {
    ReadOptions { extended_length: ExtendedLength::Never, ..ReadOptions::default() }
}

/// Every listed file is what the image has, and both proofs hold.
fn check(reading: &ChipReading, image: &CardImage, what: &str) {
    for number in [1, 2, 13, 14, 15] {
        let fid = 0x0100 | number;
        let expected = &image.file(Location::Lds1, fid).unwrap().content;
        assert!(reading.content(FileId(fid)) == Some(expected), "{what}: DG{number}");
    }
    assert_eq!(reading.statistics.rereads, 0, "{what}");
    let dg14 = cancuoc::lds::security_infos_of_dg14(reading.content(FileId(0x010E)).unwrap());
    let dg14 = dg14.unwrap();
    let key = dg14.chip_authentication_keys().next().unwrap();
    let (PublicKey::Ec(key), _) = PublicKey::from_spki_der(&key.spki).unwrap() else { panic!() };
    let chip = reading.chip_authentication.evidence();
    let chip = chip.unwrap_or_else(|| panic!("{what}: {:?}", reading.chip_authentication));
    assert!(chip.proves_possession_of(&key), "{what}: Chip Authentication");
    let dg15 = cancuoc::lds::decode_dg15(reading.content(FileId(0x010F)).unwrap()).unwrap();
    let active = reading.active_authentication.evidence();
    let active = active.unwrap_or_else(|| panic!("{what}: {:?}", reading.active_authentication));
    let algorithm = dg14.active_authentication_algorithm();
    assert_eq!(active.verify(&dg15, algorithm), Ok(HashAlgorithm::Sha256), "{what}");
}

#[test]
fn reads_by_pace_with_can_and_mrz_and_by_bac_on_two_curves_with_every_cipher() {
    for curve in [Curve::P256, Curve::BrainpoolP256r1] {
        for cipher in CIPHERS {
            let image = image(&Wanted { curve, cipher, ..Wanted::default() });
            let mut card = personalised(&image);
            for (policy, prefer_mrz, access) in [
                (AccessPolicy::Pace, false, "PACE CAN"),
                (AccessPolicy::Pace, true, "PACE MRZ"),
                (AccessPolicy::Bac, false, "BAC MRZ"),
            ] {
                for options in [short(), ReadOptions::default()] {
                    let what = format!("{} {} {access}", curve.name(), cipher.name());
                    card.power_on();
                    let reading = read(&mut card, &plan(policy, prefer_mrz), &options)
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    check(&reading, &image, &what);
                    let outcome = &reading.access;
                    assert_eq!(format!("{} {}", outcome.protocol, outcome.password), access);
                }
            }
        }
    }
}

#[test]
fn authenticates_actively_with_rsa_keys_through_short_and_extended_length() {
    for bits in [1024, 2048, 3072] {
        let image = image(&Wanted { rsa_bits: Some(bits), portrait: 300, ..Wanted::default() });
        let mut card = personalised(&image);
        for options in [short(), ReadOptions::default()] {
            card.power_on();
            let reading = read(&mut card, &plan(AccessPolicy::Pace, false), &options).unwrap();
            check(&reading, &image, &format!("RSA {bits}"));
        }
    }
}

/// A card with the six files of the measured read, as near as real files allow.
fn measured() -> (CardImage, SoftCard) {
    let image =
        image(&Wanted { listed: vec![1, 2, 13, 14], portrait: 18_000, ..Wanted::default() });
    let dg14 = &image.file(Location::Lds1, 0x010E).unwrap().content;
    assert!((224..=446).contains(&dg14.len()), "DG14 is of the measured size class");
    let card = personalised(&image);
    (image, card)
}

const NO_PROOFS: ReadOptions = ReadOptions {
    extended_length: ExtendedLength::Never,
    limits: cancuoc::terminal::ReadLimits { max_file: 1 << 20, max_total: 1 << 23 },
    groups: None,
    probe_unlisted: false,
    chip_authentication: false,
    active_authentication: false,
};

#[test]
fn opens_by_pace_in_7_commands_and_reads_six_files_in_96() {
    let (_, card) = measured();
    let reading = read(card, &plan(AccessPolicy::Pace, false), &NO_PROOFS).unwrap();
    let statistics = reading.statistics;
    assert_eq!((statistics.apdus, statistics.apdus_min), (96, 96));
    assert_eq!(reading.counters.apdus - statistics.apdus, 7);
    assert!(statistics.efficiency >= 0.84, "{}", statistics.efficiency);
    assert_eq!(statistics.efficiency, statistics.efficiency_bound);
    assert_eq!(statistics.rereads, 0);
}

#[test]
fn opens_by_pace_with_488_bytes_on_the_wire() {
    let (_, mut card) = measured();
    let mut session = cancuoc::terminal::Session::new(&mut card);
    let plan = plan(AccessPolicy::Pace, false);
    let outcome = cancuoc::terminal::open_card(&mut session, &plan, &mut random()).unwrap();
    let counters = session.counters();
    // The measured 488 bytes are with the 54 bytes of EF.CardAccess seen on cards.
    let card_access = outcome.card_access.unwrap().len() as u64;
    assert_eq!(counters.sent_bytes + counters.received_bytes - card_access, 488 - 54);
}

#[test]
fn reads_six_files_in_10_commands_with_extended_length() {
    let (_, card) = measured();
    let options = ReadOptions { extended_length: ExtendedLength::Announced, ..NO_PROOFS };
    let reading = read(card, &plan(AccessPolicy::Pace, false), &options).unwrap();
    let statistics = reading.statistics;
    assert_eq!((statistics.apdus, statistics.apdus_min), (10, 10));
    assert!(statistics.efficiency >= 0.97, "{}", statistics.efficiency);
    assert_eq!(reading.counters.apdus - statistics.apdus, 7 + 1, "and EF.ATR/INFO");
}

#[test]
fn reads_a_file_longer_than_32767_bytes() {
    let image = image(&Wanted { portrait: 70_000, ..Wanted::default() });
    let mut card = personalised(&image);
    for options in [short(), ReadOptions::default()] {
        card.power_on();
        let reading = read(&mut card, &plan(AccessPolicy::Pace, false), &options).unwrap();
        check(&reading, &image, "long file");
        let s = reading.statistics;
        assert_eq!(s.apdus, s.apdus_min);
        assert!((s.efficiency - s.efficiency_bound).abs() < 1e-9, "{s:?}");
    }
}

#[test]
fn records_a_denied_and_an_absent_group_and_goes_on() {
    let image = image(&Wanted { listed: vec![1, 2, 3, 11, 13, 14, 15], ..Wanted::default() });
    let reading =
        read(personalised(&image), &plan(AccessPolicy::Pace, false), &ReadOptions::default())
            .unwrap();
    check(&reading, &image, "with DG3 and DG11 listed");
    let of = |n: u16| reading.files.iter().find(|f| f.file == FileId(0x0100 | n)).map(|f| &f.read);
    assert!(matches!(of(3), Some(FileRead::Denied(_))), "{:?}", of(3));
    assert_eq!(of(11), Some(&FileRead::NotFound));
}

#[test]
fn finds_groups_that_nothing_lists_when_told_to_probe() {
    let image = image(&Wanted { listed: vec![1, 2, 14, 15], ..Wanted::default() });
    let options = ReadOptions { probe_unlisted: true, ..ReadOptions::default() };
    let reading = read(personalised(&image), &plan(AccessPolicy::Pace, false), &options).unwrap();
    check(&reading, &image, "with DG13 not listed");
}

#[test]
fn tells_a_clone_by_its_missing_key_and_still_reads_it() {
    for cipher in CIPHERS {
        let image = image(&Wanted { cloned: true, cipher, ..Wanted::default() });
        let reading =
            read(personalised(&image), &plan(AccessPolicy::Pace, false), &ReadOptions::default())
                .unwrap();
        let failed = matches!(
            reading.chip_authentication,
            Proof::Failed(TerminalError::SecureMessaging | TerminalError::Refused { .. })
        );
        assert!(failed, "{}: {:?}", cipher.name(), reading.chip_authentication);
        for number in [1, 2, 13, 14, 15] {
            let expected = &image.file(Location::Lds1, 0x0100 | number).unwrap().content;
            assert!(reading.content(FileId(0x0100 | number)) == Some(expected), "DG{number}");
        }
    }
}

#[test]
fn reports_a_wrong_can() {
    let mut plan = plan(AccessPolicy::Pace, false);
    plan.keys.can = Some(Can::new("999999").unwrap());
    let error = read(personalised(&image(&Wanted::default())), &plan, &short()).unwrap_err();
    assert_eq!(error, TerminalError::WrongPassword { password: "CAN", tries_left: None });
}

#[test]
fn reports_a_wrong_mrz_in_bac() {
    let mut plan = plan(AccessPolicy::Bac, false);
    plan.keys.mrz = Some(MrzKey::from_bytes([1; 20]));
    let error = read(personalised(&image(&Wanted::default())), &plan, &short()).unwrap_err();
    assert!(matches!(error, TerminalError::WrongPassword { password: "MRZ", .. }), "{error}");
}

#[test]
fn does_not_fall_back_to_bac_on_a_card_that_hides_pace() {
    let image = image(&Wanted { pace: false, ..Wanted::default() });
    let mut card = personalised(&image);
    let error = read(&mut card, &plan(AccessPolicy::Pace, false), &short()).unwrap_err();
    assert!(matches!(error, TerminalError::PaceNotOffered { .. }), "{error}");
    card.power_on();
    let allowed = plan(AccessPolicy::PaceOrBacWhenNotOffered, false);
    let reading = read(&mut card, &allowed, &short()).unwrap();
    assert_eq!((reading.access.protocol, reading.access.downgraded), ("BAC", true));
}

/// A reader from which the card is torn out after so many commands.
struct Torn<T>(T, usize);

impl<T: CardTransport> CardTransport for Torn<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.1 = self.1.checked_sub(1).ok_or(TransportError::CardRemoved)?;
        self.0.transmit(command)
    }
    fn atr(&self) -> &[u8] {
        self.0.atr()
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        Err(TransportError::CardRemoved)
    }
}

#[test]
fn reports_a_card_that_is_torn_out_at_any_command() {
    let image = image(&Wanted { portrait: 500, ..Wanted::default() });
    let mut card = personalised(&image);
    let plan = plan(AccessPolicy::Pace, false);
    let whole = read(&mut card, &plan, &short()).unwrap().counters.apdus as usize;
    for after in 0..whole {
        card.power_on();
        let error = read(Torn(&mut card, after), &plan, &short()).unwrap_err();
        assert_eq!(error, TerminalError::Transport(TransportError::CardRemoved), "after {after}");
    }
}

/// Changes one bit of one response.
struct BitFlip<T>(T, usize, usize);

impl<T: CardTransport> CardTransport for BitFlip<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut response = self.0.transmit(command)?;
        if self.1 == 0 {
            let at = self.2 % response.len();
            response[at] ^= 1 << (self.2 % 8);
        }
        self.1 = self.1.wrapping_sub(1);
        Ok(response)
    }
    fn atr(&self) -> &[u8] {
        self.0.atr()
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset()
    }
}

#[test]
fn accepts_no_changed_bit_in_any_protected_response() {
    let image = image(&Wanted { portrait: 500, ..Wanted::default() });
    let mut card = personalised(&image);
    let plan = plan(AccessPolicy::Pace, false);
    let whole = read(&mut card, &plan, &NO_PROOFS).unwrap().counters.apdus as usize;
    for (n, at) in (6..whole).flat_map(|n| [3, 10, 21, 22].map(|at| (n, at))) {
        card.power_on();
        let error = read(BitFlip(&mut card, n, at), &plan, &NO_PROOFS).unwrap_err();
        assert_eq!(error, TerminalError::SecureMessaging, "response {n}, byte {at}");
    }
}
