//! Data groupings and their packing into STORE DATA commands (GPC §11.11, EMV CPS).

use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::{GlobalPlatformError, StaticKey, command};

/// The longest value of one grouping, in bytes: its length has two bytes after FF.
pub const MAX_VALUE: usize = 0xFFFE;

/// The fewest bytes of a file that are worth a grouping of their own at the end of a block.
const WORTHWHILE: usize = 16;

/// A data grouping: identifier and value.
#[derive(Clone, PartialEq, Eq)]
pub struct DataGrouping {
    /// Data grouping identifier.
    pub identifier: u16,
    /// Value, plain.
    pub value: Zeroizing<Vec<u8>>,
    /// Whether the value must be encrypted under Key-DEK.
    pub secret: bool,
    /// For a grouping that may be cut: bytes at the start of the value that every part carries,
    /// the last three of them an offset that grows by what the parts before it carried.
    split: Option<usize>,
}

impl DataGrouping {
    /// A grouping that goes in one piece.
    #[must_use]
    pub fn new(identifier: u16, value: impl Into<Vec<u8>>) -> Self {
        Self { identifier, value: Zeroizing::new(value.into()), secret: false, split: None }
    }

    /// A grouping with a key or other secret.
    #[must_use]
    pub fn secret(identifier: u16, value: Zeroizing<Vec<u8>>) -> Self {
        Self { identifier, value, secret: true, split: None }
    }

    /// A grouping that writes `content` from offset zero: `head`, an offset (3 bytes), bytes. It
    /// is cut as the blocks need it.
    #[must_use]
    pub fn write(identifier: u16, head: &[u8], content: &[u8]) -> Self {
        let value = [head, &[0; 3], content].concat();
        let split = Some(head.len() + 3);
        Self { identifier, value: Zeroizing::new(value), secret: false, split }
    }

    /// Bytes that a value of `length` takes with identifier and length field.
    #[must_use]
    pub const fn encoded_length(length: usize) -> usize {
        length + if length < 0xFF { 3 } else { 5 }
    }

    /// The longest value that takes at most `room` bytes.
    const fn value_room(room: usize) -> usize {
        // A value of FE bytes takes 101; one of FF bytes takes 104.
        if room < 3 + 0xFF {
            room.saturating_sub(3)
        } else if room < 5 + 0xFF {
            0xFE
        } else if room - 5 > MAX_VALUE {
            MAX_VALUE
        } else {
            room - 5
        }
    }
}

impl fmt::Debug for DataGrouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataGrouping({:04X}, {} bytes, ***)", self.identifier, self.value.len())
    }
}

fn encode(out: &mut Vec<u8>, identifier: u16, value: &[u8]) {
    out.extend(identifier.to_be_bytes());
    match u8::try_from(value.len()) {
        Ok(length) if length < 0xFF => out.push(length),
        // Values are cut or refused at MAX_VALUE before.
        _ => {
            out.push(0xFF);
            out.extend((value.len() as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(value);
}

/// The data field of one STORE DATA, before the protection of the secure channel.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// Whole groupings.
    pub data: Vec<u8>,
    /// Whether their values are encrypted under Key-DEK.
    pub encrypted: bool,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} bytes, encrypted: {}, ***)", self.data.len(), self.encrypted)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.data.zeroize();
    }
}

/// Packs groupings, in their order, into blocks of at most `room` bytes. `large_room` is the room
/// of a command that is sent in a chain: taken only for a grouping that cannot be cut.
///
/// # Errors
/// [`GlobalPlatformError::GroupingTooLong`] when one fits into no block.
pub fn pack(
    groupings: &[DataGrouping],
    key: &StaticKey,
    room: usize,
    large_room: usize,
) -> Result<Vec<Block>, GlobalPlatformError> {
    let mut packer = Packer { blocks: Vec::new(), room };
    for grouping in groupings {
        match grouping.split {
            Some(head) => packer.add_parts(grouping, head)?,
            None => packer.add_whole(grouping, key, large_room)?,
        }
    }
    Ok(packer.blocks)
}

struct Packer {
    blocks: Vec<Block>,
    room: usize,
}

impl Packer {
    /// Room left in the last block when it has the same kind of encryption.
    fn left(&self, encrypted: bool) -> usize {
        let same = self.blocks.last().filter(|block| block.encrypted == encrypted);
        same.map_or(0, |block| self.room.saturating_sub(block.data.len()))
    }

    fn block(&mut self, needed: usize, encrypted: bool) -> &mut Vec<u8> {
        if self.left(encrypted) < needed || self.blocks.is_empty() {
            self.blocks.push(Block { data: Vec::new(), encrypted });
        }
        let last = self.blocks.len() - 1;
        &mut self.blocks[last].data
    }

    fn add_whole(
        &mut self,
        grouping: &DataGrouping,
        key: &StaticKey,
        large_room: usize,
    ) -> Result<(), GlobalPlatformError> {
        let encrypted;
        let value: &[u8] = if grouping.secret {
            encrypted = command::encrypt_value(&grouping.value, key)?;
            &encrypted
        } else {
            &grouping.value
        };
        let length = DataGrouping::encoded_length(value.len());
        let room = self.room.max(large_room);
        if length > room || value.len() > MAX_VALUE {
            let identifier = grouping.identifier;
            return Err(GlobalPlatformError::GroupingTooLong { identifier, length, room });
        }
        encode(self.block(length, grouping.secret), grouping.identifier, value);
        Ok(())
    }

    fn add_parts(
        &mut self,
        grouping: &DataGrouping,
        head: usize,
    ) -> Result<(), GlobalPlatformError> {
        let identifier = grouping.identifier;
        let too_long = GlobalPlatformError::GroupingTooLong {
            identifier,
            length: grouping.value.len(),
            room: self.room,
        };
        let (head, content) = grouping.value.split_at(head.min(grouping.value.len()));
        let fixed = head.len().saturating_sub(3);
        let mut offset = 0usize;
        while offset < content.len() {
            let rest = content.len() - offset;
            let wanted = rest.min(WORTHWHILE);
            let left = DataGrouping::value_room(self.left(false));
            let room = if left >= head.len() + wanted {
                left
            } else {
                DataGrouping::value_room(self.room)
            };
            let take = rest.min(room.saturating_sub(head.len()));
            if take == 0 || offset > 0xFF_FFFF {
                return Err(too_long);
            }
            let mut value = head[..fixed].to_vec();
            value.extend(&(offset as u32).to_be_bytes()[1..]);
            value.extend_from_slice(&content[offset..offset + take]);
            let needed = DataGrouping::encoded_length(value.len());
            encode(self.block(needed, false), identifier, &value);
            offset += take;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globalplatform::KeySet;
    use proptest::prelude::*;

    fn key() -> StaticKey {
        KeySet::test_keys().unwrap().data_encryption
    }

    /// Reads the groupings of a block, as the contract of personalisation lays them out.
    fn groupings(mut data: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut out = Vec::new();
        while !data.is_empty() {
            let identifier = u16::from_be_bytes([data[0], data[1]]);
            let (length, start) = match data[2] {
                0xFF => (usize::from(u16::from_be_bytes([data[3], data[4]])), 5),
                length => (usize::from(length), 3),
            };
            out.push((identifier, data[start..start + length].to_vec()));
            data = &data[start + length..];
        }
        out
    }

    #[test]
    fn fills_blocks_to_the_last_byte_with_a_file() {
        let content: Vec<u8> = (0..1000u32).map(|i| i as u8).collect();
        let grouping = DataGrouping::write(0x0102, &[1, 1, 2], &content);
        let blocks = pack(&[grouping], &key(), 239, 239).unwrap();
        let lengths: Vec<_> = blocks.iter().map(|block| block.data.len()).collect();
        // 239 - 3 - 6 = 230 bytes of the file in each.
        assert_eq!(lengths, [239, 239, 239, 239, 1000 - 4 * 230 + 9]);
    }

    #[test]
    fn never_mixes_plain_and_encrypted_values() {
        let list = [
            DataGrouping::new(0x0101, [1; 8]),
            DataGrouping::secret(0x0201, Zeroizing::new(vec![2; 20])),
            DataGrouping::secret(0x0202, Zeroizing::new(vec![3; 6])),
            DataGrouping::new(0x0F01, []),
        ];
        let blocks = pack(&list, &key(), 239, 239).unwrap();
        let shape: Vec<_> =
            blocks.iter().map(|b| (b.encrypted, groupings(&b.data).len())).collect();
        assert_eq!(shape, [(false, 1), (true, 2), (false, 1)]);
        let secret = &groupings(&blocks[1].data)[0];
        assert_eq!(secret.1.len(), 32);
        assert!(!blocks[1].data.windows(4).any(|w| w == [2; 4]));
    }

    #[test]
    fn takes_the_large_block_for_a_grouping_that_cannot_be_cut() {
        let list = [DataGrouping::secret(0x0303, Zeroizing::new(vec![5; 700]))];
        let blocks = pack(&list, &key(), 239, 1000).unwrap();
        assert_eq!((blocks.len(), blocks[0].data.len()), (1, 704 + 5));
        let error = pack(&list, &key(), 239, 239).unwrap_err();
        let expected =
            GlobalPlatformError::GroupingTooLong { identifier: 0x0303, length: 709, room: 239 };
        assert_eq!(error, expected);
    }

    #[test]
    fn refuses_a_room_in_which_no_byte_of_a_file_fits() {
        let list = [DataGrouping::write(0x0102, &[1, 1, 2], &[9; 30])];
        assert!(pack(&list, &key(), 9, 9).is_err());
        assert_eq!(pack(&list, &key(), 10, 10).unwrap().len(), 30);
    }

    proptest! {
        #[test]
        fn every_byte_is_written_once_and_no_block_is_too_long(
            files in prop::collection::vec(0usize..3000, 1..5),
            room in 40usize..1200,
        ) {
            let mut list = Vec::new();
            for (n, length) in files.iter().enumerate() {
                let content: Vec<u8> = (0..*length).map(|i| (i * 7 + n) as u8).collect();
                list.push(DataGrouping::new(0x0101, [n as u8; 8]));
                list.push(DataGrouping::write(0x0102, &[1, 1, n as u8], &content));
            }
            let blocks = pack(&list, &key(), room, room).unwrap();
            let mut written: Vec<Vec<u8>> = vec![Vec::new(); files.len()];
            for block in &blocks {
                prop_assert!(block.data.len() <= room && !block.encrypted);
                for (identifier, value) in groupings(&block.data) {
                    if identifier == 0x0102 {
                        let offset = u32::from_be_bytes([0, value[3], value[4], value[5]]) as usize;
                        let file = &mut written[usize::from(value[2])];
                        prop_assert_eq!(offset, file.len());
                        file.extend_from_slice(&value[6..]);
                    }
                }
            }
            for (n, length) in files.iter().enumerate() {
                let content: Vec<u8> = (0..*length).map(|i| (i * 7 + n) as u8).collect();
                prop_assert_eq!(&written[n], &content);
            }
        }

        #[test]
        fn the_room_for_a_value_is_what_fits(room in 3usize..70_000) {
            let value = DataGrouping::value_room(room);
            prop_assert!(DataGrouping::encoded_length(value) <= room);
            prop_assert!(value == MAX_VALUE || DataGrouping::encoded_length(value + 1) > room);
        }
    }
}
