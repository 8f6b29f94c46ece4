//! Rows of `COPY … TO STDOUT` in its text format, as JSON objects.

use std::borrow::Cow;

use super::cells;
use super::tables::Column;
use super::types::Kind;
use crate::failure::Failure;
use crate::source::quoted_json;

/// The cells of a row's line; nothing for null.
pub(super) fn cells_of(line: &[u8]) -> impl Iterator<Item = Option<Cow<'_, [u8]>>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.split(|byte| *byte == b'\t').map(|cell| {
        if cell == b"\\N" {
            None
        } else if cell.contains(&b'\\') {
            Some(Cow::Owned(unescaped(cell)))
        } else {
            Some(Cow::Borrowed(cell))
        }
    })
}

/// The server writes control characters by letter and doubles backslashes; it writes no octal or
/// hexadecimal escapes.
fn unescaped(cell: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(cell.len());
    let mut bytes = cell.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => *other,
                None => b'\\',
            },
            other => *other,
        });
    }
    out
}

/// Writes rows of one table as JSON objects.
pub(super) struct RowWriter {
    /// Each column's name with what goes before and after it.
    columns: Vec<(Vec<u8>, String, Kind)>,
    /// Columns of the last row whose value did not fit.
    nulled: Vec<usize>,
}

impl RowWriter {
    pub(super) fn new(columns: &[Column]) -> Self {
        let prefixed = |(index, column): (usize, &Column)| {
            let mut prefix = vec![if index == 0 { b'{' } else { b',' }];
            quoted_json(&mut prefix, &column.name);
            prefix.push(b':');
            (prefix, column.name.clone(), column.kind.clone())
        };
        Self {
            columns: columns.iter().enumerate().map(prefixed).collect(),
            nulled: Vec::new(),
        }
    }

    /// Appends the object of a row, whose first cells are the columns. The cells that remain are
    /// returned.
    pub(super) fn write<'l>(
        &mut self,
        line: &'l [u8],
        out: &mut Vec<u8>,
    ) -> Result<impl Iterator<Item = Option<Cow<'l, [u8]>>> + use<'l>, Failure> {
        self.nulled.clear();
        let mut cells = cells_of(line);
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for (index, (prefix, _, kind)) in self.columns.iter().enumerate() {
            out.extend_from_slice(prefix);
            let cell = cells
                .next()
                .ok_or_else(|| Failure::system("the server sent a row with too few columns"))?;
            let start = out.len();
            match cell {
                None => out.extend_from_slice(b"null"),
                Some(cell) => {
                    if !cells::write(kind, &cell, out) {
                        out.truncate(start);
                        out.extend_from_slice(b"null");
                        self.nulled.push(index);
                    }
                }
            }
        }
        out.push(b'}');
        Ok(cells)
    }

    /// Names of the columns whose value did not fit in the last row.
    pub(super) fn nulled(&self) -> impl Iterator<Item = &str> {
        self.nulled
            .iter()
            .map(|index| self.columns[*index].1.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_and_unescaped() {
        let line = b"a\\tb\t\\N\t\t\\\\N\t\\\\x00\n";
        let cells: Vec<Option<Vec<u8>>> = cells_of(line)
            .map(|cell| cell.map(Cow::into_owned))
            .collect();
        let expected: [Option<&[u8]>; 5] =
            [Some(b"a\tb"), None, Some(b""), Some(b"\\N"), Some(b"\\x00")];
        assert_eq!(cells, expected.map(|cell| cell.map(<[u8]>::to_vec)));
    }
}
