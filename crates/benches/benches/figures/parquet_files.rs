//! A bare Parquet writer: the records' columns, typed, by the same library and codec, without a
//! protocol around it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde::Deserialize;

/// Rows of a row group.
const GROUP: usize = 100_000;
const SCHEMA: &str = "message events { required int64 id; required binary name (UTF8); \
    required binary email (UTF8); required int64 age; required double score; \
    required boolean active; required binary country (UTF8); \
    required int64 created_at (TIMESTAMP(MICROS,true)); \
    required int64 updated_at (TIMESTAMP(MICROS,true)); required binary note (UTF8); }";

#[derive(Deserialize)]
struct Line {
    record: Option<Record>,
}

#[derive(Deserialize)]
struct Record {
    data: Row,
}

#[derive(Deserialize)]
struct Row {
    id: i64,
    name: String,
    email: String,
    age: i64,
    score: f64,
    active: bool,
    country: String,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
    note: String,
}

/// Rows a second; reading the records is not counted.
pub(crate) fn bare_rate(records: &Path, target: &Path) -> anyhow::Result<f64> {
    let codec = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(codec).build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut took = Duration::ZERO;
    let mut written = 0;
    let mut writer =
        SerializedFileWriter::new(File::create(target)?, schema, Arc::new(properties))?;
    let mut lines = BufReader::new(File::open(records)?).lines();
    loop {
        let mut rows = Vec::with_capacity(GROUP);
        for line in lines.by_ref() {
            let line: Line = serde_json::from_str(&line?)?;
            rows.extend(line.record.map(|record| record.data));
            if rows.len() == GROUP {
                break;
            }
        }
        if rows.is_empty() {
            break;
        }
        written += rows.len();
        let begun = Instant::now();
        let mut group = writer.next_row_group()?;
        write(&mut group, &rows)?;
        group.close()?;
        took += begun.elapsed();
    }
    let begun = Instant::now();
    writer.close()?;
    took += begun.elapsed();
    Ok(written as f64 / took.as_secs_f64())
}

fn write(group: &mut SerializedRowGroupWriter<'_, File>, rows: &[Row]) -> anyhow::Result<()> {
    let texts = |of: fn(&Row) -> &str| -> Vec<ByteArray> {
        rows.iter().map(|row| ByteArray::from(of(row))).collect()
    };
    let wholes = |of: fn(&Row) -> i64| -> Vec<i64> { rows.iter().map(of).collect() };
    column::<Int64Type>(group, &wholes(|row| row.id))?;
    column::<ByteArrayType>(group, &texts(|row| &row.name))?;
    column::<ByteArrayType>(group, &texts(|row| &row.email))?;
    column::<Int64Type>(group, &wholes(|row| row.age))?;
    let scores: Vec<f64> = rows.iter().map(|row| row.score).collect();
    column::<DoubleType>(group, &scores)?;
    let active: Vec<bool> = rows.iter().map(|row| row.active).collect();
    column::<BoolType>(group, &active)?;
    column::<ByteArrayType>(group, &texts(|row| &row.country))?;
    column::<Int64Type>(group, &wholes(|row| row.created_at.timestamp_micros()))?;
    column::<Int64Type>(group, &wholes(|row| row.updated_at.timestamp_micros()))?;
    column::<ByteArrayType>(group, &texts(|row| &row.note))
}

fn column<T: parquet::data_type::DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
) -> anyhow::Result<()> {
    if let Some(mut column) = group.next_column()? {
        column.typed::<T>().write_batch(values, None, None)?;
        column.close()?;
    }
    Ok(())
}
