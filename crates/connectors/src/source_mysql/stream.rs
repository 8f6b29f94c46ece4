//! One stream's way from query to stdout.

use airbyte_protocol::ConfiguredStream;
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use super::cells;
use super::columns::Column;
use super::sql::cell;
use super::tables::Table;
use super::types::Kind;
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{
    Emission, Extras, GlobalStates, Records, RowWriter, SILENCE_MAX, TableReader,
    selected_properties,
};

/// Reads one stream.
pub(super) struct StreamReader<'a> {
    records: Records<'a>,
    rows: RowWriter<Kind>,
    /// The columns that are read, for a SELECT.
    list: Vec<String>,
}

impl<'a> StreamReader<'a> {
    /// Reads the columns that the configured schema names; all where it names none.
    pub(super) fn new(
        table: &Table,
        configured: &ConfiguredStream,
        output: &'a mut Output,
    ) -> Self {
        let selected = selected_properties(&configured.stream.json_schema);
        let is_chosen = |column: &&Column| {
            let names = selected.as_ref();
            names.is_none_or(|names| names.contains(&column.name))
        };
        let chosen: Vec<&Column> = table.columns.iter().filter(is_chosen).collect();
        Self {
            records: Records::new(configured, output),
            list: chosen.iter().map(|column| column.selected()).collect(),
            rows: RowWriter::new(chosen.into_iter().map(|c| (c.name.clone(), c.kind))),
        }
    }

    /// Sends states of all streams instead of the one's.
    pub(super) fn within(mut self, global: &'a mut GlobalStates) -> Self {
        self.records = self.records.within(global);
        self
    }
}

impl TableReader for StreamReader<'_> {
    type Connection = MySqlConnection;

    async fn pass(
        &mut self,
        connection: &mut MySqlConnection,
        extra: &[String],
        rest: &str,
        emission: Emission,
        mut after: impl FnMut(&mut Records<'_>, &Extras) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        // The driver takes a row that begins with a value of 16 MB for the end of the rows.
        let mut list = vec!["0".to_owned()];
        list.extend_from_slice(&self.list);
        list.extend_from_slice(extra);
        let query = format!("SELECT {} {rest}", list.join(", "));
        let mut rows = sqlx::raw_sql(AssertSqlSafe(query)).fetch(connection);
        let mut extras = Extras::default();
        let mut count = 0;
        loop {
            let next = tokio::time::timeout(SILENCE_MAX, rows.try_next()).await;
            let next = next.map_err(|_| Failure::transient("the server sends no more rows"))?;
            let Some(row) = next? else { break };
            count += 1;
            let mut broken = None;
            let mut cells = (1..row.len()).map(|index| {
                cell(&row, index).unwrap_or_else(|error| {
                    broken = Some(error);
                    None
                })
            });
            let written = self
                .rows
                .write(&mut cells, cells::write, self.records.begin());
            extras.clear();
            cells.for_each(|cell| extras.push(cell));
            if let Some(error) = broken {
                return Err(error.into());
            }
            written.ok_or_else(|| Failure::system("the server sent a row with too few columns"))?;
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
