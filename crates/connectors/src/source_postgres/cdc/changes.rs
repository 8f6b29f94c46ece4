//! Reading changes in bounded batches, transaction by transaction.

use std::collections::{HashMap, HashSet};

use airbyte_protocol::LogLevel;
use futures::TryStreamExt as _;
use sqlx::{PgConnection, Row as _};

use super::messages::{Cell, Message, Relation, Tuple, parse};
use super::{Captured, Cdc, Lsn, Shared, columns, slot};
use crate::failure::Failure;
use crate::output::Output;
use crate::postgres::{literal, quoted};
use crate::source::{GONE, GlobalStates, LineBuilder, UNFIT, quoted_json, selected_properties};
use crate::source_postgres::cells;
use crate::source_postgres::rows::cells_of;
use crate::source_postgres::settings::SourceSettings;
use crate::source_postgres::tables::{Table, types};
use crate::source_postgres::types::{Kind, is_money};

/// Changes that the server gathers at a time; it ends a batch only with a transaction.
const BATCH_CHANGES: i32 = 20_000;

/// Changes after which a state is sent.
const STATE_CHANGES: u64 = 10_000;

/// Reads the changes between two positions.
pub(super) async fn read(
    settings: &SourceSettings,
    cdc: &Cdc,
    captured: &[Captured],
    (from, until): (Lsn, Lsn),
    global: &mut GlobalStates,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut consumer = settings.connect_writing().await?;
    let copy = slot::copy(&mut consumer, cdc).await?;
    let mut capture = Capture::new(settings, captured, output).await?;
    let mut skips = false;
    loop {
        let mut rows = sqlx::query(
            "SELECT lsn::text, data FROM pg_logical_slot_get_binary_changes($1, $2::pg_lsn, $3, \
             'proto_version', '1', 'publication_names', $4)",
        )
        .bind(&copy)
        .bind(until.to_string())
        .bind(BATCH_CHANGES)
        .bind(quoted(&cdc.publication))
        .fetch(&mut consumer);
        let mut any = false;
        while let Some(row) = rows.try_next().await? {
            any = true;
            let data: &[u8] = row.try_get(1)?;
            let message = parse(data)
                .ok_or_else(|| Failure::system("the server sent a change that cannot be read"))?;
            match message {
                Message::Begin { commit_lsn, at } => {
                    skips = commit_lsn < from.0;
                    capture.at = columns::moment(at);
                }
                Message::Commit { end_lsn } if !skips => {
                    capture.reached = Some(Lsn(end_lsn));
                    if capture.sent >= STATE_CHANGES {
                        capture.state(global)?;
                    }
                }
                Message::Relation(relation) => capture.describe(&relation).await?,
                _ if skips => {}
                change => {
                    let lsn: String = row.try_get(0)?;
                    let lsn = lsn.parse::<Lsn>().map_err(Failure::system)?;
                    capture.change(change, lsn).await?;
                }
            }
        }
        if !any {
            break;
        }
    }
    // Nothing else before the end concerns these streams.
    capture.reached = Some(until.max(from));
    capture.state(global)
}

/// How the rows of a table in the log become records.
struct Plan {
    /// Position of the stream.
    stream: usize,
    columns: Vec<Planned>,
}

struct Planned {
    name: String,
    kind: Kind,
    money: bool,
    selected: bool,
}

struct Capture<'a> {
    captured: &'a [Captured],
    lines: Vec<LineBuilder>,
    selected: Vec<Option<HashSet<String>>>,
    /// By the table's oid, partitions included; nothing for tables that are not read.
    plans: HashMap<u32, Option<Plan>>,
    /// Partitions and the streams that they are parts of.
    parts: HashMap<u32, usize>,
    /// For what the log does not say.
    connection: PgConnection,
    output: &'a mut Output,
    /// When the transaction was committed.
    at: String,
    /// Everything before it was sent.
    reached: Option<Lsn>,
    sent: u64,
    /// Columns of the last row that have no value, and why.
    nulled: Vec<(String, &'static str)>,
}

impl<'a> Capture<'a> {
    async fn new(
        settings: &SourceSettings,
        captured: &'a [Captured],
        output: &'a mut Output,
    ) -> Result<Self, Failure> {
        let mut connection = settings.connect().await?;
        let mut parts = HashMap::new();
        for (position, stream) in captured.iter().enumerate() {
            parts.insert(stream.table.oid, position);
            let leaves: Vec<i64> = sqlx::query_scalar(
                "SELECT relid::oid::int8 FROM pg_partition_tree($1::oid::regclass)",
            )
            .bind(stream.table.oid.to_string())
            .fetch_all(&mut connection)
            .await?;
            let leaves = leaves.into_iter().map(crate::source_postgres::tables::oid);
            parts.extend(leaves.map(|leaf| (leaf, position)));
        }
        let selected = |c: &Captured| selected_properties(&c.configured.stream.json_schema);
        Ok(Self {
            lines: captured
                .iter()
                .map(|c| LineBuilder::new(&c.stream))
                .collect(),
            selected: captured.iter().map(selected).collect(),
            captured,
            plans: HashMap::new(),
            parts,
            connection,
            output,
            at: String::new(),
            reached: None,
            sent: 0,
            nulled: Vec::new(),
        })
    }

    /// Sends the state of what was reached.
    fn state(&mut self, global: &mut GlobalStates) -> Result<(), Failure> {
        if let Some(lsn) = self.reached {
            global.share(&Shared { lsn })?;
            global.send(std::mem::take(&mut self.sent), self.output)?;
        }
        Ok(())
    }

    async fn describe(&mut self, relation: &Relation<'_>) -> Result<(), Failure> {
        let Some(stream) = self.parts.get(&relation.oid).copied() else {
            self.plans.insert(relation.oid, None);
            return Ok(());
        };
        let oids: Vec<i64> = relation
            .columns
            .iter()
            .map(|(_, oid)| i64::from(*oid))
            .collect();
        let types = types(&mut self.connection, &oids).await?;
        let planned = |(name, oid): &(&str, u32)| Planned {
            name: (*name).to_owned(),
            kind: Kind::of(&types, *oid),
            money: is_money(&types, *oid),
            selected: self.selected[stream]
                .as_ref()
                .is_none_or(|names| names.contains(*name)),
        };
        let columns = relation.columns.iter().map(planned).collect();
        self.plans
            .insert(relation.oid, Some(Plan { stream, columns }));
        Ok(())
    }

    async fn change(&mut self, message: Message<'_>, lsn: Lsn) -> Result<(), Failure> {
        match message {
            Message::Insert { relation, new } => self.row(relation, &new, lsn, false),
            Message::Delete { relation, old } => self.row(relation, &old, lsn, true),
            Message::Update { relation, old, new } => {
                let new = self.completed(relation, old.as_ref(), &new).await?;
                let new: Tuple<'_> = new.iter().map(Filled::cell).collect();
                if let Some(old) = old
                    && self.key_of(relation, &old) != self.key_of(relation, &new)
                {
                    self.row(relation, &old, lsn, true)?;
                }
                self.row(relation, &new, lsn, false)
            }
            Message::Truncate { relations } => {
                for relation in relations {
                    if let Some(Some(plan)) = self.plans.get(&relation) {
                        let stream = &self.captured[plan.stream].stream;
                        let text = format!(
                            "{stream} was truncated: the log contains no deletions for it, so its rows stay in the destination"
                        );
                        self.output.log(LogLevel::Warn, text)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The key's cells of a row.
    fn key_of<'t>(&self, relation: u32, tuple: &[Cell<'t>]) -> Vec<Cell<'t>> {
        let Some(Some(plan)) = self.plans.get(&relation) else {
            return Vec::new();
        };
        let key = &self.captured[plan.stream].table.key;
        let pairs = plan.columns.iter().zip(tuple);
        let of_key = pairs.filter(|(column, _)| key.contains(&column.name));
        of_key.map(|(_, cell)| *cell).collect()
    }

    /// Fills in large values that did not change: from the row as it was, or as it is now. Should
    /// the latter be newer than this change, the change that made it so is still to come.
    async fn completed<'t>(
        &mut self,
        relation: u32,
        old: Option<&Tuple<'t>>,
        new: &Tuple<'t>,
    ) -> Result<Vec<Filled<'t>>, Failure> {
        let mut filled: Vec<Filled<'t>> = new.iter().map(|cell| Filled::Logged(*cell)).collect();
        let Some(Some(plan)) = self.plans.get(&relation) else {
            return Ok(filled);
        };
        let mut missing = Vec::new();
        for (position, column) in plan.columns.iter().enumerate() {
            if new.get(position) != Some(&Cell::Unchanged) || !column.selected {
                continue;
            }
            match old.and_then(|old| old.get(position)) {
                Some(Cell::Text(text)) => filled[position] = Filled::Logged(Cell::Text(text)),
                _ => missing.push(position),
            }
        }
        if missing.is_empty() {
            return Ok(filled);
        }
        let table = &self.captured[plan.stream].table;
        let names: Vec<&str> = plan
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let Some(copy) = present(table, &names, new, &missing) else {
            return Ok(filled);
        };
        let mut lines = self.connection.copy_out_raw(&copy).await?;
        while let Some(line) = lines.try_next().await? {
            for (position, cell) in missing.iter().zip(cells_of(&line)) {
                filled[*position] = Filled::Fetched(cell.map(std::borrow::Cow::into_owned));
            }
        }
        Ok(filled)
    }

    /// Sends a row of the log.
    fn row(
        &mut self,
        relation: u32,
        tuple: &[Cell<'_>],
        lsn: Lsn,
        deleted: bool,
    ) -> Result<(), Failure> {
        let Some(Some(plan)) = self.plans.get(&relation) else {
            return Ok(());
        };
        let line = &mut self.lines[plan.stream];
        let out = line.begin();
        self.nulled.clear();
        out.push(b'{');
        for (column, cell) in plan.columns.iter().zip(tuple) {
            if !column.selected {
                continue;
            }
            member(out, &column.name);
            let start = out.len();
            let fits = match cell {
                Cell::Null => false,
                Cell::Unchanged => {
                    self.nulled.push((column.name.clone(), GONE));
                    false
                }
                Cell::Text(text) => {
                    let fits = written(column, text, out);
                    if !fits {
                        self.nulled.push((column.name.clone(), UNFIT));
                    }
                    fits
                }
            };
            if !fits {
                out.truncate(start);
                out.extend_from_slice(b"null");
            }
        }
        let selected = &self.selected[plan.stream];
        let is_selected = |name: &str| selected.as_ref().is_none_or(|names| names.contains(name));
        if is_selected(columns::LSN) {
            member(out, columns::LSN);
            out.extend_from_slice(lsn.0.to_string().as_bytes());
        }
        if is_selected(columns::UPDATED_AT) {
            member(out, columns::UPDATED_AT);
            quoted_json(out, &self.at);
        }
        if is_selected(columns::DELETED_AT) {
            member(out, columns::DELETED_AT);
            match deleted {
                true => quoted_json(out, &self.at),
                false => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
        self.sent += 1;
        let nulled = self.nulled.iter();
        let nulled = nulled.map(|(column, reason)| (column.as_str(), *reason));
        self.output.lines(line.finish(nulled))
    }
}

/// A cell, from the log or from the table.
enum Filled<'t> {
    Logged(Cell<'t>),
    Fetched(Option<Vec<u8>>),
}

impl Filled<'_> {
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Logged(cell) => *cell,
            Self::Fetched(None) => Cell::Null,
            Self::Fetched(Some(text)) => Cell::Text(text),
        }
    }
}

/// The statement that reads the missing columns of a row; nothing where its key is not known, or
/// the table no longer has them.
fn present(table: &Table, names: &[&str], new: &[Cell<'_>], missing: &[usize]) -> Option<String> {
    let mut conditions = Vec::new();
    for column in table.key_columns() {
        let position = names.iter().position(|name| *name == column.name)?;
        let Some(Cell::Text(text)) = new.get(position) else {
            return None;
        };
        let value = literal(std::str::from_utf8(text).ok()?);
        let name = quoted(&column.name);
        conditions.push(format!("{name} = {value}::{}", column.sql_type));
    }
    let columns = missing
        .iter()
        .map(|position| table.column(names[*position]));
    let columns: Option<Vec<String>> = columns.map(|c| c.map(|c| quoted(&c.name))).collect();
    Some(format!(
        "COPY (SELECT {} FROM {} WHERE {}) TO STDOUT",
        columns?.join(", "),
        table.sql(),
        conditions.join(" AND ")
    ))
}

fn member(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    quoted_json(out, name);
    out.push(b':');
}

/// Appends a cell of the log; `false` where it does not fit.
fn written(column: &Planned, text: &[u8], out: &mut Vec<u8>) -> bool {
    if !column.money {
        return cells::write(&column.kind, text, out);
    }
    // Sessions have the C locale: `-$1,234.50`. A snapshot casts it; the log has only this.
    let digits: Vec<u8> = text
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'$' | b','))
        .collect();
    column.kind == Kind::Number && cells::write(&Kind::Number, &digits, out)
}
