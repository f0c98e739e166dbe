//! Reading files at the limit of the wire.
//!
//! The first READ BINARY names the file by its short identifier and asks for the largest block:
//! no SELECT, no look at the header first. What it gives starts with the file's length, so that
//! all further blocks are exact. A card that does not take the largest block gets smaller ones,
//! once, and the reader remembers it; the secure session goes on.

pub mod blocks;
mod statistics;

use std::collections::BTreeSet;

use self::blocks::{Block, BlockSizes};
use super::session::Session;
use super::{TerminalError, commands};
use crate::apdu::tlv::{Tag, Tlv, TlvError, TlvErrorKind, encode_length, read_header};
use crate::apdu::{CommandApdu, Ne, ResponseApdu, StatusWord};
use crate::lds::FileId;
use crate::transport::CardTransport;

pub use statistics::ReadStatistics;

const STEP: &str = "READ BINARY";
/// Sizes to fall back to when a card refuses a block, after the largest.
const SMALLER: [usize; 2] = [192, 128];
/// A card that gives less than this at a time, far from the end, only wants to keep us busy.
const LEAST_PROGRESS: usize = 64;
/// First bytes of a file for a card that refuses to be asked for more than there is: enough for
/// tag and length.
const PEEK: usize = 6;

/// Bounds against files without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Most bytes of one file.
    pub max_file: usize,
    /// Most bytes of all files together.
    pub max_total: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { max_file: 1 << 20, max_total: 8 << 20 }
    }
}

/// What reading a file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileRead {
    /// Its content.
    Content {
        /// The data object that the file starts with, as read.
        bytes: Vec<u8>,
        /// Bytes that came after it.
        trailing: usize,
    },
    /// There is no such file.
    NotFound,
    /// The card does not give it to this terminal.
    Denied(StatusWord),
    /// It cannot be read to its end: it holds no whole data object, or the card refuses in a way
    /// that means neither of the others. Only the reading of a whole chip gives this; reading one
    /// file gives the error.
    Malformed(TerminalError),
}

impl FileRead {
    /// The content, if there is one.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Content { bytes, .. } => Some(bytes),
            _ => None,
        }
    }
}

/// Reads the files of one application and remembers what the card takes.
#[derive(Debug)]
pub struct FileReader {
    limits: ReadLimits,
    /// Longest response data field where extended length is allowed.
    extended_limit: Option<usize>,
    /// Smaller blocks after a step down.
    short_cap: usize,
    extended_cap: usize,
    /// The card refuses to be asked for more than the file has.
    exact_only: bool,
    /// SELECT by file identifier, for cards without short identifiers.
    by_identifier: bool,
    short_identifiers_work: bool,
    statistics: ReadStatistics,
    seen: BTreeSet<FileId>,
    total: usize,
}

/// A file while it is being read.
struct Progress {
    file: FileId,
    buffer: Vec<u8>,
    /// Bytes the card sent, repeated ones included.
    delivered: usize,
    /// Bytes of the file, once its head is known.
    total: Option<usize>,
    /// Length of the first block, where the card refused it.
    refused: Option<usize>,
    budget: usize,
}

/// What the next step of reading is.
enum Next {
    Continue,
    Ended(FileRead),
}

impl FileReader {
    /// A reader without extended length.
    #[must_use]
    pub fn new(limits: ReadLimits) -> Self {
        Self {
            limits,
            extended_limit: None,
            short_cap: usize::MAX,
            extended_cap: usize::MAX,
            exact_only: false,
            by_identifier: false,
            short_identifiers_work: false,
            statistics: ReadStatistics::default(),
            seen: BTreeSet::new(),
            total: 0,
        }
    }

    /// Allows extended responses with a data field of at most `limit` bytes. The session must
    /// allow extended length too.
    #[must_use]
    pub const fn with_extended_length(mut self, limit: Option<usize>) -> Self {
        self.extended_limit = limit;
        self
    }

    /// Names files by their identifiers in a SELECT from the start.
    #[must_use]
    pub const fn by_identifier(mut self) -> Self {
        self.by_identifier = true;
        self
    }

    /// What reading cost so far.
    #[must_use]
    pub const fn statistics(&self) -> &ReadStatistics {
        &self.statistics
    }

    /// Reads a file of the current application.
    ///
    /// # Errors
    /// [`TerminalError`] of the session; [`TerminalError::Limit`] when the card sends more than
    /// asked, too little, or a file is too long; [`TerminalError::File`] when it starts with no
    /// data object or ends before that does; [`TerminalError::Refused`] for other status words.
    pub fn read<T: CardTransport>(
        &mut self,
        session: &mut Session<T>,
        file: FileId,
    ) -> Result<FileRead, TerminalError> {
        let before = session.counters();
        let result = self.read_blocks(session, file);
        let traffic = session.counters().since(&before);
        match &result {
            Ok((FileRead::NotFound | FileRead::Denied(_), _)) => {
                self.statistics.add_probe(&traffic)
            }
            _ => self.statistics.add_traffic(&traffic),
        }
        let (read, delivered) = result?;
        if let FileRead::Content { bytes, trailing } = &read {
            let again = !self.seen.insert(file);
            let fresh = if again { 0 } else { bytes.len() + trailing };
            let rereads = delivered.saturating_sub(fresh);
            self.statistics.add_file(bytes.len(), self.best_sizes(session), rereads);
        }
        Ok(read)
    }

    /// The largest blocks that reader and card allow, whatever the card refused later.
    fn best_sizes<T: CardTransport>(&self, session: &Session<T>) -> BlockSizes {
        let cipher = session.secure_messaging().map(|sm| sm.cipher());
        BlockSizes::largest(cipher, self.extended_limit.filter(|_| session.extended_length()))
    }

    fn sizes<T: CardTransport>(&self, session: &Session<T>) -> BlockSizes {
        let mut sizes = self.best_sizes(session);
        sizes.short = sizes.short.min(self.short_cap);
        let extended = sizes.extended.map(|size| size.min(self.extended_cap));
        sizes.extended = extended.filter(|size| *size > sizes.short);
        sizes
    }

    fn read_blocks<T: CardTransport>(
        &mut self,
        session: &mut Session<T>,
        file: FileId,
    ) -> Result<(FileRead, usize), TerminalError> {
        let mut progress = Progress {
            file,
            buffer: Vec::new(),
            delivered: 0,
            total: None,
            refused: None,
            budget: 16,
        };
        let mut selected = false;
        let named_from_start = self.by_identifier;
        loop {
            progress.spend()?;
            if self.by_identifier && !selected {
                let response = session.transmit(&commands::select_file(file))?;
                if let Some(read) = not_selected(file, response.status)? {
                    // Neither way finds it: that says nothing about short identifiers.
                    self.by_identifier = named_from_start;
                    return Ok((read, progress.delivered));
                }
                selected = true;
            }
            let block = self.next_block(session, &progress);
            let command = self.command(file, &block, selected || progress.delivered > 0);
            let response = session.transmit(&command)?;
            match self.take(&mut progress, &block, &response)? {
                Next::Continue => {}
                Next::Ended(read) => return Ok((read, progress.delivered)),
            }
        }
    }

    fn next_block<T: CardTransport>(&self, session: &Session<T>, progress: &Progress) -> Block {
        let sizes = self.sizes(session);
        match progress.total {
            Some(total) => sizes.next(progress.buffer.len(), total),
            None if self.exact_only => Block { offset: 0, length: PEEK, extended: false },
            None => Block { offset: 0, length: sizes.short, extended: false },
        }
    }

    fn command(&self, file: FileId, block: &Block, is_current: bool) -> CommandApdu {
        match (u16::try_from(block.offset), file.short()) {
            (Ok(0), Some(short)) if !is_current && !self.by_identifier => {
                commands::read_binary_short(short, Ne::new(block.length))
            }
            (Ok(offset), _) if !block.is_odd() => {
                commands::read_binary(offset, Ne::new(block.length))
            }
            _ => {
                let offset = u32::try_from(block.offset).unwrap_or(u32::MAX);
                commands::read_binary_odd(offset, Ne::new(block.length + odd_head(block)))
            }
        }
    }

    fn take(
        &mut self,
        progress: &mut Progress,
        block: &Block,
        response: &ResponseApdu,
    ) -> Result<Next, TerminalError> {
        let status = response.status;
        if status.is_ok() || (status == StatusWord::END_OF_FILE && !response.data.is_empty()) {
            return self.take_data(progress, block, response);
        }
        if let Some(wanted) = status.wanted_le()
            && wanted < block.length
        {
            return self.step_down_to(progress, block, wanted);
        }
        match status.0 {
            // Wrong length, wrong parameters, end of file before the first byte: the block was too large.
            0x6700 | 0x6B00 | 0x6282 | 0x6281 | 0x6F00 => self.step_down(progress, block, status),
            0x6982 | 0x6985 if progress.delivered == 0 => Ok(Next::Ended(FileRead::Denied(status))),
            0x6A82 | 0x6A83 | 0x6A86 | 0x6A81 | 0x6981 | 0x6986 | 0x6D00
                if progress.delivered == 0 =>
            {
                self.not_found(status)
            }
            _ => Err(TerminalError::Refused { step: STEP, status }),
        }
    }

    /// A file that its short identifier does not find is absent, unless short identifiers have
    /// never worked: then its identifier is tried.
    fn not_found(&mut self, status: StatusWord) -> Result<Next, TerminalError> {
        if !self.short_identifiers_work && !self.by_identifier {
            self.by_identifier = true;
            return Ok(Next::Continue);
        }
        match status {
            StatusWord::NOT_FOUND => Ok(Next::Ended(FileRead::NotFound)),
            status => Err(TerminalError::Refused { step: STEP, status }),
        }
    }

    fn take_data(
        &mut self,
        progress: &mut Progress,
        block: &Block,
        response: &ResponseApdu,
    ) -> Result<Next, TerminalError> {
        let data = if block.is_odd() {
            discretionary_data(&response.data)
                .ok_or_else(|| progress.limit("the data of an odd READ BINARY is malformed"))?
        } else {
            &response.data[..]
        };
        let most = if block.is_odd() { block.length + odd_head(block) - 2 } else { block.length };
        if data.len() > most {
            return Err(progress.limit("the card sends more than asked for"));
        }
        if data.is_empty() {
            return Err(progress.limit("the card sends nothing"));
        }
        self.short_identifiers_work |= !self.by_identifier;
        progress.delivered += data.len();
        progress.buffer.extend_from_slice(data);
        let at_end = response.status == StatusWord::END_OF_FILE || data.len() < block.length;
        let total = self.total(progress)?;
        if progress.buffer.len() >= total {
            let trailing = progress.buffer.len() - total;
            let mut bytes = std::mem::take(&mut progress.buffer);
            bytes.truncate(total);
            self.total += total;
            return Ok(Next::Ended(FileRead::Content { bytes, trailing }));
        }
        if response.status == StatusWord::END_OF_FILE {
            return Err(progress.cut_off(total));
        }
        if at_end {
            // Less than asked for and not the end: the card's own limit.
            if data.len() < LEAST_PROGRESS.min(block.length / 2) {
                return Err(progress.limit("the card sends too little at a time"));
            }
            if data.len() >= LEAST_PROGRESS && !block.is_odd() {
                self.remember(block, data.len());
            }
        }
        Ok(Next::Continue)
    }

    /// Length of the file from its head, under the limits.
    fn total(&mut self, progress: &mut Progress) -> Result<usize, TerminalError> {
        if let Some(total) = progress.total {
            return Ok(total);
        }
        let malformed =
            |kind| TerminalError::File { file: progress.file, error: TlvError { kind, offset: 0 } };
        let total = read_header(&progress.buffer).map_err(malformed)?.total_length();
        if total > self.limits.max_file || total > self.limits.max_total.saturating_sub(self.total)
        {
            return Err(progress.limit("the file is longer than allowed"));
        }
        progress.total = Some(total);
        if let Some(refused) = progress.refused.take().filter(|refused| *refused <= total) {
            // The file had that many bytes: the block itself was too large.
            self.exact_only = false;
            self.short_cap = smaller_than(refused).unwrap_or(PEEK);
        }
        progress.budget = total / LEAST_PROGRESS + 16;
        Ok(total)
    }

    fn step_down(
        &mut self,
        progress: &mut Progress,
        block: &Block,
        status: StatusWord,
    ) -> Result<Next, TerminalError> {
        let refused = TerminalError::Refused { step: STEP, status };
        if progress.total.is_none() {
            // Too large a block, or more than the file has? Its head tells.
            return if self.exact_only { Err(refused) } else { self.peek(progress, block) };
        }
        if block.extended {
            self.extended_cap = 0;
            return Ok(Next::Continue);
        }
        self.short_cap = smaller_than(block.length).ok_or(refused)?;
        Ok(Next::Continue)
    }

    /// Reads the head alone, which tells why the first block was refused.
    fn peek(&mut self, progress: &mut Progress, block: &Block) -> Result<Next, TerminalError> {
        progress.refused = Some(block.length);
        self.exact_only = true;
        Ok(Next::Continue)
    }

    /// The card names the length that it wants.
    fn step_down_to(
        &mut self,
        progress: &mut Progress,
        block: &Block,
        wanted: usize,
    ) -> Result<Next, TerminalError> {
        if progress.total.is_none() {
            // It may be the length of a short file as well as the card's limit.
            return if self.exact_only {
                refuse_length(wanted)
            } else {
                self.peek(progress, block)
            };
        }
        if wanted < LEAST_PROGRESS {
            return refuse_length(wanted);
        }
        self.remember(block, wanted);
        Ok(Next::Continue)
    }

    const fn remember(&mut self, block: &Block, length: usize) {
        if block.extended {
            self.extended_cap = length;
        } else {
            self.short_cap = length;
        }
    }
}

impl Progress {
    /// Every APDU is counted, whatever it brings.
    fn spend(&mut self) -> Result<(), TerminalError> {
        self.budget = self
            .budget
            .checked_sub(1)
            .ok_or_else(|| self.limit("the card keeps the terminal busy without end"))?;
        Ok(())
    }

    const fn limit(&self, detail: &'static str) -> TerminalError {
        TerminalError::Limit { file: Some(self.file), detail }
    }

    /// The file ends before its data object does.
    const fn cut_off(&self, total: usize) -> TerminalError {
        let kind = TlvErrorKind::PastEnd { length: total };
        TerminalError::File { file: self.file, error: TlvError { kind, offset: 0 } }
    }
}

/// Room asked for the head of DO'53': as much as it takes, and for a small last block as much as it
/// can take at all, since some cards reserve that and would give nothing of the last bytes.
fn odd_head(block: &Block) -> usize {
    if block.length < 100 { 4 } else { 1 + encode_length(block.length).len() }
}

fn smaller_than(length: usize) -> Option<usize> {
    SMALLER.into_iter().find(|size| *size < length)
}

fn refuse_length(wanted: usize) -> Result<Next, TerminalError> {
    let status = StatusWord(0x6C00 | (wanted as u16 & 0xFF));
    Err(TerminalError::Refused { step: STEP, status })
}

/// The value of DO'53', alone.
fn discretionary_data(data: &[u8]) -> Option<&[u8]> {
    let object = Tlv::parse_exact(data).ok()?;
    (object.tag == Tag(0x53)).then_some(object.value)
}

/// What a SELECT that did not succeed means.
fn not_selected(file: FileId, status: StatusWord) -> Result<Option<FileRead>, TerminalError> {
    match status.0 {
        0x9000 => Ok(None),
        0x6A82 => Ok(Some(FileRead::NotFound)),
        0x6982 | 0x6985 => Ok(Some(FileRead::Denied(status))),
        _ => {
            tracing::debug!(?file, %status, "SELECT refused");
            Err(TerminalError::Refused { step: "SELECT", status })
        }
    }
}

#[cfg(test)]
mod tests;
