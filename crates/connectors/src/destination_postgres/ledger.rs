//! The table in the default schema that holds what is committed for each connection. It is written
//! in the transactions of the rows that it is about.

use sqlx::{AssertSqlSafe, PgConnection};

use super::names::shortened;
use super::table::{ensure_schema, execute};
use crate::destination::{Committed, State, taken_over};
use crate::failure::Failure;
use crate::postgres::{OWN_TABLE, qualified};

/// What one attempt writes there.
pub(super) struct Ledger {
    table: String,
    connection: String,
    /// This attempt: an older one that still lives commits nothing more.
    writer: String,
    pub(super) committed: Committed,
}

impl Ledger {
    /// Takes over from earlier attempts and reads what they committed. Waits for a commit of
    /// theirs that the server still carries out, though its client is gone.
    pub(super) async fn open(
        database: &mut PgConnection,
        schema: &str,
        connection: &str,
    ) -> Result<Self, Failure> {
        let schema = shortened(schema);
        let mut ledger = Self {
            table: qualified(&schema, OWN_TABLE),
            connection: connection.to_owned(),
            writer: uuid::Uuid::new_v4().to_string(),
            committed: Committed::default(),
        };
        ensure_schema(database, &schema).await?;
        ledger.ensure_table(database).await?;
        execute(database, "BEGIN").await?;
        let claim = format!(
            "INSERT INTO {} AS present (connection, stream, writer) VALUES ($1, '', $2) \
             ON CONFLICT (connection, stream) DO UPDATE SET writer = excluded.writer",
            ledger.table
        );
        let claim = sqlx::query(AssertSqlSafe(claim));
        let claim = claim.bind(&ledger.connection).bind(&ledger.writer);
        claim.execute(&mut *database).await?;
        let select = format!(
            "SELECT stream, state, added FROM {} WHERE connection = $1",
            ledger.table
        );
        let rows: Vec<(String, Option<String>, Option<i64>)> =
            sqlx::query_as(AssertSqlSafe(select))
                .bind(&ledger.connection)
                .fetch_all(&mut *database)
                .await?;
        ledger.committed = Committed::of(rows)?;
        execute(database, "COMMIT").await?;
        Ok(ledger)
    }

    async fn ensure_table(&self, database: &mut PgConnection) -> Result<(), Failure> {
        let there: Option<String> = sqlx::query_scalar("SELECT to_regclass($1)::text")
            .bind(&self.table)
            .fetch_one(&mut *database)
            .await?;
        if there.is_some() {
            return Ok(());
        }
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {} (connection text NOT NULL, stream text NOT NULL, \
             writer text, state text, added bigint, PRIMARY KEY (connection, stream))",
            self.table
        );
        let made = sqlx::raw_sql(AssertSqlSafe(create)).execute(database).await;
        match made {
            // Another sync was faster by less than a transaction.
            Err(sqlx::Error::Database(e))
                if matches!(e.code().as_deref(), Some("23505" | "42P07")) =>
            {
                Ok(())
            }
            Err(other) => Err(other.into()),
            Ok(_) => Ok(()),
        }
    }

    /// Keeps states, in the transaction that is open.
    pub(super) async fn store(
        &self,
        database: &mut PgConnection,
        states: &[State],
    ) -> Result<(), Failure> {
        self.check(database).await?;
        let upsert = format!(
            "INSERT INTO {} (connection, stream, state) VALUES ($1, $2, $3) \
             ON CONFLICT (connection, stream) DO UPDATE SET state = excluded.state",
            self.table
        );
        for state in State::newest(states) {
            sqlx::query(AssertSqlSafe(upsert.clone()))
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
        database: &mut PgConnection,
        stream: &str,
        sync_id: Option<i64>,
    ) -> Result<(), Failure> {
        let upsert = format!(
            "INSERT INTO {} (connection, stream, added) VALUES ($1, $2, $3) \
             ON CONFLICT (connection, stream) DO UPDATE SET added = excluded.added",
            self.table
        );
        let upsert = sqlx::query(AssertSqlSafe(upsert));
        let upsert = upsert.bind(&self.connection).bind(stream).bind(sync_id);
        upsert.execute(database).await?;
        Ok(())
    }

    /// Makes sure that no newer attempt has taken over, and that none does before the open
    /// transaction ends.
    pub(super) async fn check(&self, database: &mut PgConnection) -> Result<(), Failure> {
        let lock = format!(
            "UPDATE {} SET writer = writer WHERE connection = $1 AND stream = '' AND writer = $2",
            self.table
        );
        let lock = sqlx::query(AssertSqlSafe(lock));
        let lock = lock.bind(&self.connection).bind(&self.writer);
        match lock.execute(database).await?.rows_affected() {
            0 => Err(taken_over()),
            _ => Ok(()),
        }
    }
}
