//! Changes of the log as records, transaction by transaction.

use std::collections::{HashMap, HashSet};

use airbyte_protocol::LogLevel;
use chrono::{DateTime, SecondsFormat};
use futures::TryStreamExt as _;
use mysql_async::BinlogStream;
use mysql_async::binlog::EventType;
use mysql_async::binlog::events::{EventData, RowsEventData, TableMapEvent};
use mysql_async::binlog::row::BinlogRow;
use sqlx::MySqlConnection;

use super::layout::Layout;
use super::log::of_log;
use super::statements::{Effect, effect};
use super::values::{Text, text};
use super::{Captured, Part, Position, columns};
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{GONE, GlobalStates, LineBuilder, UNFIT, quoted_json, selected_properties};
use crate::source_mysql::cells;
use crate::source_mysql::settings::SourceSettings;
use crate::source_mysql::sql::texts;

/// Changes after which a state is sent.
const STATE_CHANGES: u64 = 10_000;

/// Turns a log into records.
pub(super) struct Capture<'a> {
    settings: &'a SourceSettings,
    captured: &'a [Captured],
    lines: Vec<LineBuilder>,
    selected: Vec<Option<HashSet<String>>>,
    /// Whether a statement that changes the table came along.
    changed: Vec<bool>,
    /// Positions of streams by table ids; nothing for tables that are not read.
    tables: HashMap<u64, Option<usize>>,
    /// For what the log does not say.
    connection: MySqlConnection,
    output: &'a mut Output,
    sent: u64,
    /// Columns of the last row that have no value, and why.
    nulled: Vec<(String, &'static str)>,
}

/// Where a change is, and when it was made.
struct Change<'c> {
    position: &'c Position,
    at: String,
    deleted: bool,
}

impl<'a> Capture<'a> {
    pub(super) fn new(
        settings: &'a SourceSettings,
        captured: &'a [Captured],
        connection: MySqlConnection,
        output: &'a mut Output,
    ) -> Self {
        let selected = |c: &Captured| selected_properties(&c.configured.stream.json_schema);
        let line = |c: &Captured| LineBuilder::new(&c.stream);
        Self {
            settings,
            lines: captured.iter().map(line).collect(),
            selected: captured.iter().map(selected).collect(),
            changed: vec![false; captured.len()],
            captured,
            tables: HashMap::new(),
            connection,
            output,
            sent: 0,
            nulled: Vec::new(),
        }
    }

    /// Reads the changes between two places.
    pub(super) async fn read(
        &mut self,
        mut log: BinlogStream,
        from: &Position,
        until: &Position,
        global: &mut GlobalStates,
    ) -> Result<(), Failure> {
        let mut place = from.clone();
        let mut in_transaction = false;
        while in_transaction || !place.reaches(until) {
            let event = log.try_next().await.map_err(|error| of_log(&error))?;
            let Some(event) = event else {
                if in_transaction {
                    return Err(Failure::transient(
                        "the server's log ended within a transaction",
                    ));
                }
                break;
            };
            let header = event.header();
            if header.log_pos() > 0 {
                place.log_pos = u64::from(header.log_pos());
            }
            // MariaDB's own events contain no rows.
            if header.event_type() == Ok(EventType::TRANSACTION_PAYLOAD_EVENT) {
                return Err(Failure::config(
                    "\"replication_method.method\": the log has compressed transactions, which CDC does not support",
                ));
            }
            let data = event.read_data().map_err(unreadable)?;
            let mut ended = false;
            match data {
                // One that is in no log only repeats where the reading begins, and the driver takes
                // its checksum for a part of the name.
                Some(EventData::RotateEvent(_)) if header.log_pos() == 0 => {}
                Some(EventData::RotateEvent(rotation)) => {
                    place = Position {
                        log_file: rotation.name().into_owned(),
                        log_pos: rotation.position(),
                    };
                    self.tables.clear();
                }
                Some(EventData::TableMapEvent(map)) => self.describe(&map),
                Some(EventData::RowsEvent(rows)) => {
                    in_transaction = true;
                    if let Some(map) = log.get_tme(rows.table_id()) {
                        let at = i64::from(header.timestamp());
                        self.rows(&rows, map, &place, at).await?;
                    }
                }
                Some(EventData::XidEvent(_)) => ended = true,
                Some(EventData::QueryEvent(query)) => match query.query().trim() {
                    "BEGIN" => in_transaction = true,
                    statement => {
                        ended = true;
                        self.statement(statement, &query.schema())?;
                    }
                },
                _ => {}
            }
            if ended {
                in_transaction = false;
                if self.sent >= STATE_CHANGES {
                    self.state(&place, global)?;
                }
            }
        }
        // Nothing else before the end concerns these streams.
        let reached = if place.reaches(until) { &place } else { until };
        self.state(reached, global)
    }

    /// Sends the state of what was reached.
    fn state(&mut self, place: &Position, global: &mut GlobalStates) -> Result<(), Failure> {
        global.share(place)?;
        for (captured, changed) in self.captured.iter().zip(&self.changed) {
            let layout = match changed {
                true => &captured.after,
                false => &captured.before,
            };
            let part = Part {
                snapshot_complete: true,
                progress: None,
                layout: layout.clone(),
            };
            global.put(&captured.stream, &part)?;
        }
        global.send(std::mem::take(&mut self.sent), self.output)
    }

    fn describe(&mut self, map: &TableMapEvent<'_>) {
        let found = self.captured.iter().position(|captured| {
            captured.table.name == map.table_name()
                && captured.table.database == map.database_name()
        });
        self.tables.insert(map.table_id(), found);
    }

    /// Takes a statement of the log into account, which is none that changes rows.
    fn statement(&mut self, statement: &str, current: &str) -> Result<(), Failure> {
        for (position, captured) in self.captured.iter().enumerate() {
            let (database, table) = (&captured.table.database, &captured.table.name);
            let effect = effect(statement, current, database, table);
            self.changed[position] |= effect != Effect::None;
            if effect == Effect::Empties {
                let text = format!(
                    "{} was truncated: the log contains no deletions for it, so its rows stay in the destination",
                    captured.stream
                );
                self.output.log(LogLevel::Warn, text)?;
            }
        }
        Ok(())
    }

    /// What the rows of a table consist of; nothing where a snapshot is newer than they are.
    fn layout(
        &self,
        position: usize,
        map: &TableMapEvent<'_>,
    ) -> Result<Option<&'a Layout>, Failure> {
        let captured = &self.captured[position];
        let mut candidates = [&captured.before, &captured.after];
        if self.changed[position] {
            candidates.reverse();
        }
        let found = candidates.into_iter().find(|layout| layout.fits(map));
        if found.is_none() && !captured.fresh {
            return Err(Failure::config(format!(
                "the log has rows of {} as it was between two changes of its columns, which cannot be read; \
                 refresh the stream",
                captured.stream
            )));
        }
        Ok(found)
    }

    async fn rows(
        &mut self,
        event: &RowsEventData<'_>,
        map: &TableMapEvent<'_>,
        place: &Position,
        at: i64,
    ) -> Result<(), Failure> {
        let Some(Some(position)) = self.tables.get(&event.table_id()).copied() else {
            return Ok(());
        };
        let Some(layout) = self.layout(position, map)? else {
            return Ok(());
        };
        let moment = DateTime::from_timestamp(at, 0).unwrap_or_default();
        let at = moment.to_rfc3339_opts(SecondsFormat::Secs, true);
        for row in event.rows(map) {
            let (before, after) = row.map_err(unreadable)?;
            let before = match before {
                Some(row) => Some(self.texts(layout, row).await?),
                None => None,
            };
            let after = match after {
                Some(row) => Some(self.texts(layout, row).await?),
                None => None,
            };
            let change = |deleted| Change {
                position: place,
                at: at.clone(),
                deleted,
            };
            if let Some(before) = &before
                && after.as_ref().is_none_or(|after| {
                    self.key(position, layout, before) != self.key(position, layout, after)
                })
            {
                self.send(position, layout, before, &change(true))?;
            }
            if let Some(after) = &after {
                self.send(position, layout, after, &change(false))?;
            }
        }
        Ok(())
    }

    /// The texts of a row.
    async fn texts(&mut self, layout: &Layout, mut row: BinlogRow) -> Result<Vec<Text>, Failure> {
        let mut all = Vec::with_capacity(layout.0.len());
        for (at, column) in layout.0.iter().enumerate() {
            let mut made = match row.take(at) {
                Some(value) if column.is_readable() => text(column, value),
                _ => Text::Unknown,
            };
            if let Text::Encoded(bytes, charset) = &made {
                let bytes = bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
                let query = format!("SELECT CONVERT(_{charset} X'{bytes}' USING utf8mb4)");
                let answer = texts(&mut self.connection, query).await?.pop();
                let converted = answer.and_then(|mut row| row.pop().flatten());
                made = converted.map_or(Text::Unknown, |text| Text::Bytes(text.into_bytes()));
            }
            all.push(made);
        }
        Ok(all)
    }

    /// The key's values of a row.
    fn key<'t>(&self, position: usize, layout: &Layout, row: &'t [Text]) -> Vec<&'t Text> {
        let key = &self.captured[position].table.key;
        let pairs = layout.0.iter().zip(row);
        let of_key = pairs.filter(|(column, _)| key.contains(&column.name));
        of_key.map(|(_, text)| text).collect()
    }

    /// Sends a row.
    fn send(
        &mut self,
        position: usize,
        layout: &Layout,
        row: &[Text],
        change: &Change<'_>,
    ) -> Result<(), Failure> {
        let selected = self.selected[position].as_ref();
        let is_selected = |name: &str| selected.is_none_or(|names| names.contains(name));
        let out = self.lines[position].begin();
        self.nulled.clear();
        out.push(b'{');
        for (column, text) in layout.0.iter().zip(row) {
            if !is_selected(&column.name) {
                continue;
            }
            member(out, &column.name);
            let start = out.len();
            let why = match text {
                Text::Null => None,
                Text::Bytes(bytes) => {
                    let kind = column.kind(self.settings.tiny_is_boolean);
                    if cells::write(&kind, bytes, out) {
                        continue;
                    }
                    Some(UNFIT)
                }
                Text::Encoded(..) | Text::Unknown => Some(GONE),
            };
            self.nulled
                .extend(why.map(|why| (column.name.clone(), why)));
            out.truncate(start);
            out.extend_from_slice(b"null");
        }
        let place = change.position;
        let numbers = [
            (columns::CURSOR, place.cursor()),
            (columns::LOG_POS, place.log_pos),
        ];
        for (name, number) in numbers {
            if is_selected(name) {
                member(out, name);
                out.extend_from_slice(number.to_string().as_bytes());
            }
        }
        let deleted_at = change.deleted.then_some(change.at.as_str());
        let words = [
            (columns::LOG_FILE, Some(place.log_file.as_str())),
            (columns::UPDATED_AT, Some(change.at.as_str())),
            (columns::DELETED_AT, deleted_at),
        ];
        for (name, word) in words {
            if is_selected(name) {
                member(out, name);
                match word {
                    Some(word) => quoted_json(out, word),
                    None => out.extend_from_slice(b"null"),
                }
            }
        }
        out.push(b'}');
        self.sent += 1;
        let nulled = self.nulled.iter();
        let nulled = nulled.map(|(column, reason)| (column.as_str(), *reason));
        self.output.lines(self.lines[position].finish(nulled))
    }
}

fn member(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    quoted_json(out, name);
    out.push(b':');
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::system("the server's log has something that cannot be read").because(error)
}
