//! Reads the configured streams, one after the other, file by file, starting at the state.

use std::collections::HashMap;

use airbyte_protocol::{ConfiguredStream, LogLevel, StreamStatus, SyncMode};
use secrecy::SecretString;
use serde_json::value::RawValue;

use super::cells;
use super::config::{Config, Format};
use super::csv_rows::CsvRows;
use super::jsonl_rows::JsonlRows;
use super::kinds::Kind;
use super::locate::{Found, Located, locate, nothing};
use super::parquet_rows::ParquetRows;
use super::progress::{Position, Progress};
use super::{MODIFIED, URL};
use crate::destination::{Cells, fill};
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{Outcomes, Records, States, configured_catalog, quoted_json};

/// Reads what the catalog configures, starting at the state.
///
/// # Errors
/// If a stream cannot be read. The error is returned after all other streams were read.
pub(crate) fn read(
    config: &SecretString,
    catalog: &str,
    state: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let catalog = configured_catalog(catalog)?;
    let states = States::parse(state)?;
    let located = locate(&Config::parse(config)?)?;
    let mut outcomes = Outcomes::default();
    for configured in &catalog.streams {
        let stream = configured.stream.descriptor();
        output.status(&stream, StreamStatus::Started)?;
        let found = located.iter().find(|found| {
            found.name == stream.name && stream.namespace.as_deref().unwrap_or("").is_empty()
        });
        let outcome = match found {
            Some(found) => read_stream(found, configured, states.of(&stream), output),
            None => Err(Failure::config(format!("no file makes a stream {stream}"))),
        };
        outcomes.add(&stream, outcome, output)?;
    }
    outcomes.finish()
}

fn read_stream(
    located: &Located,
    configured: &ConfiguredStream,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    // Files that were taken away after they had been read are usual; a full refresh of nothing
    // would empty the destination.
    if located.files.is_empty() && configured.sync_mode == SyncMode::FullRefresh {
        return Err(nothing(&located.pattern));
    }
    let restored = saved.map(|state| serde_json::from_str::<Progress>(state.get()));
    let mut progress = match restored {
        Some(Ok(progress)) => progress,
        Some(Err(_)) => {
            let text = format!(
                "the state of {} is of another kind: all files are read",
                located.name
            );
            output.log(LogLevel::Warn, text)?;
            Progress::default()
        }
        None => Progress::default(),
    };
    let columns = Columns::of(&configured.stream.json_schema)?;
    let mut row = Row {
        records: Records::new(configured, output),
        columns,
        unfit: Vec::new(),
        tail: Vec::new(),
    };
    for file in &located.files {
        if progress.has(file) {
            continue;
        }
        let from = progress.position_in(file);
        row.enter(file);
        match file.format {
            Format::Csv => of_csv(located, file, from, &mut row, &mut progress)?,
            Format::Jsonl => of_jsonl(located, file, from, &mut row, &mut progress)?,
            Format::Parquet => of_parquet(file, from, &mut row, &mut progress)?,
        }
        progress.finished(file);
        if row.records.state_is_due() {
            row.records.state(&progress)?;
        }
    }
    row.records.state(&progress)
}

fn of_csv(
    located: &Located,
    file: &Found,
    from: Position,
    row: &mut Row<'_>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let options = &located.options;
    let mut rows = CsvRows::open(file, options, from)?;
    let places: Vec<Option<usize>> = rows
        .header()
        .iter()
        .map(|name| row.columns.place(name))
        .collect();
    row.tell_missing(file, &places)?;
    loop {
        let Some(record) = rows.next()? else {
            return Ok(());
        };
        row.unfit.clear();
        let line = row.records.begin();
        line.push(b'{');
        let mut broken = false;
        for (place, field) in places.iter().zip(record) {
            let Some(place) = place else { continue };
            let Ok(text) = std::str::from_utf8(field) else {
                broken = true;
                break;
            };
            let (name, kind) = &row.columns.all[*place];
            begin_member(name, line);
            let before = line.len();
            let is_null = options.null_values.iter().any(|null| null == text);
            if !is_null && cells::field(*kind, text, line) {
                continue;
            }
            line.truncate(before);
            line.extend_from_slice(b"null");
            if !is_null {
                row.unfit.push(*place);
            }
        }
        if broken {
            return Err(rows.malformed("it is not UTF-8; set \"encoding\""));
        }
        row.send()?;
        if row.records.state_is_due() {
            progress.reached(file, rows.position());
            row.records.state(progress)?;
        }
    }
}

fn of_jsonl(
    located: &Located,
    file: &Found,
    from: Position,
    row: &mut Row<'_>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut rows = JsonlRows::open(file, &located.options, from)?;
    loop {
        let Some(object) = rows.next()? else {
            return Ok(());
        };
        row.unfit.clear();
        let line = row.records.begin();
        line.push(b'{');
        let mut members = Members {
            columns: &row.columns,
            line,
            unfit: &mut row.unfit,
        };
        if let Err(error) = fill(&mut members, object) {
            return Err(rows.malformed(&error.to_string()));
        }
        row.send()?;
        if row.records.state_is_due() {
            progress.reached(file, rows.position());
            row.records.state(progress)?;
        }
    }
}

fn of_parquet(
    file: &Found,
    from: Position,
    row: &mut Row<'_>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut rows = ParquetRows::open(file)?;
    let place = |column: &super::parquet_rows::FileColumn| row.columns.place(&column.name);
    let places: Vec<Option<usize>> = rows.columns.iter().map(place).collect();
    row.tell_missing(file, &places)?;
    let chosen: Vec<usize> = (0..places.len())
        .filter(|at| places[*at].is_some())
        .collect();
    let places: Vec<usize> = places.into_iter().flatten().collect();
    rows.choose(chosen, from.row)?;
    loop {
        row.unfit.clear();
        let line = row.records.begin();
        line.push(b'{');
        let (columns, unfit) = (&row.columns, &mut row.unfit);
        let begin = |at: usize, out: &mut Vec<u8>| begin_member(&columns.all[places[at]].0, out);
        if !rows.next(line, begin, |at| unfit.push(places[at]))? {
            return Ok(());
        }
        row.send()?;
        if row.records.state_is_due() {
            let at = Position {
                row: rows.row,
                ..Position::default()
            };
            progress.reached(file, at);
            row.records.state(progress)?;
        }
    }
}

/// The configured columns, with the types of the catalog.
struct Columns {
    all: Vec<(String, Kind)>,
    places: HashMap<String, usize>,
    url: bool,
    modified: bool,
}

impl Columns {
    fn of(schema: &RawValue) -> Result<Self, Failure> {
        #[derive(serde::Deserialize)]
        struct Schema {
            #[serde(default)]
            properties: serde_json::Map<String, serde_json::Value>,
        }
        let schema: Schema = serde_json::from_str(schema.get()).map_err(|e| {
            Failure::config("the schema of a stream cannot be understood").because(e)
        })?;
        let own = |name: &str| schema.properties.contains_key(name);
        let (url, modified) = (own(URL), own(MODIFIED));
        let all: Vec<(String, Kind)> = schema
            .properties
            .into_iter()
            .filter(|(name, _)| name != URL && name != MODIFIED)
            .map(|(name, schema)| (name, Kind::of_schema(&schema)))
            .collect();
        let places = all
            .iter()
            .enumerate()
            .map(|(at, (name, _))| (name.clone(), at));
        Ok(Self {
            places: places.collect(),
            all,
            url,
            modified,
        })
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

/// The record that is being made.
struct Row<'a> {
    records: Records<'a>,
    columns: Columns,
    /// Columns whose value did not fit.
    unfit: Vec<usize>,
    /// What every record of a file ends with.
    tail: Vec<u8>,
}

impl Row<'_> {
    fn enter(&mut self, file: &Found) {
        self.tail.clear();
        if self.columns.modified {
            begin_member(MODIFIED, &mut self.tail);
            quoted_json(&mut self.tail, &file.modified);
        }
        if self.columns.url {
            begin_member(URL, &mut self.tail);
            quoted_json(&mut self.tail, &file.shown);
        }
    }

    /// Reports which columns a file lacks; the next discovery shows them too.
    fn tell_missing(&mut self, file: &Found, places: &[Option<usize>]) -> Result<(), Failure> {
        let has = |at: usize| places.contains(&Some(at));
        let all = self.columns.all.iter().enumerate();
        let missing = all
            .filter(|(at, _)| !has(*at))
            .map(|(_, (name, _))| name.as_str());
        let missing: Vec<&str> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        let text = format!("{} has no column {}", file.shown, missing.join(", "));
        self.records.log(LogLevel::Warn, text)
    }

    fn send(&mut self) -> Result<(), Failure> {
        let (columns, unfit) = (&self.columns, &self.unfit);
        let line = self.records.line();
        if !self.tail.is_empty() && line.last() != Some(&b'{') {
            line.push(b',');
        }
        line.extend_from_slice(&self.tail);
        line.push(b'}');
        self.records
            .send(unfit.iter().map(|at| columns.all[*at].0.as_str()))
    }
}

/// Appends a member's name.
fn begin_member(name: &str, line: &mut Vec<u8>) {
    if !line.is_empty() && line.last() != Some(&b'{') {
        line.push(b',');
    }
    quoted_json(line, name);
    line.push(b':');
}

/// A JSON object that is being copied.
struct Members<'r> {
    columns: &'r Columns,
    line: &'r mut Vec<u8>,
    unfit: &'r mut Vec<usize>,
}

impl Cells for Members<'_> {
    fn property(&self, position: usize) -> Option<&str> {
        self.columns
            .all
            .get(position)
            .map(|(name, _)| name.as_str())
    }

    fn put(&mut self, position: usize, value: &RawValue) {
        let (name, kind) = &self.columns.all[position];
        begin_member(name, self.line);
        let before = self.line.len();
        if !cells::json(*kind, value.get(), self.line) {
            self.line.truncate(before);
            self.line.extend_from_slice(b"null");
            self.unfit.push(position);
        }
    }
}
