//! Sources and destinations that connections share get separate rows, and connections record
//! whether their source belongs to them only.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the migration trait is written with elided lifetimes"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    // SQLite too: a process that crashes half-way leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("actors")
                    .col(uuid("id").primary_key())
                    .col(string("kind"))
                    .col(string("airbyte_instance"))
                    .col(uuid("workspace_id"))
                    .col(uuid_null("airbyte_id"))
                    .col(string("status"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .to_owned(),
            )
            .await?;
        // A replica of an older version does not write this column: its connections own their
        // sources.
        manager
            .alter_table(
                Table::alter()
                    .table("connections")
                    .add_column(boolean("owns_source").default(true))
                    .to_owned(),
            )
            .await?;
        for statement in [
            "CREATE UNIQUE INDEX actors_airbyte ON actors (airbyte_instance, kind, airbyte_id)",
            "CREATE INDEX connections_source ON connections (airbyte_source_id)",
            "CREATE INDEX connections_destination ON connections (destination_id)",
        ] {
            manager
                .get_connection()
                .execute_unprepared(statement)
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in [
            "DROP INDEX connections_destination",
            "DROP INDEX connections_source",
            "ALTER TABLE connections DROP COLUMN owns_source",
            "DELETE FROM operations WHERE kind IN ('create_actor', 'delete_actor')",
        ] {
            manager
                .get_connection()
                .execute_unprepared(statement)
                .await?;
        }
        manager
            .drop_table(Table::drop().table("actors").to_owned())
            .await
    }
}
