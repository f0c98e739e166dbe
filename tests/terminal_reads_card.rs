//! The terminal reads the software card in-process: two implementations of access control, secure
//! messaging, authentication and file reading meet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/cards.rs"]
mod cards;

use cancuoc::document::{Can, MrzKey};
use cancuoc::issue::{CardImage, Location};
use cancuoc::lds::{FileId, PublicKey};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::{
    AccessPlan, AccessPolicy, ChipReading, ExtendedLength, FileRead, Proof, ReadOptions,
    TerminalError, read_chip,
};
use cancuoc::transport::replay::ReplayTransport;
use cancuoc::transport::trace::TracingTransport;
use cancuoc::transport::{CardTransport, TransportError};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::group::PublicElement;
use cancuoc_primitives::hash::HashAlgorithm;

use cards::{Wanted, image, keys, personalised, random};

const CIPHERS: [BlockCipher; 4] =
    [BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256];

fn plan(policy: AccessPolicy, prefer_mrz: bool) -> AccessPlan {
    AccessPlan { policy, prefer_mrz, ..AccessPlan::pace(keys()) }
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
    assert!(chip.proves_possession_of(&PublicElement::Ec(key)), "{what}: Chip Authentication");
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
    chip_authentication_preference: None,
    active_authentication: false,
    terminal: None,
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

/// Random enough for a test, and the same each time.
struct Repeated(u64);

impl rand_core::TryRng for Repeated {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|n| n as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 += 1;
        let digest = HashAlgorithm::Sha256.digest(&self.0.to_be_bytes());
        Ok(digest.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b)))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = self.try_next_u64()? as u8;
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Repeated {}

#[test]
fn replays_a_trace_of_a_whole_reading_and_keeps_personal_data_out_of_it() {
    let image = image(&Wanted::default());
    let card = personalised(&image);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let plan = plan(AccessPolicy::Pace, false);
    let options = ReadOptions::default();
    let file = std::fs::File::create(&path).unwrap();
    let traced = TracingTransport::new(card, file, false);
    let first = read_chip(traced, &plan, &options, &mut Repeated(1), &mut |_, _| {}).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count() as u64, 1 + first.counters.apdus);
    for secret in [&cards::MRZ[..20], b"000018"] {
        assert!(!text.contains(&hex::encode(secret)), "personal data in the trace");
    }
    let replay = ReplayTransport::parse(&text).unwrap();
    let second = read_chip(replay, &plan, &options, &mut Repeated(1), &mut |_, _| {}).unwrap();
    assert_eq!(first.files, second.files);
    check(&second, &image, "replayed");
}
