//! Full refreshes. A table with a key is read in the key's order; anything else in one go.

use airbyte_protocol::ConfiguredStream;
use serde_json::value::RawValue;
use sqlx::PgConnection;

use super::stream::StreamReader;
use super::tables::Table;
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{Emission, KeyedTable as _, Progress, TableReader as _, pages};

/// Reads a table to its end, starting at the state; emits no states if it is not resumable.
pub(super) async fn read(
    connection: &mut PgConnection,
    table: &Table,
    configured: &ConfiguredStream,
    (saved, resumable): (Option<&RawValue>, bool),
    output: &mut Output,
) -> Result<(), Failure> {
    if table.key.is_empty() || !resumable {
        let mut reader = StreamReader::new(table, configured, output);
        reader
            .pass(
                connection,
                &[],
                &table.from(),
                Emission::Rows,
                |_, _| Ok(()),
            )
            .await?;
        return Ok(());
    }
    let mut progress = Progress::restored(table, saved, output)?;
    let mut reader = StreamReader::new(table, configured, output);
    pages(
        connection,
        table,
        &mut reader,
        "true",
        &mut progress,
        Progress::clone,
    )
    .await?;
    reader.state(&progress)
}
