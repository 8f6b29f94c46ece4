//! Getting tables ready: made, brought up to the stream's columns, deduplicated by an index, and
//! what an interrupted generation left behind.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use super::columns::meta;
use super::retype::retype;
use super::statements::{Rows, append, deduplicate, merge};
use super::target::Target;
use crate::failure::Failure;
use crate::postgres::{qualified, quoted};

/// Unique indexes over keys are named so.
const INDEX: &str = "_airbyte_key_";

pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> Result<(), Failure> {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.into())))
        .await?;
    Ok(())
}

/// Makes the schema where it is missing.
pub(super) async fn ensure_schema(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<(), Failure> {
    let exists = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
    let there: bool = sqlx::query_scalar(exists)
        .bind(schema)
        .fetch_one(&mut *connection)
        .await?;
    if there {
        // To say so again would need a right that the user may lack.
        return Ok(());
    }
    let create = format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema));
    let made = connection
        .execute(sqlx::raw_sql(AssertSqlSafe(create)))
        .await;
    match made {
        // Another sync was faster by less than a transaction.
        Err(sqlx::Error::Database(e)) if matches!(e.code().as_deref(), Some("23505" | "42P06")) => {
            Ok(())
        }
        Err(other) => Err(other.into()),
        Ok(_) => Ok(()),
    }
}

/// Gets the target's tables ready, in one transaction, and decides which of them is written.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    target: &mut Target,
) -> Result<(), Failure> {
    ensure_schema(connection, &target.schema).await?;
    execute(connection, "BEGIN").await?;
    refuse_foreign(connection, target).await?;
    let staging_name = target.staging_name();
    let staging = qualified(&target.schema, &staging_name);
    let left_behind = latest_generation(connection, target, &staging_name).await?;
    // Rows of this very generation were acknowledged: they belong to the stream.
    let continues = left_behind.is_some() && left_behind == target.generation;
    if !continues {
        execute(connection, format!("DROP TABLE IF EXISTS {staging}")).await?;
        if target.replaces {
            let there = latest_generation(connection, target, &target.table).await?;
            if there.is_some() && there == target.generation {
                // An earlier attempt of this generation completed the stream; what was
                // acknowledged then does not come again.
                target.replaces = false;
                target.drops_older = true;
            }
        }
    }
    ensure(connection, target, &target.written_name()).await?;
    if continues && !target.replaces && !target.adds {
        ensure(connection, target, &staging_name).await?;
        let into = target.final_table();
        let sql = match &target.dedup {
            Some(dedup) => merge(target, dedup, &staging, &into),
            None => append(target, &staging, &into),
        };
        execute(connection, sql).await?;
        execute(connection, format!("DROP TABLE {staging}")).await?;
    }
    execute(connection, "COMMIT").await
}

/// A table with that name that another program created must not be written or replaced.
async fn refuse_foreign(connection: &mut PgConnection, target: &Target) -> Result<(), Failure> {
    let kind: Option<String> = sqlx::query_scalar(
        "SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2",
    )
    .bind(&target.schema)
    .bind(&target.table)
    .fetch_optional(&mut *connection)
    .await?;
    let ours = match kind.as_deref() {
        None => true,
        Some("r" | "p") => {
            let columns = existing(connection, &target.schema, &target.table).await?;
            columns.iter().any(|(name, _)| name == "_airbyte_raw_id")
        }
        Some(_) => false,
    };
    if ours {
        return Ok(());
    }
    let table = target.final_table();
    Err(Failure::config(format!(
        "the database already has {table}, which was not written by this destination"
    )))
}

/// The latest generation of a table's rows; nothing where there are none.
async fn latest_generation(
    connection: &mut PgConnection,
    target: &Target,
    table: &str,
) -> Result<Option<i64>, Failure> {
    let columns = existing(connection, &target.schema, table).await?;
    if !columns
        .iter()
        .any(|(name, _)| name == "_airbyte_generation_id")
    {
        return Ok(None);
    }
    let table = qualified(&target.schema, table);
    let sql = format!("SELECT max(\"_airbyte_generation_id\") FROM {table}");
    Ok(sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?)
}

/// Names and types of a table's columns; none where there is no such table.
async fn existing(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let columns = sqlx::query_as(
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a \
         JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attnum",
    )
    .bind(schema)
    .bind(table)
    .fetch_all(connection)
    .await?;
    Ok(columns)
}

/// Names and types of the target's columns, the destination's own last.
fn wanted(target: &Target) -> Vec<(&str, &str)> {
    let own = meta(target.generation.is_some()).iter().copied();
    let columns = target
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.kind.sql()));
    columns.chain(own).collect()
}

/// Makes the table, or brings it up to the target's columns, types and key. Columns that the
/// stream no longer has stay; they are no longer written.
pub(super) async fn ensure(
    connection: &mut PgConnection,
    target: &Target,
    name: &str,
) -> Result<(), Failure> {
    let table = qualified(&target.schema, name);
    let there = existing(connection, &target.schema, name).await?;
    let wanted = wanted(target);
    if there.is_empty() {
        let columns: Vec<String> = wanted
            .iter()
            .map(|(name, kind)| format!("{} {kind}", quoted(name)))
            .collect();
        let columns = columns.join(", ");
        execute(connection, format!("CREATE TABLE {table} ({columns})")).await?;
    } else {
        let mut retyped = false;
        for (name, kind) in &wanted {
            match there.iter().find(|(n, _)| n == name) {
                None => {
                    let name = quoted(name);
                    let sql = format!("ALTER TABLE {table} ADD COLUMN {name} {kind}");
                    execute(connection, sql).await?;
                }
                Some((_, was)) if was != kind => {
                    if !std::mem::replace(&mut retyped, true) {
                        // Values that become null, or the same, would offend it.
                        drop_indexes(connection, target, &table, None).await?;
                    }
                    retype(connection, &table, name, was, kind).await?;
                }
                Some(_) => {}
            }
        }
    }
    index(connection, target, &table).await
}

/// Drops the table's indexes over keys but the one over `kept`; whether that one is there.
async fn drop_indexes(
    connection: &mut PgConnection,
    target: &Target,
    table: &str,
    kept: Option<&str>,
) -> Result<bool, Failure> {
    let there: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT c.relname::text, obj_description(c.oid, 'pg_class') FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::regclass \
         AND starts_with(c.relname, $2)",
    )
    .bind(table)
    .bind(INDEX)
    .fetch_all(&mut *connection)
    .await?;
    let mut found = false;
    for (name, over) in there {
        if kept.is_some() && over.as_deref() == kept && !found {
            found = true;
        } else {
            let index = qualified(&target.schema, &name);
            execute(connection, format!("DROP INDEX {index}")).await?;
        }
    }
    Ok(found)
}

/// Sees to it that the table's unique index is over the target's key, or that there is none. What
/// it is over stands in its comment: the server writes expressions in its own way.
async fn index(connection: &mut PgConnection, target: &Target, table: &str) -> Result<(), Failure> {
    let key = target.dedup.as_ref().map(|dedup| dedup.key.join(","));
    let indexed = drop_indexes(connection, target, table, key.as_deref()).await?;
    let (Some(dedup), Some(key), false) = (&target.dedup, key, indexed) else {
        return Ok(());
    };
    execute(connection, deduplicate(dedup, table, Rows::All)).await?;
    let name = format!("{INDEX}{}", uuid::Uuid::new_v4().simple());
    let index = qualified(&target.schema, &name);
    execute(
        connection,
        format!("CREATE UNIQUE INDEX {} ON {table} ({key})", quoted(&name)),
    )
    .await?;
    let comment = crate::postgres::literal(&key);
    execute(connection, format!("COMMENT ON INDEX {index} IS {comment}")).await
}
