//! The tables of `airbyte.db`.

use sea_orm_migration::prelude::*;

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(First),
            Box::new(Second),
            Box::new(Third),
            Box::new(Fourth),
        ]
    }
}

struct First;

impl MigrationName for First {
    fn name(&self) -> &str {
        "m0001_first"
    }
}

#[async_trait::async_trait]
#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature elides it, and async_trait compares them"
)]
impl MigrationTrait for First {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(TABLES).await?;
        Ok(())
    }
}

struct Second;

impl MigrationName for Second {
    fn name(&self) -> &str {
        "m0002_tags_and_custom_definitions"
    }
}

#[async_trait::async_trait]
#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature elides it, and async_trait compares them"
)]
impl MigrationTrait for Second {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(SECOND).await?;
        Ok(())
    }
}

struct Third;

impl MigrationName for Third {
    fn name(&self) -> &str {
        "m0003_shown_members_of_connections"
    }
}

#[async_trait::async_trait]
#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature elides it, and async_trait compares them"
)]
impl MigrationTrait for Third {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(THIRD).await?;
        Ok(())
    }
}

struct Fourth;

impl MigrationName for Fourth {
    fn name(&self) -> &str {
        "m0004_epochs_of_states"
    }
}

#[async_trait::async_trait]
#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature elides it, and async_trait compares them"
)]
impl MigrationTrait for Fourth {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(FOURTH).await?;
        Ok(())
    }
}

/// A state that was changed by anything but a sync has another epoch: what a destination has
/// committed before is no longer gone on from. `stream` is empty for states of all streams, and `*`
/// for all states of a connection.
const FOURTH: &str = r"
CREATE TABLE state_epoch (
    connection_id BLOB NOT NULL REFERENCES connection (id), stream TEXT NOT NULL,
    epoch TEXT NOT NULL, PRIMARY KEY (connection_id, stream)
);
";

/// Members that clients set and read back and that mean nothing on one machine, as JSON.
const THIRD: &str = "ALTER TABLE connection ADD COLUMN shown TEXT NOT NULL DEFAULT '{}'";

/// Tags were free text before they were a resource. A catalog without a time of its fetch counts
/// as old, so that it is fetched again before the next sync.
const SECOND: &str = r"
ALTER TABLE connection DROP COLUMN tags;
ALTER TABLE discovered_catalog ADD COLUMN fetched_at INTEGER NOT NULL DEFAULT 0;
CREATE TABLE tag (
    id BLOB PRIMARY KEY, workspace_id BLOB NOT NULL REFERENCES workspace (id), name TEXT NOT NULL,
    color TEXT NOT NULL, created_at INTEGER NOT NULL, UNIQUE (workspace_id, name)
);
CREATE TABLE connection_tag (
    connection_id BLOB NOT NULL REFERENCES connection (id),
    tag_id BLOB NOT NULL REFERENCES tag (id) ON DELETE CASCADE, PRIMARY KEY (connection_id, tag_id)
);
CREATE TABLE custom_definition (
    id BLOB PRIMARY KEY, kind TEXT NOT NULL, workspace_id BLOB NOT NULL REFERENCES workspace (id),
    name TEXT NOT NULL, docker_repository TEXT NOT NULL, docker_image_tag TEXT NOT NULL,
    documentation_url TEXT, manifest TEXT, manifest_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL, deleted INTEGER NOT NULL
);
";

/// Times are milliseconds since the epoch; `stream` columns hold a descriptor as compact JSON,
/// because SQLite treats two NULL namespaces of a key as different.
const TABLES: &str = r"
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE workspace (
    id BLOB PRIMARY KEY, name TEXT NOT NULL, notifications TEXT NOT NULL,
    created_at INTEGER NOT NULL, deleted INTEGER NOT NULL
);
CREATE TABLE spec (
    definition_id BLOB NOT NULL, version TEXT NOT NULL, spec TEXT NOT NULL,
    PRIMARY KEY (definition_id, version)
);
CREATE TABLE actor (
    id BLOB PRIMARY KEY, kind TEXT NOT NULL, workspace_id BLOB NOT NULL REFERENCES workspace (id),
    definition_id BLOB NOT NULL, name TEXT NOT NULL, configuration TEXT NOT NULL,
    secrets TEXT NOT NULL, resource_allocation TEXT, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, deleted INTEGER NOT NULL
);
CREATE INDEX actor_by_kind ON actor (kind, created_at);
CREATE TABLE discovered_catalog (
    id BLOB PRIMARY KEY, actor_id BLOB NOT NULL REFERENCES actor (id), version TEXT NOT NULL,
    configuration_hash TEXT NOT NULL, catalog TEXT NOT NULL, fetch INTEGER NOT NULL
);
CREATE INDEX discovered_catalog_latest ON discovered_catalog (actor_id, fetch);
CREATE TABLE connection (
    id BLOB PRIMARY KEY, workspace_id BLOB NOT NULL REFERENCES workspace (id), name TEXT NOT NULL,
    source_id BLOB NOT NULL REFERENCES actor (id),
    destination_id BLOB NOT NULL REFERENCES actor (id), status TEXT NOT NULL,
    sync_catalog TEXT NOT NULL, written_streams TEXT NOT NULL,
    namespace_definition TEXT NOT NULL, namespace_format TEXT, prefix TEXT,
    schedule_type TEXT NOT NULL, schedule_data TEXT, non_breaking_preference TEXT NOT NULL,
    backfill_preference TEXT NOT NULL, source_catalog_id BLOB, breaking_change INTEGER NOT NULL,
    notify_schema_changes INTEGER NOT NULL, notify_schema_changes_by_email INTEGER NOT NULL,
    tags TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
CREATE INDEX connection_by_destination ON connection (destination_id);
CREATE INDEX connection_by_source ON connection (source_id);
CREATE TABLE connection_state (
    connection_id BLOB NOT NULL REFERENCES connection (id), stream TEXT NOT NULL,
    kind TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (connection_id, stream)
);
CREATE TABLE generation (
    connection_id BLOB NOT NULL REFERENCES connection (id), stream TEXT NOT NULL,
    generation INTEGER NOT NULL, PRIMARY KEY (connection_id, stream)
);
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, connection_id BLOB NOT NULL REFERENCES connection (id),
    config_type TEXT NOT NULL, status TEXT NOT NULL, streams TEXT NOT NULL, refresh TEXT,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, started_at INTEGER
);
CREATE INDEX job_by_connection ON job (connection_id, created_at);
CREATE UNIQUE INDEX job_one_at_a_time ON job (connection_id)
    WHERE status NOT IN ('succeeded', 'failed', 'cancelled');
CREATE TABLE attempt (
    job_id INTEGER NOT NULL REFERENCES job (id), number INTEGER NOT NULL, status TEXT NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, ended_at INTEGER,
    stats TEXT NOT NULL, failures TEXT NOT NULL, PRIMARY KEY (job_id, number)
);
";
