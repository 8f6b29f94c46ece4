//! The database's own description of its tables and views.

use std::collections::{HashMap, HashSet};

use airbyte_protocol::{Stream, StreamDescriptor, SyncMode};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, Row as _};

use super::types::{Kind, Oid, TypeRow, Types, digits, is_money, orders};
use crate::failure::Failure;
use crate::postgres::{qualified, quoted};
use crate::source::{CursorColumn as _, Digits, KeyedTable};

/// A column that proposes itself as the cursor of a table with a key.
const CURSOR_BY_CUSTOM: &str = "updated_at";

/// A table, a view, a materialised view or a partitioned table as a whole.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) oid: Oid,
    pub(super) schema: String,
    pub(super) name: String,
    /// The server's letter: `r` table, `p` partitioned, `v` view, `m` materialised view, `f` foreign.
    pub(super) relation: char,
    /// The server's guess of how many rows there are; negative where it has none.
    pub(super) rows: f64,
    pub(super) columns: Vec<Column>,
    /// Names of the key's columns in its own order; empty without a key that can be read.
    pub(super) key: Vec<String>,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its number, which stays when it is renamed.
    pub(super) number: i16,
    pub(super) kind: Kind,
    /// Of a `numeric` that is declared with them.
    pub(super) digits: Option<Digits>,
    pub(super) nullable: bool,
    /// Its type as SQL writes it, without a length.
    pub(super) sql_type: String,
    pub(super) orders: bool,
    pub(super) money: bool,
    /// What is selected instead of a column of that name.
    pub(super) expression: Option<String>,
}

impl Column {
    fn schema(&self) -> Value {
        let mut schema = self.kind.schema(self.nullable);
        if let Some(digits) = self.digits {
            digits.add_to(&mut schema);
        }
        schema
    }

    /// What is selected to read it.
    pub(super) fn selected(&self) -> String {
        if let Some(expression) = &self.expression {
            return expression.clone();
        }
        let name = quoted(&self.name);
        match &self.kind {
            Kind::Array(_) if self.money => format!("{name}::numeric[]"),
            _ if self.money => format!("{name}::numeric"),
            _ => name,
        }
    }
}

/// Which tables are looked at.
pub(super) enum Wanted<'a> {
    /// All of these schemas; of all but the system's where there are none.
    Schemas(Option<&'a [String]>),
    /// These alone.
    Streams(&'a HashSet<StreamDescriptor>),
}

/// What a database holds.
pub(super) struct Found {
    pub(super) tables: Vec<Table>,
    /// Tables that the user may not read.
    pub(super) unreadable: Vec<String>,
}

/// Tables and views by schema and name. Partitions are read through what they are parts of.
pub(super) async fn list(
    connection: &mut PgConnection,
    wanted: Wanted<'_>,
) -> Result<Found, Failure> {
    let rows = sqlx::query(
        "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.reltuples::float8, \
         has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition \
         AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 2, 3",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut found = Found {
        tables: Vec::with_capacity(rows.len()),
        unreadable: Vec::new(),
    };
    for row in rows {
        let (schema, name): (String, String) = (row.try_get(1)?, row.try_get(2)?);
        let is_wanted = match &wanted {
            Wanted::Schemas(None) => true,
            Wanted::Schemas(Some(schemas)) => schemas.contains(&schema),
            Wanted::Streams(streams) => streams.contains(&StreamDescriptor {
                name: name.clone(),
                namespace: Some(schema.clone()),
            }),
        };
        if !is_wanted || name == crate::postgres::OWN_TABLE {
            continue;
        }
        // Null when the table was dropped meanwhile.
        match row.try_get::<Option<bool>, _>(5)? {
            Some(true) => found.tables.push(Table {
                oid: oid(row.try_get(0)?),
                schema,
                name,
                relation: row.try_get::<String, _>(3)?.chars().next().unwrap_or('r'),
                rows: row.try_get(4)?,
                columns: Vec::new(),
                key: Vec::new(),
            }),
            Some(false) => found.unreadable.push(format!("{schema}.{name}")),
            None => {}
        }
    }
    describe(connection, &mut found.tables).await?;
    Ok(found)
}

pub(super) fn oid(number: i64) -> Oid {
    Oid::try_from(number).unwrap_or_default()
}

/// Fills in columns and keys.
async fn describe(connection: &mut PgConnection, tables: &mut [Table]) -> Result<(), Failure> {
    let oids: Vec<i64> = tables.iter().map(|table| i64::from(table.oid)).collect();
    let positions: HashMap<Oid, usize> = tables
        .iter()
        .enumerate()
        .map(|(at, table)| (table.oid, at))
        .collect();
    let rows = sqlx::query(
        "SELECT attrelid::int8, attname::text, attnum, atttypid::int8, attnotnull, \
         format_type(atttypid, -1), atttypmod FROM pg_attribute WHERE attrelid = ANY($1::oid[]) AND attnum > 0 \
         AND NOT attisdropped AND has_column_privilege(attrelid, attnum, 'SELECT') \
         ORDER BY attrelid, attnum",
    )
    .bind(as_oids(&oids))
    .fetch_all(&mut *connection)
    .await?;
    let mut used: Vec<i64> = Vec::new();
    for row in &rows {
        used.push(row.try_get(3)?);
    }
    used.sort_unstable();
    used.dedup();
    let types = types(connection, &used).await?;
    for row in rows {
        let Some(at) = positions.get(&oid(row.try_get(0)?)) else {
            continue;
        };
        let type_oid = oid(row.try_get(3)?);
        tables[*at].columns.push(Column {
            name: row.try_get(1)?,
            number: row.try_get(2)?,
            kind: Kind::of(&types, type_oid),
            digits: digits(&types, type_oid, row.try_get(6)?),
            nullable: !row.try_get::<bool, _>(4)?,
            sql_type: row.try_get(5)?,
            orders: orders(&types, type_oid),
            money: is_money(&types, type_oid),
            expression: None,
        });
    }
    let rows = sqlx::query(
        "SELECT i.indrelid::int8, a.attname::text FROM pg_index i \
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place) \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
         WHERE i.indisprimary AND k.place <= i.indnkeyatts AND i.indrelid = ANY($1::oid[]) \
         ORDER BY i.indrelid, k.place",
    )
    .bind(as_oids(&oids))
    .fetch_all(connection)
    .await?;
    for row in rows {
        if let Some(at) = positions.get(&oid(row.try_get(0)?)) {
            tables[*at].key.push(row.try_get(1)?);
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

/// A list of numbers as the text that the server reads as an array: it has no 32-bit unsigned.
fn as_oids(numbers: &[i64]) -> String {
    let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("{{{}}}", list.join(","))
}

pub(super) async fn types(connection: &mut PgConnection, used: &[i64]) -> Result<Types, Failure> {
    let rows = sqlx::query(
        "WITH RECURSIVE needed AS (SELECT unnest($1::oid[]) AS oid UNION \
         SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END \
         FROM pg_type t JOIN needed n ON n.oid = t.oid \
         WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)) \
         SELECT t.oid::int8, t.typname::text, t.typnamespace = 'pg_catalog'::regnamespace, \
         CASE WHEN t.typtype = 'd' THEN t.typbasetype::int8 END, \
         CASE WHEN t.typtype <> 'd' AND t.typcategory = 'A' AND t.typlen = -1 AND t.typelem <> 0 \
         AND t.typdelim = ',' THEN t.typelem::int8 END, t.typtypmod FROM pg_type t JOIN needed n ON n.oid = t.oid",
    )
    .bind(as_oids(used))
    .fetch_all(connection)
    .await?;
    let mut types = Types::with_capacity(rows.len());
    for row in rows {
        let described = TypeRow {
            name: row.try_get(1)?,
            built_in: row.try_get(2)?,
            base: row.try_get::<Option<i64>, _>(3)?.map(oid),
            element: row.try_get::<Option<i64>, _>(4)?.map(oid),
            modifier: row.try_get(5)?,
        };
        types.insert(oid(row.try_get(0)?), described);
    }
    Ok(types)
}

impl KeyedTable for Table {
    fn name(&self) -> &str {
        &self.name
    }

    fn from(&self) -> String {
        format!("FROM {}", self.sql())
    }

    fn key(&self) -> &[String] {
        &self.key
    }

    fn key_cells(&self) -> Vec<String> {
        self.key.iter().map(|name| quoted(name)).collect()
    }

    fn key_order(&self) -> String {
        self.key_cells().join(", ")
    }

    fn after(&self, values: &[String]) -> String {
        let columns = self.key_columns();
        let pairs = columns.into_iter().zip(values);
        let values = pairs.map(|(column, value)| column.literal(value));
        let values: Vec<String> = values.collect();
        format!("({}) > ({})", self.key_order(), values.join(", "))
    }
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The key's columns.
    pub(super) fn key_columns(&self) -> Vec<&Column> {
        self.key
            .iter()
            .filter_map(|name| self.column(name))
            .collect()
    }

    pub(super) fn descriptor(&self) -> StreamDescriptor {
        StreamDescriptor {
            name: self.name.clone(),
            namespace: Some(self.schema.clone()),
        }
    }

    /// Whether its rows say which transaction wrote them.
    pub(super) fn has_xmin(&self) -> bool {
        matches!(self.relation, 'r' | 'p')
    }

    /// The table in SQL.
    pub(super) fn sql(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// The table as the protocol describes it, read by cursors that connections choose.
    pub(super) fn to_stream(&self) -> Stream {
        let properties: Map<String, Value> = self
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.schema()))
            .collect();
        let numbers: Map<String, Value> = self
            .columns
            .iter()
            .filter(|column| column.expression.is_none())
            .map(|column| (column.name.clone(), json!(column.number)))
            .collect();
        let schema = json!({
            "type": "object",
            "properties": properties,
            "x-column-ids": { "table": self.oid.to_string(), "columns": numbers },
        });
        let mut modes = vec![SyncMode::FullRefresh];
        if self.columns.iter().any(|column| column.orders) {
            modes.push(SyncMode::Incremental);
        }
        let custom =
            |column: &&Column| column.name.eq_ignore_ascii_case(CURSOR_BY_CUSTOM) && column.orders;
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
            namespace: Some(self.schema.clone()),
            is_resumable: Some(!self.key.is_empty()),
            is_file_based: None,
        }
    }
}
