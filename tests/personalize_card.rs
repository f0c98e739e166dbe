//! The host personalises the software card in-process: two implementations of SCP03 and of the
//! personalisation contract meet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::rc::Rc;

use cancuoc::document::{Can, MrzKey};
use cancuoc::globalplatform::command::CardLifeCycle;
use cancuoc::globalplatform::link::Link;
use cancuoc::globalplatform::personalize::{
    PersonalizeError, Progress, Report, Settings, personalize,
};
use cancuoc::globalplatform::read_back::TerminalInspection;
use cancuoc::globalplatform::{GlobalPlatformError, KeySet, SecurityLevel, session};
use cancuoc::issue::{
    AccessRule, ActiveAuthenticationKey, CardImage, ChipAuthenticationKey, ChipKeyUse, ImageFile,
    Location, PaceConfiguration,
};
use cancuoc::lds::{
    ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, KeyAgreement, Mapping, PaceInfo,
    PaceProtocol, ParameterForm, PublicKey, SecurityInfoKind, SecurityInfos, encode_dg1,
    encode_dg14, encode_dg15,
};
use cancuoc::softcard::{BlankOptions, SoftCard};
use cancuoc::transport::{CardTransport, TransportError};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

const MRZ: &[u8] = b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0\
NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

struct Wanted {
    curve: Curve,
    parameter_id: u8,
    rsa: bool,
    portrait: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { curve: Curve::BrainpoolP256r1, parameter_id: 13, rsa: false, portrait: 18_000 }
    }
}

fn file(fid: u16, access: AccessRule, content: Vec<u8>) -> ImageFile {
    ImageFile { location: Location::Lds1, fid, sfi: Some(fid as u8 & 0x1F), access, content }
}

fn image(wanted: &Wanted) -> CardImage {
    let pace = PaceInfo {
        protocol: PaceProtocol {
            agreement: KeyAgreement::Ecdh,
            mapping: Mapping::Generic,
            cipher: BlockCipher::Aes128,
        },
        version: 2,
        parameter_id: Some(u32::from(wanted.parameter_id)),
    };
    let protocol = pace.protocol.oid();
    let chip = SecretScalar::random(wanted.curve, &mut random());
    let chip_public = PublicKey::Ec(chip.public_point()).to_spki_der(ParameterForm::Explicit);
    let plain_sha256 = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1.3");
    let infos = [
        SecurityInfoKind::Pace(pace),
        SecurityInfoKind::ChipAuthentication(ChipAuthenticationInfo {
            agreement: KeyAgreement::Ecdh,
            cipher: BlockCipher::Aes128,
            version: 1,
            key_id: None,
        }),
        SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
            agreement: KeyAgreement::Ecdh,
            spki: chip_public,
            key_id: None,
        }),
        SecurityInfoKind::ActiveAuthentication { algorithm: plain_sha256, version: 1 },
    ];
    let card_access = SecurityInfos::from_kinds(infos[..2].to_vec());
    let infos = SecurityInfos::from_kinds(infos);
    let (active, active_public) = if wanted.rsa {
        let key = RsaPrivateKey::generate(2048, &mut random()).unwrap();
        let public = PublicKey::Rsa(key.public_key());
        (ActiveAuthenticationKey::Rsa { key, hash: HashAlgorithm::Sha256 }, public)
    } else {
        let key = SecretScalar::random(Curve::P256, &mut random());
        let public = PublicKey::Ec(key.public_point());
        (ActiveAuthenticationKey::Ecdsa { key, hash: HashAlgorithm::Sha256 }, public)
    };
    let after = AccessRule::AfterAccessControl;
    let mut card_access = file(0x011C, AccessRule::Always, card_access.encode());
    card_access.location = Location::MasterFile;
    CardImage {
        files: vec![
            card_access,
            file(0x011E, after, vec![0x60, 0x02, 0x5C, 0x00]),
            file(0x011D, after, vec![0x77; 1900]),
            file(0x0101, after, encode_dg1(MRZ)),
            file(0x0102, after, (0..wanted.portrait).map(|i| (i % 251) as u8).collect()),
            file(0x0103, AccessRule::Dg3Right, vec![3; 300]),
            file(0x010D, after, vec![0x6D; 362]),
            file(0x010E, after, encode_dg14(&infos)),
            file(0x010F, after, encode_dg15(&active_public)),
        ],
        mrz_key: Some(Zeroizing::new(*mrz_key().as_bytes())),
        can: Some(Can::new("000018").unwrap()),
        bac: true,
        pace: vec![PaceConfiguration { protocol, domain_parameter_id: wanted.parameter_id }],
        chip_authentication: vec![ChipAuthenticationKey {
            protocol: ChipAuthenticationInfo::protocol_oid(KeyAgreement::Ecdh, BlockCipher::Aes128),
            key_id: None,
            uses: ChipKeyUse::ANY,
            key: chip.into(),
        }],
        active_authentication: Some(active),
        ..CardImage::default()
    }
}

fn mrz_key() -> MrzKey {
    MrzKey::from_bytes([0x5B; 20])
}

fn write(
    card: &mut dyn CardTransport,
    image: &CardImage,
    keys: &KeySet,
    level: Option<SecurityLevel>,
) -> Result<Report, PersonalizeError> {
    let settings = Settings { level, ..Settings::new(keys) };
    let mut for_inspection = random();
    let mut inspection = TerminalInspection::new(&mut for_inspection);
    let mut silent = |_: Progress| {};
    personalize(card, image, &settings, &mut random(), &mut inspection, &mut silent)
}

fn test_keys() -> KeySet {
    KeySet::test_keys().unwrap()
}

fn blank() -> SoftCard {
    SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 1])).unwrap()
}

/// A reader without extended length, which can lose the card.
struct Reader {
    card: Rc<RefCell<SoftCard>>,
    max: usize,
    /// APDUs until the card is torn out.
    left: Option<usize>,
    atr: Vec<u8>,
}

impl CardTransport for Reader {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        assert!(command.len() <= self.max, "a command of {} bytes", command.len());
        if self.left == Some(0) {
            return Err(TransportError::CardRemoved);
        }
        self.left = self.left.map(|left| left - 1);
        self.card.borrow_mut().transmit(command)
    }
    fn atr(&self) -> &[u8] {
        &self.atr
    }
    fn max_command_length(&self) -> usize {
        self.max
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.borrow_mut().reset()
    }
}

fn reader(card: &Rc<RefCell<SoftCard>>, max: usize) -> Reader {
    let atr = card.borrow().atr().to_vec();
    Reader { card: card.clone(), max, left: None, atr }
}

#[test]
fn personalises_a_blank_card_and_reads_back_every_byte() {
    let mut card = blank();
    let image = image(&Wanted::default());
    let report = write(&mut card, &image, &test_keys(), None).unwrap();
    assert_eq!(report.life_cycle, CardLifeCycle::Secured);
    assert_eq!(report.level, SecurityLevel::FULL);
    let readable: usize =
        image.files.iter().filter(|f| f.fid != 0x0103).map(|f| f.content.len()).sum();
    let read_back = report.read_back.as_ref().unwrap();
    assert_eq!(read_back.bytes, readable as u64);
    assert_eq!(read_back.unread, [0x0103]);
    assert_eq!(read_back.keys_proven, ["AA", "CA", "PACE-CAN", "PACE-MRZ", "BAC"]);
    assert!(report.overhead().unwrap() < 1.1, "{:?}", report.overhead());
}

#[test]
fn refuses_a_personalised_card_and_leaves_it_as_it_is() {
    let mut card = blank();
    let first = image(&Wanted::default());
    write(&mut card, &first, &test_keys(), None).unwrap();
    let error = write(&mut card, &first, &test_keys(), None).unwrap_err();
    assert_eq!(error, PersonalizeError::AlreadyIssued { state: "SECURED" });
    let mut other = image(&Wanted::default());
    other.can = Some(Can::new("999999").unwrap());
    let error = write(&mut card, &other, &test_keys(), None).unwrap_err();
    assert_eq!(error, PersonalizeError::AlreadyPersonalised);
}

#[test]
fn personalises_with_an_rsa_key_through_a_reader_without_extended_length() {
    let card = Rc::new(RefCell::new(blank()));
    let wanted = Wanted { rsa: true, portrait: 3000, ..Wanted::default() };
    let report = write(&mut reader(&card, 261), &image(&wanted), &test_keys(), None).unwrap();
    assert_eq!(report.max_data, 255);
    assert!(report.read_back.unwrap().keys_proven.contains(&"AA"));
}

#[test]
fn personalises_on_every_curve_and_with_files_over_32767_bytes() {
    for (curve, parameter_id) in [(Curve::P256, 12), (Curve::BrainpoolP384r1, 16)] {
        let wanted = Wanted { curve, parameter_id, portrait: 40_000, ..Wanted::default() };
        write(&mut blank(), &image(&wanted), &test_keys(), None).unwrap();
    }
}

#[test]
fn works_with_every_option_and_level_of_scp03_and_key_length() {
    let small = Wanted { portrait: 700, ..Wanted::default() };
    for (options, length) in [(0x70, 16usize), (0x60, 16), (0x20, 16), (0x00, 16), (0x70, 32)] {
        let mut blank = BlankOptions::test([0, 0, 0, 2]);
        let key = Zeroizing::new((0..length as u8).map(|i| 0x40 + i).collect::<Vec<u8>>());
        blank.keys.encryption = key.clone();
        blank.keys.authentication = key.clone();
        blank.keys.data = key.clone();
        blank.scp03_options = options;
        let keys = KeySet::new(0x30, &key, &key, &key).unwrap();
        let mut card = SoftCard::in_memory(&blank).unwrap();
        let report = write(&mut card, &image(&small), &keys, None)
            .unwrap_or_else(|error| panic!("i={options:02X}, {length} bytes: {error}"));
        assert_eq!(report.protocol.options, options);
    }
    for level in [SecurityLevel::C_DECRYPTION, SecurityLevel::C_DECRYPTION_R_MAC] {
        let report = write(&mut blank(), &image(&small), &test_keys(), Some(level)).unwrap();
        assert_eq!(report.level, level);
    }
}

#[test]
fn stops_after_one_try_with_wrong_keys_and_the_card_is_not_blocked() {
    let mut card = blank();
    let wanted = Wanted { portrait: 100, ..Wanted::default() };
    let wrong = KeySet::new(0x30, &[1; 16], &[1; 16], &[1; 16]).unwrap();
    let error = write(&mut card, &image(&wanted), &wrong, None).unwrap_err();
    assert_eq!(error, GlobalPlatformError::CardCryptogram.into());
    write(&mut card, &image(&wanted), &test_keys(), None).unwrap();
}

#[test]
fn resumes_after_the_card_is_torn_out_at_any_command() {
    let wanted = Wanted { portrait: 600, ..Wanted::default() };
    let image = image(&wanted);
    let keys = test_keys();
    let whole = {
        let card = Rc::new(RefCell::new(blank()));
        let report = write(&mut reader(&card, 261), &image, &keys, None).unwrap();
        (report.traffic.apdus + report.read_back.unwrap().traffic.apdus) as usize
    };
    for left in (0..whole).step_by(3) {
        let card = Rc::new(RefCell::new(blank()));
        let mut torn = reader(&card, 261);
        torn.left = Some(left);
        let error = write(&mut torn, &image, &keys, None).unwrap_err();
        assert!(error.to_string().contains("removed"), "torn before APDU {left}: {error}");
        match write(&mut reader(&card, 261), &image, &keys, None) {
            Ok(report) => assert_eq!(report.life_cycle, CardLifeCycle::Secured),
            Err(error) => {
                assert_eq!(
                    error,
                    PersonalizeError::AlreadyIssued { state: "SECURED" },
                    "torn before APDU {left}"
                );
            }
        }
    }
}

#[test]
fn takes_up_a_card_that_was_activated_with_other_chip_keys() {
    // A second run makes new keys and a new signature: sizes may differ by a byte or two.
    let first = image(&Wanted { portrait: 600, ..Wanted::default() });
    let mut second = image(&Wanted { portrait: 600, ..Wanted::default() });
    second.files[2].content.push(0x77);
    let card = Rc::new(RefCell::new(blank()));
    let mut left = 30;
    // Tear the first run somewhere after activation: while it reads back.
    loop {
        let mut torn = reader(&card, 65_544);
        torn.left = Some(left);
        match write(&mut torn, &first, &test_keys(), None) {
            Err(PersonalizeError::ReadBack(_)) => break,
            Err(_) => left += 1,
            Ok(_) => panic!("never torn while reading back"),
        }
    }
    let report = write(&mut reader(&card, 65_544), &second, &test_keys(), None).unwrap();
    assert!(report.resumed);
}

#[test]
fn sends_little_more_than_what_goes_onto_the_card() {
    let image = image(&Wanted::default());
    // Two private keys, the key of the MRZ, the CAN.
    let payload = image.total_bytes() + 32 + 32 + 20 + 6;
    for (reader_takes, bound) in [(65_544, 1.08), (261, 1.2)] {
        let card = Rc::new(RefCell::new(blank()));
        let level = Some(SecurityLevel::C_DECRYPTION);
        let report = write(&mut reader(&card, reader_takes), &image, &test_keys(), level).unwrap();
        // All that the host sent from power on to lock; reading back writes nothing.
        let ratio = report.traffic.sent as f64 / payload as f64;
        assert!(ratio <= bound, "{ratio:.3} with commands of {reader_takes} bytes");
        println!("{reader_takes}: {ratio:.4}");
    }
}

#[test]
fn replaces_the_keys_of_the_card_before_it_writes() {
    let mut card = blank();
    let new = KeySet::new(0x31, &[1; 32], &[2; 32], &[3; 32]).unwrap();
    let image = image(&Wanted { portrait: 600, ..Wanted::default() });
    let transport_keys = test_keys();
    let settings = Settings { new_keys: Some(&new), ..Settings::new(&transport_keys) };
    let mut for_inspection = random();
    let mut inspection = TerminalInspection::new(&mut for_inspection);
    let mut silent = |_: Progress| {};
    let report =
        personalize(&mut card, &image, &settings, &mut random(), &mut inspection, &mut silent);
    let report = report.unwrap();
    assert!(report.keys_changed);
    assert_eq!(report.key_version, 0x31);
    let mut link = Link::new(&mut card);
    session::select_issuer_domain(&mut link).unwrap();
    let held =
        session::authenticate_with_any(&mut link, &[&transport_keys, &new], None, &mut random());
    assert_eq!(held.unwrap(), 1);
}

#[test]
fn tells_what_card_it_is_without_authentication() {
    let mut card = blank();
    let mut link = Link::new(&mut card);
    session::select_issuer_domain(&mut link).unwrap();
    let identity = session::identify(&mut link).unwrap();
    assert_eq!(identity.scp03_options(), Some(0x70));
    assert_eq!(identity.production.unwrap().serial_number, 1);
    assert_eq!(identity.keys.iter().map(|key| key.version).collect::<Vec<_>>(), [0x30; 3]);
}
