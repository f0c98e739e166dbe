//! The little that the journal asks of a database: transactions, statements, rows.
//!
//! The statements are the same for both databases, so that both behave the same; only locking and
//! the types of columns differ. Parameters are written `?1`, `?2` …

use super::JournalError;

/// A value of a row, or for a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A database with at most one open transaction.
pub trait Database: Send {
    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// [`JournalError::Busy`] and [`JournalError::Unavailable`] are tried again.
    fn begin(&mut self) -> Result<(), JournalError>;

    /// Begins a transaction that sees one state of the database and changes nothing.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn begin_read(&mut self) -> Result<(), JournalError>;

    /// Runs a statement that gives rows.
    ///
    /// # Errors
    /// [`JournalError`].
    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, JournalError>;

    /// Runs a statement and says how many rows it changed.
    ///
    /// # Errors
    /// [`JournalError`].
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, JournalError>;

    /// Makes the transaction durable: it is on the disk when this returns.
    ///
    /// # Errors
    /// [`JournalError`]; whether it is durable is then not known.
    fn commit(&mut self) -> Result<(), JournalError>;

    /// Gives the transaction up; what cannot be undone now, the database undoes.
    fn rollback(&mut self);

    /// Opens the connection anew if it is broken.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    fn reconnect(&mut self) -> Result<(), JournalError>;

    /// Runs several statements that make or change tables. `BYTES`, `NUMBER` and `SERIAL` stand
    /// for the types of columns.
    ///
    /// # Errors
    /// [`JournalError`].
    fn define(&mut self, sql: &str) -> Result<(), JournalError>;

    /// Whether the database has a table of that name.
    ///
    /// # Errors
    /// [`JournalError`].
    fn has_table(&mut self, name: &str) -> Result<bool, JournalError>;

    /// Waits until this transaction alone holds the lock with that number, to its end.
    ///
    /// # Errors
    /// [`JournalError`].
    fn lock(&mut self, number: i64) -> Result<(), JournalError>;

    /// What follows a `SELECT` whose rows no other transaction may change until this one ends.
    fn for_update(&self) -> &'static str;

    /// The same, without those that others hold.
    fn for_update_skip_locked(&self) -> &'static str;

    /// What follows a `SELECT` whose rows may not change until this transaction ends, but be read.
    fn for_share(&self) -> &'static str;

    /// Makes sure that there is room for the journal of a whole card before one is begun.
    ///
    /// # Errors
    /// [`JournalError::Full`].
    fn reserve_room(&mut self) -> Result<(), JournalError>;

    /// Gives the room kept back free, so that what was begun can be finished.
    /// True if there was any.
    fn free_room(&mut self) -> bool;
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The number in that column.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] where something else stands; likewise the others here.
    pub fn integer(&self, column: usize) -> Result<i64, JournalError> {
        match self.0.get(column) {
            Some(Value::Integer(number)) => Ok(*number),
            _ => Err(wrong("a number", column)),
        }
    }

    /// The number in that column, which is not negative.
    ///
    /// # Errors
    /// [`JournalError::Damaged`].
    pub fn count(&self, column: usize) -> Result<u64, JournalError> {
        u64::try_from(self.integer(column)?).map_err(|_| wrong("a number from 0", column))
    }

    /// The text in that column.
    ///
    /// # Errors
    /// [`JournalError::Damaged`].
    pub fn text(&self, column: usize) -> Result<&str, JournalError> {
        self.optional_text(column)?.ok_or_else(|| wrong("a text", column))
    }

    /// The text in that column, if there is any.
    ///
    /// # Errors
    /// [`JournalError::Damaged`].
    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, JournalError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            _ => Err(wrong("a text", column)),
        }
    }

    /// The bytes in that column.
    ///
    /// # Errors
    /// [`JournalError::Damaged`].
    pub fn blob(&self, column: usize) -> Result<&[u8], JournalError> {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => Ok(bytes),
            _ => Err(wrong("bytes", column)),
        }
    }

    /// Whether nothing stands in that column.
    #[must_use]
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(Value::Null))
    }
}

fn wrong(expected: &str, column: usize) -> JournalError {
    JournalError::Damaged(format!("column {column} of a row is not {expected}"))
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}
impl From<super::Digest> for Value {
    fn from(digest: super::Digest) -> Self {
        Self::Blob(digest.as_bytes().to_vec())
    }
}
impl From<jiff::Timestamp> for Value {
    fn from(at: jiff::Timestamp) -> Self {
        Self::Integer(at.as_microsecond())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Values for parameters.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::production::journal::database::Value::from($value)),*] };
}
pub(super) use values;
