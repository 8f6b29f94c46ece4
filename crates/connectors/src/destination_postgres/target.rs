//! Where a stream goes: its table, its columns, and what happens to the rows that are there.

use std::collections::HashMap;

use airbyte_protocol::{ConfiguredCatalog, ConfiguredStream, StreamDescriptor};

use super::columns::{Column, columns, meta};
use super::names::shortened;
use crate::destination::Plan;
use crate::failure::Failure;
use crate::postgres::{literal, qualified, quoted};

/// Tables of the destination's own begin with this, as do its columns.
const OWN: &str = "_airbyte_";

/// A stream's way into the database.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) stream: StreamDescriptor,
    pub(super) schema: String,
    /// The final table.
    pub(super) table: String,
    pub(super) columns: Vec<Column>,
    /// How rows with the same key become one; nothing keeps every row.
    pub(super) dedup: Option<Dedup>,
    /// Whether the rows that are there go once the stream completed.
    pub(super) replaces: bool,
    /// Whether rows join those that are there once the stream completed.
    pub(super) adds: bool,
    /// Whether only rows that a state covers may be committed.
    pub(super) covered: bool,
    /// Whether only the rows of older generations go then: the table already holds this one's.
    pub(super) drops_older: bool,
    /// Generation of the rows; nothing where the platform does not count them.
    pub(super) generation: Option<i64>,
    pub(super) sync_id: Option<i64>,
    /// Position of the column whose value marks the row as deleted in the source.
    pub(super) deleted_at: Option<usize>,
}

/// How rows with the same key become one.
#[derive(Debug, Clone)]
pub(super) struct Dedup {
    /// The parts of the key, as SQL expressions over the table.
    pub(super) key: Vec<String>,
    /// Positions of the key's columns; nothing where a part lies inside a JSON column.
    pub(super) key_columns: Option<Vec<usize>>,
    /// The cursor.
    pub(super) cursor: Option<Path>,
}

/// A path into a row: a column, or something inside a JSON column.
#[derive(Debug, Clone)]
pub(super) struct Path {
    column: String,
    inside: Option<String>,
}

impl Path {
    /// The SQL expression; `of` is a table's name and a dot, or nothing.
    pub(super) fn sql(&self, of: &str) -> String {
        let column = quoted(&self.column);
        match &self.inside {
            None => format!("{of}{column}"),
            Some(path) => format!("({of}{column} #> {path})"),
        }
    }
}

impl Target {
    /// The final table in SQL.
    pub(super) fn final_table(&self) -> String {
        qualified(&self.schema, &self.table)
    }

    /// Name of the table that rows go to first.
    pub(super) fn written_name(&self) -> String {
        if self.replaces || self.adds {
            self.staging_name()
        } else {
            self.table.clone()
        }
    }

    /// Name of the table beside the final one where a new generation grows.
    pub(super) fn staging_name(&self) -> String {
        shortened(&format!("{OWN}new__{}", self.table))
    }

    /// Names of all columns, the destination's own last.
    pub(super) fn all_columns(&self) -> impl Iterator<Item = &str> {
        let own = meta(self.generation.is_some())
            .iter()
            .map(|(name, _)| *name);
        self.columns
            .iter()
            .map(|column| column.name.as_str())
            .chain(own)
    }

    /// The columns' names in SQL.
    pub(super) fn list(&self) -> String {
        self.all_columns().map(quoted).collect::<Vec<_>>().join(",")
    }
}

/// The targets of a configured catalog; streams without a namespace go to the schema.
///
/// # Errors
/// As [`Plan::of`]; also if a key is not a column, streams would share a table, or a name is
/// reserved by the server or the destination.
pub(super) fn targets(catalog: &str, schema: &str, exact: bool) -> Result<Vec<Target>, Failure> {
    let catalog: ConfiguredCatalog = serde_json::from_str(catalog)
        .map_err(|e| Failure::config("the configured catalog cannot be understood").because(e))?;
    let mut taken: HashMap<(String, String), StreamDescriptor> = HashMap::new();
    let mut targets = Vec::with_capacity(catalog.streams.len());
    for configured in &catalog.streams {
        let stream = configured.stream.descriptor();
        let target = target(configured, schema, exact);
        let target = target.map_err(|failure| failure.in_stream(&stream))?;
        let place = (target.schema.clone(), target.table.clone());
        if let Some(other) = taken.insert(place, stream.clone()) {
            let table = &target.table;
            let message = format!("streams {other} and {stream} would share the table {table}");
            return Err(Failure::config(message).in_stream(&stream));
        }
        targets.push(target);
    }
    Ok(targets)
}

fn target(configured: &ConfiguredStream, schema: &str, exact: bool) -> Result<Target, Failure> {
    let stream = configured.stream.descriptor();
    let namespace = stream.namespace.as_deref().filter(|name| !name.is_empty());
    let schema = shortened(namespace.unwrap_or(schema));
    if schema.is_empty() || schema.starts_with("pg_") || schema == "information_schema" {
        return Err(Failure::config(format!(
            "{schema:?} cannot be the schema of a stream's table"
        )));
    }
    let table = shortened(&stream.name);
    if table.is_empty() || table.starts_with(OWN) {
        return Err(Failure::config(format!(
            "{table:?} cannot be the name of a stream's table"
        )));
    }
    let columns = columns(&configured.stream.json_schema)?;
    let plan = Plan::of(configured, exact)?;
    let dedup = match plan.deduplicates {
        true => Some(dedup(configured, &columns)?),
        false => None,
    };
    let deleted_at = columns
        .iter()
        .position(|column| column.property == "_ab_cdc_deleted_at");
    Ok(Target {
        schema,
        table,
        columns,
        deleted_at: deleted_at.filter(|_| dedup.is_some()),
        dedup,
        replaces: plan.replaces,
        adds: plan.adds,
        covered: plan.covered,
        drops_older: false,
        generation: plan.generation,
        sync_id: plan.sync_id,
        stream,
    })
}

fn dedup(configured: &ConfiguredStream, columns: &[Column]) -> Result<Dedup, Failure> {
    let stream = configured.stream.descriptor();
    let mut key = Vec::new();
    let mut key_columns = Some(Vec::new());
    for part in &configured.primary_key {
        let (position, path) = path(part, columns).ok_or_else(|| {
            let part = part.join(".");
            Failure::config(format!(
                "the key of stream {stream} contains {part}, which is not a column"
            ))
        })?;
        key_columns =
            key_columns
                .filter(|_| path.inside.is_none())
                .map(|mut positions: Vec<usize>| {
                    positions.push(position);
                    positions
                });
        key.push(path.sql(""));
    }
    let cursor = path(&configured.cursor_field, columns).map(|(_, path)| path);
    Ok(Dedup {
        key,
        key_columns,
        cursor,
    })
}

fn path(parts: &[String], columns: &[Column]) -> Option<(usize, Path)> {
    let (first, rest) = parts.split_first()?;
    let position = columns
        .iter()
        .position(|column| column.property == *first)?;
    let inside = (!rest.is_empty()).then(|| {
        let names: Vec<String> = rest.iter().map(|name| literal(name)).collect();
        format!("ARRAY[{}]::text[]", names.join(","))
    });
    Some((
        position,
        Path {
            column: columns[position].name.clone(),
            inside,
        },
    ))
}
