//! The application for integrated documents on the software card: written over the issuer domain's
//! secure channel, read in the session that opened the card.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/cards.rs"]
mod cards;

use cancuoc::apdu::{CommandApdu, Ne};
use cancuoc::globalplatform::link::Link;
use cancuoc::globalplatform::{KeySet, command, session};
use cancuoc::softcard::{FileMemory, PowerCut, SoftCard};
use cancuoc::terminal::{AccessPlan, AccessPolicy, Session, commands, open_card};
use cancuoc_primitives::hash::HashAlgorithm;

use cards::{Wanted, image, keys, personalised, personalised_file, random};

const AID: [u8; 10] = *b"\xF0cancuoc\x20\x01";
const LOAD_FILE: [u8; 9] = *b"\xF0cancuoc\x20";

/// A channel to the issuer domain.
fn connect(card: &mut SoftCard) -> Link<'_> {
    card.power_on();
    let keys = KeySet::test_keys().unwrap();
    let mut link = Link::new(card);
    session::select_issuer_domain(&mut link).unwrap();
    session::authenticate(&mut link, &keys, None, &mut random()).unwrap();
    link
}

/// Status word of a command over the channel.
fn send(link: &mut Link<'_>, command: &CommandApdu) -> u16 {
    link.secure(command).unwrap().status.0
}

fn install(link: &mut Link<'_>) -> u16 {
    let mut data = Vec::new();
    for field in [&LOAD_FILE[..], &AID, &AID, &[0], &[0xC9, 0], &[]] {
        data.push(field.len() as u8);
        data.extend_from_slice(field);
    }
    send(link, &CommandApdu::new(0x80, 0xE6, 0x0C, 0).with_data(data))
}

/// Writes an object; the status word of the first command that was refused.
fn update(link: &mut Link<'_>, kind: u8, counter: u32, content: &[u8]) -> Result<(), u16> {
    let done = |status| if status == 0x9000 { Ok(()) } else { Err(status) };
    let install = command::install_for_personalization(&AID);
    done(send(link, &install))?;
    let counter = counter.to_be_bytes();
    let size = (content.len() as u32).to_be_bytes();
    let digest = HashAlgorithm::Sha256.digest(content);
    let mut groupings = vec![(0x01, [&[kind][..], &counter, &size[1..], &digest].concat())];
    for (number, part) in content.chunks(150).enumerate() {
        let offset = ((number * 150) as u32).to_be_bytes();
        groupings.push((0x02, [&[kind][..], &offset[1..], part].concat()));
    }
    groupings.push((0x03, [&[kind][..], &counter].concat()));
    let last = groupings.len() - 1;
    for (number, (identifier, value)) in groupings.iter().enumerate() {
        let grouping = [&[0x06, *identifier, value.len() as u8][..], value].concat();
        done(send(link, &command::store_data(&grouping, false, number == last, number as u8)))?;
    }
    Ok(())
}

fn select() -> CommandApdu {
    CommandApdu::new(0x00, 0xA4, 0x04, 0x0C).with_data(AID)
}

/// A whole file by its short identifier.
fn read(session: &mut Session<&mut SoftCard>, short: u8) -> Result<Vec<u8>, u16> {
    let ne = Ne::new(200);
    let mut content = Vec::new();
    let first = CommandApdu::new(0x00, 0xB0, 0x80 | short, 0).with_ne(ne);
    let mut answer = session.transmit(&first).unwrap();
    loop {
        match answer.status.0 {
            0x9000 | 0x6282 => content.extend(&answer.data[..]),
            // The end was reached exactly.
            0x6B00 if !content.is_empty() => return Ok(content),
            status => return Err(status),
        }
        if answer.data.len() < 200 {
            return Ok(content);
        }
        let [high, low] = (content.len() as u16).to_be_bytes();
        let next = CommandApdu::new(0x00, 0xB0, high, low).with_ne(ne);
        answer = session.transmit(&next).unwrap();
    }
}

/// What a reader finds of a kind after access control, and the list.
fn inspect(card: &mut SoftCard, policy: AccessPolicy, kind: u8) -> (Result<Vec<u8>, u16>, Vec<u8>) {
    card.power_on();
    let mut session = Session::new(card);
    let plan = AccessPlan { policy, ..AccessPlan::pace(keys()) };
    open_card(&mut session, &plan, &mut random()).unwrap();
    assert_eq!(session.transmit(&select()).unwrap().status.0, 0x9000);
    let list = read(&mut session, 0x1E).unwrap();
    let object = read(&mut session, kind);
    // The passport application is a SELECT away, in the same session.
    assert_eq!(session.transmit(&commands::select_lds1()).unwrap().status.0, 0x9000);
    assert!(read(&mut session, 1).unwrap().starts_with(&[0x61]), "DG1");
    (object, list)
}

fn content(first: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| first ^ at as u8 ^ (at >> 8) as u8).collect()
}

#[test]
fn is_installed_and_updated_on_an_issued_card_and_read_after_pace_and_bac() {
    let mut card = personalised(&image(&Wanted { portrait: 300, ..Wanted::default() }));
    let mut link = connect(&mut card);
    assert_eq!(install(&mut link), 0x9000);
    let old = content(1, 1500);
    update(&mut link, 3, 1, &old).unwrap();
    for policy in [AccessPolicy::Pace, AccessPolicy::Bac] {
        assert_eq!(inspect(&mut card, policy, 3).0, Ok(old.clone()));
    }
    let new = content(2, 2000);
    let mut link = connect(&mut card);
    assert_eq!(install(&mut link), 0x6985, "installed already");
    update(&mut link, 3, 9, &new).unwrap();
    let (object, list) = inspect(&mut card, AccessPolicy::Pace, 3);
    assert_eq!(object, Ok(new.clone()));
    let entry = [&[0x81, 1, 3, 0x82, 4, 0, 0, 0, 9, 0x83, 3, 0, 7, 208, 0x84, 32][..]].concat();
    let entry = [entry, HashAlgorithm::Sha256.digest(&new)].concat();
    assert_eq!(list, [&[0xE0, 53, 0x80, 1, 0, 0xE1, 48][..], &entry].concat());
    assert_eq!(inspect(&mut card, AccessPolicy::Pace, 4).0, Err(0x6A82));
}

#[test]
fn an_older_object_is_refused_even_after_the_newer_one_was_removed() {
    let mut card = personalised(&image(&Wanted { portrait: 300, ..Wanted::default() }));
    let mut link = connect(&mut card);
    assert_eq!(install(&mut link), 0x9000);
    update(&mut link, 1, 5, b"newer").unwrap();
    assert_eq!(update(&mut link, 1, 5, b"same"), Err(0x6985));
    assert_eq!(update(&mut link, 1, 4, b"older"), Err(0x6985));
    assert_eq!(inspect(&mut card, AccessPolicy::Pace, 1).0, Ok(b"newer".to_vec()));
    let mut link = connect(&mut card);
    let delete = [&[0x4F, 10][..], &AID].concat();
    let delete = CommandApdu::new(0x80, 0xE4, 0, 0).with_data(delete);
    assert_eq!(send(&mut link, &delete), 0x6985, "counters stay");
}

#[test]
fn is_not_reached_without_a_session() {
    let mut card = personalised(&image(&Wanted { portrait: 300, ..Wanted::default() }));
    let plain = select().encode().unwrap();
    assert_eq!(card.process(&plain), [0x6A, 0x82], "not installed");
    let mut link = connect(&mut card);
    assert_eq!(install(&mut link), 0x9000);
    card.power_on();
    assert_eq!(card.process(&plain), [0x69, 0x82]);
    assert_eq!(card.process(&[0x00, 0xB0, 0x9E, 0, 0])[..], [0x6A, 0x82], "no file of this card");
    // A plain command in a session ends it, and what was selected in it.
    let mut session = Session::new(&mut card);
    open_card(&mut session, &AccessPlan::pace(keys()), &mut random()).unwrap();
    assert_eq!(session.transmit(&select()).unwrap().status.0, 0x9000);
    let card = session.into_transport();
    assert_eq!(card.process(&[0x00, 0xB0, 0x9E, 0, 0]), [0x69, 0x87]);
    assert_eq!(card.process(&plain), [0x69, 0x82]);
}

/// The card loses power before each write of an update in turn, memory file and all: a reader finds
/// the old object or the new one, with the counter that belongs to it.
#[test]
fn an_update_that_loses_power_leaves_the_old_object_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    personalised_file(&path, &image(&Wanted { portrait: 300, ..Wanted::default() }));
    let (old, new) = (content(1, 200), content(2, 400));
    let mut card = SoftCard::open(&path).unwrap();
    let mut link = connect(&mut card);
    assert_eq!(install(&mut link), 0x9000);
    update(&mut link, 2, 1, &old).unwrap();
    drop(card);
    let mut outcomes = Vec::new();
    for writes in 0.. {
        let copy = folder.path().join(format!("copy-{writes}"));
        std::fs::copy(&path, &copy).unwrap();
        let memory = PowerCut::after(FileMemory::open(&copy).unwrap(), writes);
        let mut card = SoftCard::power_up(Box::new(memory), Box::new(random()));
        let keys = KeySet::test_keys().unwrap();
        let mut link = Link::new(&mut card);
        session::select_issuer_domain(&mut link).unwrap();
        let opened = session::authenticate(&mut link, &keys, None, &mut random());
        let done = opened.is_ok() && update(&mut link, 2, 2, &new).is_ok();
        drop(card);
        let mut card = SoftCard::open(&copy).unwrap();
        let (object, list) = inspect(&mut card, AccessPolicy::Pace, 2);
        let counter = list[15];
        assert!(
            counter == 1 && object == Ok(old.clone()) || counter == 2 && object == Ok(new.clone())
        );
        outcomes.push(counter);
        if done {
            break;
        }
    }
    assert_eq!((outcomes.first(), outcomes.last()), (Some(&1), Some(&2)));
    assert!(outcomes.is_sorted(), "{outcomes:?}");
    assert!(outcomes.len() > 5, "begin, three parts and the commit at least");
}
