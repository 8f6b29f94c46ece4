//! Indexes connections and jobs by their ids in Airbyte, which job lists are looked up by, many at
//! once.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the migration trait is written with elided lifetimes"
)]

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in [
            "CREATE INDEX connections_airbyte ON connections (airbyte_connection_id)",
            "CREATE INDEX job_history_job ON job_history (airbyte_job_id)",
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
            "DROP INDEX job_history_job",
            "DROP INDEX connections_airbyte",
        ] {
            manager
                .get_connection()
                .execute_unprepared(statement)
                .await?;
        }
        Ok(())
    }
}
