//! Where a stream goes: its table, its columns, and what happens to the rows that are there.

use std::collections::HashMap;

use airbyte_protocol::{ConfiguredCatalog, ConfiguredStream, StreamDescriptor};

use super::columns::{Column, columns, meta};
use crate::destination::Plan;
use crate::failure::Failure;
use crate::sqlite::quoted;

/// Tables of the destination's own begin with this, as do its columns.
const OWN: &str = "_airbyte_";

/// A stream's way into the database.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) stream: StreamDescriptor,
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
    /// The cursor's column, and its path as an SQL expression over a row of that name.
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
            Some(path) => format!("json_extract({of}{column}, '{}')", path.replace('\'', "''")),
        }
    }
}

impl Target {
    /// The table that rows go to first.
    pub(super) fn written_table(&self) -> String {
        if self.replaces || self.adds {
            self.staging_table()
        } else {
            self.table.clone()
        }
    }

    /// The table beside the final one where a new generation grows.
    pub(super) fn staging_table(&self) -> String {
        format!("{OWN}new__{}", self.table)
    }

    /// Where rows wait that no state covers yet: gone with the session.
    pub(super) fn waiting_table(&self) -> String {
        format!("temp.{}", quoted(&format!("{OWN}waiting__{}", self.table)))
    }

    /// A name of the rows' numbers that no column has, if there is one.
    pub(super) fn row_number(&self) -> Option<&'static str> {
        let names = ["rowid", "_rowid_", "oid"];
        let taken = |name: &str| {
            self.columns
                .iter()
                .any(|c| c.name.eq_ignore_ascii_case(name))
        };
        names.into_iter().find(|name| !taken(name))
    }

    /// A table that exists only within a transaction.
    pub(super) fn rebuilt_table(&self) -> String {
        format!("{OWN}rebuilt__{}", self.table)
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
}

/// The targets of a configured catalog.
///
/// # Errors
/// If a mode is invalid for destinations, a key is not a column, streams would share a table, or a
/// name is reserved by SQLite or the destination.
pub(super) fn targets(catalog: &str, exact: bool) -> Result<Vec<Target>, Failure> {
    let catalog: ConfiguredCatalog = serde_json::from_str(catalog)
        .map_err(|e| Failure::config("the configured catalog cannot be understood").because(e))?;
    let mut taken: HashMap<String, StreamDescriptor> = HashMap::new();
    let mut targets = Vec::with_capacity(catalog.streams.len());
    for configured in &catalog.streams {
        let stream = configured.stream.descriptor();
        let target = target(configured, exact).map_err(|failure| failure.in_stream(&stream))?;
        if let Some(other) = taken.insert(target.table.to_lowercase(), stream.clone()) {
            let table = &target.table;
            let message = format!("streams {other} and {stream} would share the table {table}");
            return Err(Failure::config(message).in_stream(&stream));
        }
        targets.push(target);
    }
    Ok(targets)
}

fn target(configured: &ConfiguredStream, exact: bool) -> Result<Target, Failure> {
    let stream = configured.stream.descriptor();
    let table = match stream.namespace.as_deref() {
        None | Some("") => stream.name.clone(),
        Some(namespace) => format!("{namespace}__{}", stream.name),
    };
    let lower = table.to_lowercase();
    if lower.is_empty()
        || lower.starts_with("sqlite_")
        || lower.starts_with(OWN)
        || lower.contains('\0')
    {
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
        key_columns = key_columns
            .filter(|_| path.inside.is_none())
            .map(|mut positions| {
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
        let member = |name: &String| format!(".\"{name}\"");
        format!("${}", rest.iter().map(member).collect::<String>())
    });
    Some((
        position,
        Path {
            column: columns[position].name.clone(),
            inside,
        },
    ))
}
