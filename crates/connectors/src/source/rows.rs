//! Rows of a database server, cell by cell, as JSON objects.

use crate::source::quoted_json;

/// Writes rows of one table as JSON objects; `K` is what a column is read as.
pub(crate) struct RowWriter<K> {
    /// Each column's name with what goes before and after it.
    columns: Vec<(Vec<u8>, String, K)>,
    /// Columns of the last row whose value did not fit.
    nulled: Vec<usize>,
}

impl<K> RowWriter<K> {
    pub(crate) fn new(columns: impl Iterator<Item = (String, K)>) -> Self {
        let prefixed = |(index, (name, kind)): (usize, (String, K))| {
            let mut prefix = vec![if index == 0 { b'{' } else { b',' }];
            quoted_json(&mut prefix, &name);
            prefix.push(b':');
            (prefix, name, kind)
        };
        Self {
            columns: columns.enumerate().map(prefixed).collect(),
            nulled: Vec::new(),
        }
    }

    /// Appends a row as an object; its next cells are the columns. `write` appends a cell as JSON,
    /// or reports that it does not fit. `None` if there are too few cells.
    pub(crate) fn write<C: AsRef<[u8]>>(
        &mut self,
        cells: &mut impl Iterator<Item = Option<C>>,
        write: impl Fn(&K, &[u8], &mut Vec<u8>) -> bool,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        self.nulled.clear();
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for (index, (prefix, _, kind)) in self.columns.iter().enumerate() {
            out.extend_from_slice(prefix);
            let start = out.len();
            match cells.next()? {
                None => out.extend_from_slice(b"null"),
                Some(cell) => {
                    if !write(kind, cell.as_ref(), out) {
                        out.truncate(start);
                        out.extend_from_slice(b"null");
                        self.nulled.push(index);
                    }
                }
            }
        }
        out.push(b'}');
        Some(())
    }

    /// Names of the columns whose value did not fit in the last row.
    pub(crate) fn nulled(&self) -> impl Iterator<Item = &str> {
        self.nulled
            .iter()
            .map(|index| self.columns[*index].1.as_str())
    }
}
