//! The formats that files are written in.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use parquet::errors::ParquetError;
use parquet::schema::types::TypePtr;
use serde_json::value::RawValue;

use super::lines::{LineGatherer, Lines};
use crate::destination::Gather;
use crate::failure::Failure;
use crate::parquet::{self as columnar, Compression, ParquetFile, Table};

const BUFFER: usize = 1 << 15;

/// How a stream's files are written.
#[derive(Clone)]
pub(crate) enum Format {
    Parquet(TypePtr, Compression),
    Jsonl { gzip: bool },
}

/// Rows of a stream, ready to be written.
pub(crate) enum Batch {
    Table(Table),
    Lines(Lines),
}

impl Batch {
    /// About what it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Table(table) => table.bytes,
            Self::Lines(lines) => lines.text.len(),
        }
    }

    /// Adds rows of the same stream.
    pub(super) fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Table(mine), Self::Table(more)) => mine.append(more),
            (Self::Lines(mine), Self::Lines(more)) => mine.append(more),
            // A stream's gatherer makes one kind.
            _ => {}
        }
    }
}

/// Gathers a stream's rows in either way.
pub(crate) enum Gatherer {
    Table(columnar::Gatherer),
    Lines(LineGatherer),
}

impl Gather for Gatherer {
    type Batch = Batch;

    fn add(
        &mut self,
        data: &RawValue,
        emitted_at: i64,
        changes: Option<&RawValue>,
    ) -> Result<Option<Batch>, Failure> {
        Ok(match self {
            Self::Table(table) => table.add(data, emitted_at, changes)?.map(Batch::Table),
            Self::Lines(lines) => lines.add(data, emitted_at, changes)?.map(Batch::Lines),
        })
    }

    fn take(&mut self) -> Option<Batch> {
        match self {
            Self::Table(table) => table.take().map(Batch::Table),
            Self::Lines(lines) => lines.take().map(Batch::Lines),
        }
    }
}

/// A file that is being written.
pub(super) enum Encoder {
    Parquet(ParquetFile),
    Plain(BufWriter<File>, u64),
    /// Packed piece by piece, as the format allows: an encoder takes 300 KB, and many streams may have
    /// an open file.
    Gzip(File, u64),
}

impl Encoder {
    pub(super) fn new(file: File, format: &Format) -> Result<Self, Failure> {
        Ok(match format {
            Format::Parquet(schema, compression) => {
                let made = ParquetFile::new(file, schema.clone(), *compression);
                Self::Parquet(made.map_err(|e| of_parquet(&e))?)
            }
            Format::Jsonl { gzip: false } => Self::Plain(BufWriter::with_capacity(BUFFER, file), 0),
            Format::Jsonl { gzip: true } => Self::Gzip(file, 0),
        })
    }

    pub(super) fn write(&mut self, batches: Vec<Batch>) -> Result<(), Failure> {
        match self {
            Self::Parquet(file) => {
                let tables = batches.into_iter().filter_map(|batch| match batch {
                    Batch::Table(table) => Some(table),
                    Batch::Lines(_) => None,
                });
                file.write(tables.collect()).map_err(|e| of_parquet(&e))
            }
            Self::Plain(to, written) => lines(batches, written, |text| to.write_all(text)),
            Self::Gzip(to, written) => {
                let mut packed = GzEncoder::new(BufWriter::new(&*to), Level::default());
                let mut plain = 0;
                lines(batches, &mut plain, |text| packed.write_all(text))?;
                let mut rest = packed.finish().map_err(|e| of_io(&e))?;
                rest.flush().map_err(|e| of_io(&e))?;
                *written = to.metadata().map_err(|e| of_io(&e))?.len();
                Ok(())
            }
        }
    }

    /// About how many bytes the file has so far.
    pub(super) fn written(&self) -> u64 {
        match self {
            Self::Parquet(file) => file.written(),
            Self::Plain(_, written) | Self::Gzip(_, written) => *written,
        }
    }

    /// Parts that it keeps in mind until its end.
    pub(super) fn chunks(&self) -> usize {
        match self {
            Self::Parquet(file) => file.chunks(),
            Self::Plain(..) | Self::Gzip(..) => 0,
        }
    }

    pub(super) fn finish(self) -> Result<File, Failure> {
        match self {
            Self::Parquet(file) => file.finish().map_err(|e| of_parquet(&e)),
            Self::Plain(to, _) => to.into_inner().map_err(|e| of_io(e.error())),
            Self::Gzip(to, _) => Ok(to),
        }
    }
}

fn lines(
    batches: Vec<Batch>,
    written: &mut u64,
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<(), Failure> {
    for batch in batches {
        if let Batch::Lines(lines) = batch {
            write(&lines.text).map_err(|e| of_io(&e))?;
            *written += lines.text.len() as u64;
        }
    }
    Ok(())
}

fn of_io(error: &std::io::Error) -> Failure {
    super::unwritable("a file".as_ref(), error)
}

fn of_parquet(error: &ParquetError) -> Failure {
    if let ParquetError::External(cause) = error
        && let Some(io) = cause.downcast_ref::<std::io::Error>()
    {
        return of_io(io);
    }
    Failure::system("a Parquet file cannot be written").because(error)
}
