//! The journal in a file: SQLite with a write-ahead log, every commit on the disk.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, ToSql};

use super::JournalError;
use super::database::{Database, Row, Value};

/// How long a transaction waits for that of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Kept back in a file beside the journal: what was begun can be finished when the disk is full.
const RESERVE: u64 = 8 << 20;
/// Pages that must be free before something new is begun, where the size is limited.
const FREE_PAGES: i64 = 256;
/// "cnjl": tells our files from others.
const APPLICATION_ID: i32 = 0x636e_6a6c;
/// Statements that are kept prepared.
const STATEMENTS: usize = 96;

/// A connection to a file.
pub struct SqliteDatabase {
    path: PathBuf,
    connection: Connection,
}

impl SqliteDatabase {
    /// Opens the file, or makes it with mode 0600.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] where it cannot be opened, [`JournalError::Foreign`] where it is
    /// another program's, [`JournalError::Damaged`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        make_private(path)?;
        let connection = connect(path)?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// Limits the file to that many pages, for tests of a full disk.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn limit_pages(&mut self, pages: u32) -> Result<(), JournalError> {
        self.connection.pragma_update(None, "max_page_count", pages).map_err(|e| fault(&e))
    }

    fn reserve_file(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".reserve");
        PathBuf::from(name)
    }

    fn pragma(&self, name: &str) -> Result<i64, JournalError> {
        self.connection.pragma_query_value(None, name, |row| row.get(0)).map_err(|e| fault(&e))
    }
}

/// SQLite makes its log and its index with the mode of the file.
fn make_private(path: &Path) -> Result<(), JournalError> {
    let unavailable =
        |error: std::io::Error| JournalError::Unavailable(format!("{}: {error}", path.display()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(unavailable)?;
    let metadata = file.metadata().map_err(unavailable)?;
    if !metadata.is_file() {
        return Err(JournalError::Unavailable(format!("{}: no file", path.display())));
    }
    if metadata.permissions().mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600)).map_err(unavailable)?;
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| fault(&e))?;
    let prepare = || -> Result<(), Error> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What is erased is overwritten.
        connection.pragma_update(None, "secure_delete", true)?;
        // A database must not make this program call functions.
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(())
    };
    prepare().map_err(|e| fault(&e))?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    match (pragma("application_id"), pragma("schema_version")) {
        (Ok(APPLICATION_ID), _) | (Ok(0), Ok(0)) => Ok(connection),
        (Err(error), _) | (_, Err(error)) => Err(fault(&error)),
        _ => Err(JournalError::Foreign(path.display().to_string())),
    }
}

/// What an error of SQLite means for the journal.
fn fault(error: &Error) -> JournalError {
    let text = error.to_string();
    let Error::SqliteFailure(failure, _) = error else {
        return JournalError::Damaged(text);
    };
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => JournalError::Busy(text),
        ErrorCode::ConstraintViolation => {
            use rusqlite::ffi;
            // Another process was faster; what it wrote is seen when this is tried again.
            match failure.extended_code {
                ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                    JournalError::Busy(text)
                }
                _ => JournalError::Damaged(text),
            }
        }
        ErrorCode::DiskFull => JournalError::Full(text),
        ErrorCode::DatabaseCorrupt => JournalError::Damaged(text),
        ErrorCode::NotADatabase => JournalError::Foreign(text),
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly
        | ErrorCode::OutOfMemory => JournalError::Unavailable(text),
        _ => JournalError::Damaged(text),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Result<Value, JournalError> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(number) => Ok(Value::Integer(number)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(_) => Err(JournalError::Damaged("a text is not UTF-8".to_owned())),
        },
        ValueRef::Blob(bytes) => Ok(Value::Blob(bytes.to_vec())),
        ValueRef::Real(_) => Err(JournalError::Damaged("a value is a fraction".to_owned())),
    }
}

impl Database for SqliteDatabase {
    fn begin(&mut self) -> Result<(), JournalError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|e| fault(&e))
    }

    fn begin_read(&mut self) -> Result<(), JournalError> {
        self.connection.execute_batch("BEGIN DEFERRED").map_err(|e| fault(&e))
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, JournalError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| fault(&e))?;
        let columns = statement.column_count();
        let parameters = rusqlite::params_from_iter(parameters);
        let mut rows = statement.query(parameters).map_err(|e| fault(&e))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(|e| fault(&e))? {
            let values = (0..columns)
                .map(|column| value(row.get_ref(column).map_err(|e| fault(&e))?))
                .collect::<Result<_, _>>()?;
            all.push(Row(values));
        }
        Ok(all)
    }

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, JournalError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| fault(&e))?;
        let changed = statement.execute(rusqlite::params_from_iter(parameters));
        Ok(changed.map_err(|e| fault(&e))? as u64)
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        self.connection.execute_batch("COMMIT").map_err(|e| fault(&e))
    }

    fn rollback(&mut self) {
        if !self.connection.is_autocommit() {
            // Fails only where SQLite rolled back already.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    fn reconnect(&mut self) -> Result<(), JournalError> {
        if !self.connection.is_autocommit() {
            self.connection = connect(&self.path)?;
        }
        Ok(())
    }

    fn define(&mut self, sql: &str) -> Result<(), JournalError> {
        let sql = sql
            .replace("{STRICT}", "STRICT")
            .replace("{SERIAL}", "INTEGER PRIMARY KEY AUTOINCREMENT")
            .replace("{NUMBER}", "INTEGER")
            .replace("{BYTES}", "BLOB");
        self.connection
            .execute_batch(&sql)
            .and_then(|()| self.connection.pragma_update(None, "application_id", APPLICATION_ID))
            .map_err(|e| fault(&e))
    }

    fn has_table(&mut self, name: &str) -> Result<bool, JournalError> {
        self.connection.table_exists(None, name).map_err(|e| fault(&e))
    }

    fn lock(&mut self, _number: i64) -> Result<(), JournalError> {
        Ok(()) // A transaction that writes has the whole file.
    }

    fn for_update(&self) -> &'static str {
        ""
    }

    fn for_update_skip_locked(&self) -> &'static str {
        ""
    }

    fn for_share(&self) -> &'static str {
        ""
    }

    fn reserve_room(&mut self) -> Result<(), JournalError> {
        let unused = self.pragma("max_page_count")? - self.pragma("page_count")?;
        if unused.saturating_add(self.pragma("freelist_count")?) < FREE_PAGES {
            return Err(JournalError::Full("the file has reached its limit".to_owned()));
        }
        let path = self.reserve_file();
        let there = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if there >= RESERVE {
            return Ok(());
        }
        fill(&path).map_err(|error| {
            // Half a reserve would only take what is left.
            let _ = std::fs::remove_file(&path);
            JournalError::Full(format!("{}: {error}", path.display()))
        })
    }

    fn free_room(&mut self) -> bool {
        std::fs::remove_file(self.reserve_file()).is_ok()
    }
}

/// Writes the reserve, so that the file system cannot promise the same room to others.
fn fill(path: &Path) -> std::io::Result<()> {
    let mut file: File =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let block = [0x52; 1 << 16];
    for _ in 0..RESERVE / block.len() as u64 {
        file.write_all(&block)?;
    }
    file.sync_all()
}
