//! Names and texts in MySQL's SQL, and small answers of the server.

use futures::TryStreamExt as _;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row as _, ValueRef as _};

use crate::failure::Failure;

/// A name as an SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as an SQL literal; sessions have `NO_BACKSLASH_ESCAPES` on.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A cell as the server wrote it; nothing for null.
pub(super) fn cell(row: &MySqlRow, index: usize) -> Result<Option<&[u8]>, sqlx::Error> {
    if row.try_get_raw(index)?.is_null() {
        return Ok(None);
    }
    row.try_get_unchecked::<&[u8], _>(index).map(Some)
}

/// The rows of a query, which are few, as texts: in this form alone all servers describe their
/// tables alike.
pub(super) async fn texts(
    connection: &mut MySqlConnection,
    query: String,
) -> Result<Vec<Vec<Option<String>>>, sqlx::Error> {
    let mut rows = sqlx::raw_sql(AssertSqlSafe(query)).fetch(connection);
    let mut texts = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let text = |index| {
            let cell = cell(&row, index)?;
            Ok(cell.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
        };
        let cells: Result<_, sqlx::Error> = (0..row.len()).map(text).collect();
        texts.push(cells?);
    }
    Ok(texts)
}

/// Runs a statement that answers nothing.
pub(super) async fn execute(
    connection: &mut MySqlConnection,
    statement: &str,
) -> Result<(), Failure> {
    let statement = AssertSqlSafe(statement.to_owned());
    sqlx::raw_sql(statement).execute(connection).await?;
    Ok(())
}
