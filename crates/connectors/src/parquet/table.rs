//! Rows gathered by column: what a Parquet file is written from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use airbyte_protocol::StreamDescriptor;
use serde_json::value::RawValue;

use super::cells::Cell;
use super::columns::{Column, own};
use crate::destination::{Cells, Gather, Own, fill};
use crate::failure::Failure;

/// Text of one stream's rows before they go.
const BATCH_BYTES: usize = 1 << 20;

/// Text of all streams' rows before each further row goes at once.
const ALL_BYTES: usize = 4 << 20;

/// What a row takes beside its values: the destination's own columns.
const ROW_BYTES: usize = 128;

/// What a row takes for each column: whether it is there, and where it ends.
const CELL_BYTES: usize = 4;

/// A column's values, those that are there.
#[derive(Debug, Default)]
pub(super) enum Values {
    #[default]
    None,
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    /// All bytes, and where each value ends.
    Bytes(Vec<u8>, Vec<usize>),
    Fixed(Vec<[u8; 16]>),
}

/// A column's rows: 1 where there is a value, 0 where there is none.
#[derive(Debug, Default)]
pub(super) struct ColumnRows {
    pub(super) values: Values,
    pub(super) there: Vec<i16>,
}

impl ColumnRows {
    fn put(&mut self, cell: Cell<'_>) {
        if cell == Cell::Null {
            self.there.push(0);
            return;
        }
        self.there.push(1);
        match (&mut self.values, cell) {
            (Values::Boolean(values), Cell::Boolean(value)) => values.push(value),
            (Values::Int32(values), Cell::Int32(value)) => values.push(value),
            (Values::Int64(values), Cell::Int64(value)) => values.push(value),
            (Values::Double(values), Cell::Double(value)) => values.push(value),
            (Values::Bytes(bytes, ends), Cell::Bytes(value)) => {
                bytes.extend_from_slice(&value);
                ends.push(bytes.len());
            }
            (Values::Fixed(values), Cell::Fixed(value)) => values.push(value),
            // A column's first value; its kind gives all of them the same form.
            (values, cell) => {
                *values = match cell {
                    Cell::Boolean(value) => Values::Boolean(vec![value]),
                    Cell::Int32(value) => Values::Int32(vec![value]),
                    Cell::Int64(value) => Values::Int64(vec![value]),
                    Cell::Double(value) => Values::Double(vec![value]),
                    Cell::Bytes(value) => Values::Bytes(value.to_vec(), vec![value.len()]),
                    Cell::Fixed(value) => Values::Fixed(vec![value]),
                    Cell::Null => Values::None,
                };
            }
        }
    }

    /// Takes the last row back.
    fn pop(&mut self) {
        if self.there.pop() != Some(1) {
            return;
        }
        match &mut self.values {
            Values::None => {}
            Values::Boolean(values) => drop(values.pop()),
            Values::Int32(values) => drop(values.pop()),
            Values::Int64(values) => drop(values.pop()),
            Values::Double(values) => drop(values.pop()),
            Values::Fixed(values) => drop(values.pop()),
            Values::Bytes(bytes, ends) => {
                ends.pop();
                bytes.truncate(ends.last().copied().unwrap_or(0));
            }
        }
    }

    fn append(&mut self, mut other: Self) {
        self.there.append(&mut other.there);
        match (&mut self.values, other.values) {
            (_, Values::None) => {}
            (Values::Boolean(mine), Values::Boolean(mut more)) => mine.append(&mut more),
            (Values::Int32(mine), Values::Int32(mut more)) => mine.append(&mut more),
            (Values::Int64(mine), Values::Int64(mut more)) => mine.append(&mut more),
            (Values::Double(mine), Values::Double(mut more)) => mine.append(&mut more),
            (Values::Fixed(mine), Values::Fixed(mut more)) => mine.append(&mut more),
            (Values::Bytes(mine, ends), Values::Bytes(more, more_ends)) => {
                let before = mine.len();
                mine.extend_from_slice(&more);
                ends.extend(more_ends.into_iter().map(|end| before + end));
            }
            (mine, more) => *mine = more,
        }
    }
}

/// Rows of one stream, by column: the destination's own first.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) columns: Vec<ColumnRows>,
    pub(crate) rows: usize,
    /// About what it takes.
    pub(crate) bytes: usize,
}

impl Table {
    /// Adds rows of the same stream.
    pub(crate) fn append(&mut self, other: Self) {
        for (mine, more) in self.columns.iter_mut().zip(other.columns) {
            mine.append(more);
        }
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// How much the gatherers of all streams hold together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

impl Held {
    /// Counts a row; true when it is too much for one stream or for all.
    pub(crate) fn add(&self, row: usize, of_stream: usize) -> bool {
        let all = self.0.fetch_add(row, Ordering::Relaxed) + row;
        of_stream >= BATCH_BYTES || all >= ALL_BYTES
    }

    /// What a gatherer gave away.
    pub(crate) fn remove(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Gathers the rows of one stream.
pub(crate) struct Gatherer {
    stream: StreamDescriptor,
    names: Vec<Column>,
    generation: Option<i64>,
    columns: Vec<ColumnRows>,
    rows: usize,
    bytes: usize,
    /// Columns whose value did not fit, in the present row.
    unfit: Vec<usize>,
    own: Own,
    held: Held,
}

impl Gatherer {
    pub(crate) fn new(
        stream: StreamDescriptor,
        columns: Vec<Column>,
        generation: Option<i64>,
        sync_id: Option<i64>,
        held: Held,
    ) -> Self {
        let count = own(generation.is_some()).len() + columns.len();
        Self {
            stream,
            names: columns,
            generation,
            columns: (0..count).map(|_| ColumnRows::default()).collect(),
            rows: 0,
            bytes: 0,
            unfit: Vec::new(),
            own: Own::new(sync_id),
            held,
        }
    }
}

impl Gather for Gatherer {
    type Batch = Table;

    fn add(
        &mut self,
        data: &RawValue,
        emitted_at: i64,
        changes: Option<&RawValue>,
    ) -> Result<Option<Table>, Failure> {
        let (own, columns) = self
            .columns
            .split_at_mut(own(self.generation.is_some()).len());
        self.unfit.clear();
        let mut fields = Fields {
            names: &self.names,
            columns,
            rows: self.rows,
            unfit: &mut self.unfit,
        };
        fill(&mut fields, data).map_err(|e| {
            let stream = &self.stream;
            Failure::system(format!("a record of stream {stream} is not an object")).because(e)
        })?;
        for column in columns {
            if column.there.len() == self.rows {
                column.there.push(0);
            }
        }
        let id = self.own.next_id(emitted_at);
        let unfit = self
            .unfit
            .iter()
            .map(|at| self.names[*at].property.as_str());
        let meta = self.own.meta(changes, unfit);
        let text = |text: &str| Cell::Bytes(text.as_bytes().to_vec().into());
        own[0].put(text(&id));
        own[1].put(Cell::Int64(emitted_at.saturating_mul(1000)));
        own[2].put(text(&meta));
        if let Some(generation) = self.generation {
            own[3].put(Cell::Int64(generation));
        }
        self.rows += 1;
        let row = data.get().len() + ROW_BYTES + CELL_BYTES * self.columns.len();
        self.bytes += row;
        let full = self.held.add(row, self.bytes);
        Ok(if full { self.take() } else { None })
    }

    fn take(&mut self) -> Option<Table> {
        if self.rows == 0 {
            return None;
        }
        let count = self.columns.len();
        let fresh = (0..count).map(|_| ColumnRows::default()).collect();
        let bytes = std::mem::take(&mut self.bytes);
        self.held.remove(bytes);
        Some(Table {
            columns: std::mem::replace(&mut self.columns, fresh),
            rows: std::mem::take(&mut self.rows),
            bytes,
        })
    }
}

/// A row that is being filled.
struct Fields<'a> {
    names: &'a [Column],
    columns: &'a mut [ColumnRows],
    /// Rows before it.
    rows: usize,
    unfit: &'a mut Vec<usize>,
}

impl Cells for Fields<'_> {
    fn property(&self, position: usize) -> Option<&str> {
        self.names.get(position).map(|c| c.property.as_str())
    }

    fn put(&mut self, position: usize, value: &RawValue) {
        let column = &mut self.columns[position];
        if column.there.len() > self.rows {
            // A member that is there twice: the last one counts.
            column.pop();
            self.unfit.retain(|at| *at != position);
        }
        match Cell::of(self.names[position].kind, value.get()) {
            Some(cell) => column.put(cell),
            None => {
                column.put(Cell::Null);
                self.unfit.push(position);
            }
        }
    }
}
