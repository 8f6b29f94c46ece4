//! Turning a stream's records into rows of bound values, many at a time.

use serde_json::value::RawValue;
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;

use super::cells::{Cell, unbindable};
use super::columns::Column;
use super::statements::rows_per_statement;
use super::target::Target;
use crate::destination::{Cells, Gather, Own, fill};
use crate::failure::Failure;

/// A batch goes when its values take that many bytes, however few its rows.
const BATCH_BYTES: usize = 4 << 20;

/// Rows with all their values, ready for one statement.
pub(super) struct Batch {
    pub(super) arguments: SqliteArguments,
    pub(super) rows: usize,
    /// Whether a row has a null in its key.
    pub(super) null_in_key: bool,
    /// Whether a row is marked as deleted in the source.
    pub(super) deleted: bool,
}

/// Gathers the rows of one target.
pub(super) struct Gatherer {
    target: Target,
    rows_max: usize,
    arguments: SqliteArguments,
    rows: usize,
    bytes: usize,
    null_in_key: bool,
    deleted: bool,
    cells: Vec<Cell>,
    /// Columns whose value did not fit, in the present row.
    unfit: Vec<usize>,
    own: Own,
}

impl Gatherer {
    pub(super) fn new(target: Target) -> Self {
        let columns = target.all_columns().count();
        Self {
            rows_max: rows_per_statement(columns),
            arguments: SqliteArguments::default(),
            rows: 0,
            bytes: 0,
            null_in_key: false,
            deleted: false,
            cells: Vec::with_capacity(target.columns.len()),
            unfit: Vec::new(),
            own: Own::new(target.sync_id),
            target,
        }
    }

    fn inspect(&mut self) {
        if let Some(dedup) = &self.target.dedup {
            self.null_in_key |= match &dedup.key_columns {
                Some(positions) => positions
                    .iter()
                    .any(|position| self.cells[*position].is_null()),
                // Inside a JSON column: only SQLite can say.
                None => true,
            };
        }
        if let Some(position) = self.target.deleted_at {
            self.deleted |= !self.cells[position].is_null();
        }
    }

    fn bind_own(&mut self, emitted_at: i64, changes: Option<&RawValue>) -> Result<(), Failure> {
        let id = self.own.next_id(emitted_at);
        let extracted_at = self.own.extracted_at(emitted_at);
        let columns = &self.target.columns;
        let unfit = self.unfit.iter().map(|at| columns[*at].property.as_str());
        let meta = self.own.meta(changes, unfit);
        let arguments = &mut self.arguments;
        arguments.add(id).map_err(unbindable)?;
        arguments.add(extracted_at).map_err(unbindable)?;
        arguments.add(meta).map_err(unbindable)?;
        if let Some(generation) = self.target.generation {
            arguments.add(generation).map_err(unbindable)?;
        }
        Ok(())
    }
}

impl Gather for Gatherer {
    type Batch = Batch;

    fn add(
        &mut self,
        data: &RawValue,
        emitted_at: i64,
        changes: Option<&RawValue>,
    ) -> Result<Option<Batch>, Failure> {
        self.cells.clear();
        self.cells.resize(self.target.columns.len(), Cell::Null);
        self.unfit.clear();
        let mut fields = Fields {
            columns: &self.target.columns,
            cells: &mut self.cells,
            unfit: &mut self.unfit,
        };
        fill(&mut fields, data).map_err(|e| {
            let stream = &self.target.stream;
            Failure::system(format!("a record of stream {stream} is not an object")).because(e)
        })?;
        self.inspect();
        let columns = self.cells.len();
        if self.rows == 0 {
            self.arguments.reserve(self.rows_max * (columns + 4), 0);
        }
        for cell in self.cells.drain(..) {
            self.bytes += cell.size();
            cell.bind(&mut self.arguments)?;
        }
        self.bind_own(emitted_at, changes)?;
        self.rows += 1;
        let full = self.rows == self.rows_max || self.bytes >= BATCH_BYTES;
        Ok(if full { self.take() } else { None })
    }

    fn take(&mut self) -> Option<Batch> {
        if self.rows == 0 {
            return None;
        }
        self.bytes = 0;
        Some(Batch {
            arguments: std::mem::take(&mut self.arguments),
            rows: std::mem::take(&mut self.rows),
            null_in_key: std::mem::take(&mut self.null_in_key),
            deleted: std::mem::take(&mut self.deleted),
        })
    }
}

/// A row that is being filled.
struct Fields<'a> {
    columns: &'a [Column],
    cells: &'a mut [Cell],
    unfit: &'a mut Vec<usize>,
}

impl Cells for Fields<'_> {
    fn property(&self, position: usize) -> Option<&str> {
        self.columns.get(position).map(|c| c.property.as_str())
    }

    fn put(&mut self, position: usize, value: &RawValue) {
        match Cell::of(self.columns[position].kind, value) {
            Some(cell) => self.cells[position] = cell,
            None => self.unfit.push(position),
        }
    }
}
