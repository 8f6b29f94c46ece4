//! Reading a table in its key's order, a page at a time, so that the state can say how far it came.

use airbyte_protocol::LogLevel;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::table_reader::{Emission, KeyedTable, TableReader};
use super::{Extras, Records};
use crate::failure::Failure;
use crate::output::Output;

/// Rows of a page: enough that its query costs little per row, few enough that the server reads
/// along an index instead of sorting the table.
const PAGE_ROWS: u64 = 50_000;

/// How far a read came: the key of the last row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Names of the key's columns.
    pub(crate) key: Vec<String>,
    /// Their values, as the server writes them; nothing before the first row.
    pub(crate) after: Option<Vec<String>>,
}

impl Progress {
    /// Before the first row.
    pub(crate) fn new(table: &impl KeyedTable) -> Self {
        Self {
            key: table.key().to_vec(),
            after: None,
        }
    }

    /// The position in the state; the beginning if the state does not belong to the table's key.
    pub(crate) fn restored(
        table: &impl KeyedTable,
        saved: Option<&RawValue>,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let restored = saved.and_then(|state| serde_json::from_str::<Self>(state.get()).ok());
        let restored = restored.filter(|progress| progress.key == table.key());
        if saved.is_some_and(|state| state.get() != "{}") && restored.is_none() {
            let text = format!(
                "the state of {} is not about its key: all rows are read",
                table.name()
            );
            output.log(LogLevel::Warn, text)?;
        }
        Ok(restored.unwrap_or_else(|| Self::new(table)))
    }
}

/// Reads pages that meet the condition, starting at the progress; `state` turns it into a state at
/// intervals.
pub(crate) async fn pages<R: TableReader, S: Serialize>(
    connection: &mut R::Connection,
    table: &impl KeyedTable,
    reader: &mut R,
    condition: &str,
    progress: &mut Progress,
    state: impl Fn(&Progress) -> S,
) -> Result<(), Failure> {
    let (cells, order) = (table.key_cells(), table.key_order());
    let mut last = Extras::default();
    loop {
        let from = match &progress.after {
            None => String::new(),
            Some(values) => format!(" AND ({})", table.after(values)),
        };
        let rest = format!(
            "{} WHERE {condition}{from} ORDER BY {order} LIMIT {PAGE_ROWS}",
            table.from()
        );
        last.clear();
        let after = |records: &mut Records<'_>, key: &Extras| {
            last.clone_from(key);
            if records.state_is_due() {
                progress.after = Some(values(&last)?);
                records.state(&state(progress))?;
            }
            Ok(())
        };
        let rows = reader
            .pass(connection, &cells, &rest, Emission::Rows, after)
            .await?;
        if !last.is_empty() {
            progress.after = Some(values(&last)?);
        }
        if rows < PAGE_ROWS {
            return Ok(());
        }
    }
}

fn values(key: &Extras) -> Result<Vec<String>, Failure> {
    key.texts()
        .ok_or_else(|| Failure::system("a key is null or not UTF-8"))
}
