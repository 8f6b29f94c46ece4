//! Records as Parquet files: the columns of a stream, rows gathered by column, and the file's writer.

mod cells;
mod columns;
mod table;
mod writer;

pub(crate) use columns::{columns, schema};
pub(crate) use table::{Gatherer, Held, Table};
pub(crate) use writer::{Compression, ParquetFile};
