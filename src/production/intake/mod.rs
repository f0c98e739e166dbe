//! Intake: a file of approved records becomes payloads for the journal, every one checked first.
//!
//! Records come as JSON Lines (schema `cancuoc.batch-record/1`) or as CSV with a folder of pictures.
//! [`Intake`] reads them one after another, so that a file of any length costs the memory of one
//! record, and says all that is wrong with each, with its line and field. What has a fault in any
//! line must not be imported by half: the caller goes through the whole file in one transaction and
//! gives it up at the end when there was a fault.

mod csv;
mod envelope;
mod json_lines;
mod payload;
pub mod schema;

use std::collections::HashMap;
use std::io;

use jiff::civil::Date;
use serde_json::Value;
use zeroize::Zeroizing;

pub use self::csv::CsvRows;
pub use self::json_lines::JsonLines;
pub use self::payload::{MAX_PAYLOAD, Payload, PayloadError};

use self::envelope::Envelope;
use crate::document::PersonalNumber;
use crate::issue::finding::Findings;
use crate::issue::{Finding, Loader, Severity};

/// The schema that each line of a JSON Lines file names.
pub const SCHEMA: &str = "cancuoc.batch-record/1";

/// One row of a file, not yet understood.
#[derive(Debug)]
pub struct Row {
    /// Its first line, from 1.
    pub line: u64,
    /// What it says; `None` when it could not be read, and then there are findings.
    pub value: Option<Value>,
    /// What is wrong with its form.
    pub findings: Vec<Finding>,
}

/// Gives the rows of a file.
pub trait Rows {
    /// The next row; `None` at the end of the file.
    ///
    /// # Errors
    /// An error of reading, after which there are no more rows.
    fn next_row(&mut self) -> io::Result<Option<Row>>;

    /// The name that people give to a place in a record: a JSON path, or the name of a column.
    fn place(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A record that can be imported.
#[derive(Debug)]
pub struct Accepted {
    /// Its identifier.
    pub id: String,
    /// The number of the card, which goes into the journal as a keyed hash only.
    pub number: PersonalNumber,
    /// The record with its files, in one piece: personal data.
    pub payload: Zeroizing<Vec<u8>>,
}

/// What became of a row.
#[derive(Debug)]
pub struct Item {
    /// Its first line, from 1.
    pub line: u64,
    /// Its identifier, where it could be read.
    pub id: Option<String>,
    /// What was found, in the order of the row, with places as the file names them.
    pub findings: Vec<Finding>,
    /// The record; `None` when a finding is an error.
    pub accepted: Option<Accepted>,
}

/// The records of a file, each checked.
pub struct Intake<'a> {
    rows: &'a mut dyn Rows,
    loader: &'a dyn Loader,
    today: Date,
    /// First line of each identifier.
    ids: HashMap<String, u64>,
    /// First line of each number.
    numbers: HashMap<u64, u64>,
}

impl<'a> Intake<'a> {
    /// Reads from `rows`; files that records name come from `loader`.
    #[must_use]
    pub fn new(rows: &'a mut dyn Rows, loader: &'a dyn Loader, today: Date) -> Self {
        Self { rows, loader, today, ids: HashMap::new(), numbers: HashMap::new() }
    }

    /// The next row, checked; `None` at the end of the file.
    ///
    /// # Errors
    /// An error of reading.
    pub fn next_item(&mut self) -> io::Result<Option<Item>> {
        let Some(row) = self.rows.next_row()? else { return Ok(None) };
        let mut item = self.check(row);
        for finding in &mut item.findings {
            finding.path = self.rows.place(&finding.path);
        }
        Ok(Some(item))
    }

    fn check(&mut self, row: Row) -> Item {
        let Row { line, value, findings: mut all } = row;
        let Some(value) = value else {
            return Item { line, id: None, findings: all, accepted: None };
        };
        let mut findings = Findings::default();
        let envelope = envelope::read(&value, &mut findings);
        self.find_repeated_id(line, envelope.id.as_deref(), &mut findings);
        let content = envelope
            .record
            .map(|record| payload::capture(record, self.loader, self.today, &mut findings));
        let number = content.as_ref().and_then(|content| content.number.clone());
        self.find_repeated_number(line, number.as_ref(), &mut findings);
        all.extend(findings.into_list());
        let id = envelope.id.clone();
        let faultless = all.iter().all(|finding| finding.severity < Severity::Error);
        let accepted = content.filter(|_| faultless).and_then(|content| accept(envelope, content));
        Item { line, id, findings: all, accepted }
    }

    fn find_repeated_id(&mut self, line: u64, id: Option<&str>, findings: &mut Findings) {
        let Some(id) = id else { return };
        match self.ids.get(id) {
            Some(first) => findings.error("$.id", "intake_id_repeated", &[("line", first)]),
            None => {
                self.ids.insert(id.to_owned(), line);
            }
        }
    }

    fn find_repeated_number(
        &mut self,
        line: u64,
        number: Option<&PersonalNumber>,
        findings: &mut Findings,
    ) {
        let Some(number) = number.and_then(|number| number.as_str().parse().ok()) else { return };
        let path = "$.record.fields.personal_number";
        match self.numbers.get(&number) {
            Some(first) => findings.error(path, "intake_number_repeated", &[("line", first)]),
            None => {
                self.numbers.insert(number, line);
            }
        }
    }
}

fn accept(envelope: Envelope<'_>, content: payload::Content) -> Option<Accepted> {
    Some(Accepted { id: envelope.id?, number: content.number?, payload: content.bytes? })
}

/// The mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

#[cfg(test)]
mod tests;
