//! Connections, their catalog versions and jobs, operations, drift, and the auth broker's
//! credentials.

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
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("installation")
                    .col(small_integer("id").primary_key())
                    .col(uuid("installation_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("connections")
                    .col(uuid("id").primary_key())
                    .col(string("name"))
                    .col(string("source_type"))
                    .col(uuid_null("airbyte_source_id"))
                    .col(uuid_null("airbyte_connection_id"))
                    .col(string("status"))
                    .col(text_null("status_reason"))
                    .col(string("airbyte_instance"))
                    .col(uuid_null("workspace_id"))
                    .col(uuid_null("destination_id"))
                    .col(uuid_null("source_catalog_id"))
                    .col(string_null("credential_id"))
                    .col(string("drift_policy"))
                    .col(text("schedule"))
                    .col(string("request_hash"))
                    .col(integer("current_version"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("connections_name")
                    .table("connections")
                    .col("name")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sync_catalog_versions")
                    .col(uuid("id").primary_key())
                    .col(uuid("connection_id"))
                    .col(json_binary("sync_catalog"))
                    .col(integer("version_number"))
                    .col(string("origin"))
                    .col(string("fingerprint"))
                    .col(text("document"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut to_connection("sync_catalog_versions"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("sync_catalog_versions_number")
                    .table("sync_catalog_versions")
                    .col("connection_id")
                    .col("version_number")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("job_history")
                    .col(uuid("id").primary_key())
                    .col(uuid("connection_id"))
                    .col(string("airbyte_job_id"))
                    .col(string("job_type"))
                    .col(string("status"))
                    .col(timestamp_with_time_zone_null("started_at"))
                    .col(timestamp_with_time_zone_null("completed_at"))
                    .col(string_null("error_message"))
                    .col(big_integer_null("rows_synced"))
                    .col(big_integer_null("bytes_synced"))
                    .col(integer("attempts"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(&mut to_connection("job_history"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("job_history_airbyte_job")
                    .table("job_history")
                    .col("connection_id")
                    .col("airbyte_job_id")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("job_history_status")
                    .table("job_history")
                    .col("status")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("operations")
                    .col(uuid("id").primary_key())
                    .col(string("kind"))
                    .col(uuid("connection_id"))
                    .col(string("status"))
                    .col(text("request"))
                    .col(text_null("result"))
                    .col(text_null("error"))
                    .col(string_null("request_id"))
                    .col(string_null("lease_owner"))
                    .col(timestamp_with_time_zone_null("lease_until"))
                    .col(big_integer("fencing"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(&mut to_connection("operations"))
                    .to_owned(),
            )
            .await?;
        // Partial unique indexes keep apart two onboardings, heals or applied catalogs of one
        // connection, and two requests for the same follow-up sync. Both databases support them;
        // the schema builder does not.
        let connection = manager.get_connection();
        connection
            .execute_unprepared(
                "CREATE UNIQUE INDEX operations_exclusive ON operations (connection_id) \
                 WHERE kind <> 'sync' AND status IN ('pending', 'running')",
            )
            .await?;
        connection
            .execute_unprepared(
                "CREATE UNIQUE INDEX operations_sync ON operations (connection_id) \
                 WHERE kind = 'sync' AND status = 'pending'",
            )
            .await?;
        connection
            .execute_unprepared(
                "CREATE INDEX operations_open ON operations (kind, status, lease_until) \
                 WHERE status IN ('pending', 'running')",
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("operation_steps")
                    .col(uuid("operation_id"))
                    .col(string("step"))
                    .col(integer("attempt"))
                    .col(text_null("intent"))
                    .col(string_null("external_ref"))
                    .col(string("status"))
                    .col(text_null("error"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .primary_key(
                        Index::create()
                            .col("operation_id")
                            .col("step")
                            .col("attempt"),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .name("operation_steps_operation")
                            .from("operation_steps", "operation_id")
                            .to("operations", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("drift_events")
                    .col(uuid("id").primary_key())
                    .col(uuid("connection_id"))
                    .col(integer("version_number"))
                    .col(string("plan_hash"))
                    .col(string("outcome"))
                    .col(text("plan"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut to_connection("drift_events"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("drift_events_connection")
                    .table("drift_events")
                    .col("connection_id")
                    .col("created_at")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("credentials")
                    .col(string("id").primary_key())
                    .col(string("source_type"))
                    .col(string("kind"))
                    .col(binary("sealed"))
                    .col(text("config"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "credentials",
            "drift_events",
            "operation_steps",
            "operations",
            "job_history",
            "sync_catalog_versions",
            "connections",
            "installation",
        ] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// Rows that belong to a connection are deleted with it.
fn to_connection(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_connection"))
        .from(table, "connection_id")
        .to("connections", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}
