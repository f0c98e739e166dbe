//! Lines of a file, each of them bounded.

use std::io::{self, BufRead};

use super::chain::MAX_LINE;
use crate::production::lines;

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
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        match lines::read_line(&mut self.reader, MAX_LINE) {
            Ok(lines::Line::Whole(line)) => Some(Ok(Line::Whole(line))),
            Ok(lines::Line::TooLong) => Some(Ok(Line::TooLong)),
            Ok(lines::Line::End) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
