//! The flow against a card that keeps just enough of the rules, and breaks where it is told to.

use std::collections::BTreeMap;

use cancuoc_primitives::cipher;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use zeroize::Zeroizing;

use super::*;
use crate::error::ErrorCode;
use crate::globalplatform::ISSUER_SECURITY_DOMAIN;
use crate::globalplatform::command::Registry;
use crate::globalplatform::image::tests::image;
use crate::globalplatform::keys::{Derivation, StaticKey};
use crate::globalplatform::limits::SHORT_DATA;
use crate::globalplatform::link::Link;
use crate::globalplatform::session;
use crate::globalplatform::{GlobalPlatformError, image};
use crate::issue::Location;
use crate::transport::TransportError;

/// Gives the same "random" bytes always.
struct Counting(u8);

impl rand_core::TryRng for Counting {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(7)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(7)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0 = self.0.wrapping_add(1);
        out.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}

struct CardSession {
    encryption: Zeroizing<Vec<u8>>,
    counter: u128,
    open: bool,
    installed: bool,
}

/// A card without protection of responses: commands are decrypted, MACs are not looked at.
struct Card {
    keys: KeySet,
    atr: Vec<u8>,
    takes_extended: bool,
    files: BTreeMap<(u8, u16), Vec<u8>>,
    secrets: BTreeMap<u16, Vec<u8>>,
    activated: bool,
    locked: bool,
    life_cycle: u8,
    session: Option<CardSession>,
    /// The card is torn out before this many more APDUs.
    tear: Option<usize>,
    /// Whether the card still carries out the command that it is torn out at.
    answer_lost: bool,
    authentications: usize,
    writes: usize,
    /// Flips a byte of this file when it is written.
    faulty: Option<u16>,
    /// Gives its registry in two answers.
    paged: bool,
}

impl Card {
    fn blank() -> Self {
        Self {
            keys: KeySet::test_keys().unwrap(),
            atr: vec![0x3B, 0x85, 0x80, 0x01, 0x80, 0x73, 0xC0, 0x21, 0xC0, 0xD7],
            takes_extended: true,
            files: BTreeMap::new(),
            secrets: BTreeMap::new(),
            activated: false,
            locked: false,
            life_cycle: 0x01,
            session: None,
            tear: None,
            answer_lost: false,
            authentications: 0,
            writes: 0,
            faulty: None,
            paged: false,
        }
    }

    fn answer(&mut self, cla: u8, header: [u8; 3], data: &[u8]) -> (Vec<u8>, u16) {
        match (cla, header) {
            (0x00, [0xA4, 0x04, _]) if data == ISSUER_SECURITY_DOMAIN => (vec![], 0x9000),
            (0x00, [0xA4, 0x04, _]) => (vec![], 0x9000),
            (0x00, [0xB0, 0x9E, 0]) => (vec![], if self.activated { 0x6982 } else { 0x6A82 }),
            (0x80, [0xCA, ..]) => (vec![], 0x6A88),
            (0x80, [0x50, ..]) => self.initialize_update(data),
            (0x84, [0x82, ..]) => self.external_authenticate(data),
            (0x84, rest) => self.secured(rest, data),
            _ => (vec![], 0x6D00),
        }
    }

    fn initialize_update(&mut self, host: &[u8]) -> (Vec<u8>, u16) {
        let context = [host, &[9; 8]].concat();
        let derive = |key: &StaticKey, constant, length| key.derive(constant, &context, length);
        let mac = derive(&self.keys.mac, Derivation::SessionMac, 16).unwrap();
        let mac = StaticKey::new(&mac).unwrap();
        let cryptogram = mac.derive(Derivation::CardCryptogram, &context, 8).unwrap();
        let encryption = derive(&self.keys.encryption, Derivation::SessionEncryption, 16).unwrap();
        self.session = Some(CardSession { encryption, counter: 0, open: false, installed: false });
        let mut answer = vec![0; 10];
        answer.extend([self.keys.version, 0x03, 0x00]);
        answer.extend([9; 8]);
        answer.extend_from_slice(&cryptogram);
        (answer, 0x9000)
    }

    fn external_authenticate(&mut self, _data: &[u8]) -> (Vec<u8>, u16) {
        self.authentications += 1;
        match &mut self.session {
            Some(session) => session.open = true,
            None => return (vec![], 0x6985),
        }
        (vec![], 0x9000)
    }

    fn secured(&mut self, [ins, p1, p2]: [u8; 3], data: &[u8]) -> (Vec<u8>, u16) {
        let Some(session) = self.session.as_mut().filter(|session| session.open) else {
            return (vec![], 0x6982);
        };
        session.counter += 1;
        let block = session.counter.to_be_bytes();
        let aes = cipher::BlockCipher::Aes128;
        let iv = cipher::encrypt_block(aes, &session.encryption, &block).unwrap();
        let body = &data[..data.len() - 8];
        let plain = if body.is_empty() {
            Vec::new()
        } else {
            let padded = cipher::cbc_decrypt(aes, &session.encryption, &iv, body).unwrap();
            cipher::unpad(&padded).unwrap().to_vec()
        };
        match ins {
            0xF2 if self.paged && p2 & 0x01 == 0 => (registry_entry(self.life_cycle), 0x6310),
            0xF2 => (registry_entry(self.life_cycle), 0x9000),
            0xE6 if self.locked => (vec![], 0x6985),
            0xE6 => {
                session.installed = true;
                (vec![], 0x9000)
            }
            0xE2 if session.installed => {
                session.installed = p1 & 0x80 == 0;
                self.store(&plain, p1 & 0x60 == 0x60)
            }
            0xF0 => {
                self.life_cycle = p2;
                (vec![], 0x9000)
            }
            0xD8 => self.put_key(&plain),
            _ => (vec![], 0x6985),
        }
    }

    /// A whole set of AES-128 keys: version, then three times type, length, length of the key,
    /// the key encrypted, length of the check value, check value.
    fn put_key(&mut self, data: &[u8]) -> (Vec<u8>, u16) {
        let dek = self.keys.data_encryption.bytes().to_vec();
        let (version, fields) = data.split_first().unwrap();
        let mut keys = Vec::new();
        let mut answer = vec![*version];
        for field in fields.chunks(23) {
            let aes = cipher::BlockCipher::Aes128;
            keys.push(cipher::cbc_decrypt(aes, &dek, &[0; 16], &field[3..19]).unwrap());
            answer.extend_from_slice(&field[20..]);
        }
        self.keys = KeySet::new(*version, &keys[0], &keys[1], &keys[2]).unwrap();
        (answer, 0x9000)
    }

    fn store(&mut self, mut data: &[u8], encrypted: bool) -> (Vec<u8>, u16) {
        self.writes += 1;
        while !data.is_empty() {
            let identifier = u16::from_be_bytes([data[0], data[1]]);
            let (length, start) = match data[2] {
                0xFF => (usize::from(u16::from_be_bytes([data[3], data[4]])), 5),
                length => (usize::from(length), 3),
            };
            let mut value = data[start..start + length].to_vec();
            data = &data[start + length..];
            if encrypted {
                let key = self.keys.data_encryption.bytes();
                let aes = cipher::BlockCipher::Aes128;
                let padded = cipher::cbc_decrypt(aes, key, &[0; 16], &value).unwrap();
                value = cipher::unpad(&padded).unwrap().to_vec();
            } else if (0x0200..0x0400).contains(&identifier) {
                return (vec![], 0x6985);
            }
            self.group(identifier, value);
        }
        (vec![], 0x9000)
    }

    fn group(&mut self, identifier: u16, value: Vec<u8>) {
        let file = || (value[0], u16::from_be_bytes([value[1], value[2]]));
        match identifier {
            image::CREATE_FILE => {
                let size = u32::from_be_bytes([0, value[5], value[6], value[7]]);
                self.files.insert(file(), vec![0; size as usize]);
            }
            image::WRITE_FILE => {
                let offset = u32::from_be_bytes([0, value[3], value[4], value[5]]) as usize;
                let content = self.files.get_mut(&file()).unwrap();
                content[offset..offset + value.len() - 6].copy_from_slice(&value[6..]);
                if self.faulty == Some(file().1) {
                    content[0] ^= 1;
                }
            }
            image::ACTIVATE => self.activated = true,
            image::LOCK => self.locked = true,
            _ => drop(self.secrets.insert(identifier, value)),
        }
    }
}

fn registry_entry(life_cycle: u8) -> Vec<u8> {
    let aid = [&[0x4F, 8][..], &ISSUER_SECURITY_DOMAIN].concat();
    [&[0xE3, 14][..], &aid, &[0x9F, 0x70, 1, life_cycle]].concat()
}

impl CardTransport for Card {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let torn = self.tear == Some(0);
        self.tear = self.tear.map(|left| left.saturating_sub(1));
        if torn && !self.answer_lost {
            return Err(TransportError::CardRemoved);
        }
        let extended = command.len() > 5 && command[4] == 0;
        let (mut data, status) = if extended && !self.takes_extended {
            (vec![], 0x6700)
        } else {
            let start = if extended { 7 } else { 5 };
            let length = match command.get(4) {
                Some(0) if extended => usize::from(u16::from_be_bytes([command[5], command[6]])),
                Some(length) if command.len() > 5 => usize::from(*length),
                _ => 0,
            };
            let body = command.get(start..start + length).unwrap_or_default().to_vec();
            self.answer(command[0], [command[1], command[2], command[3]], &body)
        };
        if torn {
            self.answer_lost = false;
            return Err(TransportError::CardRemoved);
        }
        data.extend(status.to_be_bytes());
        Ok(data)
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.session = None;
        Ok(())
    }
}

/// Looks into the card's memory instead of reading it.
struct Peek(std::rc::Rc<std::cell::RefCell<Card>>);

impl Inspection for Peek {
    fn is_same_document(
        &mut self,
        _: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<bool, ReadBackError> {
        let card = self.0.borrow();
        let dg1 = image.file(Location::Lds1, 0x0101).unwrap();
        Ok(card.files.get(&(1, 0x0101)) == Some(&dg1.content))
    }

    fn read_back(
        &mut self,
        _: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<ReadBack, ReadBackError> {
        let card = self.0.borrow();
        for file in &image.files {
            let place = u8::from(file.location == Location::Lds1);
            if card.files.get(&(place, file.fid)) != Some(&file.content) {
                let (location, fid) = (file.location, file.fid);
                return Err(ReadBackError::Differs { location, fid, offset: 0 });
            }
        }
        Ok(ReadBack { bytes: image.total_bytes() as u64, ..ReadBack::default() })
    }
}

struct Shared(std::rc::Rc<std::cell::RefCell<Card>>, Vec<u8>);

impl CardTransport for Shared {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.0.borrow_mut().transmit(command)
    }
    fn atr(&self) -> &[u8] {
        &self.1
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.borrow_mut().reset()
    }
}

type CardCell = std::rc::Rc<std::cell::RefCell<Card>>;

fn shared(card: Card) -> CardCell {
    std::rc::Rc::new(std::cell::RefCell::new(card))
}

fn run_with(card: &CardCell, image: &CardImage, keys: &KeySet) -> Result<Report, PersonalizeError> {
    let atr = card.borrow().atr.clone();
    let mut transport = Shared(card.clone(), atr);
    let settings = Settings { max_data: Some(1000), ..Settings::new(keys) };
    let mut last = None;
    personalize(
        &mut transport,
        image,
        &settings,
        &mut Counting(0),
        &mut Peek(card.clone()),
        &mut |progress: Progress| {
            assert!(progress.done <= progress.total);
            assert!(Some(progress.step) >= last, "steps go forward");
            last = Some(progress.step);
        },
    )
}

fn run(card: &CardCell) -> Result<Report, PersonalizeError> {
    run_with(card, &image(), &KeySet::test_keys().unwrap())
}

#[test]
fn writes_reads_back_locks_and_secures_a_blank_card() {
    let card = shared(Card::blank());
    let mut report = run(&card).unwrap();
    let card = card.borrow();
    assert!(card.activated && card.locked);
    assert_eq!((card.life_cycle, report.life_cycle), (0x0F, CardLifeCycle::Secured));
    assert_eq!(card.secrets[&image::CARD_ACCESS_NUMBER], b"000018");
    assert_eq!(report.read_back.take().unwrap().bytes, 54 + 95 + 2000);
    assert!(!report.resumed);
    let overhead = report.overhead().unwrap();
    assert!((1.0..1.3).contains(&overhead), "{overhead}");
}

#[test]
fn refuses_an_issued_card_and_writes_nothing() {
    let card = shared(Card::blank());
    run(&card).unwrap();
    let writes = card.borrow().writes;
    assert_eq!(run(&card).unwrap_err(), PersonalizeError::AlreadyIssued { state: "SECURED" });
    assert_eq!(card.borrow().writes, writes);
}

#[test]
fn refuses_a_card_with_another_document_without_trying_a_key() {
    let card = shared(Card::blank());
    card.borrow_mut().activated = true;
    assert_eq!(run(&card).unwrap_err(), PersonalizeError::AlreadyPersonalised);
    assert_eq!(card.borrow().authentications, 0);
}

#[test]
fn refuses_a_locked_card_that_was_never_activated() {
    let card = shared(Card::blank());
    card.borrow_mut().locked = true;
    assert_eq!(run(&card).unwrap_err(), PersonalizeError::Locked);
}

#[test]
fn tries_wrong_keys_once_and_never_sends_the_host_cryptogram() {
    let card = shared(Card::blank());
    let wrong = KeySet::new(0x30, &[1; 16], &[2; 16], &[3; 16]).unwrap();
    let error = run_with(&card, &image(), &wrong).unwrap_err();
    assert_eq!(error, GlobalPlatformError::CardCryptogram.into());
    assert_eq!(card.borrow().authentications, 0);
}

#[test]
fn does_not_lock_a_card_that_holds_other_bytes_than_were_written() {
    let card = shared(Card::blank());
    card.borrow_mut().faulty = Some(0x0102);
    assert!(matches!(
        run(&card).unwrap_err(),
        PersonalizeError::ReadBack(ReadBackError::Differs { fid: 0x0102, .. })
    ));
    assert!(!card.borrow().locked);
    assert_eq!(card.borrow().life_cycle, 0x01);
}

#[test]
fn steps_down_to_short_commands_once() {
    let card = shared(Card::blank());
    card.borrow_mut().takes_extended = false;
    let report = run(&card).unwrap();
    assert_eq!(report.max_data, SHORT_DATA);
    assert!(report.blocks >= 9, "{}", report.blocks);
    assert!(card.borrow().locked);
}

#[test]
fn uses_fewer_commands_with_longer_ones() {
    let long = run(&shared(Card::blank())).unwrap();
    let short = shared(Card::blank());
    short.borrow_mut().atr = vec![0x3B, 0x00];
    let short = run(&short).unwrap();
    assert!(long.blocks * 2 < short.blocks, "{} {}", long.blocks, short.blocks);
}

#[test]
fn resumes_after_the_card_is_torn_out_at_any_command() {
    let whole = run(&shared(Card::blank())).unwrap().traffic.apdus as usize;
    for (tear, answer_lost) in (0..whole).flat_map(|tear| [(tear, false), (tear, true)]) {
        let card = shared(Card::blank());
        card.borrow_mut().tear = Some(tear);
        card.borrow_mut().answer_lost = answer_lost;
        let error = run(&card).unwrap_err();
        assert_eq!(error.code(), "card_removed", "torn before APDU {tear}: {error}");
        card.borrow_mut().tear = None;
        let (activated, secured) = (card.borrow().activated, card.borrow().life_cycle == 0x0F);
        match run(&card) {
            Ok(report) => {
                assert_eq!(report.resumed, activated, "{tear}");
                assert!(card.borrow().locked);
            }
            Err(error) => {
                // Only the answer to the very last command was lost: the card is issued.
                assert!(secured, "torn before APDU {tear}: {error}");
            }
        }
    }
}

#[test]
fn lists_a_registry_that_comes_in_several_answers() {
    let card = shared(Card { paged: true, ..Card::blank() });
    let mut transport = Shared(card, vec![0x3B, 0x00]);
    let mut link = Link::new(&mut transport);
    let keys = KeySet::test_keys().unwrap();
    session::authenticate(&mut link, &keys, None, &mut Counting(0)).unwrap();
    let found = session::list(&mut link, Registry::Applications).unwrap();
    assert_eq!(found.len(), 2);
}

fn production_keys() -> KeySet {
    KeySet::new(0x31, &[0x11; 16], &[0x22; 16], &[0x33; 16]).unwrap()
}

/// Notes the steps, and stops before one.
#[derive(Default)]
struct Line {
    begun: Vec<Step>,
    stop: Option<Step>,
}

impl Observer for Line {
    fn before(&mut self, step: Step, card: Option<&CardIdentity>) -> Result<(), Stopped> {
        assert_eq!(card.is_some(), step != Step::Identify);
        if self.stop == Some(step) {
            return Err(Stopped { code: "journal_full", message: "no room".to_owned() });
        }
        self.begun.push(step);
        Ok(())
    }
}

fn run_line(card: &CardCell, line: &mut Line) -> Result<Report, PersonalizeError> {
    let (transport_keys, new) = (KeySet::test_keys().unwrap(), production_keys());
    let settings = Settings { new_keys: Some(&new), ..Settings::new(&transport_keys) };
    let mut transport = Shared(card.clone(), card.borrow().atr.clone());
    let (image, mut random, mut peek) = (image(), Counting(0), Peek(card.clone()));
    let run = Personalization::new(&mut transport, &image, &settings, &mut random, &mut peek, line);
    run.unwrap().run()
}

const ALL_STEPS: [Step; 6] =
    [Step::Identify, Step::Authenticate, Step::Keys, Step::Write, Step::ReadBack, Step::Lock];

#[test]
fn changes_the_keys_before_anything_is_written() {
    let (card, mut line) = (shared(Card::blank()), Line::default());
    let report = run_line(&card, &mut line).unwrap();
    assert_eq!(line.begun, ALL_STEPS);
    assert!(report.keys_changed && card.borrow().locked);
    assert_eq!((report.key_version, card.borrow().keys.version), (0x31, 0x31));
    assert_eq!(card.borrow().keys.mac.bytes(), [0x22; 16]);
}

#[test]
fn sends_nothing_of_a_step_that_the_line_does_not_let_begin() {
    for step in ALL_STEPS {
        let card = shared(Card::blank());
        let mut line = Line { stop: Some(step), ..Line::default() };
        let error = run_line(&card, &mut line).unwrap_err();
        assert_eq!(error.code(), "journal_full");
        let card = card.borrow();
        assert_eq!(card.keys.version == 0x31, step > Step::Keys, "{step:?}");
        assert_eq!(card.writes > 0, step > Step::Write, "{step:?}");
        assert!(!card.locked && card.life_cycle == 0x01, "{step:?}");
    }
}

#[test]
fn goes_on_with_whichever_keys_the_card_proves_after_being_torn_out_anywhere() {
    let whole = run_line(&shared(Card::blank()), &mut Line::default()).unwrap().traffic.apdus;
    for (tear, answer_lost) in (0..whole as usize).flat_map(|t| [(t, false), (t, true)]) {
        let card = shared(Card::blank());
        card.borrow_mut().tear = Some(tear);
        card.borrow_mut().answer_lost = answer_lost;
        run_line(&card, &mut Line::default()).unwrap_err();
        card.borrow_mut().tear = None;
        let secured = card.borrow().life_cycle == 0x0F;
        let again = run_line(&card, &mut Line::default());
        assert!(again.is_ok() || secured, "torn at {tear}: {again:?}");
        assert_eq!(card.borrow().keys.version, 0x31);
    }
}

#[test]
fn shows_no_wrong_key_to_a_card_that_holds_neither_set() {
    let card = shared(Card::blank());
    card.borrow_mut().keys = KeySet::new(0x20, &[9; 16], &[8; 16], &[7; 16]).unwrap();
    let error = run_line(&card, &mut Line::default()).unwrap_err();
    assert_eq!(error, GlobalPlatformError::CardCryptogram.into());
    assert_eq!(card.borrow().authentications, 0);
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn every_byte_arrives_whatever_the_files(lengths in proptest::collection::vec(0usize..5000, 1..4)) {
        let mut image = image();
        for (n, length) in lengths.iter().enumerate() {
            let mut file = image.files[2].clone();
            file.fid = 0x0200 + n as u16;
            file.content = (0..*length).map(|i| (i * 31 + n) as u8).collect();
            image.files.push(file);
        }
        let card = shared(Card::blank());
        let report = run_with(&card, &image, &KeySet::test_keys().unwrap());
        prop_assert!(report.is_ok());
        for file in &image.files {
            let place = u8::from(file.location == Location::Lds1);
            prop_assert_eq!(&card.borrow().files[&(place, file.fid)], &file.content);
        }
    }
}
