//! Lets operations outlive their connections, records changes, and makes requests repeatable:
//! revisions, settling, leases by name, the outbox, the audit log, idempotency keys, API keys, and
//! the sealed requests that operations need to resume.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the migration trait is written with elided lifetimes"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    // SQLite too: a process that crashes half-way leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            big_integer("revision").default(0).take(),
            timestamp_with_time_zone_null("last_synced_at"),
        ] {
            add_column(manager, "connections", column).await?;
        }
        for column in [
            timestamp_with_time_zone_null("settle_until"),
            uuid_null("workspace_id"),
            string_null("actor"),
            string_null("role"),
        ] {
            add_column(manager, "operations", column).await?;
        }
        add_column(manager, "job_history", string_null("started_by")).await?;
        outlive_connections(manager).await?;
        let connection = manager.get_connection();
        for statement in [
            "CREATE UNIQUE INDEX operations_exclusive ON operations (connection_id) \
             WHERE kind NOT IN ('sync', 'trigger') AND status IN ('pending', 'running')",
            "CREATE UNIQUE INDEX operations_sync ON operations (connection_id) \
             WHERE kind = 'sync' AND status = 'pending'",
            "CREATE UNIQUE INDEX operations_trigger ON operations (connection_id) \
             WHERE kind = 'trigger' AND status IN ('pending', 'running')",
            "CREATE INDEX operations_open ON operations (kind, status, lease_until) \
             WHERE status IN ('pending', 'running', 'settling')",
            "CREATE INDEX operations_connection ON operations (connection_id, created_at)",
        ] {
            connection.execute_unprepared(statement).await?;
        }
        manager
            .create_table(
                Table::create()
                    .table("leases")
                    .col(string("name").primary_key())
                    .col(string("owner"))
                    .col(timestamp_with_time_zone("until"))
                    .col(big_integer("fencing"))
                    .col(big_integer("position"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("outbox")
                    .col(uuid("id").primary_key())
                    .col(big_integer_null("sequence"))
                    .col(string("kind"))
                    .col(uuid_null("connection_id"))
                    .col(text("data"))
                    .col(string_null("request_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("audit_log")
                    .col(uuid("id").primary_key())
                    .col(string("service"))
                    .col(string("actor"))
                    .col(string("role"))
                    .col(string("action"))
                    .col(string("target"))
                    .col(uuid_null("connection_id"))
                    .col(text_null("before"))
                    .col(text_null("after"))
                    .col(string_null("request_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("idempotency_keys")
                    .col(string("actor"))
                    .col(string("operation"))
                    .col(string("idempotency_key"))
                    .col(string("fingerprint"))
                    .col(string("owner"))
                    .col(timestamp_with_time_zone("lease_until"))
                    .col(integer_null("status"))
                    .col(text_null("headers"))
                    .col(text_null("body"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("expires_at"))
                    .primary_key(
                        Index::create()
                            .col("actor")
                            .col("operation")
                            .col("idempotency_key"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("api_keys")
                    .col(uuid("id").primary_key())
                    .col(string("name"))
                    .col(string("role"))
                    .col(string("prefix"))
                    .col(string("hash").unique_key())
                    .col(string("created_by"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone_null("expires_at"))
                    .col(timestamp_with_time_zone_null("last_used_at"))
                    .col(timestamp_with_time_zone_null("revoked_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sealed_requests")
                    .col(uuid("operation_id").primary_key())
                    .col(binary("sealed"))
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        for statement in [
            "CREATE UNIQUE INDEX outbox_sequence ON outbox (sequence)",
            "CREATE INDEX outbox_waiting ON outbox (id) WHERE sequence IS NULL",
            "CREATE INDEX outbox_age ON outbox (created_at)",
            "CREATE INDEX audit_log_connection ON audit_log (connection_id, id)",
            "CREATE INDEX idempotency_keys_age ON idempotency_keys (expires_at)",
        ] {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "sealed_requests",
            "api_keys",
            "idempotency_keys",
            "audit_log",
            "outbox",
            "leases",
        ] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        let connection = manager.get_connection();
        for statement in [
            "DROP INDEX operations_trigger",
            "DROP INDEX operations_connection",
            "DROP INDEX operations_exclusive",
            "DELETE FROM operations WHERE kind NOT IN ('onboard', 'heal', 'sync')",
            "CREATE UNIQUE INDEX operations_exclusive ON operations (connection_id) \
             WHERE kind <> 'sync' AND status IN ('pending', 'running')",
        ] {
            connection.execute_unprepared(statement).await?;
        }
        for (table, column) in [
            ("job_history", "started_by"),
            ("operations", "role"),
            ("operations", "actor"),
            ("operations", "workspace_id"),
            ("operations", "settle_until"),
            ("connections", "last_synced_at"),
            ("connections", "revision"),
        ] {
            let drop = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(drop).await?;
        }
        Ok(())
    }
}

async fn add_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: impl IntoColumnDef,
) -> Result<(), DbErr> {
    let alter = Table::alter().table(table).add_column(column).to_owned();
    manager.alter_table(alter).await
}

/// The operation of a deletion remains after its connection is gone, so it must not be deleted with
/// it. The caller recreates the indexes.
async fn outlive_connections(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let statements: &[&str] = if manager.get_database_backend() == DbBackend::Postgres {
        &[
            "ALTER TABLE operations DROP CONSTRAINT operations_connection",
            "DROP INDEX operations_exclusive",
            "DROP INDEX operations_sync",
            "DROP INDEX operations_open",
        ]
    } else {
        // SQLite cannot drop a constraint: recreate the table, and its steps with it, since
        // dropping a table deletes the rows that refer to it.
        &[
            "CREATE TABLE kept_operations AS SELECT * FROM operations",
            "CREATE TABLE kept_steps AS SELECT * FROM operation_steps",
            "DROP TABLE operation_steps",
            "DROP TABLE operations",
            "CREATE TABLE operations (id uuid_text NOT NULL PRIMARY KEY, kind varchar NOT NULL, \
             connection_id uuid_text NOT NULL, status varchar NOT NULL, request text NOT NULL, \
             result text, error text, request_id varchar, lease_owner varchar, \
             lease_until timestamp_with_timezone_text, fencing bigint NOT NULL, \
             created_at timestamp_with_timezone_text NOT NULL, \
             updated_at timestamp_with_timezone_text NOT NULL, \
             settle_until timestamp_with_timezone_text, workspace_id uuid_text, actor varchar, \
             role varchar)",
            "CREATE TABLE operation_steps (operation_id uuid_text NOT NULL, step varchar NOT NULL, \
             attempt integer NOT NULL, intent text, external_ref varchar, status varchar NOT NULL, \
             error text, created_at timestamp_with_timezone_text NOT NULL, \
             updated_at timestamp_with_timezone_text NOT NULL, \
             PRIMARY KEY (operation_id, step, attempt), \
             FOREIGN KEY (operation_id) REFERENCES operations (id) ON DELETE CASCADE)",
            "INSERT INTO operations SELECT id, kind, connection_id, status, request, result, error, \
             request_id, lease_owner, lease_until, fencing, created_at, updated_at, settle_until, \
             workspace_id, actor, role FROM kept_operations",
            "INSERT INTO operation_steps SELECT operation_id, step, attempt, intent, external_ref, \
             status, error, created_at, updated_at FROM kept_steps",
            "DROP TABLE kept_steps",
            "DROP TABLE kept_operations",
        ]
    };
    for statement in statements {
        manager
            .get_connection()
            .execute_unprepared(statement)
            .await?;
    }
    Ok(())
}
