use alloc::vec;

use super::*;
use crate::testing::Memory;

/// In the master file: 0101 with short identifier 1 and 300 bytes, 0102 with 2 and 40 000 bytes.
fn memory() -> Memory {
    let mut memory = Memory::default();
    for (identifier, short_identifier, size) in [(0x0101, 1, 300), (0x0102, 2, 40_000)] {
        let location = Location::MasterFile;
        let access = Access::Always;
        let file = FileHeader { location, identifier, short_identifier, access, size };
        file.create(&mut memory).unwrap();
        let content = (0..size).map(|at| at as u8).collect();
        memory.records.insert(store::content_key(location, identifier), content);
    }
    memory
}

const ROOM: usize = 65_536;

fn even(session: &mut Session, p1: u8, p2: u8, ne: usize, extended: bool) -> Response {
    let command = Command { cla: 0, ins: 0xB0, p1, p2, data: &[], ne: Some(ne), extended };
    read_binary(session, &memory(), &command, ROOM)
}

fn odd(session: &mut Session, file: u16, data: &[u8], ne: usize) -> Response {
    let [p1, p2] = file.to_be_bytes();
    let extended = ne > 256;
    let command = Command { cla: 0, ins: 0xB1, p1, p2, data, ne: Some(ne), extended };
    read_binary(session, &memory(), &command, ROOM)
}

/// Status word and bytes of data.
fn shape(response: &Response) -> (u16, usize) {
    (response.status.0, response.data.len())
}

#[test]
fn le_of_zeros_reads_to_the_end_and_any_other_is_definite() {
    let session = &mut Session::default();
    // 45 bytes are left behind offset 255.
    assert_eq!(shape(&even(session, 0x81, 255, 256, false)), (0x9000, 45));
    assert_eq!(shape(&even(session, 0x81, 255, 65_536, true)), (0x9000, 45));
    assert_eq!(shape(&even(session, 0x81, 255, 45, false)), (0x9000, 45));
    assert_eq!(shape(&even(session, 0x81, 255, 46, false)), (0x6282, 45));
    assert_eq!(shape(&even(session, 0x81, 255, 256, true)), (0x6282, 45));
}

#[test]
fn the_file_read_is_the_current_one_and_that_of_a_failed_read_is_not() {
    let session = &mut Session::default();
    assert_eq!(shape(&even(session, 0x00, 0, 4, false)), (0x6986, 0));
    assert_eq!(shape(&even(session, 0x81, 0, 4, false)), (0x9000, 4));
    assert_eq!(shape(&odd(session, 2, &[0x54, 3, 1, 0, 0], 8)), (0x6B00, 0));
    assert_eq!(shape(&odd(session, 2, &[], 8)), (0x6A80, 0));
    assert_eq!(shape(&even(session, 0x83, 0, 4, false)), (0x6A82, 0));
    for (p1, p2) in [(0x01, 0x2B), (0x80, 255)] {
        let at = if p1 == 0x80 { 255 } else { 299 };
        assert_eq!(even(session, p1, p2, 1, false).data, [at as u8], "{p1:02X}");
    }
    assert_eq!(shape(&odd(session, 0x0102, &[0x54, 1, 0], 8)), (0x9000, 8));
    assert_eq!(shape(&even(session, 0x01, 0x2C, 4, false)), (0x9000, 4));
}

#[test]
fn the_odd_instruction_names_the_current_file_a_short_identifier_or_a_file() {
    let session = &mut Session::default();
    assert_eq!(shape(&odd(session, 0x0000, &[0x54, 1, 0], 8)), (0x6986, 0));
    for file in [0x0002, 0x0102, 0x0000] {
        let response = odd(session, file, &[0x54, 2, 0x9C, 0x3F], 3);
        assert_eq!(response.data, [0x53, 1, 0x3F], "{file:04X}");
        assert_eq!(response.status.0, 0x9000);
    }
    // Five bits of ones are no short identifier, so this is a file identifier.
    assert_eq!(shape(&odd(session, 0x001F, &[0x54, 1, 0], 8)), (0x6A82, 0));
    assert_eq!(shape(&odd(session, 0x0003, &[0x54, 1, 0], 8)), (0x6A82, 0));
}

#[test]
fn the_odd_instruction_takes_one_offset_data_object_and_nothing_else() {
    let session = &mut Session::default();
    let read = |session: &mut Session, data: &[u8]| shape(&odd(session, 2, data, 12));
    for data in [&[0x54, 1, 7][..], &[0x54, 0x81, 1, 7], &[0x54, 4, 0, 0, 0, 7]] {
        assert_eq!(read(session, data), (0x9000, 12), "{data:?}");
    }
    for data in [
        &[][..],
        &[0x54],
        &[0x54, 0],
        &[0x54, 2, 7],
        &[0x54, 1, 7, 0],
        &[0x54, 1, 7, 0x54, 1, 7],
        &[0x54, 5, 0, 0, 0, 0, 7],
        &[0x53, 1, 7],
    ] {
        assert_eq!(read(session, data), (0x6A80, 0), "{data:?}");
    }
}

#[test]
fn le_of_the_odd_instruction_counts_tag_and_length() {
    let session = &mut Session::default();
    for (ne, most) in
        [(3, 1), (129, 127), (130, 127), (131, 128), (258, 255), (259, 255), (260, 256)]
    {
        let response = odd(session, 2, &[0x54, 1, 0], ne);
        let value = tlv::find(&response.data, 0x53).unwrap();
        assert_eq!((value.len(), response.status.0), (most, 0x9000), "{ne}");
        assert!(response.data.len() <= ne, "{ne}");
    }
    for ne in [1, 2] {
        assert_eq!(shape(&odd(session, 2, &[0x54, 1, 0], ne)), (0x6700, 0), "{ne}");
    }
    let last = odd(session, 2, &[0x54, 2, 0x9C, 0x3F], 4);
    assert_eq!((last.data, last.status.0), (vec![0x53, 1, 0x3F], 0x6282));
}

proptest::proptest! {
    #[test]
    fn never_panics_on_any_offset_field(
        data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..12),
        file in proptest::sample::select(vec![0u16, 1, 2, 0x1F, 0x0102]),
        ne in 1usize..300,
    ) {
        let response = odd(&mut Session::default(), file, &data, ne);
        proptest::prop_assert!(response.data.len() <= ne);
    }
}
