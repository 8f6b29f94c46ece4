//! Turning a stream's records into the text of a `COPY`, many at a time.

use serde_json::value::RawValue;

use super::cells::{Fit, escaped, write};
use super::columns::Column;
use super::target::Target;
use crate::destination::{Cells, Gather, Own, fill};
use crate::failure::Failure;

/// A batch goes when its text has that many bytes.
const BATCH_BYTES: usize = 4 << 20;

/// What a batch takes at first: most streams of a wide catalog send few rows at a time.
const FIRST_BYTES: usize = 64 << 10;

/// Rows as the text of a `COPY`.
pub(super) struct Batch {
    pub(super) text: Vec<u8>,
    pub(super) rows: usize,
    /// Whether a row has a null in its key.
    pub(super) null_in_key: bool,
    /// Whether a row is marked as deleted in the source.
    pub(super) deleted: bool,
}

/// Gathers the rows of one target.
pub(super) struct Gatherer {
    target: Target,
    batch: Batch,
    row: Row,
    own: Own,
    generation: String,
}

/// A row that is being filled.
struct Row {
    columns: Vec<Column>,
    /// The cells' texts, in the record's order.
    text: Vec<u8>,
    /// Where in it each column's cell is; nothing for null.
    cells: Vec<Option<(usize, usize)>>,
    /// Columns whose value did not fit.
    unfit: Vec<usize>,
}

impl Cells for Row {
    fn property(&self, position: usize) -> Option<&str> {
        self.columns.get(position).map(|c| c.property.as_str())
    }

    fn put(&mut self, position: usize, value: &RawValue) {
        let start = self.text.len();
        self.cells[position] = match write(self.columns[position].kind, value, &mut self.text) {
            Fit::Value => Some((start, self.text.len())),
            Fit::Null => None,
            Fit::Unfit => {
                self.text.truncate(start);
                self.unfit.push(position);
                None
            }
        };
    }
}

impl Gatherer {
    pub(super) fn new(target: Target) -> Self {
        Self {
            batch: Batch::new(),
            row: Row {
                columns: target.columns.clone(),
                text: Vec::with_capacity(1024),
                cells: Vec::with_capacity(target.columns.len()),
                unfit: Vec::new(),
            },
            own: Own::new(target.sync_id),
            generation: target
                .generation
                .map_or_else(String::new, |g| format!("\t{g}")),
            target,
        }
    }

    fn inspect(&mut self) {
        if let Some(dedup) = &self.target.dedup {
            self.batch.null_in_key |= match &dedup.key_columns {
                Some(positions) => positions
                    .iter()
                    .any(|position| self.row.cells[*position].is_none()),
                // Inside a JSON column: only the server can say.
                None => true,
            };
        }
        if let Some(position) = self.target.deleted_at {
            self.batch.deleted |= self.row.cells[position].is_some();
        }
    }
}

impl Batch {
    fn new() -> Self {
        Self {
            text: Vec::new(),
            rows: 0,
            null_in_key: false,
            deleted: false,
        }
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
        self.row.text.clear();
        self.row.cells.clear();
        self.row.cells.resize(self.row.columns.len(), None);
        self.row.unfit.clear();
        fill(&mut self.row, data).map_err(|e| {
            let stream = &self.target.stream;
            Failure::system(format!("a record of stream {stream} is not an object")).because(e)
        })?;
        self.inspect();
        let out = &mut self.batch.text;
        if out.capacity() == 0 {
            out.reserve(FIRST_BYTES);
        }
        for cell in &self.row.cells {
            match cell {
                Some((start, end)) => out.extend_from_slice(&self.row.text[*start..*end]),
                None => out.extend_from_slice(b"\\N"),
            }
            out.push(b'\t');
        }
        out.extend_from_slice(self.own.next_id(emitted_at).as_bytes());
        out.push(b'\t');
        out.extend_from_slice(self.own.extracted_at(emitted_at).as_bytes());
        out.push(b'\t');
        let columns = &self.row.columns;
        let unfit = self
            .row
            .unfit
            .iter()
            .map(|at| columns[*at].property.as_str());
        escaped(&self.own.meta(changes, unfit), out);
        out.extend_from_slice(self.generation.as_bytes());
        out.push(b'\n');
        self.batch.rows += 1;
        let full = self.batch.text.len() >= BATCH_BYTES;
        Ok(if full { self.take() } else { None })
    }

    fn take(&mut self) -> Option<Batch> {
        (self.batch.rows > 0).then(|| std::mem::replace(&mut self.batch, Batch::new()))
    }
}
