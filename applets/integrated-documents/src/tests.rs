use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use cancuoc_card_runtime::{MemoryError, Write};
use cancuoc_primitives::hash::HashAlgorithm;
use proptest::prelude::*;

use super::*;

/// Records in RAM, whose power can be cut.
#[derive(Clone, Default)]
struct Memory {
    records: BTreeMap<u32, Vec<u8>>,
    /// Calls of `apply` until the power goes; `None` for never.
    writes_left: Option<usize>,
}

impl NonVolatileMemory for Memory {
    fn read(&self, key: u32) -> Option<&[u8]> {
        self.records.get(&key).map(Vec::as_slice)
    }

    fn keys(&self) -> Vec<u32> {
        self.records.keys().copied().collect()
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), MemoryError> {
        if let Some(left) = &mut self.writes_left {
            *left = left.checked_sub(1).ok_or(MemoryError::Failed)?;
        }
        for write in writes {
            match *write {
                Write::Put { key, value } => {
                    self.records.insert(key, value.to_vec());
                }
                Write::Patch { key, offset, data } => {
                    let record = self.records.get_mut(&key).unwrap();
                    record[offset..offset + data.len()].copy_from_slice(data);
                }
                Write::Delete { key } => {
                    self.records.remove(&key);
                }
            }
        }
        Ok(())
    }
}

fn digest(content: &[u8]) -> Vec<u8> {
    HashAlgorithm::Sha256.digest(content)
}

fn begin(kind: u8, counter: u32, content: &[u8]) -> (u16, Vec<u8>) {
    let size = (content.len() as u32).to_be_bytes();
    let data = [&[kind][..], &counter.to_be_bytes(), &size[1..], &digest(content)].concat();
    (0x0601, data)
}

fn write(kind: u8, offset: usize, bytes: &[u8]) -> (u16, Vec<u8>) {
    (0x0602, [&[kind][..], &(offset as u32).to_be_bytes()[1..], bytes].concat())
}

fn commit(kind: u8, counter: u32) -> (u16, Vec<u8>) {
    (0x0603, [&[kind][..], &counter.to_be_bytes()].concat())
}

fn remove(kind: u8, counter: u32) -> (u16, Vec<u8>) {
    (0x0604, [&[kind][..], &counter.to_be_bytes()].concat())
}

/// The groupings of a whole update in parts of the length.
fn update(kind: u8, counter: u32, content: &[u8], part: usize) -> Vec<(u16, Vec<u8>)> {
    let mut groupings = vec![begin(kind, counter, content)];
    let parts = content.chunks(part).enumerate();
    groupings.extend(parts.map(|(number, bytes)| write(kind, number * part, bytes)));
    groupings.push(commit(kind, counter));
    groupings
}

fn run(memory: &mut Memory, groupings: &[(u16, Vec<u8>)]) -> Result<(), StatusWord> {
    groupings.iter().try_for_each(|(id, data)| update::data_grouping(memory, *id, data))
}

fn stored(memory: &Memory, kind: u8) -> Option<Vec<u8>> {
    store::content(memory, Kind::new(kind)?).map(Vec::from)
}

fn counter(memory: &Memory, kind: u8) -> u32 {
    store::counter(memory, Kind::new(kind).unwrap())
}

fn transmit(application: &mut IntegratedDocuments, memory: &mut Memory, apdu: &[u8]) -> Response {
    struct NoRandom;
    impl rand_core::TryRng for NoRandom {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for NoRandom {}
    let mut environment = Environment { memory, random: &mut NoRandom };
    let command = Command::parse(apdu).unwrap();
    application.process_in_session(&mut environment, &command, 4096)
}

fn answer(memory: &mut Memory, apdu: &[u8]) -> (u16, Vec<u8>) {
    let response = transmit(&mut IntegratedDocuments::default(), memory, apdu);
    (response.status.0, response.data)
}

#[test]
fn an_empty_application_has_an_empty_list_and_no_objects() {
    let mut memory = Memory::default();
    assert_eq!(answer(&mut memory, &[0, 0xB0, 0x9E, 0, 0]), (0x9000, vec![0xE0, 3, 0x80, 1, 0]));
    assert_eq!(answer(&mut memory, &[0, 0xB0, 0x81, 0, 0]).0, 0x6A82);
    assert_eq!(answer(&mut memory, &[0, 0xB0, 0x9D, 0, 0]).0, 0x6A82);
}

#[test]
fn an_object_is_read_by_either_identifier_and_listed() {
    let mut memory = Memory::default();
    run(&mut memory, &update(3, 7, b"licence", 4)).unwrap();
    assert_eq!(answer(&mut memory, &[0, 0xB0, 0x83, 0, 0]), (0x9000, b"licence".to_vec()));
    let application = &mut IntegratedDocuments::default();
    let select = [0, 0xA4, 0x02, 0x0C, 2, 0x01, 0x03];
    assert_eq!(transmit(application, &mut memory, &select).status, StatusWord::OK);
    assert_eq!(transmit(application, &mut memory, &[0, 0xB0, 0, 3, 2]).data, b"en");
    let list = answer(&mut memory, &[0, 0xB0, 0x9E, 0, 0]).1;
    let entry =
        [&[0x81, 1, 3, 0x82, 4, 0, 0, 0, 7, 0x83, 3, 0, 0, 7, 0x84, 32][..], &digest(b"licence")]
            .concat();
    let expected = [&[0xE0, 53, 0x80, 1, 0, 0xE1, 48][..], &entry].concat();
    assert_eq!(list, expected);
}

#[test]
fn selecting_the_application_again_forgets_the_current_file() {
    let mut memory = Memory::default();
    let application = &mut IntegratedDocuments::default();
    assert_eq!(transmit(application, &mut memory, &[0, 0xB0, 0x9E, 0, 0]).status, StatusWord::OK);
    assert_eq!(transmit(application, &mut memory, &[0, 0xB0, 0, 0, 0]).status, StatusWord::OK);
    let select = [&[0, 0xA4, 0x04, 0x0C, 10][..], &AID].concat();
    assert_eq!(transmit(application, &mut memory, &select).status, StatusWord::OK);
    let none = transmit(application, &mut memory, &[0, 0xB0, 0, 0, 0]).status;
    assert_eq!(none, StatusWord::NO_CURRENT_FILE);
}

#[test]
fn an_older_or_equal_counter_is_refused_and_nothing_changes() {
    let mut memory = Memory::default();
    run(&mut memory, &update(1, 5, b"new", 9)).unwrap();
    for counter in [0, 4, 5] {
        let (id, data) = begin(1, counter, b"old");
        let refused = update::data_grouping(&mut memory, id, &data);
        assert_eq!(refused, Err(StatusWord::CONDITIONS), "{counter}");
        let (id, data) = remove(1, counter);
        let refused = update::data_grouping(&mut memory, id, &data);
        assert_eq!(refused, Err(StatusWord::CONDITIONS), "{counter}");
    }
    assert_eq!(stored(&memory, 1).as_deref(), Some(&b"new"[..]));
}

#[test]
fn a_removed_object_leaves_its_counter() {
    let mut memory = Memory::default();
    run(&mut memory, &update(1, 5, b"paper", 9)).unwrap();
    run(&mut memory, &[remove(1, 6)]).unwrap();
    assert_eq!((stored(&memory, 1), counter(&memory, 1)), (None, 6));
    assert_eq!(answer(&mut memory, &[0, 0xB0, 0x81, 0, 0]).0, 0x6A82);
    let list = answer(&mut memory, &[0, 0xB0, 0x9E, 0, 0]).1;
    assert_eq!(list, [0xE0, 14, 0x80, 1, 0, 0xE1, 9, 0x81, 1, 1, 0x82, 4, 0, 0, 0, 6]);
    assert_eq!(run(&mut memory, &update(1, 6, b"again", 9)), Err(StatusWord::CONDITIONS));
    assert_eq!(run(&mut memory, &update(1, 7, b"again", 9)), Ok(()));
}

#[test]
fn what_is_incomplete_or_has_another_digest_is_not_committed() {
    let mut memory = Memory::default();
    run(&mut memory, &update(2, 1, b"old", 9)).unwrap();
    let cases = [
        vec![commit(2, 2)],
        vec![begin(2, 2, b"newer"), write(2, 0, b"new"), commit(2, 2)],
        vec![begin(2, 2, b"newer"), write(2, 0, b"nower"), commit(2, 2)],
        vec![begin(2, 2, b"newer"), write(2, 0, b"newer"), commit(2, 3)],
    ];
    for groupings in cases {
        assert_eq!(run(&mut memory.clone(), &groupings), Err(StatusWord::CONDITIONS));
    }
    run(&mut memory, &[begin(2, 2, b"newer"), write(2, 0, b"new")]).unwrap();
    assert_eq!(stored(&memory, 2).as_deref(), Some(&b"old"[..]));
}

#[test]
fn malformed_groupings_are_refused() {
    let mut memory = Memory::default();
    run(&mut memory, &[begin(1, 1, b"abcdef")]).unwrap();
    let cases = [
        begin(0, 1, b"a"),
        begin(29, 1, b"a"),
        begin(1, 1, b""),
        begin(1, 1, &[0; 0x8000]),
        write(1, 1, b"gap"),
        write(1, 0, b"abcdefg"),
        write(1, 0, b""),
        (0x0603, vec![1, 0, 0, 1]),
        (0x0604, vec![]),
    ];
    for (id, data) in cases {
        let refused = update::data_grouping(&mut memory, id, &data);
        assert_eq!(refused, Err(StatusWord::WRONG_DATA), "{id:04X} {}", data.len());
    }
    let unknown = update::data_grouping(&mut memory, 0x0605, &[]);
    assert_eq!(unknown, Err(StatusWord::REFERENCE_NOT_FOUND));
}

#[test]
fn the_application_is_erasable_until_it_has_a_counter() {
    let mut memory = Memory::default();
    let application = IntegratedDocuments::default();
    run(&mut memory, &[begin(1, 1, b"x"), write(1, 0, b"x")]).unwrap();
    assert!(application.is_erasable(&memory));
    run(&mut memory, &[commit(1, 1)]).unwrap();
    assert!(!application.is_erasable(&memory));
    run(&mut memory, &[remove(1, 2)]).unwrap();
    assert!(!application.is_erasable(&memory));
}

#[test]
fn a_dropped_object_leaves_no_bytes_behind() {
    let mut memory = Memory::default();
    run(&mut memory, &update(1, 1, b"secret", 9)).unwrap();
    run(&mut memory, &update(1, 2, b"paper", 9)).unwrap();
    assert!(memory.records.values().all(|record| record != b"secret"));
    run(&mut memory, &[remove(1, 3)]).unwrap();
    assert!(memory.records.values().all(|record| record != b"paper"));
}

proptest! {
    /// The power goes before every write of an update in turn: what can be read is the old object or
    /// the new one, with its own counter, and the update can be made again.
    #[test]
    fn an_update_that_loses_power_leaves_the_old_object_or_the_new_one(
        old in prop::option::of(prop::collection::vec(any::<u8>(), 1..60)),
        new in prop::collection::vec(any::<u8>(), 1..60),
        part in 1usize..20,
    ) {
        let mut before = Memory::default();
        if let Some(old) = &old {
            run(&mut before, &update(4, 1, old, 60)).unwrap();
        }
        let groupings = update(4, 2, &new, part);
        for cut in 0..=groupings.len() {
            let mut memory = before.clone();
            memory.writes_left = Some(cut);
            let done = run(&mut memory, &groupings);
            memory.writes_left = None;
            let state = (stored(&memory, 4), counter(&memory, 4));
            let expected = if done.is_ok() {
                (Some(new.clone()), 2)
            } else {
                (old.clone(), u32::from(old.is_some()))
            };
            prop_assert_eq!(state, expected, "cut {}", cut);
            if done.is_err() {
                prop_assert_eq!(run(&mut memory, &groupings), Ok(()));
                prop_assert_eq!(stored(&memory, 4), Some(new.clone()));
            }
        }
    }

    /// Whatever groupings come, in whatever order: counters never go back, and an object that can be
    /// read has the digest that the list says.
    #[test]
    fn no_sequence_of_groupings_turns_a_counter_back(
        steps in prop::collection::vec((0u8..4, 1u8..3, 0u32..6, 0usize..4), 0..40),
        cut in prop::option::of(0usize..20),
    ) {
        let content = b"0123456789";
        let mut memory = Memory { writes_left: cut, ..Memory::default() };
        for (step, kind, number, offset) in steps {
            let before = [counter(&memory, 1), counter(&memory, 2)];
            let (id, data) = match step {
                0 => begin(kind, number, &content[..=offset]),
                1 => write(kind, offset, &content[offset..=offset]),
                2 => commit(kind, number),
                _ => remove(kind, number),
            };
            let _ = update::data_grouping(&mut memory, id, &data);
            prop_assert!(counter(&memory, 1) >= before[0] && counter(&memory, 2) >= before[1]);
            for (kind, object) in objects(&memory) {
                if let Some(listed) = object.content {
                    let stored = stored(&memory, kind.number()).unwrap();
                    prop_assert_eq!(digest(&stored), listed.digest);
                    prop_assert_eq!(stored.len(), listed.size);
                }
            }
        }
    }

    #[test]
    fn no_grouping_and_no_command_makes_it_panic(
        id in 0x0600u16..0x0606,
        data in prop::collection::vec(any::<u8>(), 0..60),
        ins in prop::sample::select(vec![0xA4u8, 0xB0, 0xB1, 0x84]),
        p in any::<[u8; 2]>(),
    ) {
        let mut memory = Memory::default();
        run(&mut memory, &update(1, 1, b"x", 1)).unwrap();
        let _ = update::data_grouping(&mut memory, id, &data);
        let apdu = [&[0, ins, p[0], p[1], data.len() as u8][..], &data, &[0]].concat();
        if Command::parse(&apdu).is_ok() {
            let _ = answer(&mut memory, &apdu);
        }
    }
}
