//! Lines read under a limit.

use std::io::{self, BufRead};

/// A line without its end, of at most `limit` bytes; a longer one is skipped to its end.
pub(super) enum Line {
    /// The line.
    Whole(Vec<u8>),
    /// It was longer, and was skipped.
    TooLong,
    /// The end of the file.
    End,
}

/// The next line of a text, without the carriage return that some programs put before its end.
///
/// # Errors
/// An error of reading.
pub(super) fn read_text_line(reader: &mut dyn BufRead, limit: usize) -> io::Result<Line> {
    let mut line = read_line(reader, limit)?;
    if let Line::Whole(bytes) = &mut line
        && bytes.last() == Some(&b'\r')
    {
        bytes.pop();
    }
    Ok(line)
}

/// The next line, as its bytes are.
///
/// # Errors
/// An error of reading.
pub(super) fn read_line(reader: &mut dyn BufRead, limit: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let available = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            available => available?,
        };
        if available.is_empty() {
            return Ok(match (too_long, line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Whole(line),
            });
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
        let used = part.len() + usize::from(end.is_some());
        too_long |= line.len().saturating_add(part.len()) > limit;
        if too_long {
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        reader.consume(used);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole(line) });
        }
    }
}
