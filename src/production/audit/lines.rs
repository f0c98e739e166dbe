//! Lines of a file, each of them bounded.

use std::io::{self, BufRead, Read};

use super::chain::MAX_LINE;

/// A line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Its bytes, without the end of the line.
    Whole(Vec<u8>),
    /// Longer than any entry; it was passed over.
    TooLong,
}

/// Reads lines one after another, never more than one of bounded length in memory.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
}

impl<R: BufRead> Lines<R> {
    /// Lines of a reader.
    pub const fn new(reader: R) -> Self {
        Self { reader }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let limit = MAX_LINE as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        let has_end = line.last() == Some(&b'\n');
        if has_end {
            line.pop();
        }
        if has_end || line.len() <= MAX_LINE {
            return Ok(Some(Line::Whole(line)));
        }
        self.skip()?;
        Ok(Some(Line::TooLong))
    }

    /// Passes over the rest of a line.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let (used, is_over) = match buffer.iter().position(|b| *b == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.reader.consume(used);
            if is_over {
                return Ok(());
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
