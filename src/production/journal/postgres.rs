//! The journal on a PostgreSQL server, for many stations.

use std::collections::HashMap;
use std::error::Error as _;

use postgres::error::SqlState;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement};

use super::JournalError;
use super::database::{Database, Row, Value};

/// Schema that the tables stand in.
const SCHEMA: &str = "cancuoc";

/// A connection to a server.
pub struct PostgresDatabase {
    config: Config,
    client: Option<Client>,
    statements: HashMap<String, Statement>,
}

impl PostgresDatabase {
    /// Connects.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub fn open(config: &Config) -> Result<Self, JournalError> {
        let mut config = config.clone();
        config.application_name("cancuoc");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(std::time::Duration::from_secs(5));
        }
        let mut database = Self { config, client: None, statements: HashMap::new() };
        database.reconnect()?;
        Ok(database)
    }

    fn client(&mut self) -> Result<&mut Client, JournalError> {
        self.client.as_mut().ok_or_else(|| JournalError::Unavailable("not connected".to_owned()))
    }

    fn batch(&mut self, sql: &str) -> Result<(), JournalError> {
        self.client()?.batch_execute(sql).map_err(|e| fault(&e))
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, JournalError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let prepared = self.client()?.prepare(&sql.replace('?', "$")).map_err(|e| fault(&e))?;
        self.statements.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }
}

/// What an error of PostgreSQL means for the journal.
fn fault(error: &postgres::Error) -> JournalError {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let Some(state) = error.code() else {
        // No answer of the server: the connection broke, or could not be made.
        let decoding = error.to_string().contains("deserializ");
        return if decoding {
            JournalError::Damaged(text)
        } else {
            JournalError::Unavailable(text)
        };
    };
    let busy = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        // Another station was faster; what it wrote is seen when this is tried again.
        SqlState::UNIQUE_VIOLATION,
    ];
    if busy.contains(state) {
        return JournalError::Busy(text);
    }
    match state.code().get(..2) {
        _ if *state == SqlState::DISK_FULL => JournalError::Full(text),
        _ if *state == SqlState::DUPLICATE_TABLE => JournalError::Foreign(text),
        // Connections, authorisation, resources, shutdown, system errors, no such database.
        Some("08" | "25" | "28" | "53" | "57" | "58" | "3D" | "42") => {
            JournalError::Unavailable(text)
        }
        _ => JournalError::Damaged(text),
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql_checked(ty, out),
            Self::Text(text) => text.to_sql_checked(ty, out),
            Self::Blob(bytes) => bytes.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true // Each value checks for itself.
    }

    to_sql_checked!();
}

fn row(row: &postgres::Row) -> Result<Row, JournalError> {
    let value = |column: usize, ty: &Type| -> Result<Value, JournalError> {
        let value = match *ty {
            Type::INT8 => row.try_get::<_, Option<i64>>(column).map(Value::from),
            Type::INT4 => row.try_get::<_, Option<i32>>(column).map(|n| n.map(i64::from).into()),
            Type::TEXT | Type::VARCHAR => row.try_get::<_, Option<String>>(column).map(Value::from),
            Type::BYTEA => row.try_get::<_, Option<&[u8]>>(column).map(Value::from),
            _ => return Err(JournalError::Damaged(format!("a column has the type {ty}"))),
        };
        value.map_err(|e| fault(&e))
    };
    let columns = row.columns().iter().enumerate();
    columns.map(|(n, column)| value(n, column.type_())).collect::<Result<_, _>>().map(Row)
}

impl Database for PostgresDatabase {
    fn begin(&mut self) -> Result<(), JournalError> {
        self.batch("BEGIN ISOLATION LEVEL READ COMMITTED")
    }

    fn begin_read(&mut self) -> Result<(), JournalError> {
        self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, JournalError> {
        let statement = self.statement(sql)?;
        let parameters: Vec<_> = parameters.iter().map(|v| v as &(dyn ToSql + Sync)).collect();
        let rows = self.client()?.query(&statement, &parameters).map_err(|e| fault(&e))?;
        rows.iter().map(row).collect()
    }

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, JournalError> {
        let statement = self.statement(sql)?;
        let parameters: Vec<_> = parameters.iter().map(|v| v as &(dyn ToSql + Sync)).collect();
        self.client()?.execute(&statement, &parameters).map_err(|e| fault(&e))
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        self.batch("COMMIT")
    }

    fn rollback(&mut self) {
        if self.batch("ROLLBACK").is_err() {
            self.client = None; // The server rolls back what a lost connection began.
        }
    }

    fn reconnect(&mut self) -> Result<(), JournalError> {
        if self.client.as_ref().is_some_and(|client| !client.is_closed()) {
            return Ok(());
        }
        self.statements.clear();
        self.client = None;
        let mut client = self.config.connect(NoTls).map_err(|e| fault(&e))?;
        // A commit is on the disk of the server when it answers, whatever its configuration says.
        client
            .batch_execute(&format!(
                "SET search_path = {SCHEMA}; SET synchronous_commit = on; \
                 SET lock_timeout = '5s'; SET client_min_messages = warning; \
                 SET idle_in_transaction_session_timeout = '60s'"
            ))
            .map_err(|e| fault(&e))?;
        self.client = Some(client);
        Ok(())
    }

    fn define(&mut self, sql: &str) -> Result<(), JournalError> {
        let sql = sql
            .replace("{STRICT}", "")
            .replace("{SERIAL}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
            .replace("{NUMBER}", "BIGINT")
            .replace("{BYTES}", "BYTEA");
        self.batch(&format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}; {sql}"))
    }

    fn has_table(&mut self, name: &str) -> Result<bool, JournalError> {
        let sql = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = ?1 AND tablename = ?2";
        let parameters = [Value::from(SCHEMA), Value::from(name)];
        Ok(!self.query(sql, &parameters)?.is_empty())
    }

    fn lock(&mut self, number: i64) -> Result<(), JournalError> {
        self.execute("SELECT pg_advisory_xact_lock(?1)", &[Value::from(number)]).map(|_| ())
    }

    fn for_update(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn for_update_skip_locked(&self) -> &'static str {
        " FOR UPDATE SKIP LOCKED"
    }

    fn for_share(&self) -> &'static str {
        " FOR SHARE"
    }

    fn reserve_room(&mut self) -> Result<(), JournalError> {
        Ok(()) // The server's disk is its administrator's; a full one answers with an error.
    }

    fn free_room(&mut self) -> bool {
        false
    }
}
