//! JSON Lines: one record a line.

use std::io::{self, BufRead};

use super::{BYTE_ORDER_MARK, Row, Rows};
use crate::issue::finding::Findings;
use crate::issue::record::{MAX_LENGTH, parse};
use crate::production::lines::{Line, read_text_line};

/// Room for the envelope around a record.
const ENVELOPE: usize = 4096;

/// The lines of a file; empty ones are passed over.
pub struct JsonLines<R> {
    reader: R,
    line: u64,
}

impl<R: BufRead> JsonLines<R> {
    /// Reads lines.
    pub const fn new(reader: R) -> Self {
        Self { reader, line: 0 }
    }
}

impl<R: BufRead> Rows for JsonLines<R> {
    fn next_row(&mut self) -> io::Result<Option<Row>> {
        loop {
            let limit = MAX_LENGTH + ENVELOPE;
            let read = read_text_line(&mut self.reader, limit)?;
            self.line += 1;
            let line = self.line;
            let source = match read {
                Line::End => return Ok(None),
                Line::TooLong => {
                    let mut findings = Findings::default();
                    findings.error("$", "record_too_large", &[("limit", &limit)]);
                    return Ok(Some(Row { line, value: None, findings: findings.into_list() }));
                }
                Line::Whole(source) => source,
            };
            let source = match source.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) if line == 1 => rest,
                _ => &source,
            };
            if source.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let mut findings = Findings::default();
            let value = parse(source, limit, &mut findings);
            return Ok(Some(Row { line, value, findings: findings.into_list() }));
        }
    }
}
