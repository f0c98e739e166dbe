use alloc::vec;
use alloc::vec::Vec;

use cancuoc_primitives::hash::HashAlgorithm;
use proptest::prelude::*;

use super::*;
use crate::testing::{
    Card, DOMAIN, FIRST, FIRST_FILE, Host, Memory, SECOND, SECOND_FILE, Scp02Host, Scp03Host,
    fields, key_set, put_key_data,
};

const BOTH: Channels = Channels { scp02: Some(0x55), scp03: Some(0x70) };

fn aes(version: u8, length: usize) -> KeySet {
    let key = |first: u8| (0..length).map(|at| first ^ at as u8).collect::<Vec<u8>>();
    key_set(version, KeyType::Aes, [&key(0x40), &key(0x51), &key(0x62)])
}

fn tdes(version: u8) -> KeySet {
    key_set(version, KeyType::Tdes, [&[0x40; 16], &[0x51; 16], &[0x62; 16]])
}

fn card() -> Card {
    Card::new(aes(0x30, 16), BOTH)
}

fn open(card: &mut Card) -> Scp03Host {
    Scp03Host::open(card, &aes(0x30, 16), 0x03, 8).unwrap()
}

fn install(card: &mut Card, host: &mut dyn Host, aid: &[u8], file: &[u8]) -> u16 {
    host.send(card, [0x80, 0xE6, 0x0C, 0], &fields(&[file, aid, aid, &[0], &[0xC9, 0], &[]])).1
}

fn delete(card: &mut Card, host: &mut dyn Host, aid: &[u8], p2: u8) -> u16 {
    host.send(card, [0x80, 0xE4, 0, p2], &[&[0x4F, aid.len() as u8], aid].concat()).1
}

fn card_state(card: &mut Card, host: &mut dyn Host, state: u8) -> u16 {
    host.send(card, [0x80, 0xF0, 0x80, state], DOMAIN).1
}

#[test]
fn scp03_opens_with_every_key_length_mode_and_level_that_the_options_allow() {
    for options in [0x00, 0x10, 0x20, 0x30, 0x60, 0x70, 0x01, 0x31, 0x71] {
        for length in [16, 24, 32] {
            let keys = aes(1, length);
            let channels = Channels { scp02: None, scp03: Some(options) };
            let size = if options & 1 == 0 { 8 } else { 16 };
            for level in [0x01, 0x03, 0x11, 0x13, 0x33] {
                let mut card = Card::new(keys.clone(), channels);
                let opened = Scp03Host::open(&mut card, &keys, level, size);
                let needed = (level & 0x30) << 1 | level & 0x10 << 1;
                let allowed = options & 0x60 & needed == needed & 0x60;
                assert_eq!(opened.as_ref().err(), (!allowed).then_some(&0x6A86), "{options:02X}");
                let Ok(mut host) = opened else { continue };
                for _ in 0..3 {
                    let answer = host.send(&mut card, [0x80, 0xF2, 0x80, 2], &[0x4F, 0]);
                    assert_eq!(
                        (answer.1, answer.0[0]),
                        (0x9000, 0xE3),
                        "{options:02X} {level:02X}"
                    );
                    assert_eq!(host.send(&mut card, [0x80, 0xCA, 0, 0x66], &[]).1, 0x9000);
                }
            }
        }
    }
}

#[test]
fn scp02_opens_at_every_level_that_the_options_allow() {
    let keys = tdes(1);
    for options in [0x15, 0x35, 0x55, 0x75] {
        for level in [0x01, 0x03, 0x10, 0x11, 0x13] {
            let mut card = Card::new(keys.clone(), Channels { scp02: Some(options), scp03: None });
            let opened = Scp02Host::open(&mut card, &keys, level);
            let allowed = level & 0x10 == 0 || options & 0x20 != 0;
            assert_eq!(opened.as_ref().err(), (!allowed).then_some(&0x6A86), "{options:02X}");
            let Ok(mut host) = opened else { continue };
            for _ in 0..3 {
                let answer = host.send(&mut card, [0x80, 0xF2, 0x80, 2], &[0x4F, 0]);
                assert_eq!((answer.1, answer.0[0]), (0x9000, 0xE3), "{options:02X} {level:02X}");
                assert_eq!(host.send(&mut card, [0x80, 0xCA, 0, 0x66], &[]).1, 0x9000);
            }
        }
    }
}

#[test]
fn the_counter_of_scp02_goes_on_only_when_the_host_is_authentic() {
    let keys = tdes(1);
    let mut card = Card::new(keys.clone(), BOTH);
    let wrong = key_set(1, KeyType::Tdes, [&[0x40; 16], &[9; 16], &[9; 16]]);
    let counter = |card: &mut Card| card.transmit(&[0x80, 0xCA, 0, 0xC1, 0]).0;
    assert_eq!(counter(&mut card), [0xC1, 2, 0, 0]);
    assert_eq!(Scp02Host::open(&mut card, &wrong, 1).err(), Some(0x6300));
    assert_eq!(counter(&mut card), [0xC1, 2, 0, 0]);
    assert!(Scp02Host::open(&mut card, &keys, 1).is_ok());
    card.select(DOMAIN);
    assert_eq!(counter(&mut card), [0xC1, 2, 0, 1]);
}

#[test]
fn a_changed_command_ends_the_channel() {
    let mut card = Card::new(tdes(1), BOTH);
    let new = put_key_data(&Scp02Host::open(&mut card, &tdes(1), 3).unwrap(), &aes(0x30, 16));
    let mut host = Scp02Host::open(&mut card, &tdes(1), 3).unwrap();
    let new_host = put_key_data(&host, &aes(0x30, 16));
    assert_ne!(new, new_host, "the data encryption key is the session's");
    assert_eq!(host.send(&mut card, [0x80, 0xD8, 0, 0x81], &new_host).1, 0x9000);
    for tdes_host in [true, false] {
        let mut host: alloc::boxed::Box<dyn Host> = if tdes_host {
            alloc::boxed::Box::new(Scp02Host::open(&mut card, &tdes(1), 3).unwrap())
        } else {
            alloc::boxed::Box::new(open(&mut card))
        };
        let mut command = host.wrap([0x80, 0xF2, 0x80, 2], &[0x4F, 0]);
        command[3] = 0;
        assert_eq!(card.transmit(&command).1, 0x6982);
        let again = host.wrap([0x80, 0xF2, 0x80, 2], &[0x4F, 0]);
        assert_eq!(card.transmit(&again).1, 0x6982, "no channel");
    }
}

#[test]
fn so_many_wrong_hosts_in_a_row_block_the_domain_and_a_right_one_gives_all_tries_back() {
    let mut card = card();
    let wrong = key_set(0x30, KeyType::Aes, [&aes(0x30, 16).encryption, &[1; 16], &[1; 16]]);
    let attempt = |card: &mut Card| {
        let initialize = [0x80, 0x50, 0x30, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0];
        let (_, status) = card.transmit(&initialize);
        if status != 0x9000 {
            return status;
        }
        card.transmit(&[&[0x84, 0x82, 1, 0, 16][..], &[0; 16]].concat()).1
    };
    assert_ne!(wrong.authentication, aes(0x30, 16).authentication);
    for _ in 0..2 {
        for _ in 0..2 {
            assert_eq!(attempt(&mut card), 0x6300);
        }
        open(&mut card);
    }
    for expected in [0x6300, 0x6300, 0x6300, 0x6983] {
        assert_eq!(attempt(&mut card), expected);
    }
    assert_eq!(Scp03Host::open(&mut card, &aes(0x30, 16), 3, 8).err(), Some(0x6983));
}

#[test]
fn cutting_the_power_gives_no_try_back() {
    let mut card = card();
    for _ in 0..3 {
        assert_eq!(card.transmit(&[0x80, 0x50, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0]).1, 0x9000);
        card.memory.writes_left = Some(1);
        let proof = [&[0x84, 0x82, 1, 0, 16][..], &[0; 16]].concat();
        assert_eq!(card.transmit(&proof).1, 0x6300);
        let mut memory = card.memory.clone();
        memory.writes_left = None;
        card = Card::on(memory);
    }
    assert_eq!(card.transmit(&[0x80, 0x50, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0]).1, 0x6983);
}

#[test]
fn key_sets_of_either_type_are_added_and_replaced_over_either_channel() {
    for first in [tdes(0x20), aes(0x30, 16), aes(0x30, 32)] {
        for new in [tdes(0x21), aes(0x31, 16), aes(0x31, 24), aes(0x31, 32)] {
            let mut card = Card::new(first.clone(), BOTH);
            let connect = |card: &mut Card, keys: &KeySet| match keys.key_type {
                KeyType::Tdes => Scp02Host::open(card, keys, 3)
                    .map(|host| alloc::boxed::Box::new(host) as alloc::boxed::Box<dyn Host>),
                KeyType::Aes => Scp03Host::open(card, keys, 3, 8)
                    .map(|host| alloc::boxed::Box::new(host) as alloc::boxed::Box<dyn Host>),
            };
            let mut host = connect(&mut card, &first).unwrap();
            let data = put_key_data(&*host, &new);
            let (answer, status) = host.send(&mut card, [0x80, 0xD8, 0, 0x81], &data);
            assert_eq!((status, answer.len(), answer[0]), (0x9000, 10, new.version));
            assert_eq!(KeySet::versions(&card.memory).len(), 2);
            let mut host = connect(&mut card, &new).unwrap();
            let replacing = KeySet { version: 0x32, ..new.clone() };
            let data = put_key_data(&*host, &replacing);
            let p1 = first.version;
            assert_eq!(host.send(&mut card, [0x80, 0xD8, p1, 0x81], &data).1, 0x9000);
            let mut versions = vec![new.version, 0x32];
            versions.sort_unstable();
            assert_eq!(KeySet::versions(&card.memory), versions);
            assert_eq!(connect(&mut card, &first).err(), Some(0x6A88));
            assert!(connect(&mut card, &replacing).is_ok());
        }
    }
}

#[test]
fn a_wrong_check_value_and_keys_that_the_card_has_no_channel_for_are_refused() {
    let only_aes = Channels { scp02: None, scp03: Some(0x70) };
    let mut card = Card::new(aes(0x30, 16), only_aes);
    let before = card.memory.records.clone();
    let mut host = open(&mut card);
    let mut data = put_key_data(&host, &aes(0x31, 16));
    let last = data.len() - 1;
    data[last] ^= 1;
    assert_eq!(host.send(&mut card, [0x80, 0xD8, 0, 0x81], &data).1, 0x6A80);
    let data = put_key_data(&host, &tdes(0x31));
    assert_eq!(host.send(&mut card, [0x80, 0xD8, 0, 0x81], &data).1, 0x6A80);
    let data = put_key_data(&host, &aes(0x30, 16));
    assert_eq!(host.send(&mut card, [0x80, 0xD8, 0, 0x81], &data).1, 0x6A80, "there already");
    assert_eq!(host.send(&mut card, [0x80, 0xD8, 0x44, 0x81], &data).1, 0x6A88);
    assert_eq!(KeySet::versions(&card.memory), [0x30]);
    assert_eq!(card.memory.read(0x130), before.get(&0x130).map(Vec::as_slice));
}

#[test]
fn neither_the_last_key_set_nor_that_of_the_channel_is_deleted() {
    let mut card = card();
    let mut host = open(&mut card);
    let delete = |card: &mut Card, host: &mut Scp03Host, version| {
        host.send(card, [0x80, 0xE4, 0, 0], &[0xD2, 1, version]).1
    };
    assert_eq!(delete(&mut card, &mut host, 0x30), 0x6985);
    let data = put_key_data(&host, &aes(0x31, 16));
    assert_eq!(host.send(&mut card, [0x80, 0xD8, 0, 0x81], &data).1, 0x9000);
    assert_eq!(delete(&mut card, &mut host, 0x30), 0x6985);
    assert_eq!(delete(&mut card, &mut host, 0x32), 0x6A88);
    assert_eq!(delete(&mut card, &mut host, 0x31), 0x9000);
    assert_eq!(KeySet::versions(&card.memory), [0x30]);
}

#[test]
fn nothing_is_changed_without_a_mac() {
    let keys = aes(0x30, 16);
    let mut card = card();
    let mut host = Scp03Host::open(&mut card, &keys, 0, 8).unwrap();
    assert_eq!(host.send(&mut card, [0x80, 0xF2, 0x80, 2], &[0x4F, 0]).1, 0x9000);
    let data = put_key_data(&host, &aes(0x31, 16));
    assert_eq!(host.send(&mut card, [0x80, 0xD8, 0, 0x81], &data).1, 0x6982);
    assert_eq!(card_state(&mut card, &mut host, 0x07), 0x6982);
    assert_eq!(install(&mut card, &mut host, SECOND, SECOND_FILE), 0x6982);
    assert_eq!(delete(&mut card, &mut host, FIRST, 0), 0x6982);
}

#[test]
fn the_life_cycle_goes_forward_and_only_a_lock_can_be_taken_back() {
    let mut card = card();
    let host = &mut open(&mut card);
    let card = &mut card;
    assert_eq!(card_state(card, host, 0x7F), 0x6985, "not issued yet");
    assert_eq!(card_state(card, host, 0x07), 0x9000);
    assert_eq!(card_state(card, host, 0x01), 0x6985);
    assert_eq!(card_state(card, host, 0x0F), 0x9000);
    assert_eq!(card_state(card, host, 0x0F), 0x9000);
    assert_eq!(card_state(card, host, 0x07), 0x6985);
    assert_eq!(card_state(card, host, 0x33), 0x6A86);
    assert_eq!(card_state(card, host, 0x7F), 0x9000);
    assert_eq!(card_state(card, host, 0x0F), 0x9000);
    assert_eq!(card_state(card, host, 0xFF), 0x9000);
    assert_eq!(card_state(card, host, 0x0F), 0x6985);
    assert_eq!(host.send(card, [0x80, 0xCA, 0x9F, 0x7F], &[]).1, 0x9000);
    assert_eq!(card.select(DOMAIN), 0x6985);
    assert_eq!(Scp03Host::open(card, &aes(0x30, 16), 3, 8).err(), Some(0x6985));
}

#[test]
fn a_locked_card_shows_its_domain_alone_and_takes_no_change_but_the_unlocking() {
    let mut card = card();
    let mut host = open(&mut card);
    assert_eq!(card_state(&mut card, &mut host, 0x0F), 0x9000);
    assert_eq!(card_state(&mut card, &mut host, 0x7F), 0x9000);
    assert_eq!(install(&mut card, &mut host, SECOND, SECOND_FILE), 0x6985);
    let data = put_key_data(&host, &aes(0x31, 16));
    assert_eq!(host.send(&mut card, [0x80, 0xD8, 0, 0x81], &data).1, 0x6985);
    assert_eq!(card.select(FIRST), 0x6A82);
    assert_eq!(card.select(DOMAIN), 0x6283);
    let mut host = open(&mut card);
    assert_eq!(card_state(&mut card, &mut host, 0x0F), 0x9000);
    assert_eq!(card.select(FIRST), 0x9000);
}

#[test]
fn an_application_is_installed_made_selectable_locked_and_deleted() {
    let mut card = card();
    assert_eq!(card.select(SECOND), 0x6A82);
    let mut host = open(&mut card);
    let data = fields(&[SECOND_FILE, SECOND, SECOND, &[0], &[0xC9, 0], &[]]);
    assert_eq!(host.send(&mut card, [0x80, 0xE6, 0x04, 0], &data), (vec![0], 0x9000));
    assert_eq!(host.send(&mut card, [0x80, 0xE6, 0x04, 0], &data).1, 0x6985, "installed");
    assert_eq!(card.select(SECOND), 0x6A82, "not selectable");
    let data = fields(&[&[], &[], SECOND, &[0], &[], &[]]);
    assert_eq!(host.send(&mut card, [0x80, 0xE6, 0x08, 0], &data).1, 0x9000);
    assert_eq!(card.select(SECOND), 0x9000);
    card.select(DOMAIN);
    let mut host = open(&mut card);
    assert_eq!(host.send(&mut card, [0x80, 0xF0, 0x40, 0x80], SECOND).1, 0x9000);
    let (list, _) = host.send(&mut card, [0x80, 0xF2, 0x40, 2], &[&[0x4F, 10], SECOND].concat());
    assert!(list.windows(4).any(|part| part == [0x9F, 0x70, 1, 0x87]), "{list:02X?}");
    assert_eq!(host.send(&mut card, [0x80, 0xF0, 0x40, 0x00], SECOND).1, 0x9000);
    assert_eq!(delete(&mut card, &mut host, SECOND, 0), 0x9000);
    assert_eq!(delete(&mut card, &mut host, SECOND, 0), 0x6A88);
    assert_eq!(install(&mut card, &mut host, SECOND, SECOND_FILE), 0x9000);
}

#[test]
fn what_the_rom_does_not_know_is_not_installed() {
    let mut card = card();
    let mut host = open(&mut card);
    assert_eq!(install(&mut card, &mut host, b"OTHER", SECOND_FILE), 0x6A88);
    assert_eq!(install(&mut card, &mut host, SECOND, FIRST_FILE), 0x6A88);
    let mut install = |privileges: &[u8], instance: &[u8], token: &[u8]| {
        let data = fields(&[SECOND_FILE, SECOND, instance, privileges, &[0xC9, 0], token]);
        host.send(&mut card, [0x80, 0xE6, 0x0C, 0], &data).1
    };
    assert_eq!(install(&[0x80], SECOND, &[]), 0x6A80);
    assert_eq!(install(&[0], b"OTHER-NAME", &[]), 0x6A80);
    assert_eq!(install(&[0], SECOND, &[1]), 0x6A80);
    assert_eq!(install(&[0], SECOND, &[]), 0x9000);
}

#[test]
fn what_an_application_holds_goes_with_it_unless_it_keeps_it() {
    let mut card = card();
    let mut host = open(&mut card);
    let personalize = |card: &mut Card, host: &mut Scp03Host, identifier: u8| {
        let data = fields(&[&[], &[], FIRST, &[], &[], &[]]);
        assert_eq!(host.send(card, [0x80, 0xE6, 0x20, 0], &data).1, 0x9000);
        host.send(card, [0x80, 0xE2, 0x88, 0], &[0, identifier, 2, 7, 7]).1
    };
    assert_eq!(personalize(&mut card, &mut host, 1), 0x9000);
    let held = |card: &Card| card.memory.records.keys().filter(|key| **key >> 30 == 1).count();
    assert_eq!(held(&card), 1);
    assert_eq!(delete(&mut card, &mut host, FIRST, 0), 0x9000);
    assert_eq!(held(&card), 0);
    assert_eq!(install(&mut card, &mut host, FIRST, FIRST_FILE), 0x9000);
    assert_eq!(personalize(&mut card, &mut host, 0xFF), 0x9000);
    assert_eq!(delete(&mut card, &mut host, FIRST, 0), 0x6985);
    assert_eq!(delete(&mut card, &mut host, FIRST_FILE, 0x80), 0x6985);
    assert_eq!(held(&card), 1);
}

#[test]
fn a_load_file_is_deleted_and_loaded_again_when_it_has_its_hash() {
    let mut card = card();
    let mut host = open(&mut card);
    let (card, host) = (&mut card, &mut host);
    assert_eq!(delete(card, host, FIRST_FILE, 0), 0x6985, "it has an instance");
    assert_eq!(delete(card, host, FIRST_FILE, 0x80), 0x9000);
    assert_eq!(install(card, host, FIRST, FIRST_FILE), 0x6A88);
    let code = vec![0xCA; 300];
    let hash = HashAlgorithm::Sha256.digest(&code);
    let block = [&[0xC4, 0x82, 1, 44][..], &code].concat();
    let mut load = |file: &[u8], hash: &[u8], block: &[u8]| {
        let data = fields(&[file, DOMAIN, hash, &[], &[]]);
        let status = host.send(card, [0x80, 0xE6, 0x02, 0], &data).1;
        if status != 0x9000 {
            return status;
        }
        let parts: Vec<&[u8]> = block.chunks(200).collect();
        for (number, part) in parts.iter().enumerate() {
            let last = if number + 1 == parts.len() { 0x80 } else { 0 };
            let status = host.send(card, [0x80, 0xE8, last, number as u8], part).1;
            if status != 0x9000 {
                return status;
            }
        }
        0x9000
    };
    assert_eq!(load(b"OTHER-FILE", &hash, &block), 0x6A80);
    assert_eq!(load(SECOND_FILE, &hash, &block), 0x6985, "it is there");
    assert_eq!(load(FIRST_FILE, &[7; 32], &block), 0x6A80, "another hash");
    assert_eq!(load(FIRST_FILE, &hash, &block[..300]), 0x6A80, "cut off");
    assert_eq!(load(FIRST_FILE, &hash, &block), 0x9000);
    assert_eq!(install(card, host, FIRST, FIRST_FILE), 0x9000);
    assert_eq!(host.send(card, [0x80, 0xE8, 0x80, 0], &[0xC4, 1, 1]).1, 0x6985, "not announced");
}

#[test]
fn every_kind_of_status_is_told_and_what_does_not_fit_comes_next() {
    let mut card = card();
    let mut host = open(&mut card);
    assert_eq!(install(&mut card, &mut host, SECOND, SECOND_FILE), 0x9000);
    let mut status = |p1, p2, data: &[u8], le: u8| {
        let mut command = host.wrap([0x80, 0xF2, p1, p2], data);
        *command.last_mut().unwrap() = le;
        let (answer, status) = card.transmit(&command);
        (host.unwrap(&answer, status), status)
    };
    let count = |list: &[u8]| list.windows(2).filter(|pair| *pair == [0x9F, 0x70]).count();
    for (p1, entries) in [(0x80, 1), (0x40, 2), (0x20, 2), (0x10, 2)] {
        let (list, sw) = status(p1, 2, &[0x4F, 0], 0);
        assert_eq!((count(&list), sw), (entries, 0x9000), "{p1:02X}");
    }
    let (modules, _) = status(0x10, 2, &[0x4F, 0], 0);
    assert!(modules.windows(SECOND.len()).any(|part| part == SECOND));
    let (first, sw) = status(0x40, 2, &[0x4F, 0], 60);
    assert_eq!((count(&first), sw), (1, 0x6310));
    let (second, sw) = status(0x40, 3, &[0x4F, 0], 60);
    assert_eq!((count(&second), sw), (1, 0x9000));
    let (whole, _) = status(0x40, 2, &[0x4F, 0], 0);
    assert_eq!([first, second].concat(), whole);
    assert_eq!(status(0x40, 3, &[0x4F, 0], 60).1, 0x6985, "nothing was left");
    assert_eq!(status(0x40, 2, &[0x4F, 5, 1, 2, 3, 4, 5], 0).1, 0x6A88);
    assert_eq!(status(0x40, 2, &[], 0).1, 0x6A80);
    assert_eq!(status(0x50, 2, &[0x4F, 0], 0).1, 0x6A86);
    let (plain, _) = status(0x40, 0, &[&[0x4F, 9], FIRST].concat(), 0);
    assert_eq!(plain, [&[9][..], FIRST, &[0x07, 0]].concat());
    let (wanted, _) = status(0x40, 2, &[&[0x4F, 9], FIRST, &[0x5C, 2, 0x9F, 0x70]].concat(), 0);
    assert_eq!(wanted, [&[0xE3, 15, 0x4F, 9][..], FIRST, &[0x9F, 0x70, 1, 0x07]].concat());
}

#[test]
fn the_numbers_of_the_card_are_stored_until_it_is_issued() {
    let mut card = card();
    let mut host = open(&mut card);
    let store = |card: &mut Card, host: &mut Scp03Host, p1, data: &[u8]| {
        host.send(card, [0x80, 0xE2, p1, 0], data).1
    };
    assert_eq!(store(&mut card, &mut host, 0x88, &[0, 0x42, 3, 1, 2, 3]), 0x9000);
    assert_eq!(store(&mut card, &mut host, 0x90, &[0x45, 2, 9, 9]), 0x9000);
    assert_eq!(host.send(&mut card, [0x80, 0xCA, 0, 0x42], &[]).0, [0x42, 3, 1, 2, 3]);
    assert_eq!(host.send(&mut card, [0x80, 0xCA, 0, 0x45], &[]).0, [0x45, 2, 9, 9]);
    assert_eq!(store(&mut card, &mut host, 0x88, &[1, 1, 1, 1]), 0x6985, "nobody was named");
    assert_eq!(card_state(&mut card, &mut host, 0x0F), 0x9000);
    assert_eq!(store(&mut card, &mut host, 0x88, &[0, 0x42, 1, 1]), 0x6985);
}

#[test]
fn encrypted_groupings_reach_the_application_in_the_clear_over_either_channel() {
    for scp02 in [true, false] {
        let keys = if scp02 { tdes(1) } else { aes(1, 16) };
        let mut card = Card::new(keys.clone(), BOTH);
        let mut host: alloc::boxed::Box<dyn Host> = if scp02 {
            alloc::boxed::Box::new(Scp02Host::open(&mut card, &keys, 3).unwrap())
        } else {
            alloc::boxed::Box::new(Scp03Host::open(&mut card, &keys, 3, 8).unwrap())
        };
        let data = fields(&[&[], &[], FIRST, &[], &[], &[]]);
        assert_eq!(host.send(&mut card, [0x80, 0xE6, 0x20, 0], &data).1, 0x9000);
        let padded = [&b"secret"[..], &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        let encrypted = host.encrypt_data(&padded);
        let grouping = [&[2, 1, 16][..], &encrypted].concat();
        assert_eq!(host.send(&mut card, [0x80, 0xE2, 0xE8, 0], &grouping).1, 0x9000);
        assert_eq!(card.memory.read(1 << 30 | 0x0201), Some(&b"secret"[..]), "{scp02}");
    }
}

#[test]
fn card_data_tell_channels_keys_and_counters() {
    let mut card = Card::new(aes(0x30, 24), BOTH);
    let recognition = card.transmit(&[0x80, 0xCA, 0, 0x66, 0]).0;
    for channel in [[2, 0x55], [3, 0x70]] {
        let oid = [&[0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 4][..], &channel].concat();
        assert!(recognition.windows(9).any(|part| part == oid));
    }
    let keys = card.transmit(&[0x80, 0xCA, 0, 0xE0, 0]).0;
    assert_eq!(keys[..8], [0xE0, 18, 0xC0, 4, 1, 0x30, 0x88, 24]);
    assert_eq!(card.transmit(&[0x80, 0xCA, 0, 0xC1, 0]).0, [0xC1, 3, 0, 0, 0]);
    assert_eq!(card.transmit(&[0x80, 0xCA, 0, 0xC2, 0]).0, [0xC2, 2, 0, 0]);
}

/// Everything that a host can see of the card: keys, registry, life cycle, what applications hold.
fn state(memory: &Memory) -> Vec<(u32, Vec<u8>)> {
    // Tries and counters of sessions do not count.
    let own = |key: u32| key != 5 && key & !0xFF != 0x300;
    memory.records.iter().filter(|(key, _)| own(**key)).map(|(k, v)| (*k, v.clone())).collect()
}

/// Commands that change the card, by number.
fn change(number: usize, host: &Scp03Host) -> ([u8; 4], Vec<u8>) {
    let name = |aid: &[u8]| [&[0x4F, aid.len() as u8], aid].concat();
    match number {
        0 => ([0x80, 0xD8, 0, 0x81], put_key_data(host, &aes(0x31, 32))),
        1 => ([0x80, 0xD8, 0x30, 0x81], put_key_data(host, &aes(0x32, 24))),
        2 => ([0x80, 0xD8, 0x30, 0x81], put_key_data(host, &aes(0x30, 32))),
        3 => {
            let data = fields(&[SECOND_FILE, SECOND, SECOND, &[0], &[0xC9, 0], &[]]);
            ([0x80, 0xE6, 0x0C, 0], data)
        }
        4 => ([0x80, 0xE4, 0, 0], name(FIRST)),
        5 => ([0x80, 0xE4, 0, 0x80], name(FIRST_FILE)),
        6 => ([0x80, 0xF0, 0x80, 0x07], DOMAIN.to_vec()),
        7 => ([0x80, 0xF0, 0x80, 0x0F], DOMAIN.to_vec()),
        8 => ([0x80, 0xF0, 0x80, 0xFF], DOMAIN.to_vec()),
        9 => ([0x80, 0xF0, 0x40, 0x80], FIRST.to_vec()),
        _ => ([0x80, 0xE2, 0x88, 0], vec![0, 0x42, 2, 1, 2, 0, 0x45, 2, 3, 4]),
    }
}

proptest! {
    /// The power goes before any write of a command that changes the card: afterwards all of the
    /// change is there or nothing of it, and the old keys or the new ones open a channel.
    #[test]
    fn a_command_that_loses_power_changes_all_or_nothing(
        before in prop::collection::vec(0usize..11, 0..3),
        number in 0usize..11,
        held in prop::collection::vec((0u8..0x80, any::<[u8; 3]>()), 0..4),
    ) {
        let mut card = card();
        for (identifier, value) in held {
            card.memory.records.insert(1 << 30 | u32::from(identifier), value.to_vec());
        }
        let mut host = open(&mut card);
        // What makes the keys or the card unusable is only cut, not built on.
        for number in before.into_iter().filter(|number| !matches!(number, 1 | 2 | 8)) {
            let (header, data) = change(number, &host);
            host.send(&mut card, header, &data);
        }
        card.select(DOMAIN);
        let memory = card.memory.clone();
        let run = |cut: Option<usize>| {
            let mut card = Card::on(memory.clone());
            card.select(DOMAIN);
            let mut host = open(&mut card);
            card.memory.writes_left = cut;
            let (header, data) = change(number, &host);
            let status = host.send(&mut card, header, &data).1;
            card.memory.writes_left = None;
            (status, card.memory)
        };
        let (status, changed) = run(None);
        for cut in 0..3 {
            let (cut_status, after) = run(Some(cut));
            let expected = if cut_status == status { state(&changed) } else { state(&memory) };
            prop_assert_eq!(state(&after), expected, "{} cut {} {:04X}", number, cut, cut_status);
            prop_assert!(cut_status == status || cut_status == 0x6581);
            if crate::life_cycle(&after) == LifeCycle::Terminated {
                continue;
            }
            let opens = KeySet::versions(&after).into_iter().any(|version| {
                let keys = KeySet::read(&after, version).unwrap();
                let mut card = Card::on(after.clone());
                card.select(DOMAIN);
                Scp03Host::open(&mut card, &keys, 0x33, 8).is_ok()
            });
            prop_assert!(opens);
        }
    }

    #[test]
    fn no_command_over_the_channel_makes_it_panic(
        ins in prop::sample::select(vec![0xCAu8, 0xD8, 0xE2, 0xE4, 0xE6, 0xE8, 0xF0, 0xF2]),
        p in any::<[u8; 2]>(),
        data in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut card = card();
        let mut host = open(&mut card);
        let (_, status) = host.send(&mut card, [0x80, ins, p[0], p[1]], &data);
        prop_assert!(matches!(status >> 8, 0x90 | 0x63 | 0x65 | 0x69 | 0x6A), "{:04X}", status);
    }
}
