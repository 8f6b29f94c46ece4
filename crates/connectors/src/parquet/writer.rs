//! One Parquet file that is being written: row group by row group, each column by column.

use std::fs::File;
use std::sync::Arc;

use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, TypePtr};

use super::table::{ColumnRows, Table, Values};

/// Values handed to the encoder at a time.
const VALUES: usize = 1024;

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Snappy,
    Gzip,
    Lz4,
    Zstd,
}

impl Compression {
    fn codec(self) -> Codec {
        match self {
            Self::None => Codec::UNCOMPRESSED,
            Self::Snappy => Codec::SNAPPY,
            Self::Gzip => Codec::GZIP(Default::default()),
            Self::Lz4 => Codec::LZ4_RAW,
            Self::Zstd => Codec::ZSTD(ZstdLevel::default()),
        }
    }
}

/// A file that is being written.
pub(crate) struct ParquetFile {
    writer: SerializedFileWriter<File>,
}

impl ParquetFile {
    pub(crate) fn new(
        file: File,
        schema: TypePtr,
        compression: Compression,
    ) -> Result<Self, ParquetError> {
        let ids = ColumnPath::from("_airbyte_raw_id");
        let properties = WriterProperties::builder()
            .set_compression(compression.codec())
            .set_statistics_enabled(EnabledStatistics::Chunk)
            // No two ids are the same: a dictionary of them would only be filled and left.
            .set_column_dictionary_enabled(ids, false)
            .set_created_by(concat!("AAM ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
        Ok(Self { writer })
    }

    /// Writes the tables as one row group.
    pub(crate) fn write(&mut self, tables: Vec<Table>) -> Result<(), ParquetError> {
        let mut columns: Vec<Vec<ColumnRows>> = Vec::new();
        for table in tables {
            columns.resize_with(table.columns.len(), Vec::new);
            for (rows, column) in columns.iter_mut().zip(table.columns) {
                rows.push(column);
            }
        }
        let mut group = self.writer.next_row_group()?;
        for rows in columns {
            let Some(mut column) = group.next_column()? else {
                return Err(ParquetError::General(
                    "a table has too many columns".to_owned(),
                ));
            };
            for rows in rows {
                write_column(column.untyped(), rows)?;
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Parts of columns, whose statistics stay in memory until the file's end.
    pub(crate) fn chunks(&self) -> usize {
        let groups = self.writer.flushed_row_groups();
        groups
            .first()
            .map_or(0, |group| groups.len() * group.num_columns())
    }

    /// Writes the footer.
    pub(crate) fn finish(self) -> Result<File, ParquetError> {
        self.writer.into_inner()
    }
}

fn write_column(column: &mut ColumnWriter<'_>, rows: ColumnRows) -> Result<(), ParquetError> {
    let there = Some(rows.there.as_slice());
    match (column, rows.values) {
        (ColumnWriter::BoolColumnWriter(to), Values::Boolean(values)) => {
            to.write_batch(&values, there, None)?;
        }
        (ColumnWriter::Int32ColumnWriter(to), Values::Int32(values)) => {
            to.write_batch(&values, there, None)?;
        }
        (ColumnWriter::Int64ColumnWriter(to), Values::Int64(values)) => {
            to.write_batch(&values, there, None)?;
        }
        (ColumnWriter::DoubleColumnWriter(to), Values::Double(values)) => {
            to.write_batch(&values, there, None)?;
        }
        (ColumnWriter::FixedLenByteArrayColumnWriter(to), Values::Fixed(values)) => {
            let values: Vec<FixedLenByteArray> = values
                .into_iter()
                .map(|value| FixedLenByteArray::from(value.to_vec()))
                .collect();
            to.write_batch(&values, there, None)?;
        }
        (ColumnWriter::ByteArrayColumnWriter(to), Values::Bytes(bytes, ends)) => {
            let bytes = ByteArray::from(bytes);
            let mut values = Vec::with_capacity(VALUES);
            let (mut start, mut next) = (0, 0);
            for levels in rows.there.chunks(VALUES) {
                let count = levels.iter().filter(|level| **level == 1).count();
                values.clear();
                for end in &ends[next..next + count] {
                    values.push(bytes.slice(start, end - start));
                    start = *end;
                }
                next += count;
                to.write_batch(&values, Some(levels), None)?;
            }
        }
        (column, Values::None) => nulls(column, there)?,
        _ => {
            return Err(ParquetError::General(
                "a column changed its type".to_owned(),
            ));
        }
    }
    Ok(())
}

fn nulls(column: &mut ColumnWriter<'_>, there: Option<&[i16]>) -> Result<(), ParquetError> {
    match column {
        ColumnWriter::BoolColumnWriter(to) => to.write_batch(&[], there, None),
        ColumnWriter::Int32ColumnWriter(to) => to.write_batch(&[], there, None),
        ColumnWriter::Int64ColumnWriter(to) => to.write_batch(&[], there, None),
        ColumnWriter::Int96ColumnWriter(to) => to.write_batch(&[], there, None),
        ColumnWriter::FloatColumnWriter(to) => to.write_batch(&[], there, None),
        ColumnWriter::DoubleColumnWriter(to) => to.write_batch(&[], there, None),
        ColumnWriter::ByteArrayColumnWriter(to) => to.write_batch(&[], there, None),
        ColumnWriter::FixedLenByteArrayColumnWriter(to) => to.write_batch(&[], there, None),
    }?;
    Ok(())
}
