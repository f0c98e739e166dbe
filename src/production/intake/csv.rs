//! CSV with a header: the columns are the places of a record, `fields.full_name` for instance, and
//! pictures are named relative to a folder. Fields are separated by commas or, where the header has
//! none, semicolons.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder};
use serde_json::{Map, Value, json};

use super::{BYTE_ORDER_MARK, Row, Rows, SCHEMA};
use crate::issue::finding::Findings;
use crate::issue::record::{self, MAX_LENGTH};
use crate::production::lines::{Line, read_text_line};

/// The longest header, in bytes.
const MAX_HEADER: usize = 64 * 1024;
/// Most columns.
const MAX_COLUMNS: usize = 512;

/// The rows of a CSV file.
pub struct CsvRows<R> {
    reader: Reader<Bounded<R>>,
    read: Rc<Cell<usize>>,
    columns: Vec<Column>,
    header: Option<Row>,
    done: bool,
}

/// Where the cells of a column go.
struct Column {
    name: String,
    /// Keys from the top of the envelope to the value.
    path: Vec<String>,
}

impl<R: BufRead> CsvRows<R> {
    /// Reads the header. What is wrong with it comes as the first row, and then there are no
    /// others.
    ///
    /// # Errors
    /// An error of reading.
    pub fn new(mut source: R) -> io::Result<Self> {
        let mut findings = Findings::default();
        let header = match read_text_line(&mut source, MAX_HEADER)? {
            Line::Whole(line) => line,
            Line::End => Vec::new(),
            Line::TooLong => {
                findings.error("$", "record_too_large", &[("limit", &MAX_HEADER)]);
                Vec::new()
            }
        };
        let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&header);
        let delimiter = if header.contains(&b';') && !header.contains(&b',') { b';' } else { b',' };
        let columns = columns(header, delimiter, &mut findings);
        let findings = findings.into_list();
        let faulty = !findings.is_empty();
        let read = Rc::new(Cell::new(0));
        let bounded = Bounded { inner: source, read: Rc::clone(&read) };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(bounded);
        let header = faulty.then_some(Row { line: 1, value: None, findings });
        Ok(Self { reader, read, columns, header, done: faulty })
    }
}

impl<R: BufRead> Rows for CsvRows<R> {
    fn next_row(&mut self) -> io::Result<Option<Row>> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        if self.done {
            return Ok(None);
        }
        self.read.set(0);
        let begin = self.reader.position().line() + 1;
        let mut cells = ByteRecord::new();
        // The header was line 1 and is not the reader's.
        match self.reader.read_byte_record(&mut cells) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return self.stop(begin, error),
        }
        let line = cells.position().map_or(0, csv::Position::line) + 1;
        Ok(Some(row(line, &self.columns, &cells)))
    }

    fn place(&self, path: &str) -> String {
        let inner = path.strip_prefix("$.record.").or_else(|| path.strip_prefix("$."));
        let Some(inner) = inner else { return path.to_owned() };
        let known = self.columns.iter().any(|column| column.name == inner);
        if known { inner.to_owned() } else { path.to_owned() }
    }
}

impl<R: BufRead> CsvRows<R> {
    /// No more rows: one that is too long, or an error of reading.
    fn stop(&mut self, line: u64, error: csv::Error) -> io::Result<Option<Row>> {
        self.done = true;
        match error.into_kind() {
            csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let mut findings = Findings::default();
                findings.error("$", "record_too_large", &[("limit", &MAX_LENGTH)]);
                Ok(Some(Row { line, value: None, findings: findings.into_list() }))
            }
            csv::ErrorKind::Io(error) => Err(error),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// A reader that gives up when one row takes too much: a quote that nobody closes.
struct Bounded<R> {
    inner: R,
    read: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > MAX_LENGTH {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let length = self.inner.read(buffer)?;
        self.read.set(self.read.get().saturating_add(length));
        Ok(length)
    }
}

fn columns(header: &[u8], delimiter: u8, findings: &mut Findings) -> Vec<Column> {
    let mut reader =
        ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(header);
    let mut cells = ByteRecord::new();
    let found = reader.read_byte_record(&mut cells).unwrap_or(false);
    if !found || cells.len() > MAX_COLUMNS {
        findings.error("$", "intake_header", &[("most", &MAX_COLUMNS)]);
        return Vec::new();
    }
    let mut columns: Vec<Column> = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let place = format!("#{}", index + 1);
        let name = String::from_utf8_lossy(cell).trim().to_owned();
        let Some(path) = path_of(&name) else {
            findings.error(&place, "intake_column_unknown", &[]);
            continue;
        };
        // A value cannot be an object at the same time: neither path may begin the other.
        let clash = |other: &Column| path.starts_with(&other.path) || other.path.starts_with(&path);
        if columns.iter().any(clash) {
            findings.error(&place, "intake_column_repeated", &[]);
            continue;
        }
        columns.push(Column { name, path });
    }
    columns
}

/// `id` belongs to the envelope, everything else to the record.
fn path_of(name: &str) -> Option<Vec<String>> {
    let parts: Vec<String> = name.split('.').map(ToOwned::to_owned).collect();
    let shaped = parts.len() <= 4 && parts.iter().all(|part| !part.is_empty() && part.len() <= 64);
    let first = parts.first()?.as_str();
    if !shaped {
        return None;
    }
    if name == "id" {
        return Some(parts);
    }
    let known = record::KEYS.contains(&first) && first != "schema" && first != "trust_points";
    known.then(|| std::iter::once("record".to_owned()).chain(parts).collect())
}

fn row(line: u64, columns: &[Column], cells: &ByteRecord) -> Row {
    let mut findings = Findings::default();
    if cells.len() != columns.len() {
        let (expected, found) = (columns.len(), cells.len());
        findings.error("$", "intake_cells", &[("expected", &expected), ("found", &found)]);
        return Row { line, value: None, findings: findings.into_list() };
    }
    let mut top = Map::new();
    top.insert("schema".to_owned(), json!(SCHEMA));
    let mut record = Map::new();
    record.insert("schema".to_owned(), json!(record::SCHEMA));
    top.insert("record".to_owned(), Value::Object(record));
    for (column, cell) in columns.iter().zip(cells) {
        let Ok(text) = core::str::from_utf8(cell) else {
            findings.error(&column.name, "intake_not_utf8", &[]);
            continue;
        };
        // An empty cell is a place without a value.
        if !text.is_empty() {
            insert(&mut top, &column.path, cell_value(&column.path, text));
        }
    }
    let findings = findings.into_list();
    let value = findings.is_empty().then_some(Value::Object(top));
    Row { line, value, findings }
}

/// Access rules are true or false; everything else is text.
fn cell_value(path: &[String], text: &str) -> Value {
    let access = path.get(1).is_some_and(|part| part == "access");
    match text {
        "true" | "false" if access => json!(text == "true"),
        _ => json!(text),
    }
}

fn insert(map: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            map.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = map.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
