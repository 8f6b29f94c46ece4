//! The ids that a source maintains for its tables and columns: the keyword `x-column-ids` at the
//! root of a schema, `{"table": "16384", "columns": {"id": 1}}`. Airbyte's own rules ignore it.

use std::borrow::Cow;

use crate::node::Node;

/// The keyword.
pub(crate) const KEYWORD: &str = "x-column-ids";

/// The keyword's content; empty if a source has no such ids.
pub(crate) struct Identities<'n, 'a> {
    table: Option<&'n Node<'a>>,
    columns: &'n [(Cow<'a, str>, Node<'a>)],
}

impl<'n, 'a> Identities<'n, 'a> {
    pub(crate) fn of(root: &'n Node<'a>) -> Self {
        let ids = root.get(KEYWORD);
        Self {
            table: ids.and_then(|ids| ids.get("table")),
            columns: ids
                .and_then(|ids| ids.get("columns"))
                .map_or(&[], Node::members),
        }
    }

    /// The table's id, as text.
    pub(crate) fn table(&self) -> Option<String> {
        self.table.map(words)
    }

    /// The column's id in its table, as text.
    pub(crate) fn column(&self, name: &str) -> Option<String> {
        let (_, id) = self.columns.iter().find(|(key, _)| key == name)?;
        Some(words(id))
    }

    /// The column with that id.
    pub(crate) fn named(&self, id: &str) -> Option<&'n str> {
        let (name, _) = self.columns.iter().find(|(_, known)| words(known) == id)?;
        Some(name)
    }

    /// Whether columns of the two can be compared by id: both belong to one table.
    pub(crate) fn are_comparable(&self, other: &Self) -> bool {
        self.table.is_some() && self.table == other.table
    }

    pub(crate) fn columns(&self) -> impl Iterator<Item = &'n str> {
        self.columns.iter().map(|(name, _)| name.as_ref())
    }
}

fn words(id: &Node<'_>) -> String {
    match id.text() {
        Some(text) => text.to_owned(),
        None => id.to_value().to_string(),
    }
}
