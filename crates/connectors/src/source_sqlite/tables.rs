//! The database's own description of its tables and views.

use airbyte_protocol::{Stream, SyncMode};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};
use sqlx::{Row, SqliteConnection};

use super::types::Kind;
use crate::failure::Failure;

/// A column that proposes itself as the cursor of a table with a key.
const CURSOR_BY_CUSTOM: &str = "updated_at";

/// A table or view.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) is_view: bool,
    pub(super) columns: Vec<Column>,
    /// Names of the key's columns in its own order; empty without a declared key.
    pub(super) key: Vec<String>,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

/// What a database holds.
pub(super) struct Found {
    pub(super) tables: Vec<Table>,
    /// Views that cannot be read, and why: what they speak of may be gone.
    pub(super) unreadable: Vec<(String, String)>,
}

/// All tables and views, by name; SQLite's own and the shadows of virtual tables excepted.
pub(super) async fn list(connection: &mut SqliteConnection) -> Result<Found, Failure> {
    let rows = sqlx::query(
        "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' \
         AND type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut found = Found {
        tables: Vec::with_capacity(rows.len()),
        unreadable: Vec::new(),
    };
    for row in rows {
        let name: String = row.try_get(0)?;
        if name == crate::sqlite::OWN_TABLE {
            continue;
        }
        let is_view = row.try_get::<String, _>(1)? == "view";
        let without_rowid = row.try_get::<i64, _>(2)? != 0;
        match describe(connection, &name, without_rowid).await {
            Ok((columns, key)) => found.tables.push(Table {
                name,
                is_view,
                columns,
                key,
            }),
            Err(sqlx::Error::Database(why)) if is_view => {
                found.unreadable.push((name, why.to_string()));
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(found)
}

async fn describe(
    connection: &mut SqliteConnection,
    table: &str,
    without_rowid: bool,
) -> Result<(Vec<Column>, Vec<String>), sqlx::Error> {
    // `hidden` is 1 for columns that only a virtual table's own queries know.
    let rows = sqlx::query(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut columns = Vec::with_capacity(rows.len());
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut declared_integer = false;
    for row in &rows {
        let name: String = row.try_get(0)?;
        let declared: String = row.try_get(1)?;
        let not_null = row.try_get::<i64, _>(2)? != 0;
        let position: i64 = row.try_get(3)?;
        if position > 0 {
            key.push((position, name.clone()));
            declared_integer = declared.eq_ignore_ascii_case("INTEGER");
        }
        let nullable = !(not_null || (without_rowid && position > 0));
        columns.push(Column {
            name,
            kind: Kind::of(&declared),
            nullable,
        });
    }
    key.sort_unstable();
    let key: Vec<String> = key.into_iter().map(|(_, name)| name).collect();
    // Only a key that is the row's number cannot be null; other keys can, unless declared so.
    if let [alone] = key.as_slice()
        && declared_integer
        && let Some(column) = columns.iter_mut().find(|column| column.name == *alone)
    {
        column.nullable = false;
    }
    Ok((columns, key))
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The table as the protocol describes it.
    pub(super) fn to_stream(&self) -> Stream {
        let properties: Map<String, Value> = self
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.kind.schema(column.nullable)))
            .collect();
        let schema = json!({ "type": "object", "properties": properties });
        let mut modes = vec![SyncMode::FullRefresh];
        if self.columns.iter().any(|column| column.kind.orders()) {
            modes.push(SyncMode::Incremental);
        }
        let custom = |column: &&Column| {
            column.name.eq_ignore_ascii_case(CURSOR_BY_CUSTOM) && column.kind.orders()
        };
        let proposed = self
            .columns
            .iter()
            .find(custom)
            .filter(|_| !self.key.is_empty());
        Stream {
            name: self.name.clone(),
            json_schema: to_raw_value(&schema).expect("a JSON value serializes"),
            supported_sync_modes: modes,
            source_defined_cursor: Some(false),
            default_cursor_field: proposed
                .map(|column| column.name.clone())
                .into_iter()
                .collect(),
            source_defined_primary_key: self.key.iter().map(|name| vec![name.clone()]).collect(),
            namespace: None,
            is_resumable: Some(false),
            is_file_based: None,
        }
    }
}
