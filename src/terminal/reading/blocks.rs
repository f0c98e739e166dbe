//! How files are cut into blocks, and the least a reading can cost: the formulas behind
//! [`ReadStatistics`](super::ReadStatistics).
//!
//! Let b be the cipher's block and P(n) = (⌊n/b⌋ + 1)·b the length of n bytes after padding by
//! method 2. A protected response of n bytes is DO'87' (tag, length λ, padding indicator, P(n)),
//! DO'99' (4), DO'8E' (10) and the status word (2).

use cancuoc_primitives::cipher::BlockCipher;

use crate::apdu::tlv::encode_length;

/// Largest offset of READ BINARY with the even instruction (ISO/IEC 7816-4 §11.3.3).
pub const MAX_EVEN_OFFSET: usize = 0x7FFF;

/// DO'99' and DO'8E' of a protected response.
const STATUS_AND_MAC: usize = 4 + 10;

/// P(n): bytes of n bytes of data after padding by ISO/IEC 9797-1 method 2.
#[must_use]
pub const fn padded_length(n: usize, block_len: usize) -> usize {
    (n / block_len + 1) * block_len
}

/// Most bytes of data in a short response: 256 without secure messaging; 231 under 3DES and 223
/// under AES, where 256 bytes must hold the data objects and the padding.
#[must_use]
pub const fn max_short_block(cipher: Option<BlockCipher>) -> usize {
    match cipher {
        None => 256,
        Some(cipher) => {
            let b = cipher.block_len();
            (256 - STATUS_AND_MAC - 4) / b * b - 1
        }
    }
}

/// Most bytes of data in an extended response whose data field has at most `limit` bytes (up to
/// 65 536): 65 511 under 3DES and 65 503 under AES at the most.
#[must_use]
pub const fn max_extended_block(cipher: Option<BlockCipher>, limit: usize) -> usize {
    match cipher {
        None => limit,
        Some(cipher) => {
            let b = cipher.block_len();
            (limit.saturating_sub(STATUS_AND_MAC + 5) / b * b).saturating_sub(1)
        }
    }
}

/// Bytes of a READ BINARY command. Protected: header 4, Lc 1 or 3, DO'97' 3 or 4, DO'8E' 10, Le 1
/// or 2: 19 or 23.
#[must_use]
pub const fn read_command_length(cipher: Option<BlockCipher>, extended: bool) -> usize {
    match (cipher.is_some(), extended) {
        (true, false) => 19,
        (true, true) => 23,
        (false, false) => 5,
        (false, true) => 7,
    }
}

/// R(n): bytes of the response that carries n bytes, status word included.
#[must_use]
pub fn read_response_length(cipher: Option<BlockCipher>, n: usize) -> usize {
    match cipher {
        None => n + 2,
        Some(_) if n == 0 => STATUS_AND_MAC + 2,
        Some(cipher) => {
            let p = padded_length(n, cipher.block_len());
            1 + encode_length(p + 1).len() + 1 + p + STATUS_AND_MAC + 2
        }
    }
}

/// One READ BINARY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Offset in the file.
    pub offset: usize,
    /// Bytes of the file.
    pub length: usize,
    /// Whether it needs an extended command: more than a short response holds.
    pub extended: bool,
}

impl Block {
    /// Whether the offset needs the odd instruction.
    #[must_use]
    pub const fn is_odd(&self) -> bool {
        self.offset > MAX_EVEN_OFFSET
    }

    /// Bytes of command and response together.
    #[must_use]
    pub fn wire_length(&self, cipher: Option<BlockCipher>) -> usize {
        let command = read_command_length(cipher, self.extended);
        if !self.is_odd() {
            return command + read_response_length(cipher, self.length);
        }
        let offset_object = if self.offset > 0xFFFF { 5 } else { 4 };
        let more = match cipher {
            None => 1 + offset_object,
            // DO'85' has no padding indicator.
            Some(cipher) => 2 + padded_length(offset_object, cipher.block_len()),
        };
        let inner = 1 + encode_length(self.length).len() + self.length;
        let indicator = usize::from(cipher.is_some());
        // Without a padding indicator the response is a byte shorter, or two at a length's edge.
        let response = match cipher {
            None => read_response_length(None, inner),
            Some(cipher) => {
                let p = padded_length(inner, cipher.block_len());
                read_response_length(Some(cipher), inner) + encode_length(p).len()
                    - encode_length(p + 1).len()
                    - indicator
            }
        };
        command + more + response
    }
}

/// Sizes of blocks that reader and card take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSizes {
    /// Cipher of secure messaging, if it is on.
    pub cipher: Option<BlockCipher>,
    /// Most bytes in a short response.
    pub short: usize,
    /// Most bytes in an extended response, where extended length is allowed.
    pub extended: Option<usize>,
}

impl BlockSizes {
    /// The largest sizes there can be; `extended_limit` is the longest response data field in
    /// bytes where extended length is allowed.
    #[must_use]
    pub fn largest(cipher: Option<BlockCipher>, extended_limit: Option<usize>) -> Self {
        let short = max_short_block(cipher);
        let extended =
            extended_limit.map(|limit| max_extended_block(cipher, limit)).filter(|e| *e > short);
        Self { cipher, short, extended }
    }

    /// The next block of a file of which `done` of `total` bytes are read. The first is short:
    /// only it tells how long the file is.
    #[must_use]
    pub fn next(&self, done: usize, total: usize) -> Block {
        let rest = total.saturating_sub(done);
        let size = match self.extended {
            Some(extended) if done > 0 => extended,
            _ => self.short,
        };
        let odd = done > MAX_EVEN_OFFSET;
        let room = |size: usize| if odd { inside_discretionary_data(size) } else { size };
        let length = rest.min(room(size));
        Block { offset: done, length, extended: length > room(self.short) }
    }

    /// All blocks of a file.
    pub fn blocks(self, total: usize) -> impl Iterator<Item = Block> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let block = self.next(done, total);
            done += block.length;
            (block.length > 0).then_some(block)
        })
    }

    /// The least that reading a file costs: APDUs, and bytes of commands and responses.
    #[must_use]
    pub fn cost(self, total: usize) -> (u64, u64) {
        self.blocks(total).fold((0, 0), |(apdus, bytes), block| {
            (apdus + 1, bytes + block.wire_length(self.cipher) as u64)
        })
    }
}

/// Bytes that fit into DO'53' when the whole object has `size` bytes.
#[must_use]
pub const fn inside_discretionary_data(size: usize) -> usize {
    match size {
        0..=129 => size.saturating_sub(2),
        130..=258 => size - 3,
        _ => size - 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AES: Option<BlockCipher> = Some(BlockCipher::Aes128);
    const TDES: Option<BlockCipher> = Some(BlockCipher::Tdes);
    /// COM, SOD, DG1, DG13, DG14, DG2: 20 687 bytes.
    const SIX_FILES: [usize; 6] = [30, 1_900, 95, 362, 300, 18_000];

    fn cost(sizes: BlockSizes) -> (u64, u64) {
        SIX_FILES
            .iter()
            .map(|length| sizes.cost(*length))
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }

    fn efficiency(bytes: u64) -> String {
        format!("{:.4}", SIX_FILES.iter().sum::<usize>() as f64 / bytes as f64)
    }

    #[test]
    fn knows_the_largest_blocks() {
        assert_eq!((max_short_block(TDES), max_short_block(AES)), (231, 223));
        assert_eq!(max_extended_block(TDES, 65_536), 65_511);
        assert_eq!(max_extended_block(AES, 65_536), 65_503);
    }

    #[test]
    fn knows_the_lengths_of_the_published_3des_session() {
        // ICAO 9303-11 appendix D.4: READ BINARY of 4 bytes and of 18.
        assert_eq!(read_command_length(TDES, false), 19);
        assert_eq!(read_response_length(TDES, 4), 27);
        assert_eq!(read_response_length(TDES, 18), 43);
    }

    #[test]
    fn reads_the_six_files_in_96_short_commands_under_aes() {
        let (apdus, bytes) = cost(BlockSizes::largest(AES, None));
        assert_eq!((apdus, bytes, efficiency(bytes).as_str()), (96, 24_557, "0.8424"));
    }

    #[test]
    fn reads_the_six_files_in_93_short_commands_under_3des() {
        let (apdus, bytes) = cost(BlockSizes::largest(TDES, None));
        assert_eq!((apdus, bytes, efficiency(bytes).as_str()), (93, 24_415, "0.8473"));
    }

    #[test]
    fn reads_the_six_files_in_10_commands_where_extended_length_is_allowed() {
        let (apdus, bytes) = cost(BlockSizes::largest(AES, Some(65_536)));
        assert_eq!((apdus, bytes, efficiency(bytes).as_str()), (10, 21_117, "0.9796"));
    }

    #[test]
    fn keeps_to_a_shorter_extended_limit() {
        let apdus = |limit| cost(BlockSizes::largest(AES, Some(limit))).0;
        assert_eq!([4_096, 2_048, 1_014].map(apdus), [14, 18, 28]);
    }

    #[test]
    fn uses_the_odd_instruction_past_32767_bytes_only() {
        let sizes = BlockSizes::largest(AES, None);
        let blocks: Vec<Block> = sizes.blocks(40_000).collect();
        let first_odd = blocks.iter().position(Block::is_odd).unwrap();
        assert!(blocks[first_odd - 1].offset <= MAX_EVEN_OFFSET);
        assert_eq!((blocks[0].length, blocks[first_odd].length), (223, 220));
    }

    #[test]
    fn counts_the_bytes_of_an_odd_read() {
        // Command: header 4, Lc 1, DO'85' 18, DO'97' 3, DO'8E' 10, Le 1. Response of 220 bytes:
        // DO'53' makes 223, padded 224; DO'85' 3 + 224, DO'99' 4, DO'8E' 10, status word 2.
        let block = Block { offset: 0x8000, length: 220, extended: false };
        assert_eq!(block.wire_length(AES), 37 + 243);
    }

    proptest! {
        #[test]
        fn blocks_cover_a_file_without_gap_or_overlap(
            total in 0usize..200_000, limit in prop::option::of(300usize..65_537), tdes in any::<bool>(),
        ) {
            let sizes = BlockSizes::largest(if tdes { TDES } else { AES }, limit);
            let mut next = 0;
            for block in sizes.blocks(total) {
                prop_assert_eq!(block.offset, next);
                next += block.length;
            }
            prop_assert_eq!(next, total);
        }
    }
}
