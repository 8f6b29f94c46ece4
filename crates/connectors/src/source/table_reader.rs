//! What the ways of reading a table need from a database server, whichever it is.

use serde::{Deserialize, Serialize};

use super::{Extras, Records};
use crate::failure::Failure;

/// How long a server may take for its next row. Sorting a large table comes before the first.
pub(crate) const SILENCE_MAX: std::time::Duration = std::time::Duration::from_secs(2 * 3600);

/// What a pass over rows sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emission {
    /// Nothing: the rows are only looked at.
    Nothing,
    /// Records, each before what is to come after it.
    Rows,
    /// Records, each after what is to come before it.
    RowsLast,
}

/// Reads the columns of one stream.
pub(crate) trait TableReader {
    /// A session with the server.
    type Connection;

    /// Sends the rows of a statement that selects the stream's columns and `extra` ones; `rest` is
    /// the statement from FROM on. Calls `after` for each row. Returns the number of rows.
    async fn pass(
        &mut self,
        connection: &mut Self::Connection,
        extra: &[String],
        rest: &str,
        emission: Emission,
        after: impl FnMut(&mut Records<'_>, &Extras) -> Result<(), Failure>,
    ) -> Result<u64, Failure>;

    /// Sends a state.
    fn state(&mut self, state: &impl Serialize) -> Result<(), Failure>;
}

/// A table whose rows have a key to go by.
pub(crate) trait KeyedTable {
    /// Its name, for messages.
    fn name(&self) -> &str;

    /// Its FROM clause for reading in the key's order.
    fn from(&self) -> String;

    /// Names of the key's columns.
    fn key(&self) -> &[String];

    /// What is selected for the key's values, one for each column.
    fn key_cells(&self) -> Vec<String>;

    /// The key's order.
    fn key_order(&self) -> String;

    /// The condition that a row comes after that key.
    fn after(&self, values: &[String]) -> String;
}

/// A column whose values rows are read by.
pub(crate) trait CursorColumn {
    /// Its name.
    fn name(&self) -> &str;

    /// What it is ordered and compared by.
    fn by(&self) -> String;

    /// What is selected for its value.
    fn cell(&self) -> String {
        self.by()
    }

    /// Its type, as the server names it: texts order otherwise than numbers.
    fn sql_type(&self) -> &str;

    /// Whether rows can be without it.
    fn nullable(&self) -> bool;

    /// A value in SQL, to be compared with [`Self::by`].
    fn literal(&self, value: &str) -> String;

    /// Whether the server treats two strings as the same value, as far as their text shows.
    fn same(&self, a: &str, b: &str) -> bool {
        a == b
    }

    /// Whether only the server knows which values are the same, because collations may ignore case.
    fn only_server_compares(&self) -> bool {
        false
    }
}

/// A cursor's value, as the server writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CursorValue {
    pub(crate) cursor: String,
    pub(crate) cursor_type: String,
}
