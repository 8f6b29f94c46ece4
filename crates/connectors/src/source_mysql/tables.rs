//! The database's own description of its tables and views.

use std::collections::HashMap;

use airbyte_protocol::{Stream, StreamDescriptor, SyncMode};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};
use sqlx::MySqlConnection;

use super::columns::Column;
use super::sql::{literal, quoted, texts};
use super::types::Declared;
use crate::failure::Failure;
use crate::source::{CursorColumn as _, KeyedTable};

/// A column that proposes itself as the cursor of a table with a key.
const CURSOR_BY_CUSTOM: &str = "updated_at";

/// A table or a view.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) database: String,
    pub(super) name: String,
    /// The server's guess of how many rows there are, where it has one.
    pub(super) rows: Option<i64>,
    pub(super) columns: Vec<Column>,
    /// Names of the primary key's columns in its own order; empty without a key that can be read.
    pub(super) key: Vec<String>,
    /// Whether the key's index has whole values, so that rows can be read along it.
    pub(super) key_is_whole: bool,
}

/// What a database holds.
pub(super) struct Found {
    pub(super) tables: Vec<Table>,
    /// Tables of which the user may read nothing, and views that lost theirs.
    pub(super) unreadable: Vec<String>,
}

/// Tables and views by name; the one of that name alone, where one is given.
pub(super) async fn list(
    connection: &mut MySqlConnection,
    only: Option<&str>,
    tiny_is_boolean: bool,
) -> Result<Found, Failure> {
    // The server compares names without case here; `only` is compared again below.
    let of_table = match only {
        Some(name) => format!("= DATABASE() AND TABLE_NAME = {}", literal(name)),
        None => "= DATABASE()".to_owned(),
    };
    let rows = texts(
        connection,
        format!(
            "SELECT TABLE_NAME, TABLE_ROWS, DATABASE() FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA {of_table} AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') \
             ORDER BY TABLE_NAME"
        ),
    )
    .await?;
    let mut tables = Vec::with_capacity(rows.len());
    for row in rows {
        let [Some(name), rows, Some(database)] = row.as_slice() else {
            continue;
        };
        if only.is_some_and(|only| only != name) {
            continue;
        }
        tables.push(Table {
            database: database.clone(),
            name: name.clone(),
            rows: rows.as_deref().and_then(|rows| rows.parse().ok()),
            columns: Vec::new(),
            key: Vec::new(),
            key_is_whole: true,
        });
    }
    describe(connection, &mut tables, &of_table, tiny_is_boolean).await?;
    let (tables, without): (Vec<_>, Vec<_>) =
        tables.into_iter().partition(|t| !t.columns.is_empty());
    let unreadable = without.iter().map(|table| table.name().to_owned());
    Ok(Found {
        unreadable: unreadable.collect(),
        tables,
    })
}

/// Fills in columns and keys.
async fn describe(
    connection: &mut MySqlConnection,
    tables: &mut [Table],
    of_table: &str,
    tiny_is_boolean: bool,
) -> Result<(), Failure> {
    let names = tables.iter().enumerate();
    let positions: HashMap<String, usize> = names.map(|(at, t)| (t.name.clone(), at)).collect();
    let columns = texts(
        connection,
        format!(
            "SELECT TABLE_NAME, COLUMN_NAME, LOWER(DATA_TYPE), COLUMN_TYPE, IS_NULLABLE, \
             CHARACTER_SET_NAME \
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA {of_table} \
             AND FIND_IN_SET('select', LOWER(PRIVILEGES)) > 0 ORDER BY TABLE_NAME, ORDINAL_POSITION"
        ),
    )
    .await?;
    for row in columns {
        let [
            Some(table),
            Some(name),
            Some(kind),
            Some(full),
            nullable,
            charset,
        ] = row.as_slice()
        else {
            continue;
        };
        let Some(at) = positions.get(table) else {
            continue;
        };
        let lower = full.to_ascii_lowercase();
        let declared = Declared {
            name: kind,
            full: &lower,
        };
        tables[*at].columns.push(Column {
            name: name.clone(),
            kind: declared.kind(tiny_is_boolean),
            comparison: declared.comparison(),
            nullable: nullable.as_deref() != Some("NO"),
            sql_type: kind.clone(),
            full_type: full.clone(),
            charset: charset.clone(),
            orders: declared.orders(tiny_is_boolean),
            expression: None,
        });
    }
    let keys = texts(
        connection,
        format!(
            "SELECT TABLE_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
             WHERE TABLE_SCHEMA {of_table} AND INDEX_NAME = 'PRIMARY' ORDER BY TABLE_NAME, SEQ_IN_INDEX"
        ),
    )
    .await?;
    for row in keys {
        let [Some(table), Some(column), part] = row.as_slice() else {
            continue;
        };
        if let Some(at) = positions.get(table) {
            tables[*at].key.push(column.clone());
            tables[*at].key_is_whole &= part.is_none();
        }
    }
    for table in tables {
        // A key of which a part may not be read is none.
        if table.key.iter().any(|name| table.column(name).is_none()) {
            table.key.clear();
        }
    }
    Ok(())
}

impl KeyedTable for Table {
    fn name(&self) -> &str {
        &self.name
    }

    /// Left to itself, the server sorts the rest of a table where it seems to be cheaper than
    /// going along the key; for the next page it would do so again.
    fn from(&self) -> String {
        format!("{} FORCE INDEX (PRIMARY)", self.whole())
    }

    fn key(&self) -> &[String] {
        &self.key
    }

    fn key_cells(&self) -> Vec<String> {
        self.key_columns().map(Column::cell).collect()
    }

    fn key_order(&self) -> String {
        let names: Vec<String> = self.key.iter().map(|name| quoted(name)).collect();
        names.join(", ")
    }

    /// In full: servers do not look rows up by the comparison of lists.
    fn after(&self, values: &[String]) -> String {
        let mut equal = String::new();
        let mut cases = Vec::new();
        for (column, value) in self.key_columns().zip(values) {
            let (by, value) = (column.by(), column.literal(value));
            cases.push(format!("({equal}{by} > {value})"));
            equal += &format!("{by} = {value} AND ");
        }
        cases.join(" OR ")
    }
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|name| self.column(name))
    }

    /// Whether it can be read in its key's order.
    pub(super) fn is_resumable(&self) -> bool {
        !self.key.is_empty() && self.key_is_whole
    }

    pub(super) fn descriptor(&self) -> StreamDescriptor {
        StreamDescriptor {
            name: self.name.clone(),
            namespace: Some(self.database.clone()),
        }
    }

    /// Its FROM clause, in no particular order.
    pub(super) fn whole(&self) -> String {
        format!("FROM {}.{}", quoted(&self.database), quoted(&self.name))
    }

    /// The table as the protocol describes it, read by cursors that connections choose.
    pub(super) fn to_stream(&self) -> Stream {
        let properties: Map<String, Value> = self
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.schema()))
            .collect();
        let schema = json!({ "type": "object", "properties": properties });
        let mut modes = vec![SyncMode::FullRefresh];
        if self.columns.iter().any(|column| column.orders) {
            modes.push(SyncMode::Incremental);
        }
        let custom =
            |column: &&Column| column.name.eq_ignore_ascii_case(CURSOR_BY_CUSTOM) && column.orders;
        let proposed = self.columns.iter().find(custom);
        let proposed = proposed.filter(|_| !self.key.is_empty());
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
            namespace: Some(self.database.clone()),
            is_resumable: Some(self.is_resumable()),
            is_file_based: None,
        }
    }
}
