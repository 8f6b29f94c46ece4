//! Rows of `COPY … TO STDOUT` in its text format, as cells.

use std::borrow::Cow;

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
