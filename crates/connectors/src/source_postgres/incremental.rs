//! Reading by a cursor that the connection chose.

use airbyte_protocol::ConfiguredStream;
use serde_json::value::RawValue;
use sqlx::PgConnection;

use super::stream::StreamReader;
use super::tables::{Column, Table};
use crate::failure::Failure;
use crate::output::Output;
use crate::postgres::{literal, quoted};
use crate::source::{CursorColumn, KeyedTable as _, incremental};

/// Reads what is new since the state.
pub(super) async fn read(
    connection: &mut PgConnection,
    table: &Table,
    configured: &ConfiguredStream,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    let cursor = cursor(table, configured)?;
    let restored = incremental::restored(&table.name, cursor, saved, output)?;
    let mut reader = StreamReader::new(table, configured, output);
    incremental::read(connection, &table.from(), cursor, restored, &mut reader).await
}

impl CursorColumn for Column {
    fn name(&self) -> &str {
        &self.name
    }

    fn by(&self) -> String {
        quoted(&self.name)
    }

    fn sql_type(&self) -> &str {
        &self.sql_type
    }

    fn nullable(&self) -> bool {
        self.nullable
    }

    fn literal(&self, value: &str) -> String {
        format!("{}::{}", literal(value), self.sql_type)
    }

    /// Numerics have any number of zeros.
    fn same(&self, a: &str, b: &str) -> bool {
        let trimmed = |text: &str| match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text.to_owned(),
        };
        a == b || (self.sql_type == "numeric" && trimmed(a) == trimmed(b))
    }
}

fn cursor<'t>(table: &'t Table, configured: &ConfiguredStream) -> Result<&'t Column, Failure> {
    let name = table.descriptor();
    let [field] = configured.cursor_field.as_slice() else {
        let message =
            format!("table {name} is to be read incrementally: a cursor column is needed");
        return Err(Failure::config(message));
    };
    let column = table.column(field).ok_or_else(|| {
        Failure::config(format!("table {name} has no column {field} for a cursor"))
    })?;
    if column.orders {
        return Ok(column);
    }
    Err(Failure::config(format!(
        "column {field} of table {name} has no order to read by"
    )))
}
