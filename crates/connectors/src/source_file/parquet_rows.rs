//! Parquet files, row by row: columns of single values by the column readers, a page at a time, and
//! nested ones by the record reader beside them.

use std::fs::File;

use parquet::basic::Repetition;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{self as physical, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::kinds::Kind;
use super::locate::Found;
use super::parquet_types::{Meaning, Primitive, nested};
use crate::failure::Failure;

/// Rows decoded at a time.
const ROWS: usize = 1024;

/// A top-level column.
#[derive(Debug, Clone)]
pub(super) struct FileColumn {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The first of its leaves.
    leaf: usize,
    /// What single values mean; nothing for nested ones.
    meaning: Option<(Meaning, bool)>,
}

/// A file's rows.
pub(super) struct ParquetRows {
    reader: SerializedFileReader<File>,
    pub(super) columns: Vec<FileColumn>,
    /// Positions of the columns that are read.
    chosen: Vec<usize>,
    group: usize,
    open: Vec<Flat>,
    nested: Option<ReaderIter>,
    left_in_group: u64,
    pub(super) row: u64,
    shown: String,
}

impl ParquetRows {
    /// Opens the file and looks at its columns.
    pub(super) fn open(file: &Found) -> Result<Self, Failure> {
        let unreadable = |e: &dyn std::fmt::Display| {
            Failure::config(format!("{} cannot be read as Parquet: {e}", file.shown))
        };
        let opened = File::open(&file.path).map_err(|e| unreadable(&e))?;
        let reader = SerializedFileReader::new(opened).map_err(|e| unreadable(&e))?;
        let columns = columns(reader.metadata().file_metadata().schema_descr());
        Ok(Self {
            reader,
            columns,
            chosen: Vec::new(),
            group: 0,
            open: Vec::new(),
            nested: None,
            left_in_group: 0,
            row: 0,
            shown: file.shown.clone(),
        })
    }

    /// Reads those columns from that row on.
    pub(super) fn choose(&mut self, chosen: Vec<usize>, from: u64) -> Result<(), Failure> {
        self.chosen = chosen;
        self.row = from;
        let mut before = from;
        while self.group < self.reader.num_row_groups() {
            let rows = self.reader.metadata().row_group(self.group).num_rows();
            let rows = u64::try_from(rows).unwrap_or(0);
            if before < rows {
                return self.open_group(before).map_err(|e| self.failure(&e));
            }
            before -= rows;
            self.group += 1;
        }
        Ok(())
    }

    fn open_group(&mut self, skip: u64) -> Result<(), ParquetError> {
        let group = self.reader.get_row_group(self.group)?;
        let rows = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
        self.left_in_group = rows.saturating_sub(skip);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.open.clear();
        self.nested = None;
        let mut fields = Vec::new();
        for at in &self.chosen {
            let column = &self.columns[*at];
            match column.meaning {
                Some(_) => self.open.push(Flat::open(&*group, column.leaf, skip)?),
                None => {
                    let schema = self.reader.metadata().file_metadata().schema_descr();
                    fields.push(schema.get_column_root_ptr(column.leaf));
                }
            }
        }
        if !fields.is_empty() {
            let whole = self.reader.metadata().file_metadata().schema();
            let part = Type::group_type_builder(whole.name())
                .with_fields(fields)
                .build()?;
            let part = std::sync::Arc::new(SchemaDescriptor::new(std::sync::Arc::new(part)));
            let mut rows = TreeBuilder::new()
                .with_batch_size(ROWS)
                .as_iter(part, &*group)?;
            for _ in 0..skip {
                rows.next().transpose()?;
            }
            self.nested = Some(rows);
        }
        self.group += 1;
        Ok(())
    }

    /// Appends the next row's cells: `begin` before each, with the column's place among the chosen
    /// ones; `unfit` after what JSON does not have. False at the file's end.
    pub(super) fn next(
        &mut self,
        out: &mut Vec<u8>,
        mut begin: impl FnMut(usize, &mut Vec<u8>),
        mut unfit: impl FnMut(usize),
    ) -> Result<bool, Failure> {
        while self.left_in_group == 0 {
            if self.group >= self.reader.num_row_groups() {
                return Ok(false);
            }
            self.open_group(0).map_err(|e| self.failure(&e))?;
        }
        let nested_row = match &mut self.nested {
            Some(rows) => rows.next().transpose().map_err(|e| self.failure(&e))?,
            None => None,
        };
        let mut nested_values = nested_row.iter().flat_map(|row| row.get_column_iter());
        let mut flat = self.open.iter_mut();
        for (place, at) in self.chosen.iter().enumerate() {
            begin(place, out);
            let before = out.len();
            let fits = match self.columns[*at].meaning {
                Some((meaning, wide)) => {
                    let column = flat.next();
                    let value = column.map(Flat::next).transpose();
                    match value
                        .map_err(|e| failure(&self.shown, self.row, &e))?
                        .flatten()
                    {
                        Some(value) => meaning.write(value, wide, out),
                        None => {
                            out.extend_from_slice(b"null");
                            true
                        }
                    }
                }
                None => match nested_values.next() {
                    Some((_, value)) => {
                        nested(value, out);
                        true
                    }
                    None => false,
                },
            };
            if !fits {
                out.truncate(before);
                out.extend_from_slice(b"null");
                unfit(place);
            }
        }
        self.left_in_group -= 1;
        self.row += 1;
        Ok(true)
    }

    fn failure(&self, error: &ParquetError) -> Failure {
        failure(&self.shown, self.row, error)
    }
}

fn failure(shown: &str, row: u64, error: &ParquetError) -> Failure {
    Failure::config(format!("{shown}, after row {row}: {error}"))
}

fn columns(schema: &SchemaDescriptor) -> Vec<FileColumn> {
    let mut columns: Vec<FileColumn> = Vec::new();
    let mut last_root = None;
    for leaf in 0..schema.num_columns() {
        let root = schema.get_column_root_idx(leaf);
        if last_root.replace(root) == Some(root) {
            continue;
        }
        let of = schema.get_column_root(leaf);
        let repeated = of.get_basic_info().has_repetition()
            && of.get_basic_info().repetition() == Repetition::REPEATED;
        let (kind, meaning) = if of.is_primitive() && !repeated {
            let meaning = Meaning::of(of);
            let wide = of.get_physical_type() == parquet::basic::Type::INT64;
            (meaning.kind(wide), Some((meaning, wide)))
        } else if repeated || is_list(of) {
            (Kind::Array, None)
        } else {
            (Kind::Object, None)
        };
        columns.push(FileColumn {
            name: of.name().to_owned(),
            kind,
            leaf,
            meaning,
        });
    }
    columns
}

fn is_list(of: &Type) -> bool {
    use parquet::basic::{ConvertedType, LogicalType};
    let info = of.get_basic_info();
    info.logical_type_ref() == Some(&LogicalType::List)
        || info.converted_type() == ConvertedType::LIST
}

/// A column of single values that is being read.
enum Flat {
    Boolean(Values<physical::BoolType>),
    Int32(Values<physical::Int32Type>),
    Int64(Values<physical::Int64Type>),
    Int96(Values<physical::Int96Type>),
    Float(Values<physical::FloatType>),
    Double(Values<physical::DoubleType>),
    Bytes(Values<physical::ByteArrayType>),
    Fixed(Values<physical::FixedLenByteArrayType>),
}

impl Flat {
    fn open(group: &dyn RowGroupReader, leaf: usize, skip: usize) -> Result<Self, ParquetError> {
        let optional = group.metadata().column(leaf).column_descr().max_def_level() > 0;
        Ok(match group.get_column_reader(leaf)? {
            ColumnReader::BoolColumnReader(r) => Self::Boolean(Values::new(r, optional, skip)?),
            ColumnReader::Int32ColumnReader(r) => Self::Int32(Values::new(r, optional, skip)?),
            ColumnReader::Int64ColumnReader(r) => Self::Int64(Values::new(r, optional, skip)?),
            ColumnReader::Int96ColumnReader(r) => Self::Int96(Values::new(r, optional, skip)?),
            ColumnReader::FloatColumnReader(r) => Self::Float(Values::new(r, optional, skip)?),
            ColumnReader::DoubleColumnReader(r) => Self::Double(Values::new(r, optional, skip)?),
            ColumnReader::ByteArrayColumnReader(r) => Self::Bytes(Values::new(r, optional, skip)?),
            ColumnReader::FixedLenByteArrayColumnReader(r) => {
                Self::Fixed(Values::new(r, optional, skip)?)
            }
        })
    }

    fn next(&mut self) -> Result<Option<Primitive<'_>>, ParquetError> {
        Ok(match self {
            Self::Boolean(values) => values.next()?.map(|v| Primitive::Boolean(*v)),
            Self::Int32(values) => values.next()?.map(|v| Primitive::Integer(i64::from(*v))),
            Self::Int64(values) => values.next()?.map(|v| Primitive::Integer(*v)),
            Self::Int96(values) => values.next()?.map(|v| Primitive::Integer(v.to_nanos())),
            Self::Float(values) => values.next()?.map(|v| Primitive::Single(*v)),
            Self::Double(values) => values.next()?.map(|v| Primitive::Double(*v)),
            Self::Bytes(values) => values.next()?.map(|v| Primitive::Bytes(v.data())),
            Self::Fixed(values) => values.next()?.map(|v| Primitive::Bytes(v.data())),
        })
    }
}

/// A column's values, some rows at a time.
struct Values<T: DataType> {
    reader: ColumnReaderImpl<T>,
    optional: bool,
    levels: Vec<i16>,
    values: Vec<T::T>,
    row: usize,
    rows: usize,
    value: usize,
}

impl<T: DataType> Values<T> {
    fn new(
        mut reader: ColumnReaderImpl<T>,
        optional: bool,
        skip: usize,
    ) -> Result<Self, ParquetError> {
        if skip > 0 {
            reader.skip_records(skip)?;
        }
        Ok(Self {
            reader,
            optional,
            levels: Vec::new(),
            values: Vec::new(),
            row: 0,
            rows: 0,
            value: 0,
        })
    }

    fn next(&mut self) -> Result<Option<&T::T>, ParquetError> {
        if self.row == self.rows {
            self.levels.clear();
            self.values.clear();
            let levels = self.optional.then_some(&mut self.levels);
            let (rows, ..) = self
                .reader
                .read_records(ROWS, levels, None, &mut self.values)?;
            if rows == 0 {
                let message = "a column has fewer rows than the others";
                return Err(ParquetError::General(message.to_owned()));
            }
            (self.row, self.rows, self.value) = (0, rows, 0);
        }
        self.row += 1;
        if self.optional && self.levels[self.row - 1] == 0 {
            return Ok(None);
        }
        self.value += 1;
        Ok(self.values.get(self.value - 1))
    }
}
