//! One stream's way from query to stdout.

use airbyte_protocol::ConfiguredStream;
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::PgConnection;

use super::cells;
use super::rows::cells_of;
use super::tables::{Column, Table};
use super::types::Kind;
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{
    Emission, Extras, GlobalStates, Records, RowWriter, SILENCE_MAX, TableReader,
    selected_properties,
};

/// Reads one stream.
pub(super) struct StreamReader<'a> {
    pub(super) records: Records<'a>,
    rows: RowWriter<Kind>,
    /// The columns that are read, for a SELECT.
    list: String,
}

/// The columns of the table that the configured schema names; all where it names none.
fn chosen(table: &Table, configured: &ConfiguredStream) -> Vec<Column> {
    let selected = selected_properties(&configured.stream.json_schema);
    let is_chosen = |column: &&Column| {
        selected
            .as_ref()
            .is_none_or(|names| names.contains(&column.name))
    };
    table.columns.iter().filter(is_chosen).cloned().collect()
}

impl<'a> StreamReader<'a> {
    pub(super) fn new(
        table: &Table,
        configured: &ConfiguredStream,
        output: &'a mut Output,
    ) -> Self {
        let columns = chosen(table, configured);
        let list: Vec<String> = columns.iter().map(Column::selected).collect();
        Self {
            records: Records::new(configured, output),
            rows: RowWriter::new(columns.into_iter().map(|c| (c.name, c.kind))),
            list: list.join(", "),
        }
    }

    /// Sends states of all streams instead of the one's.
    pub(super) fn within(mut self, global: &'a mut GlobalStates) -> Self {
        self.records = self.records.within(global);
        self
    }
}

impl TableReader for StreamReader<'_> {
    type Connection = PgConnection;

    async fn pass(
        &mut self,
        connection: &mut PgConnection,
        extra: &[String],
        rest: &str,
        emission: Emission,
        mut after: impl FnMut(&mut Records<'_>, &Extras) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let mut list = vec![self.list.clone()];
        list.extend_from_slice(extra);
        list.retain(|part| !part.is_empty());
        let copy = format!("COPY (SELECT {} {rest}) TO STDOUT", list.join(", "));
        let mut rows = connection.copy_out_raw(&copy).await?;
        let mut extras = Extras::default();
        let mut count = 0;
        loop {
            let next = tokio::time::timeout(SILENCE_MAX, rows.try_next()).await;
            let next = next.map_err(|_| Failure::transient("the server sends no more rows"))?;
            let Some(line) = next? else { break };
            count += 1;
            let mut cells = cells_of(&line);
            self.rows
                .write(&mut cells, cells::write, self.records.begin())
                .ok_or_else(|| Failure::system("the server sent a row with too few columns"))?;
            extras.clear();
            cells.for_each(|cell| extras.push(cell.as_deref()));
            if emission == Emission::Rows {
                self.records.send(self.rows.nulled())?;
            }
            after(&mut self.records, &extras)?;
            if emission == Emission::RowsLast {
                self.records.send(self.rows.nulled())?;
            }
        }
        Ok(count)
    }

    fn state(&mut self, state: &impl Serialize) -> Result<(), Failure> {
        self.records.state(state)
    }
}
