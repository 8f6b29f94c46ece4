//! The table beside the data that holds what is committed for each connection. It is written in the
//! transactions of the rows that it is about.

use sqlx::SqliteConnection;

use super::table::execute;
use crate::destination::{Committed, State, taken_over};
use crate::failure::Failure;
use crate::sqlite::OWN_TABLE;

/// What one attempt writes there.
pub(super) struct Ledger {
    connection: String,
    /// This attempt: an older one that still lives commits nothing more.
    writer: String,
    pub(super) committed: Committed,
}

impl Ledger {
    /// Takes over from earlier attempts and reads what they committed.
    pub(super) async fn open(
        database: &mut SqliteConnection,
        connection: &str,
    ) -> Result<Self, Failure> {
        let mut ledger = Self {
            connection: connection.to_owned(),
            writer: uuid::Uuid::new_v4().to_string(),
            committed: Committed::default(),
        };
        execute(database, "BEGIN IMMEDIATE").await?;
        match ledger.take_over(database).await {
            Ok(()) => execute(database, "COMMIT").await?,
            Err(failure) => {
                execute(database, "ROLLBACK").await?;
                return Err(failure);
            }
        }
        Ok(ledger)
    }

    async fn take_over(&mut self, database: &mut SqliteConnection) -> Result<(), Failure> {
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {OWN_TABLE} (connection TEXT NOT NULL, stream TEXT NOT NULL, \
             writer TEXT, state TEXT, added INTEGER, PRIMARY KEY (connection, stream))"
        );
        execute(database, create).await?;
        let claim = format!(
            "INSERT INTO {OWN_TABLE} (connection, stream, writer) VALUES (?, '', ?) \
             ON CONFLICT (connection, stream) DO UPDATE SET writer = excluded.writer"
        );
        let claim = sqlx::query(sqlx::AssertSqlSafe(claim));
        let claim = claim.bind(&self.connection).bind(&self.writer);
        claim.execute(&mut *database).await?;
        let select = format!("SELECT stream, state, added FROM {OWN_TABLE} WHERE connection = ?");
        let rows: Vec<(String, Option<String>, Option<i64>)> =
            sqlx::query_as(sqlx::AssertSqlSafe(select))
                .bind(&self.connection)
                .fetch_all(database)
                .await?;
        self.committed = Committed::of(rows)?;
        Ok(())
    }

    /// Keeps states, in the transaction that is open.
    pub(super) async fn store(
        &self,
        database: &mut SqliteConnection,
        states: &[State],
    ) -> Result<(), Failure> {
        self.check(database).await?;
        let upsert = format!(
            "INSERT INTO {OWN_TABLE} (connection, stream, state) VALUES (?, ?, ?) \
             ON CONFLICT (connection, stream) DO UPDATE SET state = excluded.state"
        );
        for state in State::newest(states) {
            sqlx::query(sqlx::AssertSqlSafe(upsert.clone()))
                .bind(&self.connection)
                .bind(&state.key)
                .bind(&state.raw)
                .execute(&mut *database)
                .await?;
        }
        Ok(())
    }

    /// Remembers that a sync added a whole stream, in the transaction that is open.
    pub(super) async fn add(
        &self,
        database: &mut SqliteConnection,
        stream: &str,
        sync_id: Option<i64>,
    ) -> Result<(), Failure> {
        let upsert = format!(
            "INSERT INTO {OWN_TABLE} (connection, stream, added) VALUES (?, ?, ?) \
             ON CONFLICT (connection, stream) DO UPDATE SET added = excluded.added"
        );
        let upsert = sqlx::query(sqlx::AssertSqlSafe(upsert));
        let upsert = upsert.bind(&self.connection).bind(stream).bind(sync_id);
        upsert.execute(database).await?;
        Ok(())
    }

    /// Makes sure that no newer attempt has taken over.
    pub(super) async fn check(&self, database: &mut SqliteConnection) -> Result<(), Failure> {
        let select = format!(
            "SELECT count(*) FROM {OWN_TABLE} WHERE connection = ? AND stream = '' AND writer = ?"
        );
        let mine: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(select))
            .bind(&self.connection)
            .bind(&self.writer)
            .fetch_one(database)
            .await?;
        if mine == 0 { Err(taken_over()) } else { Ok(()) }
    }
}
