//! Getting tables ready: made, brought up to the stream's columns, deduplicated by an index, and
//! what an interrupted generation left behind.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::columns::meta;
use super::statements::{Rows, copy, deduplicate};
use super::target::{Dedup, Target};
use crate::failure::Failure;
use crate::sqlite::quoted;

/// Unique indexes over keys are named so.
const INDEX: &str = "_airbyte_key_";

/// Gets the target's tables ready, in one transaction, and decides which of them is written.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    target: &mut Target,
) -> Result<(), Failure> {
    execute(connection, "BEGIN IMMEDIATE").await?;
    match prepare_within(connection, target).await {
        Ok(()) => execute(connection, "COMMIT").await,
        Err(failure) => {
            execute(connection, "ROLLBACK").await?;
            Err(failure)
        }
    }
}

async fn prepare_within(
    connection: &mut SqliteConnection,
    target: &mut Target,
) -> Result<(), Failure> {
    refuse_foreign(connection, target).await?;
    let staging = target.staging_table();
    let left_behind = latest_generation(connection, &staging).await?;
    // Rows of this very generation were acknowledged: they belong to the stream.
    let continues = left_behind.is_some() && left_behind == target.generation;
    if !continues {
        execute(
            connection,
            format!("DROP TABLE IF EXISTS {}", quoted(&staging)),
        )
        .await?;
        let there = latest_generation(connection, &target.table).await?;
        if target.replaces && there.is_some() && there == target.generation {
            // An earlier attempt of this generation completed the stream; what was acknowledged
            // then does not come again.
            target.replaces = false;
            target.drops_older = true;
        }
    }
    ensure(connection, target, &target.written_table()).await?;
    if continues && !target.replaces && !target.adds {
        ensure(connection, target, &staging).await?;
        execute(connection, copy(target, &staging, &target.table)).await?;
        execute(connection, format!("DROP TABLE {}", quoted(&staging))).await?;
    }
    Ok(())
}

/// Ends the generations before the target's, by the staged table or row by row; or adds the staged
/// rows, unless an earlier attempt did (`added`).
pub(super) async fn conclude(
    connection: &mut SqliteConnection,
    target: &Target,
    added: bool,
) -> Result<(), Failure> {
    if target.replaces {
        return replace(connection, target).await;
    }
    if target.adds {
        let staging = target.staging_table();
        if !added {
            ensure(connection, target, &target.table).await?;
            execute(connection, copy(target, &staging, &target.table)).await?;
        }
        return execute(connection, format!("DROP TABLE {}", quoted(&staging))).await;
    }
    let generation = target.generation.unwrap_or(0);
    let table = quoted(&target.table);
    let older = format!("coalesce(\"_airbyte_generation_id\", -1) < {generation}");
    execute(connection, format!("DELETE FROM {table} WHERE {older}")).await
}

/// Replaces the final table by the staged one.
async fn replace(connection: &mut SqliteConnection, target: &Target) -> Result<(), Failure> {
    let (staging, table) = (quoted(&target.staging_table()), quoted(&target.table));
    execute(connection, format!("DROP TABLE IF EXISTS {table}")).await?;
    execute(
        connection,
        format!("ALTER TABLE {staging} RENAME TO {table}"),
    )
    .await
}

pub(super) async fn execute(
    connection: &mut SqliteConnection,
    sql: impl Into<String>,
) -> Result<(), Failure> {
    sqlx::query(AssertSqlSafe(sql.into()))
        .persistent(false)
        .execute(connection)
        .await?;
    Ok(())
}

/// A table with that name that another program created must not be written or replaced.
async fn refuse_foreign(connection: &mut SqliteConnection, target: &Target) -> Result<(), Failure> {
    let kind: Option<String> =
        sqlx::query_scalar("SELECT type FROM sqlite_schema WHERE name = ? COLLATE NOCASE")
            .bind(&target.table)
            .fetch_optional(&mut *connection)
            .await?;
    let ours = match kind.as_deref() {
        None => true,
        Some("table") => {
            let columns = existing(connection, &target.table).await?;
            columns.iter().any(|(name, _)| name == "_airbyte_raw_id")
        }
        Some(_) => false,
    };
    if ours {
        return Ok(());
    }
    let table = &target.table;
    Err(Failure::config(format!(
        "the database already has {table}, which was not written by this destination"
    )))
}

/// The latest generation of a table's rows; nothing where there are none.
async fn latest_generation(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Option<i64>, Failure> {
    let columns = existing(connection, table).await?;
    if !columns
        .iter()
        .any(|(name, _)| name == "_airbyte_generation_id")
    {
        return Ok(None);
    }
    let sql = format!(
        "SELECT max(\"_airbyte_generation_id\") FROM {}",
        quoted(table)
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?)
}

/// Names and declared types of a table's columns; none where there is no such table.
async fn existing(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let columns = sqlx::query_as("SELECT name, type FROM pragma_table_info(?) ORDER BY cid")
        .bind(table)
        .fetch_all(connection)
        .await?;
    Ok(columns)
}

/// Names and declared types of the target's columns, the destination's own last.
fn wanted(target: &Target) -> Vec<(&str, &str)> {
    let own = meta(target.generation.is_some()).iter().copied();
    let columns = target
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.kind.declared()));
    columns.chain(own).collect()
}

/// Makes the table, or brings it up to the target's columns, types and key. Columns that the
/// stream no longer has stay; they are no longer written.
async fn ensure(
    connection: &mut SqliteConnection,
    target: &Target,
    table: &str,
) -> Result<(), Failure> {
    let there = existing(connection, table).await?;
    let wanted = wanted(target);
    if there.is_empty() {
        create(connection, table, &wanted).await?;
    } else {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        let retyped = |(name, declared): &(String, String)| {
            wanted
                .iter()
                .any(|(n, d)| same(n, name) && !d.eq_ignore_ascii_case(declared))
        };
        for (name, declared) in &wanted {
            if !there.iter().any(|(n, _)| same(n, name)) {
                let (table, name) = (quoted(table), quoted(name));
                execute(
                    connection,
                    format!("ALTER TABLE {table} ADD COLUMN {name} {declared}"),
                )
                .await?;
            }
        }
        if there.iter().any(retyped) {
            rebuild(connection, target, table, &wanted).await?;
        }
    }
    index(connection, target, table).await
}

async fn create(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[(&str, &str)],
) -> Result<(), Failure> {
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, declared)| format!("{} {declared}", quoted(name)))
        .collect();
    execute(
        connection,
        format!("CREATE TABLE {} ({})", quoted(table), columns.join(", ")),
    )
    .await
}

/// Gives columns other types by copying the table: SQLite cannot alter a type. Values are
/// converted as the new type's affinity does; those that cannot be stay as they are.
async fn rebuild(
    connection: &mut SqliteConnection,
    target: &Target,
    table: &str,
    wanted: &[(&str, &str)],
) -> Result<(), Failure> {
    let there = existing(connection, table).await?;
    let retyped: Vec<(&str, &str)> = there
        .iter()
        .map(|(name, declared)| {
            let new = wanted
                .iter()
                .find(|(n, _)| n.to_lowercase() == name.to_lowercase());
            (
                name.as_str(),
                new.map_or(declared.as_str(), |(_, declared)| declared),
            )
        })
        .collect();
    let rebuilt = target.rebuilt_table();
    create(connection, &rebuilt, &retyped).await?;
    let (rebuilt, table) = (quoted(&rebuilt), quoted(table));
    execute(
        connection,
        format!("INSERT INTO {rebuilt} SELECT * FROM {table}"),
    )
    .await?;
    execute(connection, format!("DROP TABLE {table}")).await?;
    execute(
        connection,
        format!("ALTER TABLE {rebuilt} RENAME TO {table}"),
    )
    .await
}

/// Sees to it that the table's unique index is over the target's key, or that there is none.
async fn index(
    connection: &mut SqliteConnection,
    target: &Target,
    table: &str,
) -> Result<(), Failure> {
    let key = target
        .dedup
        .as_ref()
        .map(|dedup| format!("({})", dedup.key.join(",")));
    let there: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE \
         AND substr(name, 1, length(?)) = ?",
    )
    .bind(table)
    .bind(INDEX)
    .bind(INDEX)
    .fetch_all(&mut *connection)
    .await?;
    let mut indexed = false;
    for (name, sql) in there {
        if key
            .as_ref()
            .is_some_and(|key| sql.starts_with("CREATE UNIQUE") && sql.ends_with(key))
        {
            indexed = true;
        } else {
            execute(connection, format!("DROP INDEX {}", quoted(&name))).await?;
        }
    }
    if let (Some(dedup), false) = (&target.dedup, indexed) {
        execute(connection, deduplicate(dedup, table, Rows::All)).await?;
        create_index(connection, dedup, table).await?;
    }
    if let Some(position) = target.deleted_at.filter(|_| !indexed) {
        let column = quoted(&target.columns[position].name);
        let (name, table) = (quoted(&index_name("deleted_")), quoted(table));
        let sql = format!("CREATE INDEX {name} ON {table} ({column}) WHERE {column} IS NOT NULL");
        execute(connection, sql).await?;
    }
    Ok(())
}

async fn create_index(
    connection: &mut SqliteConnection,
    dedup: &Dedup,
    table: &str,
) -> Result<(), Failure> {
    let (name, table) = (quoted(&index_name("")), quoted(table));
    let key = dedup.key.join(",");
    execute(
        connection,
        format!("CREATE UNIQUE INDEX {name} ON {table} ({key})"),
    )
    .await
}

/// Index names are the database's, not the table's, and stay when a table is renamed.
fn index_name(role: &str) -> String {
    format!("{INDEX}{role}{}", uuid::Uuid::new_v4().simple())
}
