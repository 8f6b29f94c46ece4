//! Which columns a stream has: the names of all its files, the kinds of what the beginning of each
//! holds. A column that fails to fit later values keeps its kind: such values become null.

use std::collections::HashMap;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::config::{Format, Options};
use super::csv_rows::CsvRows;
use super::input::COLUMNS_MAX;
use super::jsonl_rows::JsonlRows;
use super::kinds::Kind;
use super::locate::{Found, Located};
use super::parquet_rows::ParquetRows;
use super::progress::Position;
use crate::failure::Failure;

/// How much of one file is looked at.
const FILE_BYTES: u64 = 8 << 20;

/// How much of all files of a stream is looked at together, but at least that much of each.
const STREAM_BYTES: u64 = 256 << 20;
const FILE_BYTES_MIN: u64 = 64 << 10;

/// A column as it was found.
#[derive(Debug, Clone)]
pub(super) struct Sampled {
    pub(super) name: String,
    /// Nothing: no value was seen.
    pub(super) kind: Option<Kind>,
}

/// The columns of a stream, in the order in which they were met.
#[derive(Default)]
struct Columns {
    all: Vec<Sampled>,
    places: HashMap<String, usize>,
}

impl Columns {
    /// # Errors
    /// What is wrong with one column more.
    fn place(&mut self, name: &str) -> Result<usize, String> {
        if let Some(place) = self.places.get(name) {
            return Ok(*place);
        }
        if self.all.len() == COLUMNS_MAX {
            return Err(format!(
                "it brings the stream over {COLUMNS_MAX} columns; put values with changing names \
                 into one object, which is one column"
            ));
        }
        self.all.push(Sampled {
            name: name.to_owned(),
            kind: None,
        });
        self.places.insert(name.to_owned(), self.all.len() - 1);
        Ok(self.all.len() - 1)
    }

    fn take(&mut self, place: usize, kind: Kind, otherwise: Kind) {
        let known = &mut self.all[place].kind;
        *known = Some(known.map_or(kind, |known| known.or(kind, otherwise)));
    }
}

/// The columns of a stream's files.
///
/// # Errors
/// If a file cannot be parsed in its format.
pub(super) fn columns(stream: &Located) -> Result<Vec<Sampled>, Failure> {
    let files = stream.files.len().max(1) as u64;
    let budget = (STREAM_BYTES / files).clamp(FILE_BYTES_MIN, FILE_BYTES);
    let mut columns = Columns::default();
    for file in &stream.files {
        match file.format {
            Format::Csv => of_csv(file, &stream.options, budget, &mut columns)?,
            Format::Jsonl => of_jsonl(file, &stream.options, budget, &mut columns)?,
            Format::Parquet => {
                for column in ParquetRows::open(file)?.columns {
                    let place = columns
                        .place(&column.name)
                        .map_err(|what| Failure::config(format!("{}: {what}", file.shown)))?;
                    columns.take(place, column.kind, Kind::Any);
                }
            }
        }
    }
    Ok(columns.all)
}

fn of_csv(
    file: &Found,
    options: &Options,
    budget: u64,
    columns: &mut Columns,
) -> Result<(), Failure> {
    let mut rows = CsvRows::open(file, options, Position::default())?;
    let places: Vec<usize> = rows
        .header()
        .iter()
        .map(|name| columns.place(name))
        .collect::<Result<_, _>>()
        .map_err(|what| rows.malformed(&what))?;
    if !options.infer_types {
        places
            .iter()
            .for_each(|place| columns.take(*place, Kind::Text, Kind::Text));
        return Ok(());
    }
    while rows.offset() < budget {
        let Some(record) = rows.next()? else { break };
        for (place, field) in places.iter().zip(record) {
            let Ok(text) = std::str::from_utf8(field) else {
                continue;
            };
            let known = columns.all[*place].kind;
            if known != Some(Kind::Text) && !options.null_values.iter().any(|null| null == text) {
                columns.take(*place, Kind::of_text(text), Kind::Text);
            }
        }
    }
    Ok(())
}

fn of_jsonl(
    file: &Found,
    options: &Options,
    budget: u64,
    columns: &mut Columns,
) -> Result<(), Failure> {
    let mut rows = JsonlRows::open(file, options, Position::default())?;
    while rows.position().offset < budget {
        let Some(object) = rows.next()? else { break };
        let mut reader = serde_json::Deserializer::from_str(object.get());
        if let Err(error) = reader.deserialize_map(Members(columns)) {
            return Err(rows.malformed(&error.to_string()));
        }
    }
    Ok(())
}

struct Members<'c>(&'c mut Columns);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            let value: &RawValue = map.next_value()?;
            let place = self.0.place(&name).map_err(serde::de::Error::custom)?;
            if let Some(kind) = Kind::of_json(value.get()) {
                self.0.take(place, kind, Kind::Any);
            }
        }
        Ok(())
    }
}
